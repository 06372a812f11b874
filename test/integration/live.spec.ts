import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { MIGRATED, startTestApi, type TestApi, type TestMember } from '#test/support/api.js';
import { startGated, type GatedServer } from '#test/support/calls/gated-server.js';
import { createDatabase, type TestDatabase } from '#test/support/database.js';
import { liveClient, type LiveClient, type Watch } from '#test/support/live/live-client.js';
import { ChangeableServer } from '#test/support/mcp-servers/changeable.js';
import { until } from '#test/support/mcp-servers/until.js';

/** Live events over real WebSockets: what is watched on one process is changed through another one, on the same database. */

let database: TestDatabase;
let here: TestApi;
let there: TestApi;
let server: ChangeableServer;
let gated: GatedServer;
const clients: LiveClient[] = [];
const statements: string[] = [];
let names = 0;

beforeAll(async () => {
  database = await createDatabase(MIGRATED);
  server = await ChangeableServer.start();
  gated = await startGated(undefined, [{ name: 'slow', inputSchema: { type: 'object' } }]);
  here = await startTestApi({ database, onStatement: (sql) => void statements.push(sql) });
  there = await startTestApi({ database, keys: here.keys });
});
afterEach(async () => { await Promise.all(clients.splice(0).map((client) => client.close())); });
afterAll(async () => {
  await here?.stop();
  await there?.stop();
  await server?.stop();
  await gated?.close();
  await database?.drop();
});

function connect(token: string): LiveClient {
  const client = liveClient(here.url, token);
  clients.push(client);
  return client;
}

/** Subscribes, and returns once changes are told. */
async function watching(client: LiveClient, operation: 'ConnectionTypeChanged' | 'EnrollmentChanged', team = 'default'): Promise<Watch> {
  const began = () => here.logs().filter((line) => line.includes('a subscription began')).length;
  const before = began();
  const watch = client.watch(operation, { team });
  await until(() => began() > before || watch.errors.length > 0);
  return watch;
}

// The second API has rewritten the administrator's token.
const admin = () => there.adminToken;
const change = (name: string, input: object, token = admin()) => there.must(name, { input }, token);
const newType = async (input: object = {}) =>
  (await change('CreateConnectionType', { team: 'default', name: `type-${++names}`, displayName: 'Type', serverUrl: server.url, authMethod: 'NONE', ...input })).connectionType as { id: string; version: number };
const member = async (role: 'MEMBER' | 'MANAGER' = 'MEMBER'): Promise<TestMember> => {
  const subject = `person-${++names}`;
  const { member: { id } } = await change('SetMember', { team: 'default', subject, role });
  const { secret } = await change('CreateToken', { team: 'default', name: subject, memberId: id });
  return { id, subject, token: secret, gql: (document, variables) => there.gql(document, variables, secret), must: (document, variables) => there.must(document, variables, secret) };
};
const kinds = (watch: Watch, id: string) => watch.events.filter((event) => event.id === id).map((event) => event.change as string);

describe('connectionTypeChanged', () => {
  it('tells what another process added, changed and deleted, with the object as it is', async () => {
    const watch = await watching(connect((await member()).token), 'ConnectionTypeChanged');
    const type = await newType();
    await until(() => kinds(watch, type.id).length === 1);
    expect(watch.events[0]).toMatchObject({ change: 'ADDED', id: type.id, connectionType: { id: type.id, name: `type-${names}`, state: 'READY' } });
    await change('UpdateConnectionType', { id: type.id, expectedVersion: 1, displayName: 'Renamed' });
    await until(() => kinds(watch, type.id).length === 2);
    expect(watch.events[1]).toMatchObject({ change: 'UPDATED', connectionType: { displayName: 'Renamed', version: 2 } });
    await change('DeleteConnectionType', { id: type.id, expectedVersion: 2 });
    await until(() => kinds(watch, type.id).length === 3);
    expect(watch.events[2]).toEqual({ change: 'DELETED', id: type.id, connectionType: null });
    watch.stop();
  });

  it('tells that the server went away, that it is back, and that a tool changed; not that nothing did', async () => {
    const type = await newType();
    const watch = await watching(connect(admin()), 'ConnectionTypeChanged');
    const check = () => change('CheckConnectionType', { id: type.id });
    await check();
    await server.stop();
    await check();
    await until(() => watch.events.some((event) => event.connectionType?.state === 'UNREACHABLE'));
    await server.start();
    await check();
    await until(() => watch.events.at(-1)?.connectionType?.state === 'READY');
    const before = watch.events.length;
    server.tools[0] = { ...server.tools[0]!, description: 'Gives back, and more.' };
    await check();
    await until(() => watch.events.length > before);
    expect(kinds(watch, type.id)).not.toContain('ADDED');
  });

  it('tells a stranger of the team nothing, as of a team that doesn\'t exist', async () => {
    await change('CreateTeam', { slug: `team-${++names}`, displayName: 'Elsewhere' });
    const elsewhere = `team-${names}`;
    const client = connect((await member()).token);
    const [foreign, unknown] = [client.watch('ConnectionTypeChanged', { team: elsewhere }), client.watch('EnrollmentChanged', { team: 'no-such-team' })];
    await Promise.all([foreign.ended, unknown.ended]);
    expect(foreign.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
    expect((foreign.errors[0] as Error).message).toBe((unknown.errors[0] as Error).message);
    expect([...foreign.events, ...unknown.events]).toEqual([]);
  });

  it('goes on when the connection that listens was cut, and when nobody notified of a change at all', async () => {
    const watch = await watching(connect(admin()), 'ConnectionTypeChanged');
    const client = new Client({ connectionString: database.url });
    await client.connect();
    await client.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'fairlead listener' and datname = current_database()`);
    const type = await newType();
    await until(() => kinds(watch, type.id).length > 0);
    await client.query('update connection_types set version = version + 1 where name = $1', [`type-${names}`]);
    await client.end();
    await until(() => kinds(watch, type.id).length > 1);
  });

  it('reads a team once for all who watch it', async () => {
    const watchers = [connect((await member()).token), connect((await member()).token), connect(admin())];
    const watches: Watch[] = [];
    for (const client of watchers) watches.push(await watching(client, 'ConnectionTypeChanged'));
    statements.length = 0;
    const began = performance.now();
    const type = await newType();
    await until(() => watches.every((watch) => kinds(watch, type.id).length === 1));
    // Mutation and its announcement: one reading, or two; and one for each poll, every five seconds, that came in between.
    const polls = 1 + Math.floor((performance.now() - began) / 5000);
    expect(statements.filter((sql) => sql.includes('from connection_types t') && sql.includes('digest')).length).toBeLessThanOrEqual(2 + polls);
  });
});

describe('enrollmentChanged', () => {
  it('tells people of their own and of shared ones, and nobody of anything else, not even the ids', async () => {
    const type = await newType();
    const [owner, other] = [await member('MANAGER'), await member()];
    const own = await watching(connect(owner.token), 'EnrollmentChanged');
    const theirs = await watching(connect(other.token), 'EnrollmentChanged');
    const { enrollment } = await change('Enroll', { connectionTypeId: type.id }, owner.token);
    await until(() => kinds(own, enrollment.id).includes('ADDED'));
    await change('UpdateEnrollment', { id: enrollment.id, label: 'private' }, owner.token);
    await until(() => own.events.at(-1)?.enrollment?.label === 'private');
    await change('ShareEnrollment', { id: enrollment.id, shared: true }, owner.token);
    await until(() => theirs.events.length === 1);
    expect(theirs.events).toMatchObject([{ change: 'ADDED', id: enrollment.id, enrollment: { shared: true, label: 'private' } }]);
    await change('ShareEnrollment', { id: enrollment.id, shared: false }, owner.token);
    await until(() => theirs.events.length === 2);
    expect(theirs.events[1]).toEqual({ change: 'DELETED', id: enrollment.id, enrollment: null });
    await change('DeleteEnrollment', { id: enrollment.id }, owner.token);
    await until(() => kinds(own, enrollment.id).at(-1) === 'DELETED');
    // A later event that both see: what would have leaked had come before it.
    const shared = (await change('Enroll', { connectionTypeId: type.id, label: 'second' }, owner.token)).enrollment;
    await change('ShareEnrollment', { id: shared.id, shared: true }, owner.token);
    await until(() => theirs.events.length === 3);
    expect(theirs.events[2]).toMatchObject({ id: shared.id, change: 'ADDED' });
  });
});

describe('toolCallChanged', () => {
  /** A call that runs until the test answers it. */
  const slow = async (caller: TestMember) => {
    const type = await newType({ serverUrl: gated.url });
    await caller.must('Enroll', { input: { connectionTypeId: type.id } });
    return (await caller.must('CallTool', { input: { connectionTypeId: type.id, tool: 'slow', wait: false } })).toolCall as { id: string };
  };

  it('tells how a call stands, then how it ended, wherever it runs, and completes', async () => {
    const caller = await member();
    const call = await slow(caller);
    const watch = connect(caller.token).watch('ToolCallChanged', { id: call.id });
    await until(() => watch.events.length > 0);
    (await gated.arrived(1)).answer();
    await watch.ended;
    expect(watch.errors).toEqual([]);
    expect(watch.events.map((event) => event.status)).toEqual(['RUNNING', 'SUCCEEDED']);
    expect(watch.events.at(-1)).toMatchObject({ id: call.id, contentState: 'AVAILABLE', finishedAt: expect.any(String) });
    const again = connect(caller.token).watch('ToolCallChanged', { id: call.id });
    await again.ended;
    expect(again.events.map((event) => event.status)).toEqual(['SUCCEEDED']);
  });

  it('is NOT_FOUND for those who may not read the call, also when that comes to be so', async () => {
    const [caller, manager, colleague] = [await member(), await member('MANAGER'), await member()];
    const call = await slow(caller);
    const refused = connect(colleague.token).watch('ToolCallChanged', { id: call.id });
    await refused.ended;
    expect(refused.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
    const lowered = connect(manager.token).watch('ToolCallChanged', { id: call.id });
    await until(() => lowered.events.length === 1);
    await change('SetMember', { team: 'default', subject: manager.subject, role: 'MEMBER' });
    await lowered.ended;
    expect(lowered.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
    await caller.must('CancelToolCall', { input: { id: call.id } });
  });
});

describe('a stream ends', () => {
  it('when the token is revoked in another process: the connection is closed', async () => {
    const { member: { id } } = await change('SetMember', { team: 'default', subject: `person-${++names}`, role: 'MEMBER' });
    const { secret, token } = await change('CreateToken', { team: 'default', name: 'short', memberId: id });
    const client = connect(secret);
    const watch = await watching(client, 'ConnectionTypeChanged');
    await change('RevokeToken', { id: token.id });
    await newType();
    await watch.ended;
    expect(await client.closed).toMatchObject({ code: 4403, reason: expect.stringContaining('revoked') });
    expect(watch.events).toEqual([]);
  });

  it('when the token expires', async () => {
    const { member: { id } } = await change('SetMember', { team: 'default', subject: `person-${++names}`, role: 'MEMBER' });
    const { secret } = await change('CreateToken', { team: 'default', name: 'short', memberId: id, expiresAt: new Date(Date.now() + 5000).toISOString() });
    const client = connect(secret);
    await watching(client, 'ConnectionTypeChanged');
    expect(await client.closed).toMatchObject({ code: 4403, reason: expect.stringContaining('expired') });
  });

  it('when the membership ends, or the client completes; with the server as well', async () => {
    const gone = await member();
    const client = connect(gone.token);
    const watch = await watching(client, 'EnrollmentChanged');
    await change('RemoveMember', { team: 'default', memberId: gone.id });
    await watch.ended;
    expect(await client.closed).toMatchObject({ code: 4403 });
    const third = await startTestApi({ database, keys: here.keys });
    const last = liveClient(third.url, third.adminToken);
    const until1001 = last.watch('ConnectionTypeChanged', { team: 'default' });
    await until(() => third.logs().some((line) => line.includes('a subscription began')));
    await third.stop();
    expect(await last.closed).toMatchObject({ code: 1001 });
    await until1001.ended;
  });
});
