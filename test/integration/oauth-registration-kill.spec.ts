import { MIGRATED } from '#test/support/api.js';
import { createDatabase, type TestDatabase } from '#test/support/database.js';
import { freePort } from '#test/support/free-port.js';
import { LocalState } from '#test/support/local-fairlead.js';
import { startFaultyAuthorizationServer, type FaultyServer } from '#test/support/oauth-servers/faulty-server.js';
import { openStore } from '#test/support/open-store.js';

let state: LocalState;
let database: TestDatabase;
let server: FaultyServer;

beforeAll(async () => {
  [state, database, server] = await Promise.all([LocalState.create(), createDatabase(MIGRATED), startFaultyAuthorizationServer()]);
});

afterAll(async () => {
  await state?.remove();
  await Promise.all([database?.drop(), server?.close()]);
});

const registrations = () => server.seen.filter(({ method, path }) => method === 'POST' && path === '/register').length;

it('registration answered, process killed before it was stored: it is on record as unknown, not sent again, and a person decides', async () => {
  // Both starts on one port: another redirect URI would want another client anyway.
  const env = { DATABASE_URL: database.url, PORT: String(await freePort()) };
  const first = await state.start(env);
  server.faults.before = async (path) => {
    if (path !== '/register') return;
    first.child.process.kill('SIGKILL');
    await first.child.ended;
  };
  await expect(first.gql('CreateConnectionType', { input: { team: 'default', displayName: 'Warehouse', serverUrl: server.mcp.url, authMethod: 'OAUTH' } })).rejects.toThrow();
  server.faults = {};
  expect(registrations()).toBe(1);

  const second = await state.start(env);
  // The provider's side of it: a client that nobody here knows.
  const [client] = server.clients.values();
  const { data } = await second.gql('{ team(slug: "default") { connectionTypes(first: 5) { nodes { id version } } } }', {});
  const [type] = data.team.connectionTypes.nodes;
  const check = async () => (await second.must('CheckConnectionType', { id: type.id })).connectionType;
  const registered = (seen: { conditions: { type: string }[] }) => seen.conditions.find((one) => one.type === 'Registered');
  expect(registered(await check())).toMatchObject({ status: 'UNKNOWN', reason: 'RegistrationPending' });
  // Longer than any registration takes.
  await using store = await openStore(database.url);
  await store.manager.query(`update oauth_clients set attempted_at = attempted_at - interval '3 minutes'`);
  const unknown = await check();
  expect(unknown.state).toBe('ACTION_REQUIRED');
  expect(registered(unknown)).toMatchObject({ status: 'UNKNOWN', reason: 'RegistrationOutcomeUnknown' });
  expect(registrations()).toBe(1);

  const updated = await second.must('UpdateConnectionType', { id: type.id, expectedVersion: type.version, oauth: { clientId: client!.client_id, clientSecret: client!.client_secret } });
  expect(updated.connectionType).toMatchObject({ state: 'READY', oauth: { registrationMethod: 'PREREGISTERED', clientId: client!.client_id } });
  expect(registrations()).toBe(1);
});
