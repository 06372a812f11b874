import { lexicographicSortSchema, printSchema } from 'graphql';
import { createSchema } from '#api/schema.js';
import { configDocument } from './config-document.js';
import { crdDocument } from '#operator/manifest/crd.js';
import { chartCrd, chartReadme, valuesSchema } from './chart/generated.js';
import { dumpSchema } from './schema-dump.js';

/** A file that is made from the sources and committed, so that a change of them is seen as what it means. */
export interface GeneratedFile {
  /** From the root of the repository. */
  path: string;
  /** Makes it anew. */
  command: string;
  /** Its text. `migrated` gives the URL of a freshly migrated database. */
  make(migrated: () => Promise<string>): Promise<string>;
}

/** Every generated file by the name that `npm run generate` takes. */
export const GENERATED: Readonly<Record<string, GeneratedFile>> = {
  config: { path: 'schema/config.md', command: 'npm run generate:config', make: async () => configDocument() },
  schema: { path: 'schema/schema.graphql', command: 'npm run generate:schema', make: async () => `${SCHEMA_HEAD}\n${await schemaText()}` },
  'crds-connection-type': { path: 'schema/crds/connectiontypes.fairlead.dev.yaml', command: 'npm run generate:crds', make: async () => `${CRD_HEAD}${crdDocument('ConnectionType')}` },
  'crds-enrollment': { path: 'schema/crds/enrollments.fairlead.dev.yaml', command: 'npm run generate:crds', make: async () => `${CRD_HEAD}${crdDocument('Enrollment')}` },
  'chart-crds-connection-type': { path: 'charts/fairlead/templates/crds/connectiontypes.yaml', command: 'npm run generate:chart', make: async () => `${CHART_CRD_HEAD}${chartCrd('ConnectionType')}` },
  'chart-crds-enrollment': { path: 'charts/fairlead/templates/crds/enrollments.yaml', command: 'npm run generate:chart', make: async () => `${CHART_CRD_HEAD}${chartCrd('Enrollment')}` },
  'chart-values-schema': { path: 'charts/fairlead/values.schema.json', command: 'npm run generate:chart', make: async () => valuesSchema() },
  'chart-readme': { path: 'charts/fairlead/README.md', command: 'npm run generate:chart', make: async () => chartReadme() },
  database: { path: 'schema/database.sql', command: 'npm run generate:database', make: async (migrated) => `${DATABASE_HEAD}\n${await dumpSchema(await migrated())}` },
};

const SCHEMA_HEAD = '# GENERATED from the classes of api/modules by `npm run generate:schema`. Don\'t edit.\n';
const CRD_HEAD = '# GENERATED from the specs of operator/manifest by `npm run generate:crds`. Don\'t edit.\n';
const CHART_CRD_HEAD = '{{- /* GENERATED from the specs of operator/manifest by `npm run generate:chart`. Don\'t edit. */}}\n';
const DATABASE_HEAD = '-- GENERATED from a freshly migrated database by `npm run generate:database`, to be read and compared. Don\'t edit: core/store/migrations makes the schema.\n';

/** The SDL, sorted. */
async function schemaText(): Promise<string> {
  return `${printSchema(lexicographicSortSchema(await createSchema()))}\n`;
}
