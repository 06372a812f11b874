import { fileURLToPath } from 'node:url';
import { CredentialBox } from '#core/upkeep/credential-box.js';
import { CallWorld, type Caller } from '#test/support/calls/world.js';
import { startChild, type Child } from '#test/support/child.js';
import { startFaultyAuthorizationServer } from '#test/support/oauth-servers/faulty-server.js';
import { startOidcProvider, type OidcProviderServer } from '#test/support/oauth-servers/oidc-provider.js';
import { expire, login, oauthType, stored } from '#test/support/oauth-tokens/logins.js';
import { START_LOCK } from '#test/support/oauth-tokens/start-lock.js';

const PROGRAM = fileURLToPath(new URL('../support/programs/use-login.js', import.meta.url));
const PROCESSES = 8;
const CALLS = 30;

let world: CallWorld;
let ada: Caller;

beforeEach(async () => {
  world = await CallWorld.create();
  ada = await world.caller('ada');
});
afterEach(async () => {
  await world.close();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

const servers: { close(): Promise<void> }[] = [];
function open<T extends { close(): Promise<void> }>(server: T): T {
  servers.push(server);
  return server;
}

function use(options: { calls: number; pauseMs: number; dies?: boolean }): Child {
  return startChild([process.execPath, PROGRAM, JSON.stringify({ databaseUrl: world.database.url, ring: world.ring, principal: ada.principal, dies: false, ...options })]);
}

const refreshes = (server: OidcProviderServer) => server.presentations.filter(({ grantType }) => grantType === 'refresh_token');
const endLease = () => world.query(`update oauth_grants set attempt_until = clock_timestamp() - interval '1 millisecond' where attempt_id is not null`);
const echo = () => ada.call({ tool: 'echo', arguments: { message: 'hello' } });

it('refresh race of 8 processes on one rotating token: the provider sees each refresh token once, every call succeeds', async () => {
  const server = open(await startOidcProvider({ accessTokenTtl: 4 }));
  await login(world, await oauthType(world, server.mcp.url), ada);
  const runner = world.store.dataSource.createQueryRunner();
  await runner.query('select pg_advisory_lock($1)', [START_LOCK]);
  const children = Array.from({ length: PROCESSES }, () => use({ calls: CALLS, pauseMs: 300 }));
  await Promise.all(children.map((child) => child.line(/ready/)));
  await runner.query('select pg_advisory_unlock($1)', [START_LOCK]);
  await runner.release();
  const ends = await Promise.all(children.map((child) => child.ended));
  expect(ends).toEqual(children.map(() => ({ code: 0, signal: null })));

  const calls = children.flatMap((child) => child.output.filter((line) => line.startsWith('call ')));
  expect(calls.filter((line) => !line.startsWith('call SUCCEEDED'))).toEqual([]);
  expect(calls).toHaveLength(PROCESSES * CALLS);
  const presented = refreshes(server).map(({ refreshToken }) => refreshToken);
  expect(presented.length).toBeGreaterThanOrEqual(2);
  expect(new Set(presented).size).toBe(presented.length);
  expect(refreshes(server).filter(({ status }) => status !== 200)).toEqual([]);
  expect(server.overlaps()).toBe(0);
}, 300_000);

describe('refresh answered, process killed before it was stored', () => {
  it('the access token is used while it lives; then the refresh token is presented once more, on record, and its refusal means consent', async () => {
    const server = open(await startOidcProvider());
    const enrollment = await login(world, await oauthType(world, server.mcp.url), ada);
    const first = await stored(world, enrollment);
    await expire(world, enrollment);
    expect(await use({ calls: 1, pauseMs: 0, dies: true }).ended).toMatchObject({ signal: 'SIGKILL' });
    expect(refreshes(server)).toMatchObject([{ refreshToken: first.value.refreshToken, status: 200 }]);
    expect((await stored(world, enrollment)).grant).toMatchObject({ attemptId: expect.any(String), attemptVersion: 1 });

    // The access token lives, as it would with a refresh ahead of its time.
    await endLease();
    await world.query(`update oauth_grants set expires_at = clock_timestamp() + interval '1 hour'`);
    await world.main.tokens.current(enrollment.id, { timeoutMs: 10_000 });
    expect(await echo()).toMatchObject({ record: { status: 'SUCCEEDED' } });
    expect(refreshes(server)).toHaveLength(1);
    const lost = await stored(world, enrollment);
    expect(lost.grant).toMatchObject({ attemptId: null, outcomeUnknownAt: expect.any(Date), refreshable: true });
    expect(lost.conditions).toMatchObject({ Fresh: { status: 'FALSE', reason: 'RefreshOutcomeUnknown' }, Authorized: { status: 'TRUE' } });

    await expire(world, enrollment);
    await expect(echo()).rejects.toMatchObject({ code: 'ACTION_REQUIRED', action: { label: 'Sign in again' } });
    expect(refreshes(server)).toMatchObject([{ status: 200 }, { refreshToken: first.value.refreshToken, status: 400, error: 'invalid_grant' }]);
    expect(server.overlaps()).toBe(0);
    expect((await stored(world, enrollment)).conditions).toMatchObject({ Authorized: { status: 'FALSE', reason: 'ConsentRequired' } });
    await expect(echo()).rejects.toMatchObject({ code: 'ACTION_REQUIRED' });
    expect(refreshes(server)).toHaveLength(2);
  });

  it('a provider that doesn\'t rotate answers the second time, and all is well again', async () => {
    const server = open(await startFaultyAuthorizationServer({ faults: { refreshTokenOnRefresh: 'missing' } }));
    const enrollment = await login(world, await oauthType(world, server.mcp.url), ada);
    await expire(world, enrollment);
    expect(await use({ calls: 1, pauseMs: 0, dies: true }).ended).toMatchObject({ signal: 'SIGKILL' });
    await endLease();
    expect(await echo()).toMatchObject({ record: { status: 'SUCCEEDED' } });
    expect(server.presented).toHaveLength(2);
    const after = await stored(world, enrollment);
    expect(after.grant).toMatchObject({ outcomeUnknownAt: null, attemptId: null, refreshable: true });
    expect(after.conditions).toMatchObject({ Fresh: { status: 'TRUE' } });
  });

  it('a second process that is killed like that: the refresh token is not presented a third time', async () => {
    const server = open(await startFaultyAuthorizationServer({ faults: { refreshTokenOnRefresh: 'missing' } }));
    const enrollment = await login(world, await oauthType(world, server.mcp.url), ada);
    await expire(world, enrollment);
    for (let times = 0; times < 2; times += 1) {
      expect(await use({ calls: 1, pauseMs: 0, dies: true }).ended).toMatchObject({ signal: 'SIGKILL' });
      await endLease();
    }
    await expect(echo()).rejects.toMatchObject({ code: 'ACTION_REQUIRED' });
    expect(server.presented).toHaveLength(2);
    expect((await stored(world, enrollment)).grant).toMatchObject({ refreshable: false });
  });

  it('while its lease runs, others wait, and don\'t present the token', async () => {
    const server = open(await startFaultyAuthorizationServer());
    const enrollment = await login(world, await oauthType(world, server.mcp.url), ada);
    await expire(world, enrollment);
    expect(await use({ calls: 1, pauseMs: 0, dies: true }).ended).toMatchObject({ signal: 'SIGKILL' });
    const { record } = await ada.call({ tool: 'echo', arguments: { message: 'hello' }, timeoutMs: 300 });
    expect(record).toMatchObject({ status: 'FAILED', error: { code: 'UNREACHABLE', retryable: true } });
    expect(server.presented).toHaveLength(1);
    await endLease();
    await world.main.tokens.stop();
  });
});

it('an answer is stored although the lease was lost meanwhile, because the version has not moved', async () => {
  const server = open(await startOidcProvider());
  const enrollment = await login(world, await oauthType(world, server.mcp.url), ada);
  let during: Promise<unknown> = Promise.resolve();
  const slow = await world.process({}, ({ vault }) => ({
    box: new (class extends CredentialBox {
      override async seal(...args: Parameters<CredentialBox['seal']>) {
        // Its lease runs out, and another process puts on record that the answer is lost.
        await endLease();
        during = world.main.tokens.current(enrollment.id, { timeoutMs: 10_000 });
        await during;
        return super.seal(...args);
      }
    })(vault),
  }));
  await slow.tokens.rotate(enrollment.id, { timeoutMs: 10_000 });
  await during;
  const after = await stored(world, enrollment);
  expect(after.credential.version).toBe(2);
  expect(after.grant).toMatchObject({ outcomeUnknownAt: null, attemptId: null });
  expect(after.conditions).toMatchObject({ Fresh: { status: 'TRUE' } });
  expect(await echo()).toMatchObject({ record: { status: 'SUCCEEDED' } });
});
