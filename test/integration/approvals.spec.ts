import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { KeyRing } from '#core/vault/key-ring.js';
import { MIGRATED, startTestApi, type TestApi, type TestMember } from '#test/support/api.js';
import { createDatabase, type TestDatabase } from '#test/support/database.js';
import { startGated, type GatedServer } from '#test/support/calls/gated-server.js';
import { liveClient } from '#test/support/live/live-client.js';
import { until } from '#test/support/mcp-servers/until.js';

/** Calls that wait for somebody, asked for in one API process and decided in another. */

let database: TestDatabase;
let server: GatedServer;
let api: TestApi;
let other: TestApi;
let manager: TestMember;
let second: TestMember;
let tom: TestMember;
let assignment: { id: string };
let type: { id: string };
let enrollment: string;
let job: string;

const TOOLS = [
  { name: 'drop', inputSchema: { type: 'object' } },
  { name: 'look', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } },
];

beforeAll(async () => {
  database = await createDatabase(MIGRATED);
  const keys = KeyRing.generateEntry();
  server = await startGated(undefined, TOOLS);
  other = await startTestApi({ database, keys });
  api = await startTestApi({ database, keys });
  [manager, second, tom] = [await api.member('MANAGER', { subject: 'mia' }), await api.member('MANAGER', { subject: 'max' }), await api.member('MEMBER', { subject: 'tom' })];
  type = (await manager.must('CreateConnectionType', { input: { team: 'default', displayName: 'Stock', serverUrl: server.url, authMethod: 'ACCESS_TOKEN' } })).connectionType;
  enrollment = (await tom.must('Enroll', { input: { connectionTypeId: type.id, accessToken: 'toms-key-4711' } })).enrollment.id;
  assignment = (await manager.must('CreateAssignment', { input: { team: 'default', name: 'Cleaner', slots: [{ connectionTypeId: type.id, requireApproval: ['drop'] }] } })).assignment;
  job = (await tom.must('CreateToken', { input: { team: 'default', name: 'job', assignmentId: assignment.id, onBehalfOf: true } })).secret;
});
afterAll(async () => {
  await api?.stop();
  await other?.stop();
  await server?.close();
  await database?.drop();
});
beforeEach(() => { server.calls.length = 0; });

async function ask(input: object = {}) {
  return (await api.must('CallTool', { input: { connectionType: 'stock', tool: 'drop', arguments: { table: 'orders' }, wait: false, ...input } }, job)).toolCall;
}

/** What a decision, in the process where the call wasn't asked for, comes to. */
async function decide(by: TestMember, id: string, decision: 'ApproveToolCall' | 'DenyToolCall' = 'ApproveToolCall', through = other) {
  const { data, errors } = await through.gql(decision, { input: { id, comment: 'seen' } }, by.token);
  expect(errors).toEqual([]);
  const { toolCall, userErrors } = Object.values(data)[0] as { toolCall: { status: string } | null; userErrors: { code: string }[] };
  return userErrors[0]?.code ?? toolCall!.status;
}

const look = async (id: string, token = job) => (await api.gql('ToolCall', { id }, token)).data.toolCall;

async function sql(statement: string, values: unknown[] = []): Promise<void> {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query(statement, values).finally(() => client.end());
}

describe('a call that needs approval', () => {
  it('waits, and shows its arguments to its caller and to those who may decide', async () => {
    const call = await ask();
    expect(call).toMatchObject({
      status: 'PENDING_APPROVAL', arguments: { table: 'orders' }, content: null, finishedAt: null, assignment: { id: assignment.id, name: 'Cleaner' }, caller: { id: tom.id },
      approval: { state: 'PENDING', expiresAt: expect.any(String), decidedBy: null, comment: null },
    });
    expect(await look(call.id, manager.token)).toMatchObject({ status: 'PENDING_APPROVAL', arguments: { table: 'orders' }, approval: { state: 'PENDING' } });
    const bystander = await api.member('MEMBER');
    expect(await look(call.id, bystander.token)).toBeNull();
    expect(await decide(bystander, call.id)).toBe('NOT_FOUND');
    expect(await decide(tom, call.id)).toBe('FORBIDDEN');
    expect(server.calls).toEqual([]);
    expect(await decide(manager, call.id, 'DenyToolCall')).toBe('DENIED');
  });

  it('runs once when it is approved, in whichever process, and whoever waits gets the answer', async () => {
    const waiting = ask({ wait: true, idempotencyKey: 'clean up' });
    let id = '';
    await until(async () => {
      id = (await tom.must('ToolCalls', { team: 'default', filter: { status: 'PENDING_APPROVAL' } })).toolCalls.nodes[0]?.id ?? '';
      return id !== '';
    });
    const client = liveClient(api.url, job);
    const watch = client.watch('ToolCallChanged', { id });
    await until(() => watch.events.length === 1);
    const decisions = await Promise.all([decide(manager, id), decide(second, id, 'ApproveToolCall', api), decide(second, id), decide(manager, id, 'ApproveToolCall', api)]);
    expect(decisions.toSorted()).toEqual(['RUNNING', 'STALE_VERSION', 'STALE_VERSION', 'STALE_VERSION']);
    const arrived = await server.arrived(1);
    expect(arrived).toMatchObject({ arguments: { table: 'orders' }, authorization: 'Bearer toms-key-4711' });
    await until(() => watch.events.length === 2);
    arrived.answer();
    expect(await waiting).toMatchObject({ id, status: 'SUCCEEDED', content: [{ text: 'done' }], approval: { state: 'APPROVED', comment: 'seen' } });
    await watch.ended;
    await client.close();
    expect(watch.events.map(({ status }) => status)).toEqual(['PENDING_APPROVAL', 'RUNNING', 'SUCCEEDED']);
    expect(await ask({ idempotencyKey: 'clean up' })).toMatchObject({ id, status: 'SUCCEEDED' });
    // Deciders see what they decided about, and not what came of it.
    expect(await look(id, manager.token)).toMatchObject({ arguments: { table: 'orders' }, content: null, approval: { decidedBy: { id: expect.any(String), displayName: expect.stringMatching(/^m/) } } });
    expect(server.calls).toHaveLength(1);
  });

  it('never runs when it is denied, cancelled, or waited for too long', async () => {
    const [denied, cancelled, late] = [await ask(), await ask(), await ask()];
    expect(await decide(manager, denied.id, 'DenyToolCall')).toBe('DENIED');
    expect(await look(denied.id)).toMatchObject({ status: 'DENIED', error: null, approval: { state: 'DENIED', decidedBy: { displayName: 'mia' }, comment: 'seen' } });
    expect((await other.must('CancelToolCall', { input: { id: cancelled.id } }, job)).toolCall).toMatchObject({ status: 'CANCELLED', approval: { state: 'VOIDED' } });
    await sql(`update tool_call_approvals set expires_at = now() where state = 'PENDING'`);
    expect(await decide(manager, late.id)).toBe('STALE_VERSION');
    await until(async () => (await look(late.id)).status === 'DENIED');
    expect((await look(late.id)).approval).toMatchObject({ state: 'EXPIRED', decidedBy: null });
    for (const { id } of [denied, cancelled, late]) expect(await decide(manager, id)).toBe('STALE_VERSION');
    expect(server.calls).toEqual([]);
  });

  it('leaves on the audit trail who cancelled it', async () => {
    const [first, next] = [await ask(), await ask()];
    await other.must('CancelToolCall', { input: { id: first.id } }, job);
    await manager.must('CancelToolCall', { input: { id: next.id } });
    const { auditEvents } = await manager.must('query { team(slug: "default") { auditEvents(first: 20) { nodes { action actorName onBehalfOfName subjectType subjectName outcome } } } }');
    const cancelled = (auditEvents.nodes as { action: string }[]).filter(({ action }) => action === 'cancelToolCall');
    const done = { subjectType: 'ToolCall', subjectName: 'stock/drop', outcome: 'SUCCEEDED' };
    expect(cancelled.slice(0, 2)).toMatchObject([{ ...done, actorName: 'mia', onBehalfOfName: null }, { ...done, actorName: 'tom', onBehalfOfName: 'tom' }]);
  });

  it('counts for its token\'s rate when it is asked for, and not once more when it is approved', async () => {
    const bounded = (await tom.must('CreateToken', { input: { team: 'default', name: 'bounded', assignmentId: assignment.id, onBehalfOf: true, ratePerMinute: 2 } })).secret;
    const asked = async () => (await api.gql('CallTool', { input: { connectionType: 'stock', tool: 'drop', wait: false } }, bounded)).data.callTool;
    const [first, next, third] = [await asked(), await asked(), await asked()];
    expect([first.toolCall.status, next.toolCall.status]).toEqual(['PENDING_APPROVAL', 'PENDING_APPROVAL']);
    expect(third).toMatchObject({ toolCall: null, userErrors: [{ code: 'RATE_LIMITED', retryable: true }] });
    expect(await decide(manager, first.toolCall.id, 'ApproveToolCall', api)).toBe('RUNNING');
    (await server.arrived(1)).answer();
    expect(await decide(manager, next.toolCall.id, 'DenyToolCall')).toBe('DENIED');
  });

  it('is approved by nobody who made it, nor by its token', async () => {
    const own = (await manager.must('CreateToken', { input: { team: 'default', name: 'own', assignmentId: assignment.id, onBehalfOf: true } })).secret;
    await manager.must('Enroll', { input: { connectionTypeId: type.id, accessToken: 'mias-key-4711' } });
    const call = (await api.must('CallTool', { input: { connectionType: 'stock', tool: 'drop', wait: false } }, own)).toolCall;
    expect(await decide(manager, call.id)).toBe('FORBIDDEN');
    expect(await decide({ ...manager, token: own }, call.id)).toBe('NOT_FOUND');
    expect(await decide(second, call.id, 'DenyToolCall')).toBe('DENIED');
  });
});

describe('an approval is void when anything has changed since it was asked for:', () => {
  const changes: [string, () => Promise<unknown>][] = [
    ['the credential', () => tom.must('UpdateEnrollment', { input: { id: enrollment, accessToken: 'another-key-4711' } })],
    ['the connection type', async () => manager.must('UpdateConnectionType', { input: { id: type.id, expectedVersion: await version(), description: 'changed' } })],
    ['what the assignment may call', () => slots({ allowedTools: ['look'] })],
    ['the tool\'s definition, although nobody heard of it', () => sql(`update tools set definition_hash = repeat('0', 64) where name = 'drop'`)],
    ['the caller\'s membership', () => api.must('RemoveMember', { input: { team: 'default', memberId: tom.id } })],
  ];
  const version = async () => (await manager.must('query ($id: ID!) { connectionType(id: $id) { version } }', { id: type.id })).version;

  const slots = async (values: object) => {
    const { version: expectedVersion } = await manager.must('Assignment', { id: assignment.id });
    await manager.must('UpdateAssignment', { input: { id: assignment.id, expectedVersion, slots: [{ connectionTypeId: type.id, requireApproval: ['*'], ...values }] } });
  };

  it.each(changes)('%s', async (_name, change) => {
    await slots({});
    const call = await ask();
    await change();
    expect(await decide(manager, call.id)).toBe('STALE_VERSION');
    expect(await look(call.id, manager.token)).toMatchObject({ status: 'DENIED', approval: { state: 'VOIDED', decidedBy: null } });
    expect(server.calls).toEqual([]);
  });
});

describe('a team\'s policy', () => {
  it('has destructive tools wait for approval, whoever calls; annotations count where a manager trusts them', async () => {
    await api.must('mutation { updateTeam(input: { team: "default", destructiveTools: REQUIRE_APPROVAL }) { team { destructiveTools } userErrors { code } } }');
    const ann = await api.member('MEMBER', { subject: 'ann' });
    await ann.must('Enroll', { input: { connectionTypeId: type.id, accessToken: 'anns-key-4711' } });
    const status = async (tool: string) => (await ann.must('CallTool', { input: { connectionType: 'stock', tool, wait: false } })).toolCall.status;
    expect([await status('drop'), await status('look')]).toEqual(['PENDING_APPROVAL', 'PENDING_APPROVAL']);
    const { version } = await manager.must('query ($id: ID!) { connectionType(id: $id) { version } }', { id: type.id });
    await manager.must('UpdateConnectionType', { input: { id: type.id, expectedVersion: version, toolPolicy: { trustAnnotations: true } } });
    expect([await status('drop'), await status('look')]).toEqual(['PENDING_APPROVAL', 'RUNNING']);
    (await server.arrived(1)).answer();
  });
});
