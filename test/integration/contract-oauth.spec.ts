import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi, type TestApi, type TestMember } from '#test/support/api.js';
import { Person } from '#test/support/consent/person.js';
import { startOidcProvider, type OidcProviderServer } from '#test/support/oauth-servers/oidc-provider.js';

/** The contract's documents where a login takes a person's consent: verbatim, with a real authorization server and a browser without script. */

const team = 'default';
const ID = expect.stringMatching(/^[\w-]{20,}$/) as unknown;
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as unknown;
const RETURN_URL = 'http://localhost:3999/settings';
let api: TestApi;
let provider: OidcProviderServer;
let manager: TestMember;
let type: { id: string };
let enrollment: { id: string };
beforeAll(async () => {
  [api, provider] = await Promise.all([startTestApi(), startOidcProvider()]);
  manager = await api.member('MANAGER', { subject: 'grace' });
});
afterAll(async () => {
  await Promise.all([api?.stop(), provider?.close()]);
});

/** Goes on from the page behind the link, consents at the provider, and comes back. */
async function consent(link: string): Promise<string> {
  const person = new Person();
  return (await person.follow(await person.press(await person.get(link), 'continue'), RETURN_URL)).location!;
}

describe('a login', () => {
  it('Probe says that nothing more has to be entered', async () => {
    expect(await manager.must('Probe', { input: { team, serverUrl: provider.mcp.url } })).toMatchObject({
      verdict: 'AUTHENTICATION_REQUIRED', suggestedAuthMethod: 'OAUTH',
      oauth: {
        outcome: 'AUTOMATIC', issuer: provider.issuer, authorizationEndpoint: expect.stringContaining(provider.issuer), registrationMethods: expect.arrayContaining(['DYNAMIC']),
        scopesSupported: ['mcp:tools'], redirectUri: `${api.url}/oauth/callback`, message: expect.any(String),
      },
    });
  });

  it('CreateConnectionType registers the client', async () => {
    const created = await manager.must('CreateConnectionType', { input: { team, displayName: 'Warehouse', serverUrl: provider.mcp.url, authMethod: 'OAUTH' } });
    expect(created).toMatchObject({
      userErrors: [], connectionType: {
        authMethod: 'OAUTH', accessToken: null, headers: [],
        oauth: { issuer: provider.issuer, registrationMethod: 'DYNAMIC', clientId: expect.any(String), scopes: expect.any(Array), redirectUri: `${api.url}/oauth/callback` },
      },
    });
    type = created.connectionType;
  });

  it('Enroll answers with a link, and the person comes back with the enrollment and its outcome', async () => {
    const enrolled = await manager.must('Enroll', { input: { connectionTypeId: type.id, returnUrl: RETURN_URL } });
    expect(enrolled).toMatchObject({ userErrors: [], enrollment: { id: ID, state: 'PENDING_AUTHORIZATION' }, authorization: { url: expect.stringContaining(`${api.url}/`), expiresAt: TIME } });
    enrollment = enrolled.enrollment;
    expect(await consent(enrolled.authorization.url)).toBe(`${RETURN_URL}?fairlead_enrollment=${enrollment.id}&fairlead_outcome=READY`);
    const { connectionTypes } = await manager.must('Catalog', { team, first: 50 });
    expect(connectionTypes.nodes[0].viewerEnrollments).toMatchObject([{ id: enrollment.id, state: 'READY', credential: { kind: 'OAUTH', scopes: ['mcp:tools'], expiresAt: TIME, failedRefreshes: 0 } }]);
  });

  it('StartAuthorization consents again, in place', async () => {
    const started = await manager.must('StartAuthorization', { input: { enrollmentId: enrollment.id, returnUrl: RETURN_URL } });
    expect(started).toEqual({ authorization: { url: expect.stringContaining(`${api.url}/`), expiresAt: TIME }, userErrors: [] });
    expect(await consent(started.authorization.url)).toBe(`${RETURN_URL}?fairlead_enrollment=${enrollment.id}&fairlead_outcome=READY`);
  });

  it('StartAuthorization by somebody else is refused as if it weren\'t there', async () => {
    const ada = await api.member('MEMBER');
    expect((await ada.gql('StartAuthorization', { input: { enrollmentId: enrollment.id } })).data.startAuthorization).toMatchObject({ authorization: null, userErrors: [{ code: 'NOT_FOUND', field: ['input', 'enrollmentId'] }] });
  });

  it('a person who refuses comes back with DENIED', async () => {
    provider.decision = 'deny';
    const { authorization } = await manager.must('StartAuthorization', { input: { enrollmentId: enrollment.id, returnUrl: RETURN_URL } });
    expect(await consent(authorization.url)).toBe(`${RETURN_URL}?fairlead_enrollment=${enrollment.id}&fairlead_outcome=DENIED`);
    provider.decision = 'approve';
  });
});
