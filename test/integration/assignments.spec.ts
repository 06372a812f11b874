import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIGRATED, startTestApi, type TestApi, type TestMember } from '#test/support/api.js';
import { createDatabase, type TestDatabase } from '#test/support/database.js';
import { startGated, type GatedServer } from '#test/support/calls/gated-server.js';
import { KeyRing } from '#core/vault/key-ring.js';
import { until } from '#test/support/mcp-servers/until.js';

/**
 * Assignments through the contract's documents, as two API processes on one database serve them; other processes hear of a change at once, but not at the same time.
 * Steps of a `describe` build on each other.
 */

let database: TestDatabase;
let server: GatedServer;
/** Where things are changed, and where is called. */
let api: TestApi;
let other: TestApi;
let manager: TestMember;
let tom: TestMember;
let type: { id: string };
let assignment: { id: string; version: number };

const TOOLS = ['read', 'write', 'drop'].map((name) => ({ name, inputSchema: { type: 'object' } }));
const ID = expect.stringMatching(/^[\w-]{20,}$/) as unknown;

beforeAll(async () => {
  database = await createDatabase(MIGRATED);
  const keys = KeyRing.generateEntry();
  server = await startGated(() => ({ content: [{ type: 'text', text: 'done' }] }), TOOLS);
  other = await startTestApi({ database, keys });
  api = await startTestApi({ database, keys });
  [manager, tom] = [await api.member('MANAGER', { subject: 'mia' }), await api.member('MEMBER', { subject: 'tom' })];
  type = await newType('Stock');
});
afterAll(async () => {
  await api?.stop();
  await other?.stop();
  await server?.close();
  await database?.drop();
});

async function newType(displayName: string): Promise<{ id: string }> {
  return (await manager.must('CreateConnectionType', { input: { team: 'default', displayName, serverUrl: server.url, authMethod: 'NONE' } })).connectionType;
}

async function enroll(member: TestMember, label: string, shared = false, connectionTypeId = type.id): Promise<string> {
  const { enrollment: { id } } = await member.must('Enroll', { input: { connectionTypeId, label } });
  if (shared) await member.must('ShareEnrollment', { input: { id, shared } });
  return id;
}

async function tokenOf(member: TestMember, input: object): Promise<string> {
  return (await member.must('CreateToken', { input: { team: 'default', name: 'job', assignmentId: assignment.id, ...input } })).secret;
}

/** A call through the other process; the refusal's code, or which enrollment it went through. */
async function called(token: string, input: object = {}, through = other): Promise<string> {
  const { data, errors } = await through.gql('CallTool', { input: { connectionType: 'stock', tool: 'read', ...input } }, token);
  expect(errors).toEqual([]);
  const { toolCall, userErrors } = data.callTool;
  return userErrors[0]?.code ?? `${toolCall.status} ${toolCall.enrollment?.label ?? '-'}`;
}

async function problems(token: string, variables: object = {}): Promise<string[]> {
  const { readiness } = await other.must('Assignment', variables, token);
  expect(readiness.ready).toBe(readiness.problems.length === 0);
  return readiness.problems.map((problem: { code: string }) => problem.code);
}

describe('an assignment', () => {
  it('is made by managers, of slots in their order', async () => {
    const input = { team: 'default', name: 'Nightly report', slots: [{ connectionTypeId: type.id, allowedTools: ['read', 'write'] }] };
    expect((await tom.gql('CreateAssignment', { input })).data.createAssignment.userErrors).toMatchObject([{ code: 'FORBIDDEN' }]);
    assignment = (await manager.must('CreateAssignment', { input })).assignment;
    expect(assignment).toEqual({ id: ID, name: 'Nightly report', version: 1, slots: [{ connectionType: { id: type.id, name: 'stock' }, allowedTools: ['read', 'write'], requireApproval: [] }], pins: [] });
    expect((await tom.must('Assignments', { team: 'default' })).assignments).toEqual({ totalCount: 1, nodes: [assignment] });
    expect((await manager.gql('CreateAssignment', { input })).data.createAssignment.userErrors).toMatchObject([{ code: 'ALREADY_EXISTS', field: ['input', 'name'] }]);
  });

  it.each([
    ['an empty list of tools', { allowedTools: [] }, 'INVALID', ['input', 'slots', '0', 'allowedTools']],
    ['a type that isn\'t there', { connectionTypeId: 'x' }, 'NOT_FOUND', ['input', 'slots', '0', 'connectionTypeId']],
  ])('refuses %s', async (_name, slot, code, field) => {
    const { data } = await manager.gql('CreateAssignment', { input: { team: 'default', name: 'Other', slots: [{ connectionTypeId: type.id, ...slot }] } });
    expect(data.createAssignment.userErrors).toMatchObject([{ code, field }]);
  });

  it('is changed by who has read its present version', async () => {
    const input = { id: assignment.id, expectedVersion: 1, name: 'Nightly' };
    assignment = (await manager.must('UpdateAssignment', { input })).assignment;
    expect(assignment).toMatchObject({ name: 'Nightly', version: 2, slots: [{ allowedTools: ['read', 'write'] }] });
    expect((await manager.gql('UpdateAssignment', { input })).data.updateAssignment).toMatchObject({ assignment: null, userErrors: [{ code: 'STALE_VERSION', field: ['input', 'expectedVersion'] }] });
  });
});

describe('its tokens', () => {
  let toms: string;
  let nobodys: string;
  beforeAll(async () => { [toms, nobodys] = [await tokenOf(tom, { onBehalfOf: true }), await tokenOf(tom, {})]; });

  it('see their assignment without naming it, say what is missing and whose it is, and find the same when they call', async () => {
    const { readiness, ...seen } = await other.must('Assignment', {}, toms);
    expect(seen).toMatchObject({ id: assignment.id, name: 'Nightly' });
    expect(readiness.problems).toMatchObject([{ code: 'NOT_CONNECTED', message: expect.stringMatching(/tom.*Stock/), connectionType: { name: 'stock' }, action: { url: expect.stringMatching(/\/enroll\/default\/stock$/) } }]);
    const { data } = await other.gql('CallTool', { input: { connectionType: 'stock', tool: 'read' } }, toms);
    expect(data.callTool.userErrors[0]).toMatchObject({ code: 'NOT_CONNECTED', message: readiness.problems[0].message, action: readiness.problems[0].action });
    expect([await problems(nobodys), await called(nobodys)]).toEqual([['NOT_CONNECTED'], 'NOT_CONNECTED']);
  });

  it('go through the person\'s only enrollment, or on nobody\'s behalf through the shared one alone; the record says for whom', async () => {
    await enroll(tom, 'his');
    expect([await called(toms), await called(nobodys)]).toEqual(['SUCCEEDED his', 'NOT_CONNECTED']);
    await enroll(manager, 'ours', true);
    expect([await called(toms), await called(nobodys)]).toEqual(['SUCCEEDED his', 'SUCCEEDED ours']);
    const record = (await other.gql('mutation ($input: CallToolInput!) { callTool(input: $input) { toolCall { caller { id } onBehalfOf { id } assignment { id name } } } }', { input: { connectionType: 'stock', tool: 'read' } }, toms)).data.callTool.toolCall;
    expect(record).toEqual({ caller: { id: tom.id }, onBehalfOf: { id: tom.id }, assignment: { id: assignment.id, name: 'Nightly' } });
  });

  it('list the tools of their slots and may name no others', async () => {
    const { tools } = await other.must('Assignment', {}, toms);
    expect(tools.map(({ tool, requiresApproval, callable }: { tool: { name: string }; requiresApproval: boolean; callable: boolean }) => [tool.name, requiresApproval, callable])).toEqual([['read', false, true], ['write', false, true]]);
    expect(await called(toms, { tool: 'drop' })).toBe('TOOL_DENIED');
    expect(await called(tom.token, { tool: 'drop' })).toBe('SUCCEEDED his');
    expect(await called(tom.token, { tool: 'drop', assignmentId: assignment.id })).toBe('TOOL_DENIED');
  });

  it('see nothing else, and only their own calls', async () => {
    const call = (await tom.must('CallTool', { input: { connectionType: 'stock', tool: 'read', idempotencyKey: 'toms own' } })).toolCall;
    const own = (await other.must('CallTool', { input: { connectionType: 'stock', tool: 'read', idempotencyKey: 'of the job' } }, toms)).toolCall;
    const look = async (id: string, token: string) => (await other.gql('ToolCall', { id }, token)).data.toolCall?.contentState ?? null;
    expect([await look(own.id, toms), await look(call.id, toms), await look(own.id, nobodys)]).toEqual(['AVAILABLE', null, null]);
    expect((await other.gql('Viewer', {}, toms)).data.viewer.memberships).toEqual([]);
    expect((await other.gql('{ team(slug: "default") { id } }', {}, toms)).data.team).toBeNull();
    for (const [name, input] of [['CreateToken', { team: 'default', name: 'more' }], ['Enroll', { connectionTypeId: type.id }], ['PinEnrollment', { assignmentId: assignment.id, enrollmentId: 'x' }], ['ApproveToolCall', { id: own.id }]] as const) {
      const { data } = await other.gql(name, { input }, toms);
      expect((Object.values(data)[0] as { userErrors: object[] }).userErrors).toMatchObject([{ code: 'NOT_FOUND' }]);
    }
    expect((await other.gql('{ assignment { slots { connectionType { tools { totalCount } } } } }', {}, toms)).errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
  });

  it('are bounded as they were made', async () => {
    const slow = await tokenOf(tom, { onBehalfOf: true, ratePerMinute: 1 });
    expect(await called(slow)).toBe('SUCCEEDED his');
    const { data } = await other.gql('CallTool', { input: { connectionType: 'stock', tool: 'read' } }, slow);
    expect(data.callTool.userErrors).toMatchObject([{ code: 'RATE_LIMITED', retryable: true, retryAfterMs: expect.any(Number) }]);
    expect(await called(toms)).toBe('SUCCEEDED his');
  });
});

describe('pins', () => {
  let toms: string;
  let second: string;
  beforeAll(async () => { toms = await tokenOf(tom, { onBehalfOf: true }); });

  it('choose among several, each person for themselves', async () => {
    second = await enroll(tom, 'second');
    await until(async () => (await called(toms)) === 'AMBIGUOUS_ENROLLMENT');
    expect(await problems(toms)).toEqual(['AMBIGUOUS_ENROLLMENT']);
    const pinned = (await tom.must('PinEnrollment', { input: { assignmentId: assignment.id, enrollmentId: second } })).assignment;
    expect(pinned.pins).toEqual([{ member: { id: tom.id, displayName: 'tom' }, enrollment: { id: second, label: 'second' } }]);
    expect([await problems(toms), await called(toms)]).toEqual([[], 'SUCCEEDED second']);
    expect((await manager.must('Assignment', { id: assignment.id })).pins).toEqual([]);
    expect((await manager.gql('PinEnrollment', { input: { assignmentId: assignment.id, enrollmentId: second } })).data.pinEnrollment.userErrors).toMatchObject([{ code: 'NOT_FOUND', field: ['input', 'enrollmentId'] }]);
  });

  it('are for everybody where a manager pins a shared one; a person\'s own pin comes first, and is theirs to end', async () => {
    const common = await enroll(manager, 'common', true);
    const pin = (member: TestMember) => member.gql('PinEnrollment', { input: { assignmentId: assignment.id, enrollmentId: common } });
    expect((await pin(tom)).data.pinEnrollment.userErrors).toMatchObject([{ code: 'FORBIDDEN' }]);
    expect((await pin(manager)).data.pinEnrollment.assignment.pins).toMatchObject([{ member: null, enrollment: { label: 'common' } }]);
    expect(await called(toms)).toBe('SUCCEEDED second');
    await tom.must('UnpinEnrollment', { input: { assignmentId: assignment.id, enrollmentId: second } });
    await until(async () => (await called(toms)) === 'SUCCEEDED common');
    expect((await tom.gql('UnpinEnrollment', { input: { assignmentId: assignment.id, enrollmentId: common } })).data.unpinEnrollment.userErrors).toMatchObject([{ code: 'FORBIDDEN' }]);
  });

  it('end with the share, on the next call', async () => {
    const { pins } = await manager.must('Assignment', { id: assignment.id });
    await manager.must('ShareEnrollment', { input: { id: pins[0].enrollment.id, shared: false } });
    await until(async () => (await called(toms)) === 'AMBIGUOUS_ENROLLMENT');
    expect((await manager.must('Assignment', { id: assignment.id })).pins).toEqual([]);
  });
});

describe('readiness for a member', () => {
  it('is for managers to ask, and for the member', async () => {
    const ann = await api.member('MEMBER', { subject: 'ann' });
    expect(await problems(manager.token, { id: assignment.id, memberId: tom.id })).toEqual(['AMBIGUOUS_ENROLLMENT']);
    const { readiness } = await manager.must('Assignment', { id: assignment.id, memberId: tom.id });
    expect(readiness.problems[0].message).toMatch(/^tom has several enrollments for Stock\. /);
    expect(await problems(ann.token, { id: assignment.id, memberId: ann.id })).toEqual([]);
    expect((await ann.gql('Assignment', { id: assignment.id, memberId: tom.id })).errors).toMatchObject([{ path: ['assignment', 'readiness'], extensions: { code: 'FORBIDDEN' } }]);
  });
});

describe('what is removed counts on the next call, in every process', () => {
  let token: string;
  let leaver: TestMember;
  beforeAll(async () => {
    leaver = await api.member('MEMBER', { subject: 'leaver' });
    token = await tokenOf(leaver, { onBehalfOf: true });
  });

  it('a slot', async () => {
    const spare = await newType('Spare');
    await enroll(leaver, 'spare', false, spare.id);
    const slots = [{ connectionTypeId: type.id }, { connectionTypeId: spare.id }];
    const update = async (some: object[]) => {
      const { version } = await manager.must('Assignment', { id: assignment.id });
      await manager.must('UpdateAssignment', { input: { id: assignment.id, expectedVersion: version, slots: some } });
    };
    await update(slots);
    await until(async () => (await called(token, { connectionType: 'spare' })) === 'SUCCEEDED spare');
    await update(slots.slice(0, 1));
    await until(async () => (await called(token, { connectionType: 'spare' })) === 'NOT_FOUND');
    expect(await called(leaver.token, { connectionType: 'spare' })).toBe('SUCCEEDED spare');
    await update(slots);
    await manager.must('DeleteConnectionType', { input: { id: spare.id } });
    await until(async () => (await called(token, { connectionType: 'spare' })) === 'NOT_FOUND');
    expect((await manager.must('Assignment', { id: assignment.id })).slots).toHaveLength(1);
  });

  it('a membership, with its tokens', async () => {
    expect(await called(token)).toBe('SUCCEEDED ours');
    await api.must('RemoveMember', { input: { team: 'default', memberId: leaver.id } });
    await until(async () => (await other.gql('Assignment', {}, token)).status === 401);
  });

  it('the assignment, with its tokens', async () => {
    const last = await tokenOf(tom, { onBehalfOf: true });
    await manager.must('DeleteAssignment', { input: { id: assignment.id } });
    await until(async () => (await other.gql('Assignment', {}, last)).status === 401);
    expect((await manager.gql('Assignment', { id: assignment.id })).data.assignment).toBeNull();
  });
});
