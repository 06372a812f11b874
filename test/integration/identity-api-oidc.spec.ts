import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { startTestApi, type TestApi } from '#test/support/api.js';
import { startMinimal, type MinimalServer } from '#test/support/mcp-servers/minimal.js';
import { startIssuer, type TestIssuer } from '#test/support/oidc-issuer.js';

const PEOPLE = ['root', 'ada', 'bob', 'cleo', 'admin'];
const GROUPS = 'leads=payments:MANAGER, everybody=payments:MEMBER, crew=default:MEMBER, nowhere=no-such-team:ADMIN';
const MEMBERSHIPS = '{ viewer { id displayName memberships { role team { slug } } } }';

let issuer: TestIssuer;
let server: MinimalServer;
let api: TestApi;

beforeAll(async () => {
  // oidc-provider warns about its in-memory adapter, which is what a test wants.
  jest.spyOn(console, 'warn').mockImplementation(() => undefined);
  [issuer, server] = await Promise.all([startIssuer(PEOPLE), startMinimal()]);
  api = await startTestApi({ oidc: { issuer: issuer.url, audience: issuer.audience }, env: { FAIRLEAD_OIDC_ADMINS: 'root', FAIRLEAD_OIDC_GROUPS_CLAIM: 'groups', FAIRLEAD_OIDC_GROUPS: GROUPS } });
});
afterAll(async () => {
  await api.stop();
  await Promise.all([issuer.close(), server.close()]);
  jest.restoreAllMocks();
});

async function memberships(token: string): Promise<string[]> {
  const viewer = await api.must(MEMBERSHIPS, {}, token);
  return viewer.memberships.map((one: { role: string; team: { slug: string } }) => `${one.team.slug} ${one.role}`).sort();
}

async function refusal(document: string, input: object, token: string): Promise<unknown> {
  const [payload] = Object.values((await api.gql(document, { input }, token)).data as Record<string, { userErrors: unknown[] }>);
  return payload!.userErrors[0];
}

describe('people who sign in', () => {
  it('are in no team until somebody lets them in', async () => {
    expect(await memberships(await issuer.token('ada', { name: 'Ada Lovelace' }))).toEqual([]);
  });

  it('create teams only where they administer the installation', async () => {
    const input = { slug: 'payments', displayName: 'Payments' };
    expect(await refusal('CreateTeam', input, await issuer.token('ada'))).toMatchObject({ code: 'FORBIDDEN' });
    const root = await issuer.token('root');
    await api.must('CreateTeam', { input }, root);
    expect(await memberships(root)).toEqual(['payments ADMIN']);
  });

  it('are added by their subject, and are other people than local members of that name', async () => {
    const root = await issuer.token('root');
    const set = async (input: object) => (await api.must('mutation ($input: SetMemberInput!) { setMember(input: $input) { member { id local } userErrors { code } } }', { input: { team: 'payments', role: 'MEMBER', ...input } }, root)).member;
    const [person, machine] = [await set({ subject: 'cleo' }), await set({ subject: 'cleo', local: true })];
    expect([person.local, machine.local, person.id === machine.id]).toEqual([false, true, false]);
    expect(await memberships(await issuer.token('cleo'))).toEqual(['payments MEMBER']);
    // Nobody becomes the local administrator by being called like one.
    expect(await memberships(await issuer.token('admin'))).toEqual([]);
  });

  it('get roles by groups: granted, changed and ended with the next sign-in; the strongest counts', async () => {
    const signedIn = async (groups: unknown) => memberships(await issuer.token('bob', groups === undefined ? {} : { groups }));
    expect(await signedIn(['everybody'])).toEqual(['payments MEMBER']);
    expect(await signedIn(['everybody', 'leads', 'crew'])).toEqual(['default MEMBER', 'payments MANAGER']);
    expect(await signedIn(['nowhere', 'unheard of'])).toEqual([]);
    expect(await signedIn('crew')).toEqual(['default MEMBER']);
    expect(await signedIn(undefined)).toEqual([]);
  });

  it('keep a role that was set here, whatever their groups say', async () => {
    await api.must('SetMember', { input: { team: 'default', subject: 'ada', role: 'MANAGER', displayName: 'Ada' } });
    expect(await memberships(await issuer.token('ada', { groups: ['crew'] }))).toEqual(['default MANAGER']);
    expect(await memberships(await issuer.token('ada', { groups: [] }))).toEqual(['default MANAGER']);
  });

  it('lose enrollments and tokens with a membership that their groups end', async () => {
    const bob = await issuer.token('bob', { groups: ['crew'] });
    const { connectionType } = await api.must('CreateConnectionType', { input: { team: 'default', displayName: 'For Bob', serverUrl: server.url, authMethod: 'NONE' } });
    await api.must('Enroll', { input: { connectionTypeId: connectionType.id } }, bob);
    const { secret } = await api.must('CreateToken', { input: { team: 'default', name: 'of bob' } }, bob);
    expect(await memberships(secret)).toEqual(['default MEMBER']);
    expect(await memberships(await issuer.token('bob', { groups: [] }))).toEqual([]);
    expect((await api.gql(MEMBERSHIPS, {}, secret)).status).toBe(401);
    const again = await issuer.token('bob', { groups: ['crew'] });
    expect((await api.must('{ team(slug: "default") { enrollments { totalCount } } }', {}, again)).enrollments.totalCount).toBe(0);
  });

  it('hold their own tokens, and nobody else holds one for them', async () => {
    await api.must('SetMember', { input: { team: 'default', subject: 'ada', role: 'MEMBER' } });
    const ada = await issuer.token('ada');
    const { members } = await api.must('Members', { team: 'default' });
    const { id } = members.nodes.find((member: { subject: string }) => member.subject === 'ada');
    const input = { team: 'default', name: 'hers', memberId: id };
    expect(await refusal('CreateToken', input, api.adminToken)).toMatchObject({ code: 'FORBIDDEN', field: ['input', 'memberId'] });
    const { secret } = await api.must('CreateToken', { input }, ada);
    const [signedIn, byToken] = [await api.must(MEMBERSHIPS, {}, ada), await api.must(MEMBERSHIPS, {}, secret)];
    expect(byToken).toEqual({ ...signedIn, displayName: byToken.displayName });
  });

  it('never get a role through a token that they no longer have', async () => {
    await api.must('SetMember', { input: { team: 'default', subject: 'ada', role: 'ADMIN' } });
    const { secret } = await api.must('CreateToken', { input: { team: 'default', name: 'was admin' } }, await issuer.token('ada'));
    await api.must('SetMember', { input: { team: 'default', subject: 'ada', role: 'MEMBER' } });
    expect(await memberships(secret)).toEqual(['default MEMBER']);
  });
});

describe('local members beside them', () => {
  it('act through tokens that administrators issue', async () => {
    const document = 'mutation ($input: SetMemberInput!) { setMember(input: $input) { member { id local } userErrors { code } } }';
    const { member } = await api.must(document, { input: { team: 'default', subject: 'robot', role: 'MEMBER', local: true } });
    const { secret } = await api.must('CreateToken', { input: { team: 'default', name: 'robot', memberId: member.id } });
    expect(await memberships(secret)).toEqual(['default MEMBER']);
  });
});
