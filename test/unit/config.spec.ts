import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { loadConfig } from '#core/config/config.js';
import { configDocument, GENERATE_COMMAND } from '#test/support/config-document.js';
import { ConfigError, type ConfigFault } from '#core/config/fault.js';
import type { Mode } from '#core/config/keys.js';

let folder: string;
beforeAll(() => { folder = mkdtempSync(join(tmpdir(), 'config-')); });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

function faultsOf(env: Record<string, string>, mode: Mode = 'dev'): ConfigFault[] {
  try {
    loadConfig(env, mode);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [...error.faults];
  }
}

const ring = `k1:${Buffer.from('just 32 bytes, for this test only').subarray(0, 32).toString('base64')}`;

const installation = {
  DATABASE_URL: 'postgres://fairlead:hidden@db.example.com/fairlead', FAIRLEAD_KEYS: ring,
  FAIRLEAD_OIDC_ISSUER: 'https://login.example.com/realms/a', FAIRLEAD_OIDC_AUDIENCE: 'fairlead',
};

describe('Without any setting', () => {
  test('fairlead dev runs locally on the defaults of the contract', () => {
    expect(loadConfig({}, 'dev')).toEqual({
      mode: 'dev', localMode: true, host: '127.0.0.1', port: 4000, publicUrl: null, clientMetadataUrl: null, returnOrigins: [], corsOrigins: [], stateDir: resolve('.fairlead'), databaseUrl: null, databasePoolSize: 10,
      migrateOnStart: true, keys: null, keysFile: null, keptDays: { calls: 90, audit: 400 }, egressAllow: '', oidc: null, mirror: null, metrics: null, operatorHeartbeatMs: 5000, traces: null, logLevel: 'info', introspection: true, bodyLimitBytes: 1_048_576, calls: { atOnce: 16, burst: 256 },
      shutdownTimeoutMs: 10_000, searchPath: '/usr/bin:/bin', warnings: [],
    });
  });

  test('fairlead api says everything that it needs', () => {
    expect(faultsOf({}, 'api').map(({ key }) => key)).toEqual(['DATABASE_URL', 'FAIRLEAD_KEYS', 'FAIRLEAD_OIDC_ISSUER']);
    expect(faultsOf({}, 'migrate').map(({ key }) => key)).toEqual(['DATABASE_URL']);
    expect(faultsOf({}, 'keys')).toEqual([]);
  });
});

test('An installation has metrics on, introspection off and no local mode', () => {
  const config = loadConfig(installation, 'api');
  expect(config).toMatchObject({ localMode: false, introspection: false, metrics: { host: '127.0.0.1', port: 9464 }, databaseUrl: installation.DATABASE_URL, keys: ring });
  expect(config.oidc).toEqual({
    issuer: 'https://login.example.com/realms/a', audience: 'fairlead', subjectClaim: 'sub', nameClaim: 'name', groupsClaim: null, groups: [], admins: [], signIn: null,
  });
});

test('Every fault is shown at once, each with what is expected and an example', () => {
  const env = {
    PORT: 'http', HOST: '127.0.0.1:4000', DATABASE_URL: 'mysql://root:hunter2@db/x', FAIRLEAD_LOGLEVEL: 'info', FAIRLEAD_LOG_LEVEL: 'loud',
    FAIRLEAD_CORS_ORIGINS: 'https://console.example.com/', FAIRLEAD_OIDC_ISSUER: 'http://login.example.com',
  };
  const faults = faultsOf(env);
  expect(faults.map(({ key }) => key).sort()).toEqual([
    'DATABASE_URL', 'FAIRLEAD_CORS_ORIGINS', 'FAIRLEAD_LOGLEVEL', 'FAIRLEAD_LOG_LEVEL', 'FAIRLEAD_OIDC_AUDIENCE', 'FAIRLEAD_OIDC_ISSUER', 'HOST', 'PORT',
  ]);
  expect(faults.find(({ key }) => key === 'PORT')).toEqual({ key: 'PORT', problem: '"http" is not a port number from 0 to 65535.', example: 'PORT=4000' });
  const { message } = new ConfigError(faults);
  expect(message).toContain('The configuration has 8 faults:');
  expect(message).toContain('  FAIRLEAD_LOGLEVEL: there is no such setting. Did you mean FAIRLEAD_LOG_LEVEL?');
  expect(message).not.toContain('hunter2');
});

test.each([
  ['FAIRLEAD_PORT', 'PORT'], ['FAIRLEAD_DATABASE_URL', 'DATABASE_URL'], ['FAIRLEAD_EGRES_ALLOW', 'FAIRLEAD_EGRESS_ALLOW'], ['FAIRLEAD_KEY', 'FAIRLEAD_KEYS'],
])('%s is no setting: did you mean %s?', (typed, meant) => {
  expect(faultsOf({ [typed]: '1' })).toEqual([{ key: typed, problem: `there is no such setting. Did you mean ${meant}?` }]);
});

test('An unknown setting that resembles none is refused without a guess', () => {
  expect(faultsOf({ FAIRLEAD_UNICORN: 'yes' })).toEqual([{ key: 'FAIRLEAD_UNICORN', problem: 'there is no such setting.' }]);
});

test('What Kubernetes sets for Services named fairlead is no setting and no fault', () => {
  const links = {
    FAIRLEAD_SERVICE_HOST: '10.0.0.1', FAIRLEAD_SERVICE_PORT: '4000', FAIRLEAD_SERVICE_PORT_HTTP: '4000', FAIRLEAD_PORT: 'tcp://10.0.0.1:4000',
    FAIRLEAD_PORT_4000_TCP: 'tcp://10.0.0.1:4000', FAIRLEAD_PORT_4000_TCP_ADDR: '10.0.0.1', FAIRLEAD_METRICS_PORT: 'tcp://10.0.0.2:9464',
  };
  expect(loadConfig({ ...installation, ...links }, 'api').metrics).toEqual({ host: '127.0.0.1', port: 9464 });
});

test('An issuer without a client for signing in is a warning', () => {
  expect(loadConfig(installation, 'api').warnings).toEqual([expect.stringContaining('FAIRLEAD_OIDC_CLIENT_ID is not set')]);
  expect(loadConfig({ ...installation, FAIRLEAD_OIDC_CLIENT_ID: 'fairlead' }, 'api').warnings).toEqual([]);
  expect(loadConfig({}, 'dev').warnings).toEqual([]);
});

test('What OAuth needs: a client at the issuer, return origins, and the place of the client metadata document', () => {
  const config = loadConfig({
    ...installation, FAIRLEAD_OIDC_CLIENT_ID: 'fairlead', FAIRLEAD_OIDC_CLIENT_SECRET: 's', FAIRLEAD_RETURN_URLS: 'https://a.example.com, https://b.example.com',
    FAIRLEAD_CLIENT_METADATA_URL: 'https://www.example.com/fairlead-client.json',
  }, 'api');
  expect(config.oidc!.signIn).toEqual({ clientId: 'fairlead', clientSecret: 's' });
  expect(config.returnOrigins).toEqual(['https://a.example.com', 'https://b.example.com']);
  expect(config.clientMetadataUrl).toBe('https://www.example.com/fairlead-client.json');
  expect(faultsOf({ ...installation, FAIRLEAD_OIDC_CLIENT_SECRET: 's' }, 'api').map(({ key }) => key)).toEqual(['FAIRLEAD_OIDC_CLIENT_ID']);
  const wrong = { FAIRLEAD_CLIENT_METADATA_URL: 'https://www.example.com/', FAIRLEAD_RETURN_URLS: 'https://a.example.com/path' };
  expect(faultsOf(wrong).map(({ key }) => key)).toEqual(['FAIRLEAD_CLIENT_METADATA_URL', 'FAIRLEAD_RETURN_URLS']);
});

describe('The address', () => {
  test.each([['127.0.0.1', true], ['127.8.8.8', true], ['::1', true], ['[::1]', true], ['localhost', true], ['192.168.1.7', false], ['fairlead.internal', false]])(
    'HOST %s is local: %s', (HOST, local) => expect(loadConfig({ HOST }, 'dev').localMode).toBe(local));

  test.each(['0.0.0.0', '::', '[::]', '0', '0:0:0:0:0:0:0:0', '::ffff:0.0.0.0'])('HOST %s needs a public URL', (HOST) => {
    expect(faultsOf({ HOST }).map(({ key }) => key)).toEqual(['FAIRLEAD_PUBLIC_URL']);
    expect(loadConfig({ HOST, FAIRLEAD_PUBLIC_URL: 'https://fairlead.example.com/' }, 'dev')).toMatchObject({ publicUrl: 'https://fairlead.example.com', localMode: false });
  });

  test.each(['fairlead.example.com', 'ftp://x', 'https://user:pw@x.example', 'https://x.example/?q=1', 'https://x.example/#f'])('%s is no public URL', (url) => {
    expect(faultsOf({ FAIRLEAD_PUBLIC_URL: url }).map(({ key }) => key)).toEqual(['FAIRLEAD_PUBLIC_URL']);
  });

  test('Port 0 asks for a free one', () => expect(loadConfig({ PORT: '0' }, 'dev').port).toBe(0));
  test.each(['-1', '65536', '4000.5', '4e3', '0x10'])('%s is no port', (PORT) => expect(faultsOf({ PORT })).toHaveLength(1));
});

describe('Secrets', () => {
  test('may come from a file of their own', () => {
    expect(loadConfig({ FAIRLEAD_KEYS_FILE: file('keys', `${ring}\n`) }, 'dev').keys).toBe(ring);
  });

  test('in a file that is missing, empty, or given twice are faults', () => {
    const faults = faultsOf({ FAIRLEAD_KEYS_FILE: join(folder, 'missing'), DATABASE_URL_FILE: file('empty', '\n') });
    expect(faults).toEqual([
      { key: 'FAIRLEAD_KEYS_FILE', problem: `${join(folder, 'missing')} can't be read (ENOENT).` }, { key: 'DATABASE_URL_FILE', problem: `${join(folder, 'empty')} is empty.` },
    ]);
    expect(faultsOf({ FAIRLEAD_KEYS: ring, FAIRLEAD_KEYS_FILE: file('keys', 'b') })).toEqual([{ key: 'FAIRLEAD_KEYS_FILE', problem: 'FAIRLEAD_KEYS is set too; set one of them only.' }]);
  });

  test('alone may do so', () => {
    expect(faultsOf({ FAIRLEAD_LOG_LEVEL_FILE: file('level', 'info') })[0]).toMatchObject({ problem: 'only secrets can come from a file of their own; set FAIRLEAD_LOG_LEVEL.' });
  });
});

describe('The configuration file', () => {
  test('holds the same keys, and the environment wins over it', () => {
    const content = { PORT: 4100, HOST: '::1', FAIRLEAD_INTROSPECTION: false, FAIRLEAD_CORS_ORIGINS: ['https://a.example', 'https://b.example'], FAIRLEAD_KEYS_FILE: file('ring', 'not read') };
    const config = loadConfig({ FAIRLEAD_CONFIG: file('good.json', JSON.stringify(content)), PORT: '4200', FAIRLEAD_KEYS: ring }, 'dev');
    expect(config).toMatchObject({ port: 4200, host: '::1', introspection: false, corsOrigins: ['https://a.example', 'https://b.example'], keys: ring });
  });

  test('with faults is refused like the environment', () => {
    const path = file('bad.json', JSON.stringify({ PORT: 'x', COLOUR: 'blue', HOST: { a: 1 }, FAIRLEAD_CONFIG: 'other.json' }));
    expect(faultsOf({ FAIRLEAD_CONFIG: path }).map(({ key }) => key).sort()).toEqual(['COLOUR', 'FAIRLEAD_CONFIG', 'HOST', 'PORT']);
  });

  test.each([['missing', null], ['not JSON', '{"FAIRLEAD_KEYS": "hunter2'], ['a list', '[]']])('that is %s is one clear fault', (name, content) => {
    const path = content === null ? join(folder, 'none.json') : file(`${name}.json`, content);
    const faults = faultsOf({ FAIRLEAD_CONFIG: path });
    expect(faults.map(({ key }) => key)).toEqual(['FAIRLEAD_CONFIG']);
    expect(faults[0]!.problem).not.toContain('hunter2');
  });
});

test('Groups of the issuer are mapped to teams and roles, and need the claim that lists them', () => {
  const env = { ...installation, FAIRLEAD_OIDC_GROUPS: 'wh-leads=logistics:MANAGER, cn=wh,ou=x=logistics:MEMBER', FAIRLEAD_OIDC_GROUPS_CLAIM: 'groups', FAIRLEAD_OIDC_ADMINS: 'ada, grace' };
  expect(faultsOf(env, 'api').map(({ key }) => key)).toEqual(['FAIRLEAD_OIDC_GROUPS']);
  const config = loadConfig({ ...env, FAIRLEAD_OIDC_GROUPS: 'wh-leads=logistics:MANAGER, a=b=logistics:MEMBER' }, 'api');
  expect(config.oidc).toMatchObject({ groups: [{ group: 'wh-leads', team: 'logistics', role: 'MANAGER' }, { group: 'a=b', team: 'logistics', role: 'MEMBER' }], admins: ['ada', 'grace'] });
  expect(faultsOf({ ...installation, FAIRLEAD_OIDC_GROUPS: 'a=b:ADMIN' }, 'api').map(({ key }) => key)).toEqual(['FAIRLEAD_OIDC_GROUPS_CLAIM']);
});

test('OIDC settings without an issuer are a fault', () => {
  expect(faultsOf({ FAIRLEAD_OIDC_AUDIENCE: 'fairlead' })[0]).toMatchObject({ key: 'FAIRLEAD_OIDC_ISSUER', problem: 'must be set with FAIRLEAD_OIDC_AUDIENCE.' });
});

test('A key ring and an allow list are checked with everything else, in the words of their readers, without a key', () => {
  const faults = faultsOf({ FAIRLEAD_KEYS: 'k1:c2VjcmV0LWNhbmFyeQ==', FAIRLEAD_EGRESS_ALLOW: '10.0.0.0/99,mcp.internal' });
  expect(faults.map(({ key }) => key)).toEqual(['FAIRLEAD_KEYS', 'FAIRLEAD_EGRESS_ALLOW']);
  expect(faults[0]!.problem).toMatch(/^Entry 1: the key of k1 is not 32 bytes/);
  expect(faults[0]!.problem).not.toContain('c2VjcmV0');
  expect(faults[1]!.problem).toContain('10.0.0.0/99');
});

test('An empty setting counts as not set', () => {
  expect(loadConfig({ PORT: '', FAIRLEAD_KEYS: '', FAIRLEAD_CONFIG: '' }, 'dev')).toMatchObject({ port: 4000, keys: null });
});

test('The configuration is frozen through and through', () => {
  const config = loadConfig(installation, 'api');
  expect(() => { (config as { port: number }).port = 1; }).toThrow(TypeError);
  expect(() => { (config.oidc!.admins as string[]).push('eve'); }).toThrow(TypeError);
});

test('schema/config.md is what the table of keys says', () => {
  if (readFileSync('schema/config.md', 'utf8') !== configDocument()) throw new Error(`schema/config.md is stale: run \`${GENERATE_COMMAND}\` and commit it.`);
});
