import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import type { OAuthLeftover } from '#core/store/entities/oauth-grant.entity.js';
import { startTestApi, type TestApi, type TestMember } from '#test/support/api.js';
import { CallWorld, type Caller } from '#test/support/calls/world.js';
import { startChild, type Child } from '#test/support/child.js';
import { Person } from '#test/support/consent/person.js';
import type { Faults } from '#test/support/oauth-servers/faults.js';
import { startFaultyAuthorizationServer, type FaultyServer } from '#test/support/oauth-servers/faulty-server.js';
import { tryToken } from '#test/support/oauth-servers/journey.js';
import { startOidcProvider, type OidcProviderServer } from '#test/support/oauth-servers/oidc-provider.js';
import { login, oauthType, stored } from '#test/support/oauth-tokens/logins.js';

const RETURN_URL = 'http://localhost:3999/settings';

describe('through the API', () => {
  let api: TestApi;
  let provider: OidcProviderServer;
  let manager: TestMember;
  beforeAll(async () => {
    [api, provider] = await Promise.all([startTestApi(), startOidcProvider()]);
    manager = await api.member('MANAGER', { subject: 'grace' });
  });
  afterAll(async () => {
    await Promise.all([api?.stop(), provider?.close()]);
  });

  async function enrolled(who: TestMember, displayName: string, serverUrl = provider.mcp.url): Promise<{ typeId: string; enrollmentId: string; name: string }> {
    const { connectionType } = await manager.must('CreateConnectionType', { input: { team: 'default', displayName, serverUrl, authMethod: 'OAUTH' } });
    const { enrollment, authorization } = await who.must('Enroll', { input: { connectionTypeId: connectionType.id, returnUrl: RETURN_URL } });
    const person = new Person();
    await person.follow(await person.press(await person.get(authorization.url), 'continue'), RETURN_URL);
    return { typeId: connectionType.id, enrollmentId: enrollment.id, name: connectionType.name };
  }

  const call = (who: TestMember, connectionType: string) => who.must('CallTool', { input: { connectionType, tool: 'echo', arguments: { message: 'hello' } } });
  const revocations = (server = provider) => server.presentations.filter(({ path, status }) => path === '/token/revocation' && status === 200);

  it('a login is called with, renewed by hand, and revoked when it is deleted: refresh token first', async () => {
    const { enrollmentId, name } = await enrolled(manager, 'Warehouse');
    expect((await call(manager, name)).toolCall).toMatchObject({ status: 'SUCCEEDED' });
    const before = provider.mcp.tokens.at(-1)!;
    expect(await manager.must('RefreshEnrollment', { input: { id: enrollmentId } })).toMatchObject({ enrollment: { state: 'READY', credential: { lastRefreshAt: expect.any(String), failedRefreshes: 0 } } });
    expect((await call(manager, name)).toolCall).toMatchObject({ status: 'SUCCEEDED' });
    const token = provider.mcp.tokens.at(-1)!;
    expect(token).not.toBe(before);

    expect(await manager.must('DeleteEnrollment', { input: { id: enrollmentId } })).toEqual({
      deletedId: enrollmentId, revocation: { outcome: 'REVOKED', message: expect.stringContaining(provider.issuer) }, userErrors: [],
    });
    const [first, second] = revocations();
    // The refresh token, which no MCP server ever sees; then the access token.
    expect(provider.mcp.tokens).not.toContain(first!.token);
    expect(second!.token).toBe(token);
    expect(await tryToken(provider.mcp.url, token)).toBe(401);
  });

  it('deleting the type revokes its logins, and then deletes its client at the provider', async () => {
    const { typeId, name } = await enrolled(manager, 'Archive');
    await call(manager, name);
    const token = provider.mcp.tokens.at(-1)!;
    provider.presentations.length = 0;
    expect(await manager.must('DeleteConnectionType', { input: { id: typeId } })).toMatchObject({ enrollmentsDeleted: 1 });
    await until(() => provider.presentations.some(({ method, status }) => method === 'DELETE' && status === 204));
    const seen = provider.presentations.map(({ method, path }) => `${method} ${path.replace(/^\/reg\/.*/, '/reg/:id')}`);
    expect(seen).toEqual(['POST /token/revocation', 'POST /token/revocation', 'DELETE /reg/:id']);
    expect(await tryToken(provider.mcp.url, token)).toBe(401);
  });

  it('a member who is removed leaves no login behind', async () => {
    const ada = await api.member('MEMBER', { subject: 'ada' });
    const { name } = await enrolled(ada, 'Library');
    await call(ada, name);
    const token = provider.mcp.tokens.at(-1)!;
    await api.must('RemoveMember', { input: { team: 'default', memberId: ada.id } });
    await until(async () => (await tryToken(provider.mcp.url, token)) === 401);
  });

  it('a provider without revocation is NOT_SUPPORTED, one that is down is PENDING; an enrollment without a login is NOT_NEEDED', async () => {
    const server = await startFaultyAuthorizationServer({ faults: { revocation: 'absent' } });
    const without = await enrolled(manager, 'Plain', server.mcp.url);
    expect((await manager.must('DeleteEnrollment', { input: { id: without.enrollmentId } })).revocation).toMatchObject({ outcome: 'NOT_SUPPORTED' });
    server.faults.revocation = '503';
    const down = await enrolled(manager, 'Down', server.mcp.url);
    expect((await manager.must('DeleteEnrollment', { input: { id: down.enrollmentId } })).revocation).toMatchObject({ outcome: 'PENDING', message: expect.stringContaining('tried') });
    const { enrollment } = await manager.must('Enroll', { input: { connectionTypeId: down.typeId } });
    expect((await manager.must('DeleteEnrollment', { input: { id: enrollment.id } })).revocation).toMatchObject({ outcome: 'NOT_NEEDED', message: expect.stringContaining('consent was never finished') });
    await server.close();
  });

  it('tokens are not revoked at another host that the provider\'s metadata name later', async () => {
    const [server, elsewhere] = await Promise.all([startFaultyAuthorizationServer(), startFaultyAuthorizationServer()]);
    const { typeId, enrollmentId } = await enrolled(manager, 'Moved', server.mcp.url);
    server.faults.metadataMembers = { revocation_endpoint: new URL('/revoke', elsewhere.issuer).href };
    await manager.must('CheckConnectionType', { input: { id: typeId } });
    // They go where they would have gone.
    expect((await manager.must('DeleteEnrollment', { input: { id: enrollmentId } })).revocation).toMatchObject({ outcome: 'REVOKED' });
    expect(server.revoked).not.toEqual([]);

    const without = await startFaultyAuthorizationServer({ faults: { revocation: 'absent' } });
    const other = await enrolled(manager, 'Late', without.mcp.url);
    without.faults.metadataMembers = { revocation_endpoint: new URL('/revoke', elsewhere.issuer).href };
    await manager.must('CheckConnectionType', { input: { id: other.typeId } });
    expect((await manager.must('DeleteEnrollment', { input: { id: other.enrollmentId } })).revocation).toMatchObject({ outcome: 'NOT_SUPPORTED' });
    expect(elsewhere.seen).toEqual([]);
    await without.close();
    await Promise.all([server.close(), elsewhere.close()]);
  });

  it('nor are they where an update has read the other host\'s name', async () => {
    const [server, elsewhere] = await Promise.all([startFaultyAuthorizationServer(), startFaultyAuthorizationServer()]);
    const { typeId, enrollmentId } = await enrolled(manager, 'Updated', server.mcp.url);
    server.faults.metadataMembers = { revocation_endpoint: new URL('/revoke', elsewhere.issuer).href };
    await manager.must('UpdateConnectionType', { input: { id: typeId, expectedVersion: 1, oauth: { initialAccessToken: 'first' } } });
    expect((await manager.must('DeleteEnrollment', { input: { id: enrollmentId } })).revocation).toMatchObject({ outcome: 'REVOKED' });
    expect(server.revoked).toHaveLength(2);
    expect(elsewhere.seen).toEqual([]);
    await Promise.all([server.close(), elsewhere.close()]);
  });
});

describe('a deletion whose processes are killed', () => {
  it('is finished by the next operator: what it left is revoked, and the audit trail has it', async () => {
    const [api, server] = await Promise.all([startTestApi(), startFaultyAuthorizationServer()]);
    const manager = await api.member('MANAGER', { subject: 'grace' });
    const sql = new Client({ connectionString: api.databaseUrl });
    await sql.connect();
    const env = {
      PATH: process.env['PATH'], DATABASE_URL: api.databaseUrl, FAIRLEAD_KEYS: api.keys, PORT: '0', FAIRLEAD_METRICS_PORT: 'off',
      FAIRLEAD_EGRESS_ALLOW: [server.issuer, server.mcp.url].map((url) => new URL(url).host).join(), FAIRLEAD_OIDC_ISSUER: 'http://127.0.0.1:9', FAIRLEAD_OIDC_AUDIENCE: 'nobody',
    };
    const start = async (command: 'api' | 'operator', ready: RegExp): Promise<Child> => {
      const child = startChild([process.execPath, resolve('bin/fairlead.js'), command], { env: command === 'api' ? env : { ...env, FAIRLEAD_PUBLIC_URL: api.url } });
      await child.line(ready);
      return child;
    };
    const { connectionType } = await manager.must('CreateConnectionType', { input: { team: 'default', displayName: 'Stock', serverUrl: server.mcp.url, authMethod: 'OAUTH' } });
    const { enrollment, authorization } = await manager.must('Enroll', { input: { connectionTypeId: connectionType.id, returnUrl: RETURN_URL } });
    const person = new Person();
    await person.follow(await person.press(await person.get(authorization.url), 'continue'), RETURN_URL);

    server.faults.revocation = 'hang';
    const deleting = await start('api', /is ready at/);
    const asked = () => server.seen.filter(({ path }) => path.startsWith('/revo')).length;
    void fetch(`${/http:\S+/.exec(await deleting.line(/is ready at/))![0]}/graphql`, {
      method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${manager.token}` },
      body: JSON.stringify({ query: 'mutation($id: ID!) { deleteEnrollment(input: { id: $id }) { deletedId } }', variables: { id: enrollment.id } }),
    }).catch(() => undefined);
    await until(() => asked() === 1);
    deleting.process.kill('SIGKILL');
    await deleting.ended;
    const due = () => sql.query('update oauth_leftovers set next_attempt_at = clock_timestamp()');
    const outcomes = async () => (await sql.query<{ outcome: string }>('select outcome from oauth_leftovers')).rows.map(({ outcome }) => outcome);
    expect((await sql.query('select 1 from enrollments')).rowCount).toBe(0);

    await due();
    const killed = await start('operator', /operator works/);
    await until(() => asked() === 2);
    killed.process.kill('SIGKILL');
    await killed.ended;
    expect(await outcomes()).toEqual(['PENDING']);

    server.faults.revocation = undefined;
    await due();
    const last = await start('operator', /operator works/);
    await until(async () => (await outcomes())[0] === 'REVOKED');
    expect(server.refreshTokens.size).toBe(0);
    expect((await sql.query(`select outcome from audit_events where action = 'revokeLogin'`)).rows).toEqual([{ outcome: 'SUCCEEDED' }]);
    last.process.kill('SIGTERM');
    expect(await last.ended).toEqual({ code: 0, signal: null });
    await sql.end();
    await server.close();
    await until(() => api.stop().then(() => true, () => false));
  });
});

describe('what is left over', () => {
  let world: CallWorld;
  let ada: Caller;
  let server: FaultyServer;
  beforeEach(async () => {
    world = await CallWorld.create();
    ada = await world.caller('ada');
  });
  afterEach(async () => {
    await world.close();
    await server.close();
  });

  async function deleted(faults: Faults): Promise<string[]> {
    server = await startFaultyAuthorizationServer({ faults });
    const enrollment = await login(world, await oauthType(world, server.mcp.url), ada);
    await world.main.leftovers.prepare(enrollment.teamId);
    return world.store.transaction(async (repositories) => {
      const ids = await world.main.leftovers.collect(repositories, { enrollmentIds: [enrollment.id] });
      await repositories.enrollments.remove(enrollment.id);
      return ids;
    });
  }

  const rows = () => world.query<OAuthLeftover>('select * from oauth_leftovers');
  const due = () => world.query('update oauth_leftovers set next_attempt_at = clock_timestamp()');

  it('is tried again until the provider answers; then nothing sealed is left, and the audit trail has it', async () => {
    const ids = await deleted({ revocation: '503' });
    expect(await world.main.leftovers.settle(ids, 5000)).toMatchObject([{ outcome: 'PENDING' }]);
    expect(await rows()).toMatchObject([{ outcome: 'PENDING', attempts: 1, sealed: expect.any(Buffer), subject_name: 'stock' }]);
    await world.main.leftovers.sweep();
    expect(await rows()).toMatchObject([{ attempts: 1 }]);

    server.faults.revocation = undefined;
    await due();
    await world.main.leftovers.sweep();
    expect(await rows()).toMatchObject([{ outcome: 'REVOKED', attempts: 2, sealed: null }]);
    expect(server.revoked).toEqual([expect.stringContaining('refresh-'), expect.stringContaining('access-')]);
    expect(await world.query(`select action, outcome, subject_name from audit_events where action = 'revokeLogin'`)).toEqual([{ action: 'revokeLogin', outcome: 'SUCCEEDED', subject_name: 'stock' }]);
  });

  it('is given up after a day, on record, in words that say what remains', async () => {
    const ids = await deleted({ revocation: 'reset' });
    await world.main.leftovers.settle(ids, 5000);
    await world.query('update oauth_leftovers set give_up_at = clock_timestamp()');
    await due();
    await world.main.leftovers.sweep();
    expect(await rows()).toMatchObject([{ outcome: 'ABANDONED', sealed: null, message: expect.stringContaining('until it expires') }]);
    expect(await world.query(`select outcome, code from audit_events where action = 'revokeLogin'`)).toEqual([{ outcome: 'FAILED', code: 'ABANDONED' }]);
  });

  it('that can\'t even be tried is given up all the same, and what nobody can revoke is on record from the start', async () => {
    const ids = await deleted({});
    await world.query(`update oauth_leftovers set sealed = '\\x00', give_up_at = clock_timestamp()`);
    expect(await world.main.leftovers.settle(ids, 5000)).toMatchObject([{ outcome: 'ABANDONED', message: expect.stringContaining('fault in Fairlead') }]);

    const lost = await login(world, (await world.store.connectionTypes.byId((await world.query<{ id: string }>('select id from connection_types'))[0]!.id))!, ada);
    await world.query(`update oauth_discoveries set issuer = 'https://elsewhere.example'`);
    await world.store.transaction((repositories) => world.main.leftovers.collect(repositories, { enrollmentIds: [lost.id] }));
    expect(await world.query(`select outcome, code from audit_events where action = 'revokeLogin'`)).toEqual([{ outcome: 'FAILED', code: 'ABANDONED' }, { outcome: 'FAILED', code: 'ABANDONED' }]);
  });

  it('doesn\'t wait for a provider that hangs: the deletion is answered, and the rest happens later', async () => {
    const ids = await deleted({ revocation: 'hang' });
    expect(await world.main.leftovers.settle(ids, 50)).toMatchObject([{ outcome: 'PENDING', message: expect.stringContaining('tried') }]);
  });

  it('is tried by one process at a time', async () => {
    await deleted({});
    const other = await world.process();
    await Promise.all([world.main.leftovers.sweep(), other.leftovers.sweep(), world.main.leftovers.sweep(), other.leftovers.sweep()]);
    expect(server.revoked).toHaveLength(2);
    expect(await rows()).toMatchObject([{ outcome: 'REVOKED', attempts: 1 }]);
  });

  it('tokens that come when their enrollment has gone are revoked', async () => {
    server = await startFaultyAuthorizationServer();
    const enrollment = await login(world, await oauthType(world, server.mcp.url), ada);
    const { value } = await stored(world, enrollment);
    const { seal } = world.vault;
    world.vault.seal = async (...args) => {
      if (args[1].table === 'credentials') await world.store.enrollments.remove(enrollment.id);
      return seal.apply(world.vault, args);
    };
    await expect(world.main.tokens.rotate(enrollment.id, { timeoutMs: 10_000 })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await until(() => server.revoked.length === 2);
    expect(server.revoked).not.toContain(value.refreshToken);
    expect(server.refreshTokens.size).toBe(0);
  });
});

/** Waits, without asserting how long it takes. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(20);
}
