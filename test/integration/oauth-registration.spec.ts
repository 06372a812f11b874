import { deleteRegistration, readRegistration, renewRegistration, type ManagedClient } from '#core/oauth/client-management.js';
import { clientMetadataDocument } from '#core/oauth/client-metadata.js';
import type { RegisteredClient } from '#core/oauth/client-information.js';
import type { Discovery } from '#core/oauth/discovery.js';
import type { Faults } from '#test/support/oauth-servers/faults.js';
import { startFaultyAuthorizationServer, type FaultyServer } from '#test/support/oauth-servers/faulty-server.js';
import { discovered, faultOf, REDIRECT_URI, register, TestWay } from '#test/support/oauth-servers/journey.js';
import { startOidcProvider } from '#test/support/oauth-servers/oidc-provider.js';
import { startSdkDemo } from '#test/support/oauth-servers/sdk-demo.js';

let way: TestWay;
beforeEach(() => { way = new TestWay(); });
afterEach(() => way.close());

async function faulty<T>(faults: Faults, use: (server: FaultyServer, discovery: Discovery) => Promise<T>): Promise<T> {
  const server = await way.kept(startFaultyAuthorizationServer({ faults }));
  return use(server, await discovered(way, server.mcp.url));
}

const managed = (discovery: Discovery, client: RegisteredClient): ManagedClient => ({
  discovery, client: client as ManagedClient['client'], transport: way.transport, clientName: 'Fairlead', redirectUri: REDIRECT_URI, now: new Date(),
});

it('registers at a real authorization server, manages the client there with a token that rotates, and deletes it', async () => {
  const server = await way.kept(startOidcProvider());
  const discovery = await discovered(way, server.mcp.url);
  const client = await register(way, discovery);
  expect(client).toMatchObject({ method: 'DYNAMIC', authMethod: 'client_secret_basic', clientSecretExpiresAt: null, warnings: [] });
  expect(client.clientSecret).toEqual(expect.any(String));

  const read = await readRegistration(managed(discovery, client));
  expect(read).toEqual(client);
  const renewed = await renewRegistration(managed(discovery, read));
  expect(renewed.management!.registrationAccessToken).not.toBe(client.management!.registrationAccessToken);
  expect(await faultOf(readRegistration(managed(discovery, client)))).toMatchObject({ code: 'INVALID_CLIENT' });
  expect(await readRegistration(managed(discovery, renewed))).toMatchObject({ clientId: client.clientId, clientSecret: renewed.clientSecret });

  expect(await deleteRegistration(managed(discovery, renewed))).toBe('DELETED');
  expect(await deleteRegistration(managed(discovery, renewed))).toBe('GONE');
});

it('tells a purged client from everything else', async () => {
  const server = await way.kept(startOidcProvider());
  const discovery = await discovered(way, server.mcp.url);
  const client = await register(way, discovery);
  await server.purge(client.clientId);
  expect(await faultOf(readRegistration(managed(discovery, client)))).toMatchObject({ code: 'INVALID_CLIENT' });
});

it('presents an initial access token where the server wants one, and doesn\'t repeat it', async () => {
  const server = await way.kept(startOidcProvider({ initialAccessToken: 'initial-token-1234567890' }));
  const discovery = await discovered(way, server.mcp.url);
  const without = await faultOf(register(way, discovery));
  expect(without).toMatchObject({ code: 'REFUSED' });
  expect(without.publicMessage).toContain('initial access token');
  const wrong = await faultOf(register(way, discovery, { initialAccessToken: 'wrong-token-1234567890' }));
  expect(wrong.message).not.toContain('wrong-token');
  expect(await register(way, discovery, { initialAccessToken: 'initial-token-1234567890' })).toMatchObject({ method: 'DYNAMIC' });
});

it('registers at the SDK\'s demo, which takes client_secret_post', async () => {
  const demo = await way.kept(startSdkDemo());
  const client = await register(way, await discovered(way, demo.url));
  expect(client).toMatchObject({ authMethod: 'client_secret_post', management: null, warnings: [] });
  expect(client.clientSecretExpiresAt!.getTime()).toBeGreaterThan(Date.now() + 29 * 86_400_000);
});

it('asks for what it needs: the kind of application, a refresh token, one redirect URI', () => faulty({}, async (server, discovery) => {
  await register(way, discovery);
  await register(way, discovery, { redirectUri: 'https://fairlead.example/oauth/callback' });
  const [native, web] = server.seen.filter(({ path }) => path === '/register').map(({ body }) => body);
  expect(native).toEqual({
    client_name: 'Fairlead', redirect_uris: [REDIRECT_URI], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_basic', application_type: 'native',
  });
  expect(web).toMatchObject({ application_type: 'web', client_uri: 'https://fairlead.example' });
}));

it.each([
  [['none'], 'none'], [['client_secret_post', 'none'], 'client_secret_post'], [['private_key_jwt', 'client_secret_basic'], 'client_secret_basic'],
] as const)('authenticates as the server wants it: of %s by %s', (authMethods, authMethod) => faulty({ authMethods: [...authMethods] }, async (_server, discovery) => {
  const client = await register(way, discovery);
  expect(client).toMatchObject({ authMethod });
  expect(client.clientSecret === null).toBe(authMethod === 'none');
}));

it.each([
  ['missing', 0], ['zero', 0], ['null', 0], ['past', 1],
] as const)('lives with a client_secret_expires_at that is %s', (secretExpiresAt, warnings) => faulty({ secretExpiresAt }, async (_server, discovery) => {
  const client = await register(way, discovery);
  expect(client.clientSecretExpiresAt).toBeNull();
  expect(client.warnings).toHaveLength(warnings);
}));

it.each<[string, unknown]>([
  ['that is too long for a URL', 'x'.repeat(2_049)], ['with half a character', 'a\ud800'], ['with a NUL', 'a\u0000'], ['that is no text', { id: 1 }],
])('takes no client_id %s', (_name, clientId) => faulty({ registrationMembers: { client_id: clientId } }, async (_server, discovery) => {
  expect(await faultOf(register(way, discovery))).toMatchObject({ code: 'INVALID_ANSWER' });
}));

it('knows when a secret ends, and gets another one by renewing', () => faulty({ secretExpiresAt: 3_600 }, async (server, discovery) => {
  const client = await register(way, discovery);
  expect(Math.abs(client.clientSecretExpiresAt!.getTime() - Date.now() - 3_600_000)).toBeLessThan(60_000);
  const renewed = await renewRegistration(managed(discovery, client));
  expect(renewed.clientSecret).not.toBe(client.clientSecret);
  expect(renewed.clientSecret).toBe(server.clients.get(client.clientId)!.client_secret);
  expect(await readRegistration(managed(discovery, renewed))).toMatchObject({ clientSecret: renewed.clientSecret });
  const sent = server.seen.find(({ method }) => method === 'PUT')!.body as object;
  expect(Object.keys(sent)).not.toContain('registration_client_uri');
}));

it.each<[string, Faults, object]>([
  ['200 in place of 201', { registrationStatus: 200 }, {}],
  ['null members', { nullFields: true }, {}],
  ['no way of authentication', { registrationMembers: { token_endpoint_auth_method: null } }, { authMethod: 'client_secret_basic' }],
  ['an empty secret', { registrationMembers: { client_secret: '', token_endpoint_auth_method: undefined } }, { authMethod: 'none', clientSecret: null }],
  ['another way of authentication', { registrationMembers: { token_endpoint_auth_method: 'client_secret_post' } }, { authMethod: 'client_secret_post' }],
  ['a secret for a public client', { registrationMembers: { token_endpoint_auth_method: 'none' } }, { authMethod: 'none', clientSecret: null, clientSecretExpiresAt: null }],
  ['a time as text', { secretExpiresAt: 'zero', registrationMembers: { client_secret_expires_at: '4102444800' } }, { clientSecretExpiresAt: new Date('2100-01-01') }],
  ['other redirect URIs', { registrationMembers: { redirect_uris: ['https://other.example'] } }, { warnings: [expect.stringContaining('redirect')] }],
  ['no leave to refresh', { registrationMembers: { grant_types: ['authorization_code'] } }, { warnings: [expect.stringContaining('refresh')] }],
  ['a management address that is refused', { registrationMembers: { registration_client_uri: 'http://169.254.169.254/' } }, { management: null, warnings: [expect.stringContaining('managing')] }],
  ['a management token that can\'t be sent in a header', { registrationMembers: { registration_access_token: 'a\r\nX-Evil: 1' } }, { management: null, warnings: [expect.stringContaining('managing')] }],
  ['a management address with a NUL at its end', { registrationMembers: { registration_client_uri: 'http://127.0.0.1/\u0000' } }, { management: null, warnings: [expect.stringContaining('managing')] }],
])('lives with %s in the answer', (_name, faults, expected) => faulty(faults, async (_server, discovery) => {
  expect(await register(way, discovery)).toMatchObject(expected);
}));

it.each<[string, Faults, string, string]>([
  ['is advertised and refuses', { registration: 'refuse' }, 'REFUSED', '"invalid_client_metadata: registration is for <friends> only"'],
  ['wants a token', { registration: 'unauthorized' }, 'REFUSED', 'initial access token'],
  ['isn\'t there', { registration: '404' }, 'REFUSED', '404'],
  ['is busy', { registration: '429' }, 'TEMPORARY', 'not available now'],
  ['is down', { registration: '503' }, 'TEMPORARY', 'not available now'],
  ['fails', { registration: '500' }, 'OUTCOME_UNKNOWN', '500'],
  ['answers with a web page', { registration: 'html' }, 'OUTCOME_UNKNOWN', 'web page'],
  ['redirects', { registration: 'redirect' }, 'OUTCOME_UNKNOWN', '307'],
  ['cuts the connection', { registration: 'reset' }, 'OUTCOME_UNKNOWN', 'closed the connection'],
  ['registers, and its answer is lost', { loseRegistrationAnswer: true }, 'OUTCOME_UNKNOWN', 'closed the connection'],
  ['answers without a client', { registrationMembers: { client_id: null } }, 'INVALID_ANSWER', 'client_id'],
  ['answers with a client ID that can\'t be stored', { registrationMembers: { client_id: 'a\u0000' } }, 'INVALID_ANSWER', 'client_id'],
  ['leaves the secret out', { registrationMembers: { client_secret: null } }, 'INVALID_ANSWER', 'secret'],
  ['isn\'t offered', { registration: 'absent' }, 'UNSUPPORTED', 'offered'],
])('tells what happened when the endpoint %s', (_name, faults, code, message) => faulty(faults, async (server, discovery) => {
  const found = await faultOf(register(way, discovery));
  expect(found).toMatchObject({ code, retryAfterMs: code === 'TEMPORARY' ? 7_000 : null });
  expect(found.publicMessage).toContain(message);
  expect(server.clients.size).toBe(faults.loseRegistrationAnswer || code === 'INVALID_ANSWER' ? 1 : 0);
}));

it('is TEMPORARY when nobody is there, and OUTCOME_UNKNOWN when nobody answers', async () => {
  await faulty({ registration: 'hang' }, async (_server, discovery) => {
    expect(await faultOf(register({ transport: { ...way.transport, timeoutMs: 1500 } }, discovery))).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    const nobody = { ...discovery, metadata: { ...discovery.metadata, registration_endpoint: 'http://127.0.0.1:9/register' } };
    expect(await faultOf(register(way, nobody))).toMatchObject({ code: 'TEMPORARY', retryable: true });
  });
});

it('describes itself in a document whose address is its client ID', () => {
  const identity = { clientName: 'Fairlead', redirectUri: 'https://fairlead.example/oauth/callback' };
  expect(clientMetadataDocument('https://fairlead.example', null, identity)).toEqual({
    client_id: 'https://fairlead.example/.well-known/fairlead-client.json', client_name: 'Fairlead', client_uri: 'https://fairlead.example',
    redirect_uris: ['https://fairlead.example/oauth/callback'], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
    token_endpoint_auth_method: 'none', application_type: 'web',
  });
  expect(clientMetadataDocument('https://fairlead.example', 'https://cdn.example/client.json', identity)).toMatchObject({ client_id: 'https://cdn.example/client.json' });
});
