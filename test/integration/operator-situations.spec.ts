import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Condition } from '#core/connection/condition.js';
import { connectionTypeSpec, type ConnectionTypeSpecInput } from '#core/connection/spec.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import { CallWorld, type Caller } from '#test/support/calls/world.js';
import { startMinimal, type MinimalServer } from '#test/support/mcp-servers/minimal.js';
import { startMisbehaving } from '#test/support/mcp-servers/misbehaving.js';
import { startScripted } from '#test/support/mcp-servers/scripted.js';
import { startModern } from '#test/support/mcp-servers/sdk-server.js';
import { until } from '#test/support/mcp-servers/until.js';
import type { Faults } from '#test/support/oauth-servers/faults.js';
import { startFaultyAuthorizationServer, type FaultyServer } from '#test/support/oauth-servers/faulty-server.js';
import { REDIRECT_URI } from '#test/support/oauth-servers/journey.js';
import { expire, login, oauthType } from '#test/support/oauth-tokens/logins.js';
import { startTestOperator, type TestOperator } from '#test/support/operator.js';

/** What the world is like, and what the operator says of it: real servers on one side, conditions on the other, nothing else in between. */

let world: CallWorld;
let ada: Caller;
let operator: TestOperator;
const servers: { close(): Promise<unknown> }[] = [];
const ids = new Map<string, string>();
let elsewhere: MinimalServer;

async function open<T extends { close(): Promise<unknown> }>(starting: Promise<T>): Promise<T> {
  const server = await starting;
  servers.push(server);
  return server;
}
const wanting = (value = 'Bearer canary-token-4711') => open(startMinimal({ credential: { header: 'authorization', value } }));
const faulty = (faults: Faults = {}): Promise<FaultyServer> => open(startFaultyAuthorizationServer({ faults }));
const oauth = async (faults: Faults = {}) => ({ serverUrl: (await faulty(faults)).mcp.url, authMethod: 'OAUTH' as const });

/** By condition: its status and reason. */
type Said = Record<string, string>;
type Setting = Partial<ConnectionTypeSpecInput> & { serverUrl: string };

const READY: Said = { Ready: 'TRUE Ready', Stalled: 'FALSE Observed', Reconciling: 'FALSE Observed' };
const stalled = (reason: string): Said => ({ Ready: `FALSE ${reason}`, Stalled: `TRUE ${reason}`, Reconciling: 'FALSE Observed' });
const REACHABLE = 'TRUE Answered';

const TYPES: [situation: string, setting: () => Promise<Setting>, said: Said][] = [
  ['a server of the legacy era that answers everybody', async () => ({ serverUrl: (await open(startMinimal())).url }), { Reachable: REACHABLE, ToolsSynced: 'TRUE Read', ...READY }],
  ['a legacy server that keeps sessions', async () => ({ serverUrl: (await open(startMinimal({ stateful: true }))).url }), { Reachable: REACHABLE, ToolsSynced: 'TRUE Read', ...READY }],
  ['a server of the modern era', async () => ({ serverUrl: (await open(startModern())).url }), { Reachable: REACHABLE, ToolsSynced: 'TRUE Read', ...READY }],
  ['a server that wants a credential, which the type has teammates enter', async () => ({ serverUrl: (await wanting()).url, authMethod: 'ACCESS_TOKEN' }), { Reachable: REACHABLE, ToolsSynced: 'UNKNOWN LoginRequired', ...READY }],
  ['a server that wants a credential, which the type has none of', async () => ({ serverUrl: (await wanting()).url }), { Reachable: REACHABLE, ...stalled('CredentialWanted') }],
  ['nobody at the address', async () => ({ serverUrl: 'http://127.0.0.1:9/mcp' }), { Reachable: 'FALSE Unreachable', ToolsSynced: 'UNKNOWN NotRead', Ready: 'FALSE Unreachable', Stalled: 'FALSE Observed' }],
  ['a server that never answers', async () => ({ serverUrl: (await open(startMisbehaving('hangs-always'))).url, health: { timeoutSeconds: 1 } }), { Reachable: 'FALSE Unreachable', Stalled: 'FALSE Observed' }],
  ['a web page', async () => ({ serverUrl: (await open(startMisbehaving('html'))).url }), { Reachable: 'FALSE NotMcp', ...stalled('NotMcp') }],
  ['a path where nothing is', async () => ({ serverUrl: (await open(startMisbehaving('not-found'))).url }), { Reachable: 'FALSE NotMcp', ...stalled('NotMcp') }],
  ['the transport of 2024-11-05', async () => ({ serverUrl: (await open(startMisbehaving('sse-only'))).url }), { Reachable: 'FALSE UnsupportedTransport', ...stalled('UnsupportedTransport') }],
  ['an address that policy refuses', async () => ({ serverUrl: 'http://169.254.169.254/mcp' }), { Reachable: 'FALSE RefusedByPolicy', ...stalled('RefusedByPolicy') }],
  ['a server that can\'t list its tools', async () => ({ serverUrl: (await open(startScripted({ methods: { 'tools/list': (one) => one.error(-32603, 'broken') } }))).url }), { Reachable: REACHABLE, ToolsSynced: 'FALSE NotListed', ...READY }],
  ['OAuth with dynamic registration', () => oauth(), { Reachable: REACHABLE, Discovered: 'TRUE Read', Registered: 'TRUE Dynamic', ...READY }],
  ['OAuth where a registration is refused', () => oauth({ registration: 'refuse' }), { Discovered: 'TRUE Read', Registered: 'FALSE RegistrationRefused', Ready: 'FALSE RegistrationRefused', Stalled: 'FALSE Observed' }],
  ['OAuth where nobody is registered', () => oauth({ registration: 'absent' }), { Discovered: 'TRUE Read', Registered: 'FALSE ClientRequired', Ready: 'FALSE ClientRequired' }],
  ['OAuth where the answer to a registration is lost', () => oauth({ loseRegistrationAnswer: true }), { Discovered: 'TRUE Read', Registered: 'UNKNOWN RegistrationOutcomeUnknown', Ready: 'FALSE RegistrationOutcomeUnknown' }],
  ['OAuth where a registration can\'t be taken now', () => oauth({ registration: '503' }), { Discovered: 'TRUE Read', Registered: 'UNKNOWN RegistrationPending', Ready: 'FALSE RegistrationPending' }],
  ['OAuth with metadata of another issuer', () => oauth({ issuerInMetadata: 'https://evil.example' }), { Reachable: REACHABLE, Discovered: 'FALSE DiscoveryFailed', Registered: 'FALSE ClientRequired' }],
  ['OAuth with metadata that can\'t be read now', () => oauth({ metadata: '503' }), { Reachable: REACHABLE, Discovered: 'UNKNOWN NotDiscovered' }],
];

const LOGINS: [situation: string, setting: () => Promise<Enrollment>, said: Said][] = [
  ['no credential, and none wanted', async () => enroll({ serverUrl: (await open(startMinimal())).url, authMethod: 'NONE' }), {}],
  ['a token that the server takes', async () => enroll({ serverUrl: (await wanting()).url }), { Authorized: 'TRUE Accepted', ...READY }],
  ['a token that the server refuses', async () => enroll({ serverUrl: (await wanting('Bearer another')).url }), { Authorized: 'FALSE CredentialRejected', Ready: 'FALSE CredentialRejected', Stalled: 'TRUE CredentialRejected' }],
  ['a token at a server that takes everybody', async () => enroll({ serverUrl: (await open(startMinimal())).url }), { Authorized: 'UNKNOWN NotVerifiable', Ready: 'TRUE NotVerifiable', Stalled: 'FALSE Observed' }],
  ['a token at a server that is down: nothing is said of the token', async () => enroll({ serverUrl: 'http://127.0.0.1:9/mcp' }), {}],
  ['a type that went elsewhere: nothing is sent there', async () => {
    elsewhere = await wanting();
    const enrollment = await enroll({ serverUrl: (await wanting()).url });
    await world.change((await world.store.connectionTypes.byId(enrollment.connectionTypeId))!, { serverUrl: elsewhere.url });
    return enrollment;
  }, {}],
  ['an OAuth login whose time to be renewed has come', async () => due(await loggedIn()), { Authorized: 'TRUE Accepted', Fresh: 'TRUE Planned', Ready: 'TRUE Ready' }],
  ['an OAuth login that its provider can\'t renew now, while it lives', async () => due(await loggedIn({ token: '503' })), { Authorized: 'TRUE Accepted', Fresh: 'FALSE RefreshFailed', Ready: 'TRUE Ready' }],
  ['an OAuth login that its provider can\'t renew now, when it is over', async () => due(await loggedIn({ token: '503' }), true), { Authorized: 'TRUE Accepted', Fresh: 'FALSE RefreshFailed', Ready: 'FALSE RefreshFailed' }],
  ['an OAuth login that its provider no longer knows', async () => {
    const { enrollment, server } = await loggedIn();
    server.refreshTokens.clear();
    return due({ enrollment, server });
  }, { Authorized: 'FALSE ConsentRequired', Fresh: 'FALSE ConsentRequired', Ready: 'FALSE ConsentRequired' }],
  ['an OAuth login whose answer is lost, while it lives', async () => due(await loggedIn({ loseRefreshAnswer: true })), { Authorized: 'TRUE Accepted', Fresh: 'FALSE RefreshOutcomeUnknown', Ready: 'TRUE Ready' }],
  ['an OAuth login without a refresh token, when it is over', async () => {
    const { enrollment, server } = await loggedIn({}, { refreshable: false, refreshAt: null });
    return due({ enrollment, server }, true);
  }, { Authorized: 'FALSE ConsentRequired' }],
  ['an OAuth login of an issuer that changed', async () => {
    const { enrollment, server } = await loggedIn();
    server.mcp.guard.authorizationServers = [(await faulty()).issuer];
    await world.query(`update oauth_discoveries set discovered_at = discovered_at - interval '1 hour' where connection_type_id = $1`, [enrollment.connectionTypeId]);
    return enrollment;
  }, { Authorized: 'FALSE IssuerChanged', Ready: 'FALSE IssuerChanged' }],
];

async function type(values: Setting): Promise<ConnectionType> {
  return world.store.connectionTypes.insert(world.team.id, `t-${randomUUID()}`, connectionTypeSpec.parse({ displayName: 'T', authMethod: 'NONE', ...values }));
}
const enroll = async (values: Setting) => world.enroll(await type({ authMethod: 'ACCESS_TOKEN', ...values }), ada);

async function loggedIn(faults: Faults = {}, pretend: object = {}): Promise<{ enrollment: Enrollment; server: FaultyServer }> {
  const server = await faulty();
  const enrollment = await login(world, await oauthType(world, server.mcp.url, {}, `o-${randomUUID()}`), ada, { pretend });
  Object.assign(server.faults, faults);
  return { enrollment, server };
}

/** Its time has come: a third of its life before the end, or the end. */
async function due({ enrollment }: { enrollment: Enrollment; server: FaultyServer }, over = false): Promise<Enrollment> {
  await world.query('update oauth_grants set refresh_at = clock_timestamp() where enrollment_id = $1 and refreshable', [enrollment.id]);
  if (over) await expire(world, enrollment);
  return enrollment;
}

const saidOf = (conditions: Condition[]): Said => Object.fromEntries(conditions.map(({ type: name, status, reason }) => [name, `${status} ${reason}`]));
const row = async (table: string, id: string): Promise<{ conditions: Condition[] }> => (await world.query<{ conditions: Condition[] }>(`select conditions from ${table} where ${table === 'enrollment_status' ? 'enrollment_id' : 'connection_type_id'} = $1`, [id]))[0]!;

beforeAll(async () => {
  world = await CallWorld.create();
  ada = await world.caller('ada');
  for (const [situation, setting] of TYPES) ids.set(situation, (await type(await setting())).id);
  for (const [situation, setting] of LOGINS) ids.set(situation, (await setting()).id);
  operator = await startTestOperator({ databaseUrl: world.database.url, keys: world.ring, url: new URL(REDIRECT_URI).origin });
  // Each was looked at, and what its look led to is done: logins wait for what is said of their servers.
  await until(async () => (await world.query('select 1 from reconcile_schedule where epoch = 0 or worker is not null')).length === 0);
  await world.query(`update reconcile_schedule set due = clock_timestamp() where kind = 'Enrollment'`);
  await until(async () => (await world.query(`select 1 from reconcile_schedule where kind = 'Enrollment' and (worker is not null or due <= clock_timestamp())`)).length === 0);
});
afterAll(async () => {
  await operator?.stop();
  await world?.close();
  await Promise.all(servers.map((server) => server.close()));
});

describe('of a connection type with', () => {
  it.each(TYPES)('%s', async (situation, _setting, said) => {
    const { conditions } = await row('connection_type_status', ids.get(situation)!);
    expect(saidOf(conditions)).toMatchObject(said);
    // What isn't well says what is wrong or what to do, and nothing that was sealed.
    for (const { status, message } of conditions.filter(({ type: name }) => ['Reachable', 'Discovered', 'Registered', 'Ready'].includes(name))) {
      if (status !== 'TRUE') expect(message).toMatch(/\w{3,}.*[.:]/);
    }
    expect(JSON.stringify(conditions)).not.toContain('canary');
  });
});

describe('of an enrollment with', () => {
  it.each(LOGINS)('%s', async (situation, _setting, said) => {
    const { conditions } = await row('enrollment_status', ids.get(situation)!);
    expect(saidOf(conditions)).toMatchObject(said);
    if (Object.keys(said).length === 0) expect(conditions).toEqual([]);
    for (const { type: name, status, message } of conditions) if (status === 'FALSE' && ['Authorized', 'Fresh', 'Ready'].includes(name)) expect(message).toMatch(/\w{3,}.*\./);
    expect(JSON.stringify(conditions)).not.toContain('canary');
  });

  it('an address that its owner has not seen: the server there was looked at, and got no credential', () => {
    expect(elsewhere.seen.length).toBeGreaterThan(0);
    expect(elsewhere.seen.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
  });
});
