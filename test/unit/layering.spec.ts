import { describe, expect, it } from '@jest/globals';
import { readSources, sourceFile, type SourceFile } from '#test/support/sources.js';

/**
 * The rules of where things stand (design section 1), derived anew from the sources: .oxlintrc.json says the same with the way out.
 * Each rule is a sentence, what it finds is `path: what`.
 */
const RULES: Record<string, (file: SourceFile) => string[]> = {
  'core knows neither api nor operator nor cli': (file) => foreign(file, 'core', ['core']),
  'api knows neither operator nor cli': (file) => foreign(file, 'api', ['api', 'core']),
  'operator knows neither api nor cli': (file) => foreign(file, 'operator', ['operator', 'core']),
  'what ships imports no test': (file) => foreign(file, 'cli', ['cli', 'api', 'core', 'operator']),
  'other top folders are reached by #, and one\'s own by relative paths or #': (file) =>
    file.imports.filter(({ specifier, target }) => specifier.startsWith('.') && target !== null && top(target) !== top(file.path)).map(({ specifier }) => specifier),
  'inside core only upkeep stands above store': (file) =>
    (/^core\/(?!store\/|upkeep\/)/.test(file.path) ? file.imports.filter(({ target }) => target?.startsWith('core/store/')).map(({ specifier }) => specifier) : []),
  'core/store takes nothing but types from its siblings': (file) =>
    (file.path.startsWith('core/store/') ? file.imports.filter(({ target, typeOnly }) => target !== null && !typeOnly && /^core\/(?!store\/)\w+\//.test(target)).map(({ specifier }) => specifier) : []),
  'only core/store imports typeorm': (file) => (file.path.startsWith('core/store/') ? [] : packages(file).filter((name) => name === 'typeorm')),
  'only api imports the packages that serve GraphQL': (file) => (file.path.startsWith('core/') ? packages(file).filter((name) => /^(graphql|type-graphql|@apollo\/.*)$/.test(name)) : []),
  'only core/traces imports OpenTelemetry, and its SDK only where that is loaded late': (file) =>
    [
      ...(file.path === 'core/traces/open-telemetry.ts' || file.path.startsWith('test/') ? [] : packages(file).filter((name) => name.startsWith('@opentelemetry/'))),
      ...(file.path === 'core/traces/start-traces.ts' ? [] : file.imports.filter(({ target }) => target === 'core/traces/open-telemetry.ts').map(({ specifier }) => specifier)),
    ],
  'no file imports both typeorm and type-graphql': (file) => (packages(file).includes('typeorm') && packages(file).includes('type-graphql') ? ['both'] : []),
  'the environment is read where the program begins': (file) => (/^(test\/|cli\/main\.ts$|core\/config\/)/.test(file.path) ? [] : found(file, /\bprocess\.env\b/)),
  'no module of what ships holds state': (file) => (file.path.startsWith('test/') || PROGRAMS.includes(file.path) ? [] : found(file, MODULE_STATE)),
  'no file has more than 400 lines': ({ text }) => (text.trimEnd().split('\n').length > 400 ? [`${text.trimEnd().split('\n').length} lines`] : []),
  'folders are named for nouns of the domain, files in kebab-case': ({ path }) =>
    path.split('/').filter((part) => /^(utils?|helpers?|common|services?|shared|misc|lib)(\.ts)?$/.test(part) || !/^\d*[a-z][a-z0-9-]*(\.[a-z]+)*$|^\d{4}-[a-z-]+\.ts$/.test(part)),
};

/** Variables at the top of a module, and collections there that are empty until somebody fills them. */
const MODULE_STATE = /^(?:export\s+)?(?:(?:let|var)\s.*|const\s+\w+(?::[^=]+)?\s*=\s*(?:new (?:Map|Set|WeakMap|WeakSet)(?:<.*>)?\(\)|\[\]|\{\});?$)/m;

/** What a thread begins with: as a composition root it may hold what it made. */
const PROGRAMS = ['core/tool/check-worker.ts'];

const top = (path: string) => path.split('/', 1)[0]!;
const packages = ({ imports }: SourceFile) => imports.filter(({ target }) => target === null).map(({ specifier }) => specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/'));

function foreign(file: SourceFile, folder: string, allowed: string[]): string[] {
  return top(file.path) === folder ? file.imports.filter(({ target }) => target !== null && !allowed.includes(top(target))).map(({ specifier }) => specifier) : [];
}

function found({ text }: SourceFile, pattern: RegExp): string[] {
  const match = pattern.exec(text);
  return match === null ? [] : [match[0]];
}

function faults(rule: string, files: SourceFile[]): string[] {
  return files.flatMap((file) => RULES[rule]!(file).map((what) => `${file.path}: ${what}`));
}

const SOURCES = readSources();

describe('the sources keep to the rule:', () => {
  it.each(Object.keys(RULES))('%s', (rule) => {
    expect(faults(rule, SOURCES)).toEqual([]);
  });

  it('and they were all read', () => {
    expect(SOURCES.length).toBeGreaterThan(200);
    expect(SOURCES.flatMap(({ imports }) => imports).length).toBeGreaterThan(1000);
    expect(SOURCES.filter(({ path, imports }) => path.startsWith('api/modules/') && imports.length === 0)).toEqual([]);
  });
});

/** A file against each rule, which must be found. */
const PLANTED: [rule: keyof typeof RULES, path: string, text: string][] = [
  ['core knows neither api nor operator nor cli', 'core/mcp/x.ts', `import type { A } from '#api/start-api.js';`],
  ['core knows neither api nor operator nor cli', 'core/mcp/x.ts', `export * from '../../cli/main.js';`],
  ['api knows neither operator nor cli', 'api/x.ts', `import {\n  a,\n} from '#operator/main.js';`],
  ['operator knows neither api nor cli', 'operator/x.ts', `const api = await import('#api/start-api.js');`],
  ['what ships imports no test', 'cli/x.ts', `import '#test/support/api.js';`],
  ['other top folders are reached by #, and one\'s own by relative paths or #', 'api/call/x.ts', `import { a } from '../../core/errors.js';`],
  ['inside core only upkeep stands above store', 'core/vault/x.ts', `import type { Store } from '../store/store.js';`],
  ['core/store takes nothing but types from its siblings', 'core/store/x.ts', `import { type Role, roleAtLeast } from '../connection/role.js';`],
  ['core/store takes nothing but types from its siblings', 'core/store/entities/x.ts', `import { parseLossless } from '#core/json/lossless.js';`],
  ['only core/store imports typeorm', 'api/x.ts', `import { In } from 'typeorm';`],
  ['only api imports the packages that serve GraphQL', 'core/x.ts', `import { parse } from 'graphql/language/parser.js';`],
  ['only core/traces imports OpenTelemetry, and its SDK only where that is loaded late', 'core/traces/start-traces.ts', `import { trace } from '@opentelemetry/api';`],
  ['no file imports both typeorm and type-graphql', 'core/store/x.ts', `import { Column } from 'typeorm';\nimport { Field } from 'type-graphql';`],
  ['the environment is read where the program begins', 'core/mcp/x.ts', `const home = process.env['HOME'];`],
  ['no module of what ships holds state', 'core/mcp/x.ts', 'export let counter = 0;'],
  ['no module of what ships holds state', 'core/mcp/x.ts', 'const cache: Map<string, number> = new Map();'],
  ['no file has more than 400 lines', 'core/mcp/x.ts', 'a;\n'.repeat(401)],
  ['folders are named for nouns of the domain, files in kebab-case', 'core/utils/x.ts', ''],
  ['folders are named for nouns of the domain, files in kebab-case', 'core/mcp/sessionPool.ts', ''],
];

describe('a planted violation is found:', () => {
  it.each(PLANTED)('%s (%s)', (rule, path, text) => {
    expect(faults(rule, [sourceFile(path, text)])).toHaveLength(1);
  });

  it('of every rule', () => {
    expect(new Set(PLANTED.map(([rule]) => rule))).toEqual(new Set(Object.keys(RULES)));
  });
});

describe('what is allowed is let through:', () => {
  it.each([
    ['core/store/x.ts', `import type { Role } from '../connection/role.js';\nimport { type Condition } from '../connection/condition.js';\nimport { UserFault } from '../errors.js';\nimport { In } from 'typeorm';`],
    ['core/upkeep/x.ts', `import { Store } from '../store/store.js';`],
    ['cli/dev.ts', `import { startApi } from '#api/start-api.js';\nimport { migrate } from '#core/store/migrate.js';`],
    ['cli/main.ts', 'run(process.env);'],
    ['api/x.ts', 'const ROLES = new Map([[1, 2]]);\nfunction f() {\n  let a = 0;\n  const b = [];\n}'],
    ['core/store/migrations/0001-foundation.ts', ''],
  ])('%s', (path, text) => {
    expect(Object.keys(RULES).flatMap((rule) => faults(rule, [sourceFile(path, text)]))).toEqual([]);
  });
});
