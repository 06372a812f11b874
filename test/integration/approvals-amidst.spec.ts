import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Commit } from '#api/call/approver.js';
import type { CallService } from '#api/call/call-service.js';
import type { Principal } from '#api/identity/principal.js';
import { UserFault } from '#core/errors.js';
import type { Assignment } from '#core/store/entities/assignment.entity.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import { ToolSchemas } from '#core/tool/arguments.js';
import { refusal } from '#test/support/calls/refusal.js';
import { startGated, type GatedServer } from '#test/support/calls/gated-server.js';
import { CallWorld, type Caller } from '#test/support/calls/world.js';
import { startOidcProvider, type OidcProviderServer } from '#test/support/oauth-servers/oidc-provider.js';
import { login, oauthType } from '#test/support/oauth-tokens/logins.js';

/** Decisions in the very moment in which something changes: after everything was looked at, and before the decision is committed. */

let world: CallWorld;
let server: GatedServer;
let tom: Caller;
let mia: Caller;
let type: ConnectionType;
let shared: Enrollment;
let assignment: Assignment;

beforeAll(async () => {
  world = await CallWorld.create();
  server = await startGated(() => ({ content: [] }));
  [tom, mia] = [await world.caller('tom'), await world.caller('mia', 'MANAGER')];
  type = await world.type({ serverUrl: server.url });
  shared = await world.enroll(type, mia, { shared: true });
  assignment = await world.store.assignments.insert(world.team.id, 'job', [{ connectionTypeId: type.id, allowedTools: null, requireApproval: ['*'] }]);
});
afterAll(async () => {
  await world?.close();
  await server?.close();
});
beforeEach(() => { server.calls.length = 0; });

/** Who calls with a token of the assignment that goes through shared enrollments only. */
async function program(): Promise<Principal> {
  const { id } = await world.store.tokens.insert({
    kind: 'ASSIGNMENT', teamId: world.team.id, memberId: null, creatorId: tom.memberId, voucherIds: [], assignmentId: assignment.id, name: 'job', prefix: 'flt_', hash: Buffer.from(`${Math.random()}`), expiresAt: null,
  });
  return { ...tom.principal, tokenId: id, teamId: world.team.id, memberships: [], assignment: { id: assignment.id, onBehalfOf: false, creator: tom.principal.memberships[0]! } };
}

/** What a decision comes to when `change` is committed right before it. */
async function decided(decision: 'approve' | 'deny', by: Caller, id: string, change: () => Promise<unknown>): Promise<string> {
  const commit: Commit = async (work) => {
    await change();
    return world.store.transaction(work);
  };
  return world.service[decision](by.principal, id, null, commit).then(({ record }) => record.status, (error: unknown) => {
    if (error instanceof UserFault) return error.code;
    throw error;
  });
}

const look = async (id: string) => (await world.service.get(mia.principal, id))!;

describe('an approval counts for nothing when in the same moment', () => {
  const sql = (statement: string, ...values: unknown[]) => world.query(statement, values);
  it.each<[string, (asked: Principal) => Promise<unknown>, () => Promise<unknown>]>([
    ['the enrollment is no longer shared', () => world.store.enrollments.update(shared.id, { shared: false }), () => world.store.enrollments.update(shared.id, { shared: true })],
    ['the enrollment is hidden', () => world.store.enrollments.hide(shared.id), () => world.store.enrollments.show(shared.id)],
    ['the connection type is hidden', () => sql('update connection_types set deleted_at = now() where id = $1', type.id), () => sql('update connection_types set deleted_at = null where id = $1', type.id)],
    ['the caller\'s token expires', ({ tokenId }) => sql(`update tokens set expires_at = now() - interval '1 second' where id = $1`, tokenId), async () => undefined],
  ])('%s', async (_name, change, back) => {
    const principal = await program();
    const { record } = await world.service.call(world.request(principal, { tool: 'echo', wait: false }));
    expect(await decided('approve', mia, record.id, () => change(principal))).toBe('STALE_VERSION');
    expect(await look(record.id)).toMatchObject({ record: { status: 'DENIED' }, approval: { state: 'VOIDED' } });
    expect(server.calls).toEqual([]);
    await back();
    world.service.invalidate(world.team.id);
  });
});

it.each(['approve', 'deny'] as const)('who is no manager any more in the moment of a decision (%s) has decided nothing, and the call waits for others', async (decision) => {
  const max = await world.caller(`max, who would ${decision}`, 'MANAGER');
  const { record } = await world.service.call(world.request(await program(), { tool: 'echo', wait: false }));
  const demote = () => world.query(`update members set role = 'MEMBER' where id = $1`, [max.memberId]);
  expect(await decided(decision, max, record.id, demote)).toBe('FORBIDDEN');
  expect(await look(record.id)).toMatchObject({ record: { status: 'PENDING_APPROVAL' }, approval: { state: 'PENDING', decidedById: null } });
  expect(server.calls).toEqual([]);
  expect(await decided('deny', mia, record.id, async () => undefined)).toBe('DENIED');
});

it('a process that is too busy to check the arguments voids nothing: the call waits, and another process runs it', async () => {
  // Nobody can say how long this keyword takes, so that it is checked by a worker.
  const schema = { type: 'object', properties: { words: { type: 'array', unevaluatedItems: true } } };
  const slow = await world.type({ serverUrl: server.url }, [{ name: 'spell', inputSchema: schema }], { name: 'slow' });
  await world.enroll(slow, tom);
  const { id } = await world.store.assignments.insert(world.team.id, 'speller', [{ connectionTypeId: slow.id, allowedTools: null, requireApproval: ['*'] }]);
  const { record } = await tom.call({ connectionType: 'slow', tool: 'spell', arguments: { words: ['a'] }, assignmentId: id, wait: false });
  const schemas = new ToolSchemas({ queueLength: 0 });
  const busy = await world.process({ schemas });
  const decide = async (service: CallService) => service.approve(mia.principal, record.id, null, (work) => world.store.transaction(work));
  expect(await refusal(decide(busy.service))).toMatchObject({ code: 'ARGUMENTS_INVALID', retryable: true });
  await schemas.close();
  expect(await look(record.id)).toMatchObject({ record: { status: 'PENDING_APPROVAL' }, approval: { state: 'PENDING' } });
  await decide(world.service);
  expect(await look(record.id)).toMatchObject({ approval: { state: 'APPROVED' } });
});

describe('with OAuth', () => {
  let provider: OidcProviderServer;
  let oauth: ConnectionType;
  beforeAll(async () => {
    provider = await startOidcProvider();
    oauth = await oauthType(world, provider.mcp.url, {}, 'signed-in');
    await world.query(`update teams set destructive_tools = 'REQUIRE_APPROVAL'`);
  });
  afterAll(async () => { await provider?.close(); });

  it('tokens that are renewed in the moment of the approval void nothing', async () => {
    const enrollment = await login(world, oauth, tom);
    const { record } = await tom.call({ connectionType: 'signed-in', tool: 'echo', wait: false });
    expect(record.status).toBe('PENDING_APPROVAL');
    expect(await decided('approve', mia, record.id, () => world.main.tokens.rotate(enrollment.id, { timeoutMs: 5_000 }))).toMatch(/RUNNING|SUCCEEDED/);
    expect(await look(record.id)).toMatchObject({ approval: { state: 'APPROVED' } });
    await world.service.cancel(tom.principal, record.id);
  });
});
