import { finishAuthorization } from '#core/oauth/callback.js';
import { documentClient } from '#core/oauth/client-metadata.js';
import { chooseRegistration } from '#core/oauth/outcome.js';
import { insufficientScope } from '#core/oauth/challenge.js';
import { refreshTokens } from '#core/oauth/refresh.js';
import { refreshPlan } from '#core/oauth/refresh-plan.js';
import { revokeTokens } from '#core/oauth/revocation.js';
import { scopeUnion, scopesToRequest } from '#core/oauth/scopes.js';
import { startAuthorization } from '#core/oauth/authorization.js';
import type { TokenSet } from '#core/oauth/token-set.js';
import type { Faults } from '#test/support/oauth-servers/faults.js';
import { startFaultyAuthorizationServer, type FaultyServer } from '#test/support/oauth-servers/faulty-server.js';
import { consented, discovered, faultOf, loggedIn, REDIRECT_URI, register, TestWay, tryToken, type Consented } from '#test/support/oauth-servers/journey.js';
import { startOidcProvider } from '#test/support/oauth-servers/oidc-provider.js';
import { startSdkDemo } from '#test/support/oauth-servers/sdk-demo.js';

let way: TestWay;
beforeEach(() => { way = new TestWay(); });
afterEach(() => way.close());

async function faulty(faults: Faults, use: (server: FaultyServer) => Promise<void>): Promise<void> {
  const server = await way.kept(startFaultyAuthorizationServer({ faults }));
  return use(server);
}

const refresh = (parties: Consented['parties'], { refreshToken, scopes }: TokenSet) => refreshTokens({ ...parties, refreshToken: refreshToken!, scopes });

describe('at a real authorization server', () => {
  it('a login is consented to, used, refreshed with a token that rotates, and revoked', async () => {
    const server = await way.kept(startOidcProvider());
    const { parties, tokens } = await loggedIn(way, server.mcp.url);
    expect(tokens).toMatchObject({ tokenType: 'Bearer', scopes: ['mcp:tools'], refreshToken: expect.any(String) });
    expect(tokens.expiresAt!.getTime() - tokens.obtainedAt.getTime()).toBe(3_600_000);
    expect(await tryToken(server.mcp.url, tokens.accessToken)).toBe(200);

    const second = await refresh(parties, tokens);
    expect(second.refreshToken).not.toBe(tokens.refreshToken);
    expect(second.scopes).toEqual(['mcp:tools']);
    expect(await tryToken(server.mcp.url, second.accessToken)).toBe(200);

    expect(server.presentations.filter(({ path }) => path === '/token').map(({ resource }) => resource)).toEqual([server.mcp.url, server.mcp.url]);
    expect(await revokeTokens({ ...parties, tokens: second })).toMatchObject({ outcome: 'REVOKED' });
    expect(server.presentations.filter(({ path }) => path === '/token/revocation').map(({ token }) => token)).toEqual([second.refreshToken, second.accessToken]);
    expect(await tryToken(server.mcp.url, second.accessToken)).toBe(401);
    expect(await server.knows(second.accessToken)).toBe(false);
  });

  it('a refresh token that was used before ends the whole family, and that is INVALID_GRANT', async () => {
    const server = await way.kept(startOidcProvider());
    const { parties, tokens } = await loggedIn(way, server.mcp.url);
    const second = await refresh(parties, tokens);
    const fault = await faultOf(refresh(parties, tokens));
    expect(fault).toMatchObject({ code: 'INVALID_GRANT', retryable: false });
    expect(fault.message).not.toContain(tokens.refreshToken);
    expect(await faultOf(refresh(parties, second))).toMatchObject({ code: 'INVALID_GRANT' });
    expect(server.overlaps()).toBe(0);
  });

  it('a purged client is INVALID_CLIENT, at the token endpoint and at revocation', async () => {
    const server = await way.kept(startOidcProvider());
    const { parties, tokens } = await loggedIn(way, server.mcp.url);
    await server.purge(parties.client.clientId);
    expect(await faultOf(refresh(parties, tokens))).toMatchObject({ code: 'INVALID_CLIENT' });
    expect(await revokeTokens({ ...parties, tokens })).toMatchObject({ outcome: 'FAILED', retryable: false });
  });

  it('a provider that is down consumes nothing, and the same token works afterwards', async () => {
    const server = await way.kept(startOidcProvider());
    const { parties, tokens } = await loggedIn(way, server.mcp.url);
    server.outage = { path: /^\/token/, status: 503 };
    expect(await faultOf(refresh(parties, tokens))).toMatchObject({ code: 'TEMPORARY', retryable: true });
    expect(await revokeTokens({ ...parties, tokens })).toMatchObject({ outcome: 'FAILED', retryable: true });
    server.outage = null;
    expect(await refresh(parties, tokens)).toMatchObject({ tokenType: 'Bearer' });
  });

  it('an answer that is lost after the refresh is OUTCOME_UNKNOWN, and the token is spent', async () => {
    const server = await way.kept(startOidcProvider());
    const { parties, tokens } = await loggedIn(way, server.mcp.url);
    server.outage = { path: /^\/token$/, status: 0 };
    expect(await faultOf(refresh(parties, tokens))).toMatchObject({ code: 'OUTCOME_UNKNOWN', retryable: false });
    server.outage = null;
    expect(await faultOf(refresh(parties, tokens))).toMatchObject({ code: 'INVALID_GRANT' });
  });

  it.each(['client_secret_basic', 'client_secret_post', 'none'] as const)('a client that was entered by hand logs in with %s', async (authMethod) => {
    const clientSecret = authMethod === 'none' ? null : 'a secret with-dash_and.dot:+%&/';
    const server = await way.kept(startOidcProvider({ clients: [{ client_id: 'by-hand', client_secret: clientSecret ?? undefined, redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: authMethod }] }));
    const { parties, tokens } = await loggedIn(way, server.mcp.url, { client: { clientId: 'by-hand', clientSecret, authMethod } });
    expect(await refresh(parties, tokens)).toMatchObject({ tokenType: 'Bearer' });
    expect(server.presentations.map(({ secretInBody }) => secretInBody)).toEqual(server.presentations.map(() => authMethod === 'client_secret_post'));
  });

  it('a consent that is denied is ACCESS_DENIED, in the server\'s words', async () => {
    const server = await way.kept(startOidcProvider({ decision: 'deny' }));
    const { parties, pending, parameters } = await consented(way, server.mcp.url);
    const fault = await faultOf(finishAuthorization({ ...parties, pending, parameters }));
    expect(fault).toMatchObject({ code: 'ACCESS_DENIED' });
    expect(fault.publicMessage).toContain('the person said no');
    expect(server.presentations.filter(({ path }) => path === '/token')).toEqual([]);
  });

  it('a step-up asks for the union of scopes and gets them', async () => {
    const server = await way.kept(startOidcProvider());
    const { parties, tokens } = await loggedIn(way, server.mcp.url);
    const response = await fetch(server.mcp.url, {
      method: 'POST', headers: { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream', Authorization: `Bearer ${tokens.accessToken}` },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'failing', arguments: {} } }),
    });
    expect(response.status).toBe(403);
    await response.text();
    const wanted = scopeUnion(tokens.scopes, insufficientScope(response.headers.get('www-authenticate'))!);
    expect(wanted).toEqual(['mcp:tools', 'files:write']);
    const again = await loggedIn(way, server.mcp.url, { discovery: parties.discovery, client: parties.client, scopes: scopesToRequest(parties.discovery, [], wanted) });
    expect(again.tokens.scopes.toSorted()).toEqual(['files:write', 'mcp:tools']);
  });

  it('offline_access is asked for where it is advertised, with the prompt that OpenID Connect demands', async () => {
    const server = await way.kept(startOidcProvider());
    const discovery = await discovered(way, server.mcp.url);
    const scopes = scopesToRequest(discovery, []);
    expect(scopes).toEqual(['mcp:tools', 'offline_access']);
    const { url } = await startAuthorization({ discovery, clientId: 'x', redirectUri: REDIRECT_URI, scopes });
    expect(new URL(url).searchParams.get('prompt')).toBe('consent');
  });
});

it('logs in at the SDK\'s demo, which gives no refresh token and has no revocation', async () => {
  const demo = await way.kept(startSdkDemo());
  const { parties, tokens } = await loggedIn(way, demo.url);
  expect(tokens).toMatchObject({ refreshToken: null, scopes: ['mcp:tools'] });
  expect(await tryToken(demo.url, tokens.accessToken)).toBe(200);
  expect(await revokeTokens({ ...parties, tokens })).toMatchObject({ outcome: 'NOT_SUPPORTED' });
});

it('logs in as the client that a metadata document makes us, without registering', () => faulty({ acceptsDocuments: true }, async (server) => {
  const url = 'https://fairlead.example/.well-known/fairlead-client.json';
  const discovery = await discovered(way, server.mcp.url);
  expect(chooseRegistration(discovery, { hasClient: false, clientMetadataUrl: url })).toBe('METADATA_DOCUMENT');
  const { parties, tokens } = await loggedIn(way, server.mcp.url, { discovery, client: documentClient(url) });
  expect(await refresh(parties, tokens)).toMatchObject({ tokenType: 'Bearer' });
  expect(server.tokenRequests.map((body) => body.get('client_id'))).toEqual([url, url]);
  expect(server.clients.size).toBe(0);
}));

it('shows no code, verifier, token or secret in any fault, at a server that quotes whatever it gets', () => faulty({}, async (server) => {
  const { parties, tokens } = await loggedIn(way, server.mcp.url);
  const { pending, parameters } = await consented(way, server.mcp.url, { discovery: parties.discovery, client: parties.client });
  const secrets = [parties.client.clientSecret!, pending.codeVerifier, parameters.get('code')!, tokens.refreshToken!, tokens.accessToken];
  server.faults.tokenQuotes = true;
  const faults = [await faultOf(finishAuthorization({ ...parties, pending, parameters })), await faultOf(refresh(parties, tokens))];
  for (const fault of faults) {
    expect(fault.publicMessage).toContain('[redacted]');
    for (const secret of secrets) expect(JSON.stringify([fault, fault.message, fault.publicMessage, fault.stack, fault.cause])).not.toContain(secret);
  }
}));

describe('the request for consent', () => {
  it('holds PKCE, state and resource, keeps the endpoint\'s own query, and differs each time', () => faulty({}, async (server) => {
    const discovery = await discovered(way, server.mcp.url);
    discovery.metadata.authorization_endpoint += '?tenant=a';
    const begin = () => startAuthorization({ discovery, clientId: 'me', redirectUri: REDIRECT_URI, scopes: ['a', 'b'] });
    const [one, two] = [await begin(), await begin()];
    const query = Object.fromEntries(new URL(one.url).searchParams);
    expect(query).toEqual({
      tenant: 'a', response_type: 'code', client_id: 'me', redirect_uri: REDIRECT_URI, state: one.state, resource: server.mcp.url, scope: 'a b',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/), code_challenge_method: 'S256',
    });
    expect(one.url).not.toContain(one.pending.codeVerifier);
    expect(one.state).not.toBe(two.state);
    expect(one.pending.codeVerifier).not.toBe(two.pending.codeVerifier);
    expect(JSON.parse(JSON.stringify(one.pending))).toEqual(one.pending);
  }));

  it('has no scope where there is none to ask for', () => faulty({}, async (server) => {
    const discovery = await discovered(way, server.mcp.url);
    const { url } = await startAuthorization({ discovery, clientId: 'me', redirectUri: REDIRECT_URI, scopes: scopesToRequest(discovery, []) });
    expect(new URL(url).searchParams.has('scope')).toBe(false);
  }));
});

describe('the answer to it', () => {
  it.each<[string, Faults, (query: URLSearchParams) => void]>([
    ['from another issuer', { callbackIss: 'https://evil.example' }, () => undefined],
    ['from the same issuer with a slash', {}, (query) => query.set('iss', `${query.get('iss')}/`)],
    ['without an issuer that was promised', { callbackIss: null }, () => undefined],
    ['with two issuers', {}, (query) => query.append('iss', 'https://evil.example')],
    ['with an error from another issuer', { callbackIss: 'https://evil.example', authorizationError: 'access_denied' }, () => undefined],
  ])('%s is ISSUER_MISMATCH: nothing is sent and nothing of it is shown', (_name, faults, change) => faulty(faults, async (server) => {
    const { parties, pending, parameters } = await consented(way, server.mcp.url);
    change(parameters);
    const fault = await faultOf(finishAuthorization({ ...parties, pending, parameters }));
    expect(fault).toMatchObject({ code: 'ISSUER_MISMATCH' });
    expect(fault.message).not.toMatch(/evil|denied|way/);
    expect(server.tokenRequests).toEqual([]);
  }));

  it('needs no issuer where none was promised, but one that comes must fit', () => faulty({ advertiseIss: false, callbackIss: null }, async (server) => {
    expect(await loggedIn(way, server.mcp.url)).toMatchObject({ tokens: { tokenType: 'Bearer' } });
    server.faults.callbackIss = 'https://evil.example';
    expect(await faultOf(loggedIn(way, server.mcp.url))).toMatchObject({ code: 'ISSUER_MISMATCH' });
  }));

  it.each([
    ['access_denied', 'ACCESS_DENIED'], ['temporarily_unavailable', 'TEMPORARY'], ['server_error', 'TEMPORARY'], ['invalid_scope', 'REFUSED'], ['unauthorized_client', 'REFUSED'], ['invalid_client', 'REFUSED'], ['invalid_target', 'REFUSED'],
  ])('%s is %s, quoted', (authorizationError, code) => faulty({ authorizationError }, async (server) => {
    const { parties, pending, parameters } = await consented(way, server.mcp.url);
    const fault = await faultOf(finishAuthorization({ ...parties, pending, parameters }));
    expect(fault).toMatchObject({ code, error: authorizationError });
    expect(fault.publicMessage).toContain(`"${authorizationError}: <b>no</b> way"`);
    expect(server.tokenRequests).toEqual([]);
  }));

  it.each<[string, (query: URLSearchParams) => void]>([
    ['no code', (query) => query.delete('code')], ['two codes', (query) => query.append('code', 'another')], ['a token', (query) => query.set('token', 'x')], ['a signed response', (query) => query.set('response', 'x')],
  ])('with %s is INVALID_ANSWER', (_name, change) => faulty({}, async (server) => {
    const { parties, pending, parameters } = await consented(way, server.mcp.url);
    change(parameters);
    expect(await faultOf(finishAuthorization({ ...parties, pending, parameters }))).toMatchObject({ code: 'INVALID_ANSWER' });
    expect(server.tokenRequests).toEqual([]);
  }));

  it('goes nowhere when the issuer or the client changed meanwhile', () => faulty({}, (server) => faulty({}, async (other) => {
    const { parties, pending, parameters } = await consented(way, server.mcp.url);
    const elsewhere = await discovered(way, other.mcp.url);
    expect(await faultOf(finishAuthorization({ ...parties, discovery: elsewhere, pending, parameters }))).toMatchObject({ code: 'ISSUER_MISMATCH' });
    const client = await register(way, parties.discovery);
    expect(await faultOf(finishAuthorization({ ...parties, client, pending, parameters }))).toMatchObject({ code: 'ISSUER_MISMATCH' });
    expect([...server.tokenRequests, ...other.tokenRequests]).toEqual([]);
  })));

  it('whose code was used, or stolen without the verifier, is INVALID_GRANT, and the code isn\'t repeated', () => faulty({}, async (server) => {
    const first = await consented(way, server.mcp.url);
    await finishAuthorization({ ...first.parties, pending: first.pending, parameters: first.parameters });
    const replay = await faultOf(finishAuthorization({ ...first.parties, pending: first.pending, parameters: first.parameters }));
    expect(replay).toMatchObject({ code: 'INVALID_GRANT' });
    expect(replay.message).not.toContain(first.parameters.get('code'));
    const second = await consented(way, server.mcp.url);
    expect(await faultOf(finishAuthorization({ ...second.parties, pending: { ...second.pending, codeVerifier: first.pending.codeVerifier }, parameters: second.parameters }))).toMatchObject({ code: 'INVALID_GRANT' });
  }));
});

describe('a token answer', () => {
  const lasts = (tokens: TokenSet) => tokens.expiresAt && (tokens.expiresAt.getTime() - tokens.obtainedAt.getTime()) / 1000;

  it.each<[string, Faults, number | null]>([
    ['without expires_in', { expiresIn: 'missing' }, null], ['with expires_in null', { expiresIn: null }, null], ['with expires_in zero', { expiresIn: 0 }, null], ['with a negative expires_in', { expiresIn: -1 }, null],
    ['with expires_in as text', { expiresIn: '120' }, 120], ['with expires_in that is no number', { expiresIn: 'soon' }, null], ['with expires_in beyond all dates', { expiresIn: 1e300 }, 315_360_000], ['with a life of five seconds', { expiresIn: 5 }, 5],
    ['from a clock that is five minutes ahead', { clockSkewSeconds: 300 }, 3_600], ['from a clock that is five minutes behind', { clockSkewSeconds: -300 }, 3_600],
  ])('%s is read', (_name, faults, seconds) => faulty(faults, async (server) => {
    const { tokens } = await loggedIn(way, server.mcp.url);
    expect(lasts(tokens)).toBe(seconds);
    expect(await tryToken(server.mcp.url, tokens.accessToken)).toBe(200);
  }));

  it('with a life of five seconds makes no hot loop', () => faulty({ expiresIn: 5 }, async (server) => {
    const { tokens } = await loggedIn(way, server.mcp.url);
    const plan = refreshPlan({ ...tokens, lastAttempt: null, jitter: 1 })!;
    expect(plan.getTime() - tokens.obtainedAt.getTime()).toBe(5_000);
  }));

  it.each<[string, Faults, Partial<TokenSet>]>([
    ['null members', { nullFields: true }, { scopes: ['a'] }],
    ['no token_type', { tokenType: null }, { tokenType: 'Bearer' }],
    ['a token_type in capitals', { tokenType: 'BEARER' }, { tokenType: 'Bearer' }],
    ['scopes with commas', { tokenMembers: { scope: 'repo,gist' } }, { scopes: ['repo', 'gist'] }],
    ['scopes that are none among others', { tokenMembers: { scope: 'a b\u0000c \u202ed "e"' } }, { scopes: ['a'] }],
    ['thousands of scopes, some of them huge', { tokenMembers: { scope: ['x'.repeat(201), ...Array.from({ length: 5_000 }, (_, index) => `s${index % 2_000}`)].join(' ') } }, { scopes: Array.from({ length: 200 }, (_, index) => `s${index}`) }],
    ['scopes as a list', { tokenMembers: { scope: ['repo', 'gist'] } }, { scopes: ['repo', 'gist'] }],
    ['an id_token that nobody can check', { tokenMembers: { id_token: 'x.y.z' } }, { scopes: ['a'] }],
    ['an empty refresh token', { tokenMembers: { refresh_token: '' } }, { refreshToken: null }],
  ])('with %s is read', (_name, faults, expected) => faulty(faults, async (server) => {
    expect((await loggedIn(way, server.mcp.url, { scopes: ['a'] })).tokens).toMatchObject(expected);
  }));

  it.each<[string, Faults]>([
    ['a token of an unknown type', { tokenType: 'N_A' }], ['a DPoP token', { tokenType: 'DPoP' }], ['no token', { tokenMembers: { access_token: null } }], ['a token with a line break', { tokenMembers: { access_token: 'a\r\nX: y' } }],
    ['a token that no header has room for', { tokenMembers: { access_token: 'x'.repeat(20_000) } }],
  ])('with %s is INVALID_ANSWER', (_name, faults) => faulty(faults, async (server) => {
    expect(await faultOf(loggedIn(way, server.mcp.url))).toMatchObject({ code: 'INVALID_ANSWER' });
  }));
});

describe('a refresh', () => {
  it('keeps the old refresh token where the answer brings none', () => faulty({ refreshTokenOnRefresh: 'missing' }, async (server) => {
    const { parties, tokens } = await loggedIn(way, server.mcp.url);
    const second = await refresh(parties, tokens);
    expect(second.refreshToken).toBe(tokens.refreshToken);
    expect(second.accessToken).not.toBe(tokens.accessToken);
    server.faults.nullFields = true;
    const third = await refresh(parties, second);
    expect(third).toMatchObject({ refreshToken: tokens.refreshToken, scopes: tokens.scopes });
  }));

  it('names the resource, and no scope', () => faulty({}, async (server) => {
    const { parties, tokens } = await loggedIn(way, server.mcp.url);
    await refresh(parties, tokens);
    expect([...server.tokenRequests.at(-1)!.keys()].toSorted()).toEqual(['grant_type', 'refresh_token', 'resource']);
    expect(server.tokenRequests.at(-1)!.get('resource')).toBe(server.mcp.url);
  }));

  it('by a public client sends its id and never a secret, not even an empty one', () => faulty({ authMethods: ['none'] }, async (server) => {
    const { parties, tokens } = await loggedIn(way, server.mcp.url);
    await refresh(parties, tokens);
    await refreshTokens({ ...parties, client: { ...parties.client, clientSecret: '', authMethod: 'client_secret_post' }, refreshToken: [...server.refreshTokens.keys()].at(-1)!, scopes: [] });
    for (const body of server.tokenRequests) {
      expect(body.has('client_secret')).toBe(false);
      expect(body.get('client_id')).toBe(parties.client.clientId);
    }
    expect(server.seen.filter(({ path, headers }) => path === '/token' && headers.authorization !== undefined)).toEqual([]);
  }));

  it.each(['form', 'none'] as const)('by a client whose secret holds - and _ and . works at a server that decodes Basic credentials as "%s"', (basicDecoding) => faulty({ basicDecoding, clientSecret: 'se-cr_et.with~dashes-_.' }, async (server) => {
    // The tilde is encoded by the URL standard: it is left out where the server doesn't decode.
    if (basicDecoding === 'none') server.faults.clientSecret = 'se-cr_et.with-dashes-_.';
    const { parties, tokens } = await loggedIn(way, server.mcp.url);
    expect(parties.client).toMatchObject({ authMethod: 'client_secret_basic', clientSecret: server.faults.clientSecret });
    expect(await refresh(parties, tokens)).toMatchObject({ tokenType: 'Bearer' });
  }));

  it.each<[string, Faults, string, number | null]>([
    ['is limited', { token: '429' }, 'TEMPORARY', 7_000], ['is down', { token: '503' }, 'TEMPORARY', 7_000], ['fails', { token: '500' }, 'OUTCOME_UNKNOWN', null], ['is behind a broken gateway', { token: '502' }, 'OUTCOME_UNKNOWN', null],
    ['cuts the connection', { token: 'reset' }, 'OUTCOME_UNKNOWN', null], ['answers with a web page', { token: 'html' }, 'OUTCOME_UNKNOWN', null], ['redirects', { token: 'redirect' }, 'OUTCOME_UNKNOWN', null],
    ['never answers', { token: 'hang' }, 'OUTCOME_UNKNOWN', null], ['refuses without words', { token: '400' }, 'REFUSED', null], ['loses its answer', { loseRefreshAnswer: true }, 'OUTCOME_UNKNOWN', null],
  ])('at a token endpoint that %s is told apart', (_name, faults, code, retryAfterMs) => faulty({}, async (server) => {
    const { parties, tokens } = await loggedIn(way, server.mcp.url);
    Object.assign(server.faults, faults);
    const sent = server.seen.length;
    const fault = await faultOf(refresh({ ...parties, transport: { ...way.transport, timeoutMs: faults.token === 'hang' ? 1500 : 10_000 } }, tokens));
    expect(fault).toMatchObject({ code, retryAfterMs, retryable: code === 'TEMPORARY' });
    expect(server.seen.length - sent).toBe(1);
  }));

  it('is TEMPORARY where no connection can be made, and REFUSED_BY_POLICY where we don\'t go', () => faulty({}, async (server) => {
    const { parties, tokens } = await loggedIn(way, server.mcp.url);
    const at = (token_endpoint: string) => ({ ...parties, discovery: { ...parties.discovery, metadata: { ...parties.discovery.metadata, token_endpoint } } });
    expect(await faultOf(refresh(at('http://127.0.0.1:9/token'), tokens))).toMatchObject({ code: 'TEMPORARY' });
    expect(await faultOf(refresh(at('http://169.254.169.254/token'), tokens))).toMatchObject({ code: 'REFUSED_BY_POLICY' });
    expect(await refresh(parties, tokens)).toMatchObject({ tokenType: 'Bearer' });
  }));

  it('with a token that is dead is INVALID_GRANT, also in the form in which GitHub says so, and the token isn\'t repeated', () => faulty({}, async (server) => {
    const { parties, tokens } = await loggedIn(way, server.mcp.url);
    server.refreshTokens.clear();
    const fault = await faultOf(refresh(parties, tokens));
    expect(fault).toMatchObject({ code: 'INVALID_GRANT', status: 400 });
    expect(fault.message).toContain('[redacted]');
    expect(fault.message).not.toContain(tokens.refreshToken);
    server.faults.errorsWith200 = true;
    expect(await faultOf(refresh(parties, tokens))).toMatchObject({ code: 'INVALID_GRANT', status: 200 });
  }));

  it('by a client that is unknown is INVALID_CLIENT although it comes with a challenge, and the secret isn\'t repeated', () => faulty({}, async (server) => {
    const { parties, tokens } = await loggedIn(way, server.mcp.url);
    server.clients.clear();
    const fault = await faultOf(refresh(parties, tokens));
    expect(fault).toMatchObject({ code: 'INVALID_CLIENT', status: 401 });
    expect(fault.message).not.toContain(parties.client.clientSecret);
    expect(server.presented).toEqual([]);
  }));
});

describe('revocation', () => {
  it.each<[string, Faults, object]>([
    ['works', {}, { outcome: 'REVOKED' }],
    ['isn\'t offered', { revocation: 'absent' }, { outcome: 'NOT_SUPPORTED' }],
    ['doesn\'t take this kind of token', { revocation: 'unsupported' }, { outcome: 'NOT_SUPPORTED' }],
    ['is down', { revocation: '503' }, { outcome: 'FAILED', retryable: true, retryAfterMs: 7_000 }],
    ['fails', { revocation: '500' }, { outcome: 'FAILED', retryable: true }],
    ['never answers', { revocation: 'hang' }, { outcome: 'FAILED', retryable: true }],
    ['refuses', { revocation: '400' }, { outcome: 'FAILED', retryable: false }],
  ])('that %s is told', (_name, faults, expected) => faulty(faults, async (server) => {
    const { parties, tokens } = await loggedIn(way, server.mcp.url);
    const revocation = await revokeTokens({ ...parties, transport: { ...way.transport, timeoutMs: faults.revocation === 'hang' ? 300 : 10_000 }, tokens });
    expect(revocation).toMatchObject(expected);
    expect(JSON.stringify(revocation)).not.toContain(tokens.accessToken);
    expect(server.revoked).toEqual(revocation.outcome === 'REVOKED' ? [tokens.refreshToken, tokens.accessToken] : []);
  }));
});
