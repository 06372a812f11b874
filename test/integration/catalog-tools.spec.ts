import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startTestApi, type TestApi, type TestMember } from '#test/support/api.js';
import { ChangeableServer, type ListedTool } from '#test/support/mcp-servers/changeable.js';
import { refusalOf } from '#test/support/refusal.js';

let api: TestApi;
let server: ChangeableServer;
let ann: TestMember;
let bea: TestMember;
beforeAll(async () => {
  [api, server] = await Promise.all([startTestApi(), ChangeableServer.start()]);
  [ann, bea] = [await api.member('MANAGER', { subject: 'ann' }), await api.member('MEMBER', { subject: 'bea' })];
});
afterAll(async () => {
  await api.stop();
  await server.stop();
});

const tool = (name: string, more: object = {}): ListedTool => ({ name, description: 'Does it.', inputSchema: { type: 'object', properties: { a: { type: 'string' } } }, ...more });
let count = 0;
let id: string;
const create = async (values: object = {}): Promise<void> => {
  ({ id } = (await api.must('CreateConnectionType', { input: { team: 'default', displayName: `Type ${++count}`, serverUrl: server.url, authMethod: 'NONE', ...values } })).connectionType);
};
const check = (member = ann) => member.must('CheckConnectionType', { input: { id } });
interface SeenTool { id: string; name: string; state: string; definitionHash: string; change: { fromHash: string | null; toHash: string; diff: { changes: object[] } } | null }
const TOOL = 'id name state definitionHash change { fromHash toHash diff detectedAt }';
const tools = async (member = ann): Promise<SeenTool[]> => (await member.must(`query ($id: ID!) { connectionType(id: $id) { tools { nodes { ${TOOL} } } } }`, { id })).tools.nodes;
const names = async (member: TestMember) => (await tools(member)).map(({ name }) => name);
const call = async (name: string, member = ann): Promise<string> => {
  const { toolCall, userErrors } = (await member.gql('CallTool', { input: { connectionTypeId: id, tool: name } })).data.callTool;
  return userErrors[0]?.code ?? toolCall.status;
};
const accept = (seen: SeenTool, definitionHash = seen.definitionHash) => api.gql('AcceptToolChange', { input: { toolId: seen.id, definitionHash } });

beforeEach(() => {
  server.credential = null;
  server.toolsOf.clear();
  server.tools = [tool('alpha'), tool('beta')];
});

describe('a changed definition', () => {
  it('is recorded with its diff, and stays callable under WARN', async () => {
    await create();
    await ann.must('Enroll', { input: { connectionTypeId: id } });
    const [before] = await tools();
    expect(before).toMatchObject({ name: 'alpha', state: 'CALLABLE', change: null });
    server.tools = [tool('alpha', { description: 'Does something else.' }), tool('beta'), tool('gamma')];
    await check();
    const [alpha, beta, gamma] = await tools();
    expect(alpha).toMatchObject({ state: 'CALLABLE', change: { fromHash: before!.definitionHash, toHash: alpha!.definitionHash, diff: { changes: [{ path: '/description', from: 'Does it.', to: 'Does something else.' }] } } });
    expect(beta).toMatchObject({ change: null });
    expect(gamma).toMatchObject({ state: 'CALLABLE', change: { fromHash: null, toHash: gamma!.definitionHash } });
    expect(await call('alpha')).toBe('SUCCEEDED');
    await check();
    expect(await tools()).toEqual([alpha, beta, gamma]);
  });

  it('isn\'t one where only the title moved', async () => {
    await create();
    const [before] = await tools();
    server.tools = [tool('alpha', { title: 'Alpha' }), tool('beta')];
    await check();
    expect((await tools())[0]).toEqual(before);
  });

  it('is not callable under BLOCK until a manager accepts exactly what they looked at', async () => {
    await create({ toolPolicy: { onChange: 'BLOCK' } });
    await ann.must('Enroll', { input: { connectionTypeId: id } });
    server.tools = [tool('alpha', { annotations: { destructiveHint: true } }), tool('beta')];
    await check();
    const [looked] = await tools();
    expect(looked).toMatchObject({ state: 'BLOCKED_BY_CHANGE' });
    expect([await call('alpha'), await call('beta')]).toEqual(['TOOL_CHANGED', 'SUCCEEDED']);

    server.tools = [tool('alpha', { annotations: { destructiveHint: true }, description: 'Harmless words.' }), tool('beta')];
    await check();
    expect(refusalOf(await accept(looked!))).toMatchObject({ code: 'STALE_VERSION', field: ['input', 'definitionHash'] });
    const [now] = await tools();
    // The second change doesn't hide the first.
    expect(now!.change!.diff.changes.map((change) => (change as { path: string }).path)).toEqual(['/annotations', '/description']);
    expect((await accept(now!)).data.acceptToolChange).toMatchObject({ tool: { state: 'CALLABLE', change: null }, userErrors: [] });
    expect(await call('alpha')).toBe('SUCCEEDED');
  });

  it('that is taken back is no change any more', async () => {
    await create({ toolPolicy: { onChange: 'BLOCK' } });
    await ann.must('Enroll', { input: { connectionTypeId: id } });
    const before = await tools();
    server.tools = [tool('alpha', { description: 'Other.' }), tool('beta')];
    await check();
    server.tools = [tool('alpha', { description: 'Yet other.' }), tool('beta')];
    await check();
    server.tools = [tool('alpha'), tool('beta')];
    await check();
    expect(await tools()).toEqual(before);
    expect(await call('alpha')).toBe('SUCCEEDED');
  });

  it('can\'t slip through by the tool being gone in between', async () => {
    await create({ toolPolicy: { onChange: 'BLOCK' } });
    await ann.must('Enroll', { input: { connectionTypeId: id } });
    server.tools = [tool('beta')];
    await check();
    server.tools = [tool('alpha', { description: 'Other.' }), tool('beta')];
    await check();
    expect((await tools())[0]).toMatchObject({ name: 'alpha', state: 'BLOCKED_BY_CHANGE' });
  });

  it('can\'t slip through by a share that ends and begins again', async () => {
    server.credential = { header: 'authorization', values: ['Bearer of-ann-1'] };
    await create({ authMethod: 'ACCESS_TOKEN', toolPolicy: { onChange: 'BLOCK' } });
    const { enrollment } = await ann.must('Enroll', { input: { connectionTypeId: id, accessToken: 'of-ann-1' } });
    const share = (shared: boolean) => ann.must('ShareEnrollment', { input: { id: enrollment.id, shared } });
    await share(true);
    await share(false);
    server.tools = [tool('alpha', { description: 'Other.' }), tool('beta')];
    await share(true);
    expect((await tools(bea))[0]).toMatchObject({ name: 'alpha', state: 'BLOCKED_BY_CHANGE' });
  });
});

describe('tools that are gone or denied', () => {
  it('are REMOVED: not listed, not callable, still there by their id', async () => {
    await create();
    await ann.must('Enroll', { input: { connectionTypeId: id } });
    const [alpha] = await tools();
    server.tools = [tool('beta')];
    await check();
    expect(await names(ann)).toEqual(['beta']);
    expect(await call('alpha')).toBe('TOOL_UNKNOWN');
    expect((await api.gql(`query ($id: ID!) { node(id: $id) { ... on Tool { state } } }`, { id: alpha!.id })).data.node).toEqual({ state: 'REMOVED' });
    server.tools = [tool('alpha'), tool('beta')];
    await check();
    expect((await tools())[0]).toEqual(alpha);
    expect(await call('alpha')).toBe('SUCCEEDED');
  });

  it('are DENIED by the policy, from the next request on', async () => {
    await create();
    await ann.must('Enroll', { input: { connectionTypeId: id } });
    expect(await call('alpha')).toBe('SUCCEEDED');
    await api.must('UpdateConnectionType', { input: { id, expectedVersion: 1, toolPolicy: { deny: ['al*'] } } });
    expect((await tools()).map(({ state }) => state)).toEqual(['DENIED', 'CALLABLE']);
    expect(await call('alpha')).toBe('TOOL_DENIED');
  });
});

describe('whose list it is', () => {
  const logins = { header: 'authorization', values: ['Bearer of-ann-1', 'Bearer of-bea-1'] };
  const enroll = async (member: TestMember) => (await member.must('Enroll', { input: { connectionTypeId: id, accessToken: `of-${member.subject}-1` } })).enrollment.id;
  beforeEach(async () => {
    server.credential = logins;
    server.toolsOf.set('Bearer of-ann-1', [tool('for-ann'), tool('for-all')]).set('Bearer of-bea-1', [tool('for-bea'), tool('for-all')]);
    await create({ authMethod: 'ACCESS_TOKEN' });
  });

  it('is each login\'s own where listing takes one: nobody\'s is shown, or spent, for others', async () => {
    await enroll(ann);
    await enroll(bea);
    server.logins.length = 0;
    await check(bea);
    expect(new Set(server.logins)).toEqual(new Set([null, 'Bearer of-bea-1']));
    expect([await names(ann), await names(bea), await names(await api.member('ADMIN'))]).toEqual([['for-all', 'for-ann'], ['for-all', 'for-bea'], []]);
    expect([await call('for-bea', ann), await call('for-bea', bea)]).toEqual(['TOOL_UNKNOWN', 'SUCCEEDED']);
  });

  it('is the type\'s where a login is shared, and each one\'s own again when that ends', async () => {
    const shared = await enroll(ann);
    await enroll(bea);
    await ann.must('ShareEnrollment', { input: { id: shared, shared: true } });
    expect(await names(await api.member('MEMBER'))).toEqual(['for-all', 'for-ann']);
    expect(await names(bea)).toEqual(['for-all', 'for-ann']);
    server.toolsOf.set('Bearer of-bea-1', [tool('new-for-bea')]);
    await ann.must('ShareEnrollment', { input: { id: shared, shared: false } });
    expect([await names(await api.member('MEMBER')), await names(ann), await names(bea)]).toEqual([[], ['for-all', 'for-ann'], ['new-for-bea']]);
    expect([await call('for-ann', ann), await call('new-for-bea', bea)]).toEqual(['SUCCEEDED', 'SUCCEEDED']);
  });

  it.each<[string, (enrollmentId: string, owner: TestMember) => Promise<unknown>]>([
    ['its enrollment is deleted', (enrollmentId, owner) => owner.must('DeleteEnrollment', { input: { id: enrollmentId } })],
    ['its owner leaves', (_enrollmentId, owner) => api.must('RemoveMember', { input: { team: 'default', memberId: owner.id } })],
  ])('is nobody\'s to see any more when %s, also while the server is down', async (_what, end) => {
    const owner = await api.member('MANAGER');
    server.credential!.values.push(`Bearer of-${owner.subject}-1`);
    server.toolsOf.set(`Bearer of-${owner.subject}-1`, [tool('seen-through-the-share')]);
    const shared = await enroll(owner);
    await owner.must('ShareEnrollment', { input: { id: shared, shared: true } });
    const [seen] = await tools(bea);
    expect(seen!.name).toBe('seen-through-the-share');
    await server.stop();
    await end(shared, owner);
    await server.start();
    expect(await names(bea)).toEqual([]);
    expect((await bea.gql('query ($id: ID!) { node(id: $id) { id } }', { id: seen!.id })).data.node).toBeNull();
  });

  it('is the type\'s where the server lists for everybody, whoever is logged in', async () => {
    server.credential = null;
    await check();
    await enroll(ann);
    expect([await names(ann), await names(bea)]).toEqual([['alpha', 'beta'], ['alpha', 'beta']]);
  });

  it('becomes each login\'s own when the server begins to ask for one', async () => {
    server.credential = null;
    await check();
    await enroll(bea);
    expect(await call('alpha', bea)).toBe('SUCCEEDED');
    server.credential = logins;
    await check(ann);
    expect([await names(ann), await names(bea)]).toEqual([[], ['for-all', 'for-bea']]);
    expect(await call('for-bea', bea)).toBe('SUCCEEDED');
  });

  it('never holds the credential that it was read with', async () => {
    server.toolsOf.set('Bearer of-ann-1', [tool('echo', { description: 'You are of-ann-1, Bearer of-ann-1.' })]);
    await enroll(ann);
    const { tools: list } = await ann.must('query ($id: ID!) { connectionType(id: $id) { tools { nodes { description } } } }', { id });
    expect(list.nodes[0].description).toBe('You are [redacted], Bearer [redacted].');
  });
});
