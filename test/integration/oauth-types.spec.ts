import { openStore } from '#test/support/open-store.js';
import { startTestApi, type TestApi } from '#test/support/api.js';
import { startMinimal } from '#test/support/mcp-servers/minimal.js';
import { startFaultyAuthorizationServer, type FaultyServer } from '#test/support/oauth-servers/faulty-server.js';
import { startOidcProvider, type OidcProviderServer } from '#test/support/oauth-servers/oidc-provider.js';
import { startSdkDemo } from '#test/support/oauth-servers/sdk-demo.js';
import type { Faults } from '#test/support/oauth-servers/faults.js';

/** Connection types with OAuth, through the API: what a manager sees, and what authorization servers see. */
let api: TestApi;
let provider: OidcProviderServer;
const closing: { close(): Promise<unknown> }[] = [];
let names = 0;

beforeAll(async () => {
  api = await startTestApi();
  provider = await startOidcProvider();
});

afterAll(async () => {
  await Promise.all(closing.map((server) => server.close()));
  await provider.close();
  await api.stop();
});

async function faulty(faults: Faults = {}): Promise<FaultyServer> {
  const server = await startFaultyAuthorizationServer({ faults });
  closing.push(server);
  return server;
}

const probe = async (serverUrl: string) => api.must('Probe', { input: { team: 'default', serverUrl } });
/** The mutation's payload, whatever it says. */
// oxlint-disable-next-line typescript/no-explicit-any -- tests reach into answers of any shape
const ask = async (name: string, input: object): Promise<any> => Object.values((await api.gql(name, { input })).data)[0];

// oxlint-disable-next-line typescript/no-explicit-any -- tests reach into answers of any shape
async function create(serverUrl: string, more: object = {}): Promise<any> {
  names += 1;
  return ask('CreateConnectionType', { team: 'default', displayName: `Type ${names}`, serverUrl, authMethod: 'OAUTH', ...more });
}

// oxlint-disable-next-line typescript/no-explicit-any -- tests reach into answers of any shape
const check = async (id: string): Promise<any> => (await api.must('CheckConnectionType', { input: { id } })).connectionType;
const conditionOf = (type: { conditions: { type: string }[] }, name: string) => type.conditions.find((one) => one.type === name);
const registrations = (server: FaultyServer) => server.seen.filter((request) => request.method === 'POST' && request.path.includes('reg')).length;

describe('probing tells the outcomes apart', () => {
  it('AUTOMATIC where the server registers clients', async () => {
    const report = await probe(provider.mcp.url);
    expect(report).toMatchObject({
      verdict: 'AUTHENTICATION_REQUIRED', suggestedAuthMethod: 'OAUTH',
      oauth: { outcome: 'AUTOMATIC', issuer: provider.issuer, registrationMethods: ['PREREGISTERED', 'DYNAMIC'], redirectUri: `${api.url}/oauth/callback` },
    });
    expect(report.steps.map((step: { name: string }) => step.name)).toEqual(expect.arrayContaining(['resource metadata', 'authorization server']));
  });

  it('CLIENT_REQUIRED, with the redirect URI to register, where it doesn\'t', async () => {
    const report = await probe((await faulty({ registration: 'absent' })).mcp.url);
    expect(report.oauth).toMatchObject({ outcome: 'CLIENT_REQUIRED', redirectUri: `${api.url}/oauth/callback`, registrationMethods: ['PREREGISTERED'] });
    expect(report.oauth.message).toContain(`${api.url}/oauth/callback`);
  });

  it('NOT_SUPPORTED with a token suggested, for a server with a static key and a challenge', async () => {
    const server = await startMinimal({ credential: { header: 'authorization', value: 'Bearer key-of-the-server' } });
    closing.push(server);
    expect(await probe(server.url)).toMatchObject({ suggestedAuthMethod: 'ACCESS_TOKEN', oauth: { outcome: 'NOT_SUPPORTED' } });
  });

  it('NOT_SUPPORTED with NONE suggested, for a server that wants nothing', async () => {
    const server = await startMinimal();
    closing.push(server);
    expect(await probe(server.url)).toMatchObject({ verdict: 'OK', suggestedAuthMethod: 'NONE', oauth: { outcome: 'NOT_SUPPORTED' } });
  });

  it('of the SDK\'s demo server, as AUTOMATIC', async () => {
    const demo = await startSdkDemo();
    closing.push(demo);
    expect((await probe(demo.url)).oauth).toMatchObject({ outcome: 'AUTOMATIC' });
  });
});

describe('creating a connection type', () => {
  it('registers a client, and says so', async () => {
    const { connectionType } = await create(provider.mcp.url);
    expect(connectionType).toMatchObject({ state: 'READY', oauth: { issuer: provider.issuer, registrationMethod: 'DYNAMIC', redirectUri: `${api.url}/oauth/callback` } });
    expect(conditionOf(connectionType, 'Registered')).toMatchObject({ status: 'TRUE', reason: 'Dynamic' });
    expect(conditionOf(connectionType, 'Discovered')).toMatchObject({ status: 'TRUE' });
  });

  it('is refused where there is no OAuth', async () => {
    const server = await startMinimal();
    closing.push(server);
    expect(await create(server.url)).toMatchObject({ connectionType: null, userErrors: [{ code: 'OAUTH_NOT_SUPPORTED', field: ['input', 'authMethod'] }] });
  });

  it('is refused with half a client', async () => {
    expect(await create(provider.mcp.url, { oauth: { clientSecret: 'only-a-secret' } })).toMatchObject({ userErrors: [{ code: 'INVALID', field: ['input', 'oauth', 'clientId'] }] });
    const server = await faulty({ authMethods: ['client_secret_basic'] });
    expect(await create(server.mcp.url, { oauth: { clientId: 'only-an-id' } })).toMatchObject({ userErrors: [{ code: 'INVALID', field: ['input', 'oauth', 'clientSecret'] }] });
  });

  it('is refused without a client where one is required, naming the redirect URI', async () => {
    const { connectionType, userErrors } = await create((await faulty({ registration: 'absent' })).mcp.url);
    expect(connectionType).toBeNull();
    expect(userErrors).toMatchObject([{ code: 'CLIENT_REQUIRED', field: ['input', 'oauth', 'clientId'] }]);
    expect(userErrors[0].message).toContain(`${api.url}/oauth/callback`);
  });

  it('ends with CLIENT_REQUIRED, in the issuer\'s words, where a registration is advertised and refused; nothing is left of it', async () => {
    const server = await faulty({ registration: 'refuse' });
    const { connectionType, userErrors } = await create(server.mcp.url, { name: 'refused-registration' });
    expect(connectionType).toBeNull();
    expect(userErrors).toMatchObject([{ code: 'CLIENT_REQUIRED' }]);
    server.faults = {};
    expect((await create(server.mcp.url, { name: 'refused-registration' })).connectionType).toMatchObject({ state: 'READY' });
  });

  it('is refused, to be tried again, while the registration is down; nothing is left of it', async () => {
    const server = await faulty({ registration: '503' });
    expect(await create(server.mcp.url, { name: 'later' })).toMatchObject({ connectionType: null, userErrors: [{ code: 'SERVER_REFUSED', retryable: true }] });
    server.faults = {};
    expect((await create(server.mcp.url, { name: 'later' })).userErrors).toEqual([]);
  });

  it('takes the client that a manager entered in any case, and registers none', async () => {
    const server = await faulty();
    const { connectionType } = await create(server.mcp.url, { oauth: { clientId: 'by-hand', clientSecret: 'se-cr_et', scopes: ['mcp:tools'] } });
    expect(connectionType).toMatchObject({ state: 'READY', oauth: { registrationMethod: 'PREREGISTERED', clientId: 'by-hand', scopes: ['mcp:tools'] } });
    expect(registrations(server)).toBe(0);
    expect(JSON.stringify(connectionType)).not.toContain('se-cr_et');
  });
});

describe('a registration', () => {
  it('whose answer is lost is a condition, and is not sent again', async () => {
    const server = await faulty({ loseRegistrationAnswer: true });
    const { connectionType } = await create(server.mcp.url);
    expect(connectionType.state).toBe('ACTION_REQUIRED');
    expect(conditionOf(connectionType, 'Registered')).toMatchObject({ status: 'UNKNOWN', reason: 'RegistrationOutcomeUnknown' });
    server.faults = {};
    const sent = registrations(server);
    expect(conditionOf(await check(connectionType.id), 'Registered')).toMatchObject({ status: 'UNKNOWN', reason: 'RegistrationOutcomeUnknown' });
    expect(registrations(server)).toBe(sent);
    // A person decides: they enter the client that they found or made.
    const updated = await api.must('UpdateConnectionType', { input: { id: connectionType.id, expectedVersion: 1, oauth: { clientId: 'found', clientSecret: 'found-secret' } } });
    expect(updated.connectionType).toMatchObject({ state: 'READY', oauth: { clientId: 'found', registrationMethod: 'PREREGISTERED' } });
  });

  it('that was cut off by a crash before its answer was stored is of unknown outcome, and is not sent again', async () => {
    const server = await faulty();
    const { connectionType } = await create(server.mcp.url);
    await using store = await openStore(api.databaseUrl);
    // What a process leaves behind that is killed between the answer and the store.
    await store.manager.query(`update oauth_clients set state = 'PENDING', client_id = null, sealed = null, message = null, attempted_at = now() - interval '3 minutes' where connection_type_id in (select id from connection_types where name = $1)`, [connectionType.name]);
    const sent = registrations(server);
    expect(conditionOf(await check(connectionType.id), 'Registered')).toMatchObject({ status: 'UNKNOWN', reason: 'RegistrationOutcomeUnknown' });
    expect(registrations(server)).toBe(sent);
  });

  it.each(['missing', 'zero', 'past', 'null'] as const)('is good although its client_secret_expires_at is %s', async (secretExpiresAt) => {
    const { connectionType } = await create((await faulty({ secretExpiresAt })).mcp.url);
    expect(connectionType).toMatchObject({ state: 'READY', oauth: { clientSecretExpiresAt: null } });
  });

  it('is renewed before its secret expires, and the new secret is stored with the new registration access token', async () => {
    const server = await faulty({ secretExpiresAt: 3_600 });
    const { connectionType } = await create(server.mcp.url);
    await using store = await openStore(api.databaseUrl);
    const clientOf = async () => (await store.manager.query(`select c.version, c.client_id, c.client_secret_expires_at from oauth_clients c join connection_types t on t.id = c.connection_type_id where t.name = $1 and c.state = 'ACTIVE'`, [connectionType.name]))[0];
    const before = await clientOf();
    expect((await check(connectionType.id)).oauth.clientId).toBe(before.client_id);
    expect((await clientOf()).version).toBe(before.version);
    await store.manager.query(`update oauth_clients set client_secret_expires_at = now() + interval '10 minutes', updated_at = now() - interval '50 minutes' where client_id = $1`, [before.client_id]);
    await check(connectionType.id);
    const after = await clientOf();
    expect(after).toMatchObject({ version: before.version + 1, client_id: before.client_id });
    expect(after.client_secret_expires_at.getTime()).toBeGreaterThan(Date.now() + 30 * 60_000);
    // Its token rotated too: the next renewal works with the new one.
    await store.manager.query(`update oauth_clients set client_secret_expires_at = now() + interval '10 minutes', updated_at = now() - interval '50 minutes' where client_id = $1`, [before.client_id]);
    await check(connectionType.id);
    expect((await clientOf()).version).toBe(before.version + 2);
  });
});

describe('an issuer that changes', () => {
  it('ends with a new client for a dynamic registration, while a client that was entered by hand waits for a manager', async () => {
    const [first, second] = [await faulty(), await faulty()];
    const dynamic = (await create(first.mcp.url)).connectionType;
    const byHand = (await create(first.mcp.url, { oauth: { clientId: 'by-hand', clientSecret: 'se-cr_et' } })).connectionType;
    first.mcp.guard.authorizationServers = [second.issuer];
    expect(await check(dynamic.id)).toMatchObject({ state: 'READY', oauth: { issuer: second.issuer, registrationMethod: 'DYNAMIC' } });
    const waiting = await check(byHand.id);
    expect(waiting).toMatchObject({ state: 'ACTION_REQUIRED', oauth: { issuer: second.issuer } });
    expect(conditionOf(waiting, 'Registered')).toMatchObject({ status: 'FALSE', reason: 'ClientRequired' });
    expect(JSON.stringify(second.seen)).not.toContain('se-cr_et');
  });

  it('while a manager enters a client for the old one stays changed, and the manager is told', async () => {
    const [first, second] = [await faulty(), await faulty()];
    const { id } = (await create(first.mcp.url)).connectionType;
    const [waits, letGo] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    first.faults.before = async (path) => {
      if (!path.includes('well-known')) return;
      waits.resolve();
      await letGo.promise;
    };
    const entered = ask('UpdateConnectionType', { id, expectedVersion: 1, oauth: { clientId: 'by-hand', clientSecret: 'se-cr_et' } });
    await waits.promise;
    first.mcp.guard.authorizationServers = [second.issuer];
    expect(await check(id)).toMatchObject({ oauth: { issuer: second.issuer } });
    letGo.resolve();
    expect(await entered).toMatchObject({ connectionType: null, userErrors: [{ code: 'STALE_VERSION', field: ['input', 'oauth'], message: expect.stringContaining(second.issuer) }] });
    expect(await check(id)).toMatchObject({ state: 'READY', version: 1, oauth: { issuer: second.issuer, registrationMethod: 'DYNAMIC' } });
    expect([registrations(first), registrations(second)]).toEqual([1, 1]);
  });

  it('isn\'t told the secret that a manager entered for the one before, whatever else they change', async () => {
    const [first, second] = [await faulty(), await faulty()];
    const { id, version } = (await create(first.mcp.url, { oauth: { clientId: 'by-hand', clientSecret: 'se-cr_et' } })).connectionType;
    first.mcp.guard.authorizationServers = [second.issuer];
    const refused = { connectionType: null, userErrors: [{ code: 'CLIENT_REQUIRED', field: ['input', 'oauth', 'clientSecret'], message: expect.stringContaining(second.issuer) }] };
    expect(await ask('UpdateConnectionType', { id, expectedVersion: version, oauth: { initialAccessToken: 'first' } })).toMatchObject(refused);
    expect(await ask('UpdateConnectionType', { id, expectedVersion: version, oauth: { clientSecret: 'theirs' } })).toMatchObject({ connectionType: { oauth: { issuer: second.issuer, registrationMethod: 'PREREGISTERED' } } });
    expect(JSON.stringify(second.seen)).not.toContain('se-cr_et');
  });
});
