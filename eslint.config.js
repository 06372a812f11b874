import graphql from '@graphql-eslint/eslint-plugin';

// Lints the committed SDL (`npm run lint`); oxlint does the TypeScript.
const rules = graphql.configs['flat/schema-recommended'].rules;
const [, naming] = rules['@graphql-eslint/naming-convention'];

export default [
  { ignores: ['**/*', '!schema', '!schema/schema.graphql'] },
  {
    files: ['schema/schema.graphql'],
    plugins: { '@graphql-eslint': graphql },
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema: './schema/schema.graphql' } } },
    linterOptions: { reportUnusedDisableDirectives: true },
    rules: {
      ...rules,
      ...graphql.configs['flat/schema-relay'].rules,
      '@graphql-eslint/require-description': ['error', {
        types: true, rootField: true, DirectiveDefinition: true, FieldDefinition: true, InputValueDefinition: true, EnumValueDefinition: true, OperationDefinition: false,
      }],
      // `ConnectionType` is the product's word for a catalog entry: the suffix is part of a noun.
      '@graphql-eslint/naming-convention': ['error', { ...naming, 'ObjectTypeDefinition,ObjectTypeExtension': { forbiddenPrefixes: ['Type'] } }],
      // Value objects have no identity; what has one implements Node, and test/integration/contract.spec.ts asks for it.
      '@graphql-eslint/strict-id-in-types': 'off',
      // `first` with a default is enough to page forwards, and nothing pages backwards.
      '@graphql-eslint/relay-arguments': ['error', { includeBoth: false }],
      // Lists that can't grow without bound (conditions, headers, …) are plain lists.
      '@graphql-eslint/relay-edge-types': ['error', { listTypeCanWrapOnlyEdgeType: false }],
      '@graphql-eslint/input-name': ['error', { checkInputType: true, checkQueries: false, caseSensitiveInputType: false }],
      '@graphql-eslint/no-scalar-result-type-on-mutation': 'error',
      '@graphql-eslint/require-nullable-fields-with-oneof': 'error',
    },
  },
];
