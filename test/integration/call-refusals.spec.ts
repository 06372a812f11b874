import { currentTarget } from '#core/connection/target.js';
import { definitionHash } from '#core/mcp/definition.js';
import type { RawTool } from '#core/mcp/session.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Team } from '#core/store/entities/team.entity.js';
import { startGated, type GatedServer } from '#test/support/calls/gated-server.js';
import { refusal } from '#test/support/calls/refusal.js';
import { CallWorld, ECHO, type Caller } from '#test/support/calls/world.js';

let world: CallWorld;
let server: GatedServer;
let ada: Caller;
let bob: Caller;
let stock: ConnectionType;
let otherTeam: Team;

const SUM: RawTool = {
  name: 'sum', inputSchema: { type: 'object', properties: { a: { type: 'number' }, list: { type: 'array', items: { type: 'object', properties: { 'b/c': { type: 'string' } } } } }, required: ['a'], additionalProperties: false },
};

beforeAll(async () => {
  server = await startGated(() => ({ content: [] }));
  world = await CallWorld.create();
  otherTeam = await world.store.teams.insert('others', 'Others');
  [ada, bob] = [await world.caller('ada'), await world.caller('bob')];
  stock = await world.type({ serverUrl: server.url }, [ECHO, SUM]);
  await world.enroll(stock, ada);
});
afterAll(async () => {
  await world.close();
  await server.close();
});
afterEach(() => {
  expect(server.calls).toEqual([]);
});

describe('what was asked', () => {
  it.each<[string, object, string[]]>([
    ['neither name nor id', { connectionType: null, connectionTypeId: null }, ['input', 'connectionType']],
    ['both name and id', { connectionType: 'stock', connectionTypeId: '018f0000-0000-7000-8000-000000000000' }, ['input', 'connectionType']],
    ['an id and a team', { connectionTypeId: '018f0000-0000-7000-8000-000000000000', teamSlug: 'crew' }, ['input', 'team']],
    ['no tool', { tool: '' }, ['input', 'tool']],
    ['an empty key', { idempotencyKey: '' }, ['input', 'idempotencyKey']],
    ['a key that is too long', { idempotencyKey: 'k'.repeat(256) }, ['input', 'idempotencyKey']],
    ['a key that isn\'t printable', { idempotencyKey: 'a\nb' }, ['input', 'idempotencyKey']],
    ['no time', { timeoutMs: 0 }, ['input', 'timeoutMs']],
    ['half a millisecond', { timeoutMs: 0.5 }, ['input', 'timeoutMs']],
  ])('is INVALID with %s', async (_name, asked, field) => {
    expect(await refusal(ada.call({ tool: 'echo', ...asked }))).toMatchObject({ code: 'INVALID', field });
  });

  it('is INVALID without a team where a name could be in several, and found with one', async () => {
    const eve = await world.caller('eve', 'MEMBER', [world.team, otherTeam]);
    expect(await refusal(eve.call({ tool: 'echo' }))).toMatchObject({ code: 'INVALID', field: ['input', 'team'] });
    expect(await refusal(eve.call({ tool: 'echo', teamSlug: 'crew' }))).toMatchObject({ code: 'NOT_CONNECTED' });
    expect(await refusal(eve.call({ tool: 'echo', connectionTypeId: stock.id }))).toMatchObject({ code: 'NOT_CONNECTED' });
    expect(await refusal(eve.call({ tool: 'echo', teamSlug: 'others' }))).toMatchObject({ code: 'NOT_FOUND', field: ['input', 'connectionType'] });
  });

  it('is looked for in the team that the token fixes and nowhere else', async () => {
    const eve = await world.caller('eve', 'MEMBER', [world.team, otherTeam]);
    const principal = { ...eve.principal, teamId: otherTeam.id };
    const asked = (values: object) => refusal(world.service.call(world.request(principal, { tool: 'echo', ...values })));
    expect(await asked({})).toMatchObject({ code: 'NOT_FOUND', field: ['input', 'connectionType'] });
    expect(await asked({ teamSlug: 'crew' })).toMatchObject({ code: 'NOT_FOUND', field: ['input', 'team'] });
    expect(await asked({ connectionTypeId: stock.id })).toMatchObject({ code: 'NOT_FOUND', field: ['input', 'connectionTypeId'] });
  });
});

describe('a stranger', () => {
  it('can\'t tell what another team has from what nobody has', async () => {
    const stranger = await world.caller('stranger', 'ADMIN', [otherTeam]);
    const id = '018f0000-0000-7000-8000-000000000000';
    const faults = await Promise.all([
      refusal(stranger.call({ tool: 'echo', connectionTypeId: stock.id })), refusal(stranger.call({ tool: 'echo', connectionTypeId: id })), refusal(stranger.call({ tool: 'echo', connectionTypeId: 'no-uuid' })),
    ]);
    expect(new Set(faults.map((fault) => JSON.stringify([fault.code, fault.field, fault.publicMessage])))).toEqual(new Set([
      JSON.stringify(['NOT_FOUND', ['input', 'connectionTypeId'], 'There is no such connection type: list the team\'s connectionTypes for the ids that there are.']),
    ]));
    expect(await refusal(stranger.call({ tool: 'echo', teamSlug: 'crew' }))).toMatchObject({ code: 'NOT_FOUND', field: ['input', 'team'] });
  });
});

describe('an enrollment', () => {
  it('of another person that isn\'t shared is as unknown as one that isn\'t there', async () => {
    const theirs = await world.enroll(await world.type({ serverUrl: server.url }, [ECHO], { name: 'theirs' }), bob);
    const faults = await Promise.all([theirs.id, '018f0000-0000-7000-8000-000000000000', 'no-uuid'].map((enrollmentId) => refusal(ada.call({ tool: 'echo', connectionType: 'theirs', enrollmentId }))));
    expect(new Set(faults.map((fault) => JSON.stringify([fault.code, fault.field, fault.publicMessage]))).size).toBe(1);
    expect(faults[0]).toMatchObject({ code: 'NOT_FOUND', field: ['input', 'enrollmentId'] });
  });

  it('is asked for by label where there are several', async () => {
    const type = await world.type({ serverUrl: server.url }, [ECHO], { name: 'several' });
    await world.enroll(type, ada, { label: 'home' });
    await world.enroll(type, ada, { label: 'work' });
    expect(await refusal(ada.call({ tool: 'echo', connectionType: 'several' }))).toMatchObject({ code: 'AMBIGUOUS_ENROLLMENT', publicMessage: expect.stringContaining('"home", "work"') });
  });

  it('is suspended until its owner has seen where the credential goes now', async () => {
    const type = await world.type({ serverUrl: server.url }, [ECHO], { name: 'moving' });
    const enrollment = await world.enroll(type, ada);
    await world.change(type, { serverUrl: `${server.url}/elsewhere` });
    expect(await refusal(ada.call({ tool: 'echo', connectionType: 'moving' }))).toMatchObject({ code: 'ENROLLMENT_SUSPENDED', action: { url: 'https://fairlead.test/crew/moving' } });
    await world.store.enrollments.update(enrollment.id, { shared: true });
    expect(await refusal(bob.call({ tool: 'echo', connectionType: 'moving' }))).toMatchObject({ code: 'ENROLLMENT_SUSPENDED', action: null });
  });

  it('whose row says that a new address was confirmed doesn\'t open the credential for it', async () => {
    const type = await world.type({ serverUrl: server.url }, [ECHO], { name: 'forged' });
    const enrollment = await world.enroll(type, ada);
    await world.change(type, { serverUrl: `${server.url}/elsewhere` });
    await world.store.enrollments.update(enrollment.id, { confirmedTarget: currentTarget({ ...type.spec, serverUrl: `${server.url}/elsewhere` }) });
    await expect(ada.call({ tool: 'echo', connectionType: 'forged' })).rejects.toMatchObject({ name: 'VaultError' });
  });

  it('with a credential that was refused or cleared needs action', async () => {
    const type = await world.type({ serverUrl: server.url }, [ECHO], { name: 'refused' });
    const enrollment = await world.enroll(type, ada);
    await world.store.enrollments.updateStatus(enrollment.id, { conditions: [{ type: 'Authorized', status: 'FALSE', reason: 'CredentialRejected', message: '', lastTransitionTime: '', observedGeneration: 1 }] });
    expect(await refusal(ada.call({ tool: 'echo', connectionType: 'refused' }))).toMatchObject({ code: 'ACTION_REQUIRED', action: { url: 'https://fairlead.test/crew/refused' } });
    await world.store.enrollments.updateStatus(enrollment.id, { conditions: [] });
    await world.query('update credentials set sealed = null where enrollment_id = $1', [enrollment.id]);
    expect(await refusal(ada.call({ tool: 'echo', connectionType: 'refused' }))).toMatchObject({ code: 'ACTION_REQUIRED' });
  });

  it('that its owner hasn\'t consented to yet leads there', async () => {
    const type = await world.type({ serverUrl: server.url, authMethod: 'OAUTH' }, [ECHO], { name: 'oauth' });
    const { id } = await world.enroll(type, ada);
    await world.query(`update credentials set kind = 'OAUTH', sealed = null where enrollment_id = $1`, [id]);
    expect(await refusal(ada.call({ tool: 'echo', connectionType: 'oauth' }))).toMatchObject({ code: 'ACTION_REQUIRED', action: { label: 'Sign in', url: expect.stringContaining('/crew/oauth') } });
  });
});

describe('a tool', () => {
  const field = ['input', 'tool'];
  it('that nobody has heard of is unknown, and so is one that is gone or was never read', async () => {
    expect(await refusal(ada.call({ tool: 'nothing' }))).toMatchObject({ code: 'TOOL_UNKNOWN', field });
    const type = await world.type({ serverUrl: server.url }, [ECHO, SUM], { name: 'shrinking' });
    await world.enroll(type, ada);
    await world.tools(type, [ECHO]);
    expect(await refusal(ada.call({ tool: 'sum', connectionType: 'shrinking' }))).toMatchObject({ code: 'TOOL_UNKNOWN', publicMessage: expect.stringContaining('no longer') });
    await world.query('update connection_type_status set tools_source = null, tools_synced_at = null where connection_type_id = $1', [type.id]);
    world.service.invalidate(world.team.id);
    expect(await refusal(ada.call({ tool: 'echo', connectionType: 'shrinking' }))).toMatchObject({ code: 'TOOL_UNKNOWN', publicMessage: expect.stringContaining('not been read') });
  });

  it('is denied by policy: deny wins, allow limits', async () => {
    const type = await world.type({ serverUrl: server.url, toolPolicy: { allow: ['s*', 'echo'], deny: ['ech*'] } }, [ECHO, SUM, { ...ECHO, name: 'other' }], { name: 'guarded' });
    await world.enroll(type, ada);
    expect(await refusal(ada.call({ tool: 'echo', connectionType: 'guarded' }))).toMatchObject({ code: 'TOOL_DENIED', field });
    expect(await refusal(ada.call({ tool: 'other', connectionType: 'guarded' }))).toMatchObject({ code: 'TOOL_DENIED', field });
    expect(await refusal(ada.call({ tool: 'sum', connectionType: 'guarded' }))).toMatchObject({ code: 'ARGUMENTS_INVALID' });
  });

  it('that changed is blocked until a manager accepts it, where the type says so', async () => {
    const type = await world.type({ serverUrl: server.url, toolPolicy: { onChange: 'BLOCK' } }, [SUM], { name: 'blocking' });
    await world.enroll(type, ada);
    const changed = { ...SUM, description: 'Now it deletes the stock.' };
    await world.tools(type, [changed]);
    expect(await refusal(ada.call({ tool: 'sum', connectionType: 'blocking', arguments: { a: 1 } }))).toMatchObject({ code: 'TOOL_CHANGED', field });
    await world.store.tools.accept(type.id, 'sum', definitionHash(changed));
    world.service.invalidate(world.team.id);
    expect(await refusal(ada.call({ tool: 'sum', connectionType: 'blocking' }))).toMatchObject({ code: 'ARGUMENTS_INVALID' });
  });
});

describe('arguments', () => {
  it('that don\'t match the schema never leave, and the field leads to the fault', async () => {
    expect(await refusal(ada.call({ tool: 'sum', arguments: { a: 'x', list: [{}, { 'b/c': 7 }], more: 1 } }))).toMatchObject({ code: 'ARGUMENTS_INVALID' });
    expect(await refusal(ada.call({ tool: 'sum', arguments: { a: 1, list: [{}, { 'b/c': 7 }] } }))).toMatchObject({
      code: 'ARGUMENTS_INVALID', field: ['input', 'arguments', 'list', '1', 'b/c'], publicMessage: expect.stringContaining('/list/1/b~1c must be string'),
    });
    expect(await refusal(ada.call({ tool: 'sum', arguments: {} }))).toMatchObject({ field: ['input', 'arguments'], publicMessage: expect.stringContaining('"a"') });
  });

  it('are checked in bounded time, whatever pattern the server wrote', async () => {
    const type = await world.type({ serverUrl: server.url }, [{ name: 'echo', inputSchema: { type: 'object', properties: { text: { type: 'string', pattern: '^(?=(a+)+$)\\1b' } } } }], { name: 'catastrophic' });
    await world.enroll(type, ada);
    expect(await refusal(ada.call({ tool: 'echo', connectionType: 'catastrophic', arguments: { text: `${'a'.repeat(40)}!` } }))).toMatchObject({ code: 'ARGUMENTS_INVALID' });
  });
});

it('every refusal is on the audit trail, with the type where it was known', async () => {
  await world.query('delete from audit_events');
  await refusal(ada.call({ tool: 'nothing' }));
  await refusal(ada.call({ tool: '' }));
  const stranger = await world.caller('stranger', 'ADMIN', [otherTeam]);
  await refusal(stranger.call({ tool: 'echo', connectionTypeId: stock.id }));
  expect(await world.query('select team_id, actor_id, actor_name, action, outcome, code, subject_type, subject_id, subject_name from audit_events order by id')).toEqual([
    { team_id: world.team.id, actor_id: ada.memberId, actor_name: 'ada', action: 'callTool', outcome: 'REFUSED', code: 'TOOL_UNKNOWN', subject_type: 'ConnectionType', subject_id: stock.id, subject_name: 'stock' },
    { team_id: null, actor_id: null, actor_name: 'ada', action: 'callTool', outcome: 'REFUSED', code: 'INVALID', subject_type: null, subject_id: null, subject_name: null },
    { team_id: otherTeam.id, actor_id: stranger.memberId, actor_name: 'stranger', action: 'callTool', outcome: 'REFUSED', code: 'NOT_FOUND', subject_type: null, subject_id: null, subject_name: null },
  ]);
  expect(await world.query('select 1 from tool_calls')).toEqual([]);
});
