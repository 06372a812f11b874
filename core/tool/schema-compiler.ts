import { Ajv, type AnySchemaObject, type Options } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { quotePeer } from '#core/errors.js';
import type { Dialect, DialectSchema } from './dialect.js';
import { checkedFormats } from './formats.js';
import { anyPattern, type Pattern } from './pattern.js';
import { SchemaUnusable } from './schema-unusable.js';
import { toViolations, type Violation } from './violation.js';

/** A compiled schema: the violations of a value, none if it is valid. Never changes the value. */
export type Validate = (value: unknown) => Violation[];

const CLASSES = { '2020-12': Ajv2020, '2019-09': Ajv2019, 'draft-07': Ajv };
const META_SCHEMAS: Readonly<Record<Dialect, string>> = {
  '2020-12': 'https://json-schema.org/draft/2020-12/schema',
  '2019-09': 'https://json-schema.org/draft/2019-09/schema',
  'draft-07': 'http://json-schema.org/draft-07/schema',
};

/**
 * Compiles schemas that servers wrote. Each gets an Ajv of its own: in a shared one the second schema with an `$id` would silently be checked by the first. Only the meta-schemas, which are
 * ours, are kept between schemas; every schema passes its meta-schema before code is made from it. Nothing is ever fetched: a `$ref` that leads out of the schema makes it unusable.
 */
export class SchemaCompiler {
  readonly #metaSchemas = new Map<Dialect, (schema: unknown) => boolean>();
  readonly #formats = checkedFormats();

  /** Compiles a schema; `patterns` are those already compiled, others are by {@link anyPattern}. Throws {@link SchemaUnusable}. */
  compile({ dialect, schema }: DialectSchema, patterns: ReadonlyMap<string, Pattern> = new Map()): Validate {
    if (!this.#metaSchema(dialect)(schema)) throw new SchemaUnusable(`The schema is not valid by JSON Schema ${dialect}.`);
    const regExp = Object.assign((source: string) => (patterns.get(source) ?? anyPattern(source)) as RegExp, { code: 'pattern' });
    const options: Options = {
      strict: false, logger: false, meta: false, validateSchema: false, allErrors: true, ownProperties: true, formats: this.#formats, code: { regExp },
    };
    const validate = compileWith(new CLASSES[dialect](options), schema);
    return (value) => (validate(value) === true ? [] : toViolations(validate.errors ?? []));
  }

  #metaSchema(dialect: Dialect): (schema: unknown) => boolean {
    const known = this.#metaSchemas.get(dialect);
    if (known !== undefined) return known;
    const validate = new CLASSES[dialect]({ strict: false, logger: false, validateFormats: false }).getSchema(META_SCHEMAS[dialect])!;
    const passes = (schema: unknown) => validate(schema) === true;
    this.#metaSchemas.set(dialect, passes);
    return passes;
  }
}

function compileWith(ajv: Ajv, schema: AnySchemaObject | boolean): ReturnType<Ajv['compile']> {
  let validate: ReturnType<Ajv['compile']>;
  try {
    validate = ajv.compile(schema);
  } catch (error) {
    throw new SchemaUnusable(`The schema can't be used: ${quotePeer(error instanceof Error ? error.message : 'unknown')}.`, { cause: error });
  }
  // Ajv's own keyword: the validator would answer with a promise, which passes for true.
  if ('$async' in validate) throw new SchemaUnusable('The schema asks for $async, which is no JSON Schema.');
  return validate;
}
