import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { parseLossless } from '#core/json/lossless.js';
import { ToolSchemas, type CheckOutcome, type ToolSchemasOptions, type Violation } from '#core/tool/arguments.js';
import { surveySchema } from '#core/tool/schema-survey.js';

const open: ToolSchemas[] = [];
afterEach(async () => { await Promise.all(open.splice(0).map((schemas) => schemas.close())); });

function toolSchemas(options: Partial<ToolSchemasOptions> = {}): ToolSchemas {
  const schemas = new ToolSchemas(options);
  open.push(schemas);
  return schemas;
}

/** The violations of a check that must be made at once, on the main thread. */
function atOnce(schema: unknown, value: unknown): Violation[] {
  const outcome = toolSchemas().check('key', schema, value);
  if (outcome instanceof Promise) throw new Error('checked in a worker');
  return violationsOf(outcome);
}

/** The violations of a check that must be made in a worker. */
async function inWorker(schema: unknown, value: unknown): Promise<Violation[]> {
  const outcome = toolSchemas({ checkMs: 20_000, compileMs: 20_000 }).check('key', schema, value);
  if (!(outcome instanceof Promise)) throw new Error('checked at once');
  return violationsOf(await outcome);
}

function violationsOf(outcome: CheckOutcome): Violation[] {
  if (outcome.ok) return [];
  if (outcome.reason !== 'INVALID') throw new Error(`${outcome.reason}: ${outcome.message}`);
  return outcome.errors;
}

async function reasonOf(outcome: CheckOutcome | Promise<CheckOutcome>): Promise<string> {
  const result = await outcome;
  return result.ok ? 'VALID' : result.reason;
}

const SEARCH = {
  type: 'object',
  properties: {
    query: { type: 'string', minLength: 1 },
    limit: { type: 'integer', minimum: 1, maximum: 100 },
    tags: { type: 'array', items: { type: 'string', enum: ['a', 'b'] }, uniqueItems: true },
    owner: { $ref: '#/$defs/Owner' },
    'a/b~c': { type: 'string' },
  },
  required: ['query'],
  additionalProperties: false,
  $defs: { Owner: { type: 'object', properties: { login: { type: 'string', pattern: '^[a-z][a-z0-9-]{0,38}$' }, since: { type: 'string', format: 'date-time' } }, required: ['login'] } },
};

describe('a check on the main thread', () => {
  test('passes what is valid, and points at everything that is not', () => {
    expect(atOnce(SEARCH, { query: 'x', limit: 5, tags: ['a', 'b'], owner: { login: 'octocat', since: '2026-01-02T03:04:05Z' } })).toEqual([]);
    expect(atOnce(SEARCH, { limit: 0, tags: ['a', 'a', 'c'], owner: { login: 'Octo' }, 'x/y': 1, 'a/b~c': 2 })).toEqual([
      { pointer: '', message: 'must have the property "query"' },
      { pointer: '/x~1y', message: 'is not a property of this object' },
      { pointer: '/limit', message: 'must be >= 1' },
      { pointer: '/tags/2', message: 'must be one of ["a","b"]' },
      { pointer: '/tags', message: 'must NOT have duplicate items (items ## 1 and 0 are identical)' },
      { pointer: '/owner/login', message: 'must match pattern "^[a-z][a-z0-9-]{0,38}$"' },
      { pointer: '/a~1b~0c', message: 'must be string' },
    ]);
  });

  test('tells ten violations at most, and never a value', () => {
    const violations = atOnce({ type: 'array', items: { type: 'string', maxLength: 3 } }, Array.from({ length: 50 }, () => 'canary-value'));
    expect(violations).toHaveLength(10);
    expect(JSON.stringify(violations)).not.toContain('canary');
    expect(JSON.stringify(atOnce({ const: 'x' }, 'canary')) + JSON.stringify(atOnce({ pattern: '^x', format: 'uuid', enum: [1], multipleOf: 2, type: 'null' }, 'canary'))).not.toContain('canary');
  });

  test('takes raw numbers as numbers, and leaves them in the value', () => {
    const value = parseLossless('{"id":12345678901234567890,"list":[123456789012345678901]}');
    const schema = { properties: { id: { type: 'integer', minimum: 1 }, list: { items: { type: 'string' } } } };
    expect(atOnce(schema, value)).toEqual([{ pointer: '/list/0', message: 'must be string' }]);
    expect(JSON.stringify(value)).toBe('{"id":12345678901234567890,"list":[123456789012345678901]}');
  });

  test('takes no inherited property for one of the value', () => {
    expect(atOnce({ required: ['toString', 'constructor'] }, {})).toHaveLength(2);
    expect(atOnce({ properties: { constructor: { type: 'string' }, valueOf: { type: 'number' } }, additionalProperties: false }, {})).toEqual([]);
    expect(atOnce({ properties: { a: {} }, additionalProperties: false }, parseLossless('{"__proto__":1}'))).toEqual([{ pointer: '/__proto__', message: 'is not a property of this object' }]);
  });

  test('neither fills in defaults nor converts types', () => {
    const value = { n: '1' };
    expect(atOnce({ properties: { n: { type: 'number' }, d: { default: 5 } } }, value)).toHaveLength(1);
    expect(value).toEqual({ n: '1' });
  });

  test('refuses a value that is nested too deeply', () => {
    let value: unknown = 1;
    for (let level = 0; level < 100_000; level += 1) value = [value];
    expect(atOnce({}, value)).toEqual([{ pointer: '', message: 'is nested too deeply' }]);
  });

  test('takes times without a zone, and no dates that do not exist', () => {
    for (const time of ['2026-01-02T03:04:05', '2026-01-02T03:04:05.123+02:00', '2026-01-02T03:04:05Z']) expect(atOnce({ format: 'date-time' }, time)).toEqual([]);
    expect(atOnce({ format: 'date' }, '2026-02-30')).toEqual([{ pointer: '', message: 'must match format "date"' }]);
    expect(atOnce({ format: 'made-up' }, 'anything')).toEqual([]);
  });

  test('booleans are schemas', () => {
    expect(atOnce(true, 1)).toEqual([]);
    expect(atOnce(false, 1)).toHaveLength(1);
  });
});

describe('dialects', () => {
  test.each([
    ['https://json-schema.org/draft/2020-12/schema', { prefixItems: [{ type: 'string' }] }, [1]],
    ['https://json-schema.org/draft/2019-09/schema', { items: [{ type: 'string' }] }, [1]],
    ['http://json-schema.org/draft-07/schema#', { items: [{ type: 'string' }] }, [1]],
    ['http://json-schema.org/draft-06/schema#', { dependencies: { a: ['b'] } }, { a: 1 }],
    ['http://json-schema.org/draft-04/schema#', { minimum: 1, exclusiveMinimum: true }, 1],
    ['http://json-schema.org/draft-04/schema', { properties: { enum: { maximum: 5, exclusiveMaximum: false } }, id: 'http://x.example/s' }, { enum: 6 }],
  ])('%s is checked by its own rules', ($schema, schema, value) => {
    expect(atOnce({ $schema, ...schema }, value)).toHaveLength(1);
  });

  test('without $schema it is 2020-12', () => {
    expect(atOnce({ prefixItems: [{ type: 'string' }], items: false }, ['a', 1])).toHaveLength(1);
  });

  test('lists of a draft-04 enum stay as they are', () => {
    expect(atOnce({ $schema: 'http://json-schema.org/draft-04/schema#', enum: [{ id: 'x', exclusiveMinimum: true }] }, { id: 'x', exclusiveMinimum: true })).toEqual([]);
  });

  test("OpenAPI's nullable does no harm", () => {
    expect(atOnce({ properties: { a: { nullable: true, anyOf: [{ type: 'string' }] } } }, { a: 1 })).not.toEqual([]);
    expect(atOnce({ properties: { a: { nullable: true, type: 'string' } } }, { a: null })).toEqual([]);
  });
});

describe('a schema that can not be used', () => {
  const deep = (levels: number) => { let schema: unknown = {}; for (let level = 0; level < levels; level += 1) schema = { not: schema }; return schema; };
  test.each([
    ['is missing', undefined], ['is null', null], ['is a list', []], ['is a string', 'object'], ['has a wrong keyword', { type: 'objekt' }], ['has a wrong keyword inside', { properties: { a: { minLength: 'x' } } }],
    ['has an unknown dialect', { $schema: 'http://evil.example/schema' }], ['has a dialect that is no text', { $schema: 5 }], ['is draft-03', { $schema: 'http://json-schema.org/draft-03/schema#' }],
    ['has a reference that leads nowhere', { $ref: '#/$defs/missing' }], ['has a pattern that is none', { pattern: '(' }], ['is asynchronous', { $async: true, type: 'object' }],
    ['is nested very deeply', deep(100_000)], ['is huge', { enum: Array.from({ length: 30_000 }, (_, index) => index) }], ['has a number for an id', { $id: 5 }],
  ])('is told apart when it %s', async (_what, schema) => {
    const outcome = await toolSchemas().check('key', schema, { a: 1 });
    expect(outcome).toMatchObject({ ok: false, reason: 'SCHEMA_UNUSABLE' });
    expect(outcome.ok === false && outcome.reason === 'SCHEMA_UNUSABLE' && outcome.message.length < 400).toBe(true);
  });

  test('is one with a remote $ref, which is never fetched', async () => {
    let requests = 0;
    const server = createServer((_request, response) => { requests += 1; response.end('{}'); });
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/schema.json`;
    for (const schema of [{ $ref: url }, { properties: { a: { $ref: `${url}#/x` } } }, { $id: url, $ref: 'other.json' }, { allOf: [{ $dynamicRef: url }] }]) {
      expect(await reasonOf(toolSchemas().check('key', schema, { a: 1 }))).toBe('SCHEMA_UNUSABLE');
    }
    expect(requests).toBe(0);
    await new Promise((resolve) => { server.close(resolve); });
  });
});

describe('a check in a worker', () => {
  test('is heard although this thread was busy for longer than the limit', async () => {
    const schemas = toolSchemas({ workers: 1, checkMs: 200, compileMs: 20_000 });
    const schema = { $anchor: 'x', type: 'number' };
    expect(await reasonOf(schemas.check('key', schema, 1))).toBe('VALID');
    const check = schemas.check('key', schema, 2);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
    expect(await reasonOf(check)).toBe('VALID');
  });

  test('serves recursion, anchors, look-around and unevaluated properties', async () => {
    const tree = { type: 'object', properties: { children: { type: 'array', items: { $ref: '#' } }, name: { type: 'string' } }, required: ['name'] };
    expect(await inWorker(tree, { name: 'a', children: [{ name: 'b', children: [{}] }] })).toEqual([{ pointer: '/children/0/children/0', message: 'must have the property "name"' }]);
    expect(await inWorker({ $ref: '#there', $defs: { t: { $anchor: 'there', type: 'number' } } }, 'x')).toHaveLength(1);
    expect(await inWorker({ pattern: '^(?=.*\\d).{8,}$' }, 'password')).toHaveLength(1);
    expect(await inWorker({ allOf: [{ properties: { a: true } }], unevaluatedProperties: false }, { a: 1, b: 2 })).toEqual([{ pointer: '/b', message: 'is not a property of this object' }]);
    expect(await inWorker({ $id: 'https://x.example/s', $ref: 'https://x.example/s#/$defs/a', $defs: { a: { type: 'number' } } }, parseLossless('123456789012345678901'))).toEqual([]);
  });

  test('gives the same answers as on the main thread', async () => {
    const limited = { ...SEARCH, $comment: 'forces the worker', unevaluatedItems: true };
    const value = { limit: 0, tags: ['c'], owner: {}, more: 1 };
    expect(await inWorker(limited, value)).toEqual(atOnce(SEARCH, value));
  });

  test('serves a large value that the main thread would take too long for', async () => {
    expect(await inWorker({ items: { anyOf: Array.from({ length: 100 }, (_, index) => ({ const: index })) } }, Array.from({ length: 5000 }, () => 99))).toEqual([]);
    expect(await inWorker({ format: 'email' }, `${'a'.repeat(5000)}@example.com`)).toEqual([]);
  });

  test('ends by its limit, and the next one works', async () => {
    const schemas = toolSchemas({ workers: 1, checkMs: 500, compileMs: 20_000 });
    const evil = { properties: { a: { pattern: '^(?=(a+)+$)b' } } };
    expect(await reasonOf(schemas.check('evil', evil, { a: `${'a'.repeat(40)}!` }))).toBe('NOT_IN_TIME');
    expect(await reasonOf(schemas.check('evil', evil, { a: 'b' }))).toBe('INVALID');
    expect(await reasonOf(schemas.check('good', { $ref: '#/$defs/a', $defs: { a: { $anchor: 'x' } } }, 1))).toBe('VALID');
  });

  test('does not try again to compile what took too long to compile', async () => {
    const schemas = toolSchemas({ workers: 1, compileMs: 1 });
    const heavy = { $anchor: 'x', properties: Object.fromEntries(Array.from({ length: 3000 }, (_, index) => [`p${index}`, { type: 'string', maxLength: index }])) };
    expect(await reasonOf(schemas.check('heavy', heavy, {}))).toBe('SCHEMA_UNUSABLE');
    expect(schemas.check('heavy', heavy, {})).toMatchObject({ reason: 'SCHEMA_UNUSABLE' });
  });

  test.each([
    ['exponential references', { $ref: '#/$defs/d0', $defs: Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`d${index}`, index === 39 ? { type: 'string' } : { anyOf: [{ $ref: `#/$defs/d${index + 1}` }, { $ref: `#/$defs/d${index + 1}` }] }])) }, 1],
    ['exponential recursion', { $ref: '#/$defs/n', $defs: { n: { anyOf: [{ properties: { n: { $ref: '#/$defs/n' } } }, { properties: { n: { $ref: '#/$defs/n' } } }], required: ['end'] } } }, nest(40)],
    ['endless recursion', { $ref: '#/$defs/a', $defs: { a: { allOf: [{ $ref: '#/$defs/b' }] }, b: { allOf: [{ $ref: '#/$defs/a' }] } } }, 1],
    ['comparing everything with everything', { uniqueItems: true }, Array.from({ length: 60_000 }, (_, index) => [index])],
  ])('bounds %s', async (_what, schema, value) => {
    expect(await reasonOf(toolSchemas({ workers: 1, checkMs: 200 }).check('key', schema, value))).toBe('NOT_IN_TIME');
  });

  test('keeps no more schemas than it may, and still answers for all', async () => {
    const schemas = toolSchemas({ workers: 1, schemas: 2, cacheSize: 3, checkMs: 20_000, compileMs: 20_000 });
    for (let round = 0; round < 2; round += 1) {
      for (let index = 0; index < 5; index += 1) expect(await reasonOf(schemas.check(`k${index}`, { $anchor: 'x', const: index }, index))).toBe('VALID');
    }
  });

  test('refuses what can not wait, and ends what waits when it is closed', async () => {
    const schemas = toolSchemas({ workers: 1, queueLength: 2, checkMs: 20_000 });
    const waiting = Array.from({ length: 5 }, () => schemas.check('key', { $anchor: 'x', pattern: '^(?=(a+)+$)b' }, `${'a'.repeat(60)}!`));
    expect(await reasonOf(waiting[4]!)).toBe('NOT_IN_TIME');
    await schemas.close();
    expect(await Promise.all(waiting.map(reasonOf))).toEqual(Array.from({ length: 5 }, () => 'NOT_IN_TIME'));
    expect(await reasonOf(schemas.check('other', { $anchor: 'x' }, 1))).toBe('NOT_IN_TIME');
  });
});

test('two schemas with one $id do not share a validator', () => {
  const schemas = toolSchemas();
  expect(schemas.check('1', { $id: 'https://x.example/s', type: 'string' }, 'a')).toEqual({ ok: true });
  expect(schemas.check('2', { $id: 'https://x.example/s', type: 'number' }, 'a')).toMatchObject({ reason: 'INVALID' });
});

test('surveys any JSON without failing', () => {
  fc.assert(fc.property(fc.jsonValue(), (schema) => {
    expect(surveySchema(schema).weight).toBeGreaterThan(0);
  }));
});

test('answers for any JSON as schema and value', async () => {
  const schemas = toolSchemas({ checkMs: 20_000, compileMs: 20_000 });
  const keyword = fc.constantFrom('type', 'properties', 'items', '$ref', 'enum', 'pattern', 'anyOf', 'required', '$defs', '$id', 'nullable', 'format', 'const', 'if', 'not', '$schema', '$async', 'discriminator', '$dynamicRef', 'dependencies', '__proto__');
  const schema = fc.letrec((tie) => ({
    node: fc.oneof({ depthSize: 'small' }, fc.constantFrom('string', 'object', '#', '#/properties', 'x', true, 1), tie('object'), fc.array(tie('node'), { maxLength: 2 })),
    object: fc.array(fc.tuple(keyword, tie('node')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
  })).object;
  let count = 0;
  await fc.assert(fc.asyncProperty(schema, fc.jsonValue(), async (made, value) => {
    count += 1;
    expect(['VALID', 'INVALID', 'SCHEMA_UNUSABLE', 'NOT_IN_TIME']).toContain(await reasonOf(schemas.check(String(count), made, value)));
  }), { numRuns: 150 });
});

function nest(levels: number): unknown {
  let value: unknown = {};
  for (let level = 0; level < levels; level += 1) value = { n: value };
  return value;
}
