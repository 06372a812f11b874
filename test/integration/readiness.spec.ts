import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Readiness } from '#api/call/readiness.js';
import type { Principal } from '#api/identity/principal.js';
import { UserFault } from '#core/errors.js';
import type { Assignment } from '#core/store/entities/assignment.entity.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import { refusal } from '#test/support/calls/refusal.js';
import { startOidcProvider } from '#test/support/oauth-servers/oidc-provider.js';
import { expire, login, oauthType } from '#test/support/oauth-tokens/logins.js';
import { startGated, type GatedServer } from '#test/support/calls/gated-server.js';
import { CallWorld, type Caller } from '#test/support/calls/world.js';

let world: CallWorld;
let server: GatedServer;
let me: Caller;
let colleague: Caller;
let type: ConnectionType;
let assignment: Assignment;

beforeAll(async () => {
  server = await startGated(() => ({ content: [] }));
  world = await CallWorld.create();
  [me, colleague] = [await world.caller('me'), await world.caller('colleague', 'MANAGER')];
  type = await world.type({ serverUrl: server.url });
  assignment = await world.store.assignments.insert(world.team.id, 'job', [{ connectionTypeId: type.id, allowedTools: null, requireApproval: [] }]);
});
afterAll(async () => {
  await world.close();
  await server.close();
});

/** An enrollment as it may stand, and whether and for whom it is pinned. */
const enrollment = fc.record({
  mine: fc.boolean(), shared: fc.boolean(), login: fc.constantFrom('good', 'refused', 'cleared', 'moved'), pinned: fc.constantFrom('no', 'no', 'for me', 'for all'),
});

it('readiness says before a call what the call finds, whatever is enrolled, shared, pinned, broken or moved', async () => {
  const found = new Set<string>();
  await fc.assert(fc.asyncProperty(fc.array(enrollment, { maxLength: 4 }), fc.constantFrom('person', 'on behalf', 'nobody'), fc.boolean(), async (enrollments, who, slot) => {
    await world.query('delete from enrollments');
    await world.query('delete from assignment_slots');
    if (slot) await world.query('insert into assignment_slots (assignment_id, connection_type_id, position) values ($1, $2, 0)', [assignment.id, type.id]);
    for (const [index, { mine, shared, login, pinned }] of enrollments.entries()) {
      const { id } = await world.enroll(type, mine ? me : colleague, { label: `label ${index}`, shared });
      if (login === 'refused') await world.query(`update enrollment_status set conditions = '[{"type": "Authorized", "status": "FALSE", "reason": "CredentialRejected", "message": ""}]' where enrollment_id = $1`, [id]);
      if (login === 'cleared') await world.query('update credentials set sealed = null where enrollment_id = $1', [id]);
      if (login === 'moved') await world.query(`update enrollments set confirmed_target = jsonb_set(confirmed_target, '{serverUrl}', '"https://elsewhere.example/"') where id = $1`, [id]);
      if (slot && pinned !== 'no') await world.store.assignments.pin({ assignmentId: assignment.id, connectionTypeId: type.id, memberId: pinned === 'for me' ? me.memberId : null, enrollmentId: id });
    }
    world.service.invalidate(world.team.id);

    const principal = callingAs(who);
    const person = who === 'nobody' ? null : { id: me.memberId, name: who === 'person' ? null : 'me' };
    const link = (_type: ConnectionType, label: string) => ({ label, url: `https://fairlead.test/${world.team.slug}/stock` });
    const [readiness] = await new Readiness(world.store, link).of(assignment, person);
    const call = await world.service.call(world.request(principal, { tool: 'echo', assignmentId: assignment.id })).then((view) => view.record.enrollmentId, (error: unknown) => {
      if (error instanceof UserFault) return [error.code, error.publicMessage, error.action];
      throw error;
    });
    if (readiness === undefined) expect([slot, Array.isArray(call) && call[0]]).toEqual([false, 'NOT_FOUND']);
    else expect(call).toEqual(readiness.enrollment?.id ?? [readiness.problem!.code, readiness.problem!.publicMessage, readiness.problem!.action]);
    found.add(Array.isArray(call) ? String(call[0]) : 'called');
  }), { numRuns: 120 });
  // The property would hold of a world in which everything is refused alike.
  expect([...found].sort()).toEqual(['ACTION_REQUIRED', 'AMBIGUOUS_ENROLLMENT', 'ENROLLMENT_SUSPENDED', 'NOT_CONNECTED', 'NOT_FOUND', 'called'].sort());
});

it('a login that is over, and that only a person can renew, is told before the call as by the call, although nobody has looked at it since', async () => {
  const provider = await startOidcProvider();
  try {
    const oauth = await oauthType(world, provider.mcp.url, {}, 'signed-in');
    const enrollment = await login(world, oauth, me, { pretend: { refreshable: false } });
    const { id } = await world.store.assignments.insert(world.team.id, 'signed-in job', [{ connectionTypeId: oauth.id, allowedTools: null, requireApproval: [] }]);
    const ready = async () => {
      const [one] = await new Readiness(world.store, (_type, label) => ({ label, url: `https://fairlead.test/${world.team.slug}/signed-in` })).of({ id }, { id: me.memberId, name: null });
      return one!;
    };
    expect(await ready()).toMatchObject({ problem: null, enrollment: { id: enrollment.id } });
    await expire(world, enrollment);
    const { problem } = await ready();
    const called = await refusal(me.call({ connectionType: 'signed-in', tool: 'echo', assignmentId: id }));
    expect(problem).toMatchObject({ code: called.code, publicMessage: called.publicMessage, action: called.action });
    expect(called.code).toBe('ACTION_REQUIRED');
  } finally {
    await provider.close();
  }
});

it('a program that goes through shared enrollments only doesn\'t see what its person called for the assignment, signed in', async () => {
  await world.query('delete from enrollments');
  await world.query('insert into assignment_slots (assignment_id, connection_type_id, position) values ($1, $2, 0) on conflict do nothing', [assignment.id, type.id]);
  await world.enroll(type, me);
  const { record } = await me.call({ tool: 'echo', assignmentId: assignment.id, idempotencyKey: 'mine' });
  expect(await world.service.get(me.principal, record.id)).toMatchObject({ record: { status: 'SUCCEEDED' }, content: [] });
  expect(await world.service.get(callingAs('nobody'), record.id)).toBeNull();
});

function callingAs(who: 'person' | 'on behalf' | 'nobody'): Principal {
  if (who === 'person') return me.principal;
  const [creator] = me.principal.memberships;
  return { ...me.principal, memberships: [], teamId: world.team.id, assignment: { id: assignment.id, onBehalfOf: who === 'on behalf', creator: creator! } };
}
