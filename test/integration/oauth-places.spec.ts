import { startTestApi, type TestApi, type TestMember } from '#test/support/api.js';
import { Person } from '#test/support/consent/person.js';
import { startFaultyAuthorizationServer, type FaultyServer } from '#test/support/oauth-servers/faulty-server.js';

/** What was issued at one place goes to no other, whoever names it: an issuer and the host of its token endpoint are a place. */

const RETURN_URL = 'http://localhost:3999/settings';
const BY_HAND = { clientId: 'by-hand', clientSecret: 'se-cr_et' };
let api: TestApi;
let manager: TestMember;
let server: FaultyServer;
let elsewhere: FaultyServer;

beforeAll(async () => {
  api = await startTestApi();
  manager = await api.member('MANAGER', { subject: 'grace' });
});
afterAll(() => api.stop());
beforeEach(async () => {
  [server, elsewhere] = await Promise.all([startFaultyAuthorizationServer(), startFaultyAuthorizationServer()]);
  for (const { clients } of [server, elsewhere]) clients.set('by-hand', { client_id: 'by-hand', client_secret: 'se-cr_et', registration_access_token: '', metadata: {} });
});
afterEach(() => Promise.all([server.close(), elsewhere.close()]));

const there = (path: string): string => new URL(path, elsewhere.issuer).href;
/** The names of conditions and their reasons. */
const reasonsOf = ({ conditions }: { conditions: { type: string; reason: string }[] }) => Object.fromEntries(conditions.map(({ type, reason }) => [type, reason]));

async function enrolled(displayName: string, more: object = {}): Promise<{ typeId: string; enrollmentId: string; name: string }> {
  const { connectionType } = await manager.must('CreateConnectionType', { input: { team: 'default', displayName, serverUrl: server.mcp.url, authMethod: 'OAUTH', ...more } });
  const { enrollment, authorization } = await manager.must('Enroll', { input: { connectionTypeId: connectionType.id, returnUrl: RETURN_URL } });
  const person = new Person();
  await person.follow(await person.press(await person.get(authorization.url), 'continue'), RETURN_URL);
  return { typeId: connectionType.id, enrollmentId: enrollment.id, name: connectionType.name };
}

describe('logins of an issuer that the server has left', () => {
  it.each(['a check', 'an update'])('wait for consent from the moment that %s has seen it, although the server takes their tokens', async (by) => {
    const { typeId, enrollmentId, name } = await enrolled(`Left, as seen by ${by}`);
    server.mcp.guard.authorizationServers = [elsewhere.issuer];
    if (by === 'a check') await manager.must('CheckConnectionType', { input: { id: typeId } });
    else await manager.must('UpdateConnectionType', { input: { id: typeId, expectedVersion: 1, oauth: { initialAccessToken: 'first' } } });
    const { userErrors } = (await manager.gql('CallTool', { input: { connectionType: name, tool: 'echo', arguments: { message: 'hello' } } })).data!['callTool'];
    expect(userErrors).toMatchObject([{ code: 'ACTION_REQUIRED', message: expect.stringContaining('consent again') }]);
    expect(server.mcp.calls).toBe(0);
    // Their server's answers to the old token change nothing; a consent does.
    await manager.must('CheckConnectionType', { input: { id: typeId } });
    const node = await manager.must('query ($id: ID!) { node(id: $id) { ... on Enrollment { conditions { type reason } } } }', { id: enrollmentId });
    expect(reasonsOf(node)).toMatchObject({ Authorized: 'IssuerChanged', Ready: 'IssuerChanged' });
    server.mcp.guard.verify = (token) => Promise.resolve(elsewhere.verify(token));
    const { authorization } = await manager.must('StartAuthorization', { input: { enrollmentId, returnUrl: RETURN_URL } });
    const person = new Person();
    await person.follow(await person.press(await person.get(authorization.url), 'continue'), RETURN_URL);
    expect((await manager.must('CallTool', { input: { connectionType: name, tool: 'echo', arguments: { message: 'hello' } } })).toolCall).toMatchObject({ status: 'SUCCEEDED' });
  });
});

describe('a type that has moved to another address', () => {
  it('lets nobody consent by what was found at the old one: such tokens are for the old server, and would go to the new one', async () => {
    const { typeId, enrollmentId } = await enrolled('Moved');
    await manager.must('UpdateConnectionType', { input: { id: typeId, expectedVersion: 1, serverUrl: 'http://127.0.0.1:9/mcp', allowUnreachable: true } });
    const { authorization, userErrors } = (await manager.gql('StartAuthorization', { input: { enrollmentId, returnUrl: RETURN_URL } })).data!['startAuthorization'];
    expect(authorization).toBeNull();
    expect(userErrors).toMatchObject([{ code: 'SERVER_REFUSED', retryable: true, message: expect.stringContaining('address changed') }]);
    const refused = (await manager.gql('RefreshEnrollment', { input: { id: enrollmentId } })).data!['refreshEnrollment'];
    expect(refused.userErrors).toMatchObject([{ code: 'ENROLLMENT_SUSPENDED', message: expect.stringContaining('startAuthorization') }]);
  });
});

describe('an issuer that names another host for its tokens', () => {
  it('isn\'t told there what to revoke, nor the secret of the client that it was issued to', async () => {
    const { typeId, enrollmentId } = await enrolled('Deleted');
    server.faults.metadataMembers = { token_endpoint: there('/token'), revocation_endpoint: there('/revoke') };
    await manager.must('CheckConnectionType', { input: { id: typeId } });
    expect((await manager.must('DeleteEnrollment', { input: { id: enrollmentId } })).revocation).toMatchObject({ outcome: 'ABANDONED', message: expect.stringContaining('any more') });
    expect(elsewhere.seen).toEqual([]);
  });

  it.each(['a check', 'an update'])('gets no refresh token there, although a manager has entered the same client again, after %s', async (first) => {
    const { typeId, enrollmentId } = await enrolled(`Renewed after ${first}`, { oauth: BY_HAND });
    server.faults.metadataMembers = { token_endpoint: there('/token') };
    if (first === 'a check') await manager.must('CheckConnectionType', { input: { id: typeId } });
    const { connectionType } = await manager.must('UpdateConnectionType', { input: { id: typeId, expectedVersion: 1, oauth: BY_HAND } });
    expect(connectionType).toMatchObject({ state: 'READY' });
    const { userErrors } = (await manager.gql('RefreshEnrollment', { input: { id: enrollmentId } })).data!['refreshEnrollment'];
    expect(userErrors).toMatchObject([{ code: 'ACTION_REQUIRED', message: expect.stringContaining('startAuthorization') }]);
    expect(elsewhere.seen).toEqual([]);
  });
});
