import { setTimeout as delay } from 'node:timers/promises';
import { CredentialBox } from '#core/upkeep/credential-box.js';
import { usableUntil } from '#core/upkeep/oauth-tokens-decision.js';
import { until } from '#test/support/mcp-servers/until.js';
import { CallWorld, type Caller } from '#test/support/calls/world.js';
import { startFaultyAuthorizationServer, type FaultyServer } from '#test/support/oauth-servers/faulty-server.js';
import type { Faults } from '#test/support/oauth-servers/faults.js';
import { startOidcProvider, type OidcProviderServer } from '#test/support/oauth-servers/oidc-provider.js';
import { expire, login, oauthType, stored } from '#test/support/oauth-tokens/logins.js';

const WAIT = { timeoutMs: 10_000 };

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
const echo = (caller = ada) => caller.call({ tool: 'echo', arguments: { message: 'hello' } });

describe('a call through a login at a real authorization server', () => {
  let server: OidcProviderServer;
  beforeEach(async () => { server = await startOidcProvider(); });
  afterEach(() => server.close());

  const refreshes = () => server.presentations.filter(({ grantType }) => grantType === 'refresh_token');

  it('uses the access token as it is while it lives', async () => {
    const enrollment = await login(world, await oauthType(world, server.mcp.url), ada);
    expect(await echo()).toMatchObject({ record: { status: 'SUCCEEDED' }, content: [{ type: 'text', text: 'hello' }] });
    expect(refreshes()).toEqual([]);
    expect((await stored(world, enrollment)).credential.version).toBe(1);
  });

  it('renews an expired one first, stores the new tokens before they are used, and names the resource', async () => {
    const enrollment = await login(world, await oauthType(world, server.mcp.url), ada);
    const before = await stored(world, enrollment);
    await expire(world, enrollment);
    expect(await echo()).toMatchObject({ record: { status: 'SUCCEEDED' } });
    const after = await stored(world, enrollment);
    expect(refreshes()).toMatchObject([{ refreshToken: before.value.refreshToken, resource: server.mcp.url, status: 200 }]);
    expect(after.credential.version).toBe(2);
    expect(after.value.refreshToken).not.toBe(before.value.refreshToken);
    expect(server.mcp.tokens.filter((token) => token === before.value.accessToken)).toEqual([]);
    expect(after.grant).toMatchObject({ refreshable: true, failedRefreshes: 0, attemptId: null, outcomeUnknownAt: null, scopes: ['mcp:tools'] });
    expect(after.grant.refreshAt!.getTime()).toBeLessThan(after.grant.expiresAt!.getTime());
    expect(after.grant.lastRefreshAt).toEqual(after.grant.obtainedAt);
    expect(after.conditions).toMatchObject({ Fresh: { status: 'TRUE', reason: 'Planned' }, Authorized: { status: 'TRUE' } });
  });

  it('renews one that the server refuses (401), and calls once more within the same deadline', async () => {
    const enrollment = await login(world, await oauthType(world, server.mcp.url), ada);
    const { value } = await stored(world, enrollment);
    const { verify } = server.mcp.guard;
    server.mcp.guard.verify = async (token, resource) => (token === value.accessToken ? null : verify(token, resource));
    expect(await echo()).toMatchObject({ record: { status: 'SUCCEEDED' } });
    expect(refreshes()).toHaveLength(1);
    expect(server.mcp.calls).toBe(1);
    expect((await stored(world, enrollment)).conditions).toMatchObject({ Authorized: { status: 'TRUE' } });
  });

  it('ends as UNAUTHORIZED and ACTION_REQUIRED when the server refuses the new login too, after one refresh', async () => {
    const enrollment = await login(world, await oauthType(world, server.mcp.url), ada);
    server.mcp.guard.verify = () => Promise.resolve(null);
    const { record } = await echo();
    expect(record).toMatchObject({ status: 'FAILED', error: { code: 'UNAUTHORIZED', retryable: false, action: { label: 'Sign in again' } } });
    expect(refreshes()).toHaveLength(1);
    expect((await stored(world, enrollment)).conditions).toMatchObject({ Authorized: { status: 'FALSE', reason: 'CredentialRejected' } });
    await expect(echo()).rejects.toMatchObject({ code: 'ACTION_REQUIRED', action: { label: 'Sign in again', url: expect.stringContaining('stock') } });
    expect(refreshes()).toHaveLength(1);
  });

  it('is ACTION_REQUIRED with the link when the provider no longer honours the refresh token (invalid_grant)', async () => {
    const enrollment = await login(world, await oauthType(world, server.mcp.url), ada);
    await expire(world, enrollment);
    const { value } = await stored(world, enrollment);
    const revoked = await fetch(`${server.issuer}/token/revocation`, {
      method: 'POST', headers: await clientHeaders(enrollment.connectionTypeId), body: new URLSearchParams({ token: value.refreshToken!, ...(await clientBody(enrollment.connectionTypeId)) }),
    });
    expect(revoked.status).toBe(200);
    await expect(echo()).rejects.toMatchObject({ code: 'ACTION_REQUIRED', action: { label: 'Sign in again' } });
    const after = await stored(world, enrollment);
    expect(after.conditions).toMatchObject({ Authorized: { status: 'FALSE', reason: 'ConsentRequired', message: expect.stringContaining('startAuthorization') } });
    expect(after.conditions['Authorized']!.message).not.toContain(value.refreshToken);
    expect(after.grant).toMatchObject({ refreshable: false, attemptId: null });
    await expect(echo()).rejects.toMatchObject({ code: 'ACTION_REQUIRED' });
    expect(refreshes()).toHaveLength(1);
  });

  async function clientHeaders(typeId: string): Promise<Record<string, string>> {
    const { client } = await world.main.oauth.setupOf((await world.store.connectionTypes.byId(typeId))!);
    return client.authMethod === 'client_secret_basic' ? { Authorization: `Basic ${Buffer.from(`${client.clientId}:${client.clientSecret}`).toString('base64')}` } : {};
  }
  async function clientBody(typeId: string): Promise<Record<string, string>> {
    const { client } = await world.main.oauth.setupOf((await world.store.connectionTypes.byId(typeId))!);
    return client.authMethod === 'client_secret_basic' ? {} : { client_id: client.clientId, ...(client.clientSecret === null ? {} : { client_secret: client.clientSecret }) };
  }

  it('provider purges the client: the login needs consent, another client is registered, visibly', async () => {
    const type = await oauthType(world, server.mcp.url);
    const enrollment = await login(world, type, ada);
    const { client, clientRowId } = await world.main.oauth.setupOf(type);
    await server.purge(client.clientId);
    await expire(world, enrollment);
    await expect(echo()).rejects.toMatchObject({ code: 'ACTION_REQUIRED' });
    expect((await stored(world, enrollment)).conditions).toMatchObject({ Authorized: { status: 'FALSE', reason: 'ClientRefused' } });
    const now = await world.main.oauth.setupOf(type);
    expect(now.clientRowId).not.toBe(clientRowId);
    expect(await world.store.oauthClients.byId(clientRowId)).toMatchObject({ state: 'RETIRED', message: expect.stringContaining('no longer knows') });
    // What was issued to the old client is never presented by the new one.
    const presented = refreshes().length;
    await expect(world.main.tokens.rotate(enrollment.id, WAIT)).rejects.toMatchObject({ code: 'ACTION_REQUIRED' });
    expect(refreshes()).toHaveLength(presented);
  });

  it('step-up: insufficient_scope fails the call, and the next consent asks for the union on the same enrollment', async () => {
    const enrollment = await login(world, await oauthType(world, server.mcp.url), ada);
    const { record } = await ada.call({ tool: 'failing' });
    expect(record).toMatchObject({ status: 'FAILED', error: { code: 'INSUFFICIENT_SCOPE', action: { label: 'Sign in again' } } });
    const after = await stored(world, enrollment);
    expect(after.grant.wantedScopes).toEqual(['mcp:tools', 'files:write']);
    expect(after.conditions).toMatchObject({ Authorized: { status: 'FALSE', reason: 'InsufficientScope', message: expect.stringContaining('files:write') } });
    await expect(echo()).rejects.toMatchObject({ code: 'ACTION_REQUIRED' });
    expect(refreshes()).toEqual([]);
  });

  it('issuer changes: nothing sealed goes there', async () => {
    const other = await startOidcProvider();
    servers.push(other);
    const type = await oauthType(world, server.mcp.url);
    const enrollment = await login(world, type, ada);
    await world.query(`update oauth_discoveries set issuer = $2, metadata = metadata || jsonb_build_object('issuer', $2::text, 'token_endpoint', $2 || '/token') where connection_type_id = $1`, [type.id, other.issuer]);
    await world.query('update oauth_clients set issuer = $2, sealed = null where connection_type_id = $1', [type.id, other.issuer]);
    await expire(world, enrollment);
    await expect(echo()).rejects.toMatchObject({ code: 'ACTION_REQUIRED' });
    expect((await stored(world, enrollment)).conditions).toMatchObject({ Authorized: { status: 'FALSE', reason: 'IssuerChanged' } });
    expect(other.presentations).toEqual([]);
    expect(refreshes()).toEqual([]);
  });

  it('is not renewed while its owner has not confirmed where the type goes now', async () => {
    const type = await oauthType(world, server.mcp.url);
    const enrollment = await login(world, type, ada);
    await world.change(type, { serverUrl: 'https://elsewhere.example/mcp' });
    await expire(world, enrollment);
    await expect(world.main.tokens.rotate(enrollment.id, WAIT)).rejects.toMatchObject({ code: 'ENROLLMENT_SUSPENDED' });
    expect(refreshes()).toEqual([]);
  });

  it('many calls of one process share one refresh', async () => {
    const enrollment = await login(world, await oauthType(world, server.mcp.url), ada);
    await expire(world, enrollment);
    const views = await Promise.all(Array.from({ length: 20 }, () => echo()));
    expect(new Set(views.map(({ record }) => record.status))).toEqual(new Set(['SUCCEEDED']));
    expect(refreshes()).toHaveLength(1);
  });

  it('a rotation renews it now; the session of the old version is ended', async () => {
    const enrollment = await login(world, await oauthType(world, server.mcp.url), ada);
    await echo();
    expect(world.main.sessions.size).toBe(1);
    await world.main.tokens.rotate(enrollment.id, WAIT);
    expect(await echo()).toMatchObject({ record: { status: 'SUCCEEDED' } });
    expect((await stored(world, enrollment)).credential.version).toBe(2);
    expect(world.main.sessions.size).toBe(1);
  });
});

describe('a provider that errs', () => {
  let server: FaultyServer;
  afterEach(() => server.close());

  async function enrolled(faults: Faults = {}) {
    server = await startFaultyAuthorizationServer({ faults });
    return login(world, await oauthType(world, server.mcp.url), ada);
  }

  it('provider down: the old token is used while it lives, then calls fail as retryable, and recover; nobody has to act', async () => {
    const enrollment = await enrolled();
    server.faults.token = '503';
    await expect(world.main.tokens.rotate(enrollment.id, WAIT)).rejects.toMatchObject({ code: 'UNREACHABLE', retryAfterMs: expect.any(Number) });
    const alive = await stored(world, enrollment);
    expect(alive.grant).toMatchObject({ failedRefreshes: 1, refreshable: true, attemptId: null, outcomeUnknownAt: null });
    expect(alive.grant.nextAttemptAt!.getTime()).toBeGreaterThan((await world.store.now()).getTime());
    expect(alive.conditions).toMatchObject({ Fresh: { status: 'FALSE', reason: 'RefreshFailed' }, Authorized: { status: 'TRUE' }, Ready: { status: 'TRUE' } });
    expect(await echo()).toMatchObject({ record: { status: 'SUCCEEDED' } });

    await expire(world, enrollment);
    const { record } = await echo();
    expect(record).toMatchObject({ status: 'FAILED', error: { code: 'UNREACHABLE', retryable: true, retryAfterMs: expect.any(Number), action: null } });
    // The code's exchange, and one refresh: the calls in between back off.
    expect(server.seen.filter(({ path }) => path === '/token')).toHaveLength(2);

    server.faults.token = undefined;
    await world.query('update oauth_grants set next_attempt_at = clock_timestamp()');
    expect(await echo()).toMatchObject({ record: { status: 'SUCCEEDED' } });
    const after = await stored(world, enrollment);
    expect(after.conditions).toMatchObject({ Fresh: { status: 'TRUE' }, Authorized: { status: 'TRUE' }, Ready: { status: 'TRUE' } });
    expect(after.grant).toMatchObject({ failedRefreshes: 0, nextAttemptAt: null });
  });

  it('refresh_token missing from the answer: the old one is kept, and presented again', async () => {
    const enrollment = await enrolled({ refreshTokenOnRefresh: 'missing' });
    const first = await stored(world, enrollment);
    await world.main.tokens.rotate(enrollment.id, WAIT);
    await world.main.tokens.rotate(enrollment.id, WAIT);
    const after = await stored(world, enrollment);
    expect(after.credential.version).toBe(3);
    expect(after.value).toMatchObject({ refreshToken: first.value.refreshToken });
    expect(after.value.accessToken).not.toBe(first.value.accessToken);
    expect(server.presented).toEqual([first.value.refreshToken, first.value.refreshToken]);
  });

  it('no expires_in: the login is renewed when it is refused, and at no other time', async () => {
    const enrollment = await enrolled({ expiresIn: 'missing' });
    expect((await stored(world, enrollment)).grant).toMatchObject({ expiresAt: null, refreshAt: null, refreshable: true });
    await echo();
    await world.main.tokens.refreshIfDue(enrollment.id, WAIT);
    expect(server.presented).toEqual([]);
    server.expire();
    expect(await echo()).toMatchObject({ record: { status: 'SUCCEEDED' } });
    expect(server.presented).toHaveLength(1);
    expect((await stored(world, enrollment)).conditions).toMatchObject({ Fresh: { status: 'TRUE', reason: 'OnDemand' } });
  });

  it('a lifetime of 5 seconds: no hot loop, and calls find a login that works', async () => {
    const enrollment = await enrolled({ expiresIn: 5 });
    const { grant } = await stored(world, enrollment);
    expect(grant.refreshAt!.getTime() - grant.obtainedAt!.getTime()).toBe(5000);
    for (let times = 0; times < 20; times += 1) await world.main.tokens.refreshIfDue(enrollment.id, WAIT);
    /** How often the time to renew it may have come by itself: not at all, unless the machine stood still. */
    const mayBeDue = async () => Math.floor(((await world.store.now()).getTime() - grant.obtainedAt!.getTime()) / 5000);
    expect(server.presented.length).toBeLessThanOrEqual(await mayBeDue());
    for (let times = 0; times < 3; times += 1) {
      await expire(world, enrollment);
      expect(await echo()).toMatchObject({ record: { status: 'SUCCEEDED' } });
    }
    expect(server.presented.length).toBeGreaterThanOrEqual(3);
    expect(server.presented.length).toBeLessThanOrEqual(3 + await mayBeDue());
    expect(new Set(server.presented).size).toBe(server.presented.length);
  });

  it('a login that expires on its way is renewed again: that the server refused it says nothing of it', async () => {
    const enrollment = await enrolled({ expiresIn: 1 });
    let refusals = 0;
    server.mcp.guard.verify = async () => {
      if (refusals === 2) return { scopes: [] };
      refusals += 1;
      // For longer than the token lives.
      await delay(1000);
      return null;
    };
    expect(await echo()).toMatchObject({ record: { status: 'SUCCEEDED' } });
    expect(refusals).toBe(2);
    expect((await stored(world, enrollment)).conditions).toMatchObject({ Authorized: { status: 'TRUE' } });
  });

  it('a process that is held up while it reads a login doesn\'t think that the login lives for so much longer', async () => {
    const enrollment = await enrolled();
    const held = await world.process({}, ({ vault }) => ({
      box: new (class extends CredentialBox {
        override async open(...args: Parameters<CredentialBox['open']>) {
          await delay(500);
          return super.open(...args);
        }
      })(vault),
    }));
    const { grant } = await stored(world, enrollment);
    // One moment by both clocks; the database's is this machine's.
    const [here, there] = [performance.now(), Date.now()];
    const login = await held.tokens.current(enrollment.id, WAIT);
    expect(login.usableUntil! - here).toBeLessThan(usableUntil(grant)!.getTime() - there + 100);
  });

  it('a clock that is five minutes ahead makes no difference', async () => {
    const enrollment = await enrolled({ clockSkewSeconds: 300 });
    const { grant } = await stored(world, enrollment);
    expect(grant.expiresAt!.getTime() - grant.obtainedAt!.getTime()).toBe(3_600_000);
    expect(await echo()).toMatchObject({ record: { status: 'SUCCEEDED' } });
    expect(server.presented).toEqual([]);
  });

  it('an answer that is lost: on record, the token used while it lives, presented once more, and not a third time', async () => {
    const enrollment = await enrolled();
    const first = await stored(world, enrollment);
    server.faults.loseRefreshAnswer = true;
    await expect(world.main.tokens.rotate(enrollment.id, WAIT)).rejects.toMatchObject({ code: 'UNREACHABLE' });
    const lost = await stored(world, enrollment);
    expect(lost.grant).toMatchObject({ outcomeUnknownAt: expect.any(Date), refreshable: true });
    expect(lost.conditions).toMatchObject({ Fresh: { status: 'FALSE', reason: 'RefreshOutcomeUnknown' }, Authorized: { status: 'TRUE' } });
    // A person's wish doesn't change the order of things.
    await world.main.tokens.rotate(enrollment.id, WAIT);
    expect(await echo()).toMatchObject({ record: { status: 'SUCCEEDED' } });
    expect(server.presented).toHaveLength(1);

    server.faults.loseRefreshAnswer = false;
    await expire(world, enrollment);
    await world.query('update oauth_grants set next_attempt_at = clock_timestamp()');
    await expect(echo()).rejects.toMatchObject({ code: 'ACTION_REQUIRED' });
    expect(server.presented).toEqual([first.value.refreshToken, first.value.refreshToken]);
    expect((await stored(world, enrollment)).conditions).toMatchObject({ Authorized: { status: 'FALSE', reason: 'ConsentRequired' } });
    await expect(world.main.tokens.rotate(enrollment.id, WAIT)).rejects.toMatchObject({ code: 'ACTION_REQUIRED' });
    expect(server.presented).toHaveLength(2);
  });

  it('new tokens that the database doesn\'t take wait for it, and aren\'t taken for lost, however long that is', async () => {
    const enrollment = await enrolled();
    await expire(world, enrollment);
    await world.query('alter table credentials add constraint broken check (version < 2) not valid');
    const call = echo();
    call.catch(() => undefined);
    await until(() => server.presented.length === 1);
    await world.query(`update oauth_grants set attempt_until = clock_timestamp() - interval '1 minute'`);
    const due = world.main.tokens.refreshIfDue(enrollment.id, WAIT);
    due.catch(() => undefined);
    await delay(300);
    await world.query('alter table credentials drop constraint broken');
    expect(await call).toMatchObject({ record: { status: 'SUCCEEDED' } });
    expect(await due).toMatchObject({ version: 2 });
    expect(server.presented).toHaveLength(1);
    expect(await stored(world, enrollment)).toMatchObject({ grant: { outcomeUnknownAt: null, attemptId: null }, conditions: { Fresh: { status: 'TRUE' } } });
  });

  it('a second answer that is lost: only consent helps', async () => {
    const enrollment = await enrolled();
    server.faults.token = 'reset';
    await expect(world.main.tokens.rotate(enrollment.id, WAIT)).rejects.toMatchObject({ code: 'UNREACHABLE' });
    await expire(world, enrollment);
    await world.query('update oauth_grants set next_attempt_at = clock_timestamp()');
    await expect(echo()).rejects.toMatchObject({ code: 'ACTION_REQUIRED' });
    expect((await stored(world, enrollment)).grant).toMatchObject({ refreshable: false, attemptId: null });
    server.faults.token = undefined;
    await expect(world.main.tokens.rotate(enrollment.id, WAIT)).rejects.toMatchObject({ code: 'ACTION_REQUIRED' });
    expect(server.presented).toEqual([]);
  });

  it('a caller who stops waiting stops nothing: what comes is stored', async () => {
    const enrollment = await enrolled();
    await expect(world.main.tokens.rotate(enrollment.id, { timeoutMs: 0 })).rejects.toMatchObject({ code: 'UNREACHABLE' });
    await world.main.tokens.stop();
    expect((await stored(world, enrollment)).credential.version).toBe(2);
  });
});
