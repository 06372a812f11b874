import type { DiscoveryReport } from '#core/oauth/discovery.js';
import { decideOutcome } from '#core/oauth/outcome.js';
import { startEverything } from '#test/support/mcp-servers/everything.js';
import { startMinimal } from '#test/support/mcp-servers/minimal.js';
import type { Faults } from '#test/support/oauth-servers/faults.js';
import { startFaultyAuthorizationServer, type FaultyServer } from '#test/support/oauth-servers/faulty-server.js';
import { startGuardedMcp, type Guard } from '#test/support/oauth-servers/guarded-mcp.js';
import { discover, REDIRECT_URI, TestWay } from '#test/support/oauth-servers/journey.js';
import { startOidcProvider } from '#test/support/oauth-servers/oidc-provider.js';
import { startSdkDemo } from '#test/support/oauth-servers/sdk-demo.js';

let way: TestWay;
beforeEach(() => { way = new TestWay(); });
afterEach(() => way.close());

const tried = (report: DiscoveryReport): string[] => report.steps.map(({ name, outcome }) => `${name} ${outcome}`);
const outcome = (discovery: DiscoveryReport) => decideOutcome({ discovery, challenged: true, redirectUri: REDIRECT_URI, clientMetadataUrl: null });

async function faulty<T>(options: { faults?: Faults; guard?: Partial<Guard>; path?: string }, use: (server: FaultyServer) => Promise<T>): Promise<T> {
  const server = await way.kept(startFaultyAuthorizationServer(options));
  return use(server);
}

it('finds a real authorization server through the challenge', async () => {
  const server = await way.kept(startOidcProvider());
  const report = await discover(way, server.mcp.url);
  expect(report.found).toMatchObject({ issuer: server.issuer, resource: server.mcp.url, tokenHost: new URL(server.issuer).host, scopesSupported: ['mcp:tools'], pkceAdvertised: true, fallbacks: [] });
  expect(tried(report)).toEqual(['challenge OK', 'resource metadata OK', 'authorization server OK']);
  expect(outcome(report)).toMatchObject({ outcome: 'AUTOMATIC', registrationMethods: ['PREREGISTERED', 'DYNAMIC'], issuer: server.issuer, authorizationEndpoint: `${server.issuer}/auth` });
});

it('finds the authorization server of the SDK\'s demo, whose issuer ends in a slash', async () => {
  const demo = await way.kept(startSdkDemo());
  const report = await discover(way, demo.url);
  expect(report.found).toMatchObject({ issuer: demo.issuer, resource: demo.url, fallbacks: [] });
  expect(outcome(report)).toMatchObject({ outcome: 'AUTOMATIC' });
});

it.each([
  ['path', ['challenge OK', 'resource metadata OK', 'authorization server OK']],
  ['root', ['challenge OK', 'resource metadata FAILED', 'resource metadata OK', 'authorization server OK']],
] as const)('finds resource metadata at its well-known %s', (metadataAt, steps) => faulty({ guard: { metadataAt } }, async (server) => {
  const report = await discover(way, server.mcp.url);
  expect(report.found).toMatchObject({ issuer: server.issuer, fallbacks: [] });
  expect(tried(report)).toEqual(steps);
}));

it('looks at the well-known place where the challenge names one that has nothing, and says so', () => faulty({}, async (server) => {
  server.mcp.guard.challenge = `Bearer resource_metadata="${server.issuer}/nothing", scope="a b"`;
  const { found } = await discover(way, server.mcp.url);
  expect(found).toMatchObject({ issuer: server.issuer, challengeScopes: ['a', 'b'] });
  expect(found!.fallbacks).toEqual([expect.stringContaining('/nothing')]);
}));

it.each([
  ['', 'oauth', 1], ['', 'oidc', 2], ['/tenant/one', 'oauth', 1], ['/tenant/one', 'oidc', 2], ['/tenant/one', 'oidc-appended', 3],
] as const)('finds metadata of an issuer with the path "%s" at its %s place', (path, metadataAt, place) => faulty({ path, faults: { metadataAt } }, async (server) => {
  const report = await discover(way, server.mcp.url);
  expect(report.found).toMatchObject({ issuer: server.issuer });
  expect(report.steps.filter(({ name }) => name === 'authorization server')).toHaveLength(place);
}));

it.each<[string, Faults, string, string]>([
  ['metadata with a foreign issuer', { issuerInMetadata: 'https://evil.example' }, 'INCONSISTENT', 'character by character'],
  ['an issuer that differs in a final slash', { metadataMembers: {} }, 'INCONSISTENT', 'character by character'],
  ['no S256 advertised', { pkceMethods: null }, 'PKCE_NOT_ADVERTISED', 'allowUnadvertisedPkce'],
  ['plain PKCE only', { pkceMethods: ['plain'] }, 'UNSUPPORTED', 'S256'],
  ['no token endpoint', { metadataMembers: { token_endpoint: null } }, 'INCONSISTENT', 'token_endpoint'],
  ['a script for an authorization endpoint', { metadataMembers: { authorization_endpoint: 'javascript:alert(1)' } }, 'INCONSISTENT', 'authorization_endpoint'],
  ['an endpoint with a NUL at its end', { metadataMembers: { authorization_endpoint: 'http://127.0.0.1/authorize\u0000' } }, 'INCONSISTENT', 'authorization_endpoint'],
  ['an endpoint with half a character', { metadataMembers: { token_endpoint: 'http://127.0.0.1/token\ud800' } }, 'INCONSISTENT', 'token_endpoint'],
  ['a token endpoint at a refused address', { metadataMembers: { token_endpoint: 'http://169.254.169.254/token' } }, 'REFUSED_BY_POLICY', 'refused by policy'],
  ['clients authenticated by key only', { authMethods: ['private_key_jwt'] }, 'UNSUPPORTED', 'private_key_jwt'],
  ['pushed requests demanded', { metadataMembers: { require_pushed_authorization_requests: true } }, 'UNSUPPORTED', '9126'],
  ['no code flow', { metadataMembers: { response_types_supported: ['token'] } }, 'UNSUPPORTED', 'code'],
  ['an authorization server that is down', { metadata: '503' }, 'UNREACHABLE', 'Try again later'],
  ['an authorization server that cuts connections', { metadata: 'reset' }, 'UNREACHABLE', 'Try again later'],
  ['a web page in place of metadata', { metadata: 'html' }, 'INCONSISTENT', 'No authorization-server metadata'],
  ['no metadata at all', { metadataAt: 'nowhere' }, 'INCONSISTENT', 'No authorization-server metadata'],
])('refuses %s', (name, faults, code, message) => faulty({ faults }, async (server) => {
  if (name.includes('final slash')) server.faults.issuerInMetadata = `${server.issuer}/`;
  const report = await discover(way, server.mcp.url);
  expect(report).toMatchObject({ found: null, failure: { code } });
  expect(report.failure!.message).toContain(message);
  expect(outcome(report)).toMatchObject({ outcome: 'NOT_SUPPORTED', retryable: code === 'UNREACHABLE' });
}));

it('takes a registration endpoint at a refused address for none, and says so', () => faulty({ faults: { metadataMembers: { registration_endpoint: 'http://10.0.0.1/register' } } }, async (server) => {
  const report = await discover(way, server.mcp.url);
  expect(report.steps.at(-1)).toMatchObject({ outcome: 'FAILED', message: expect.stringContaining('"registration_endpoint" is refused by policy') });
  expect(outcome(report)).toMatchObject({ outcome: 'CLIENT_REQUIRED', registrationMethods: ['PREREGISTERED'] });
}));

it('finds no OAuth at a server that answers everything with some JSON', async () => {
  const server = await way.kept(startGuardedMcp({ authorizationServers: null, verify: () => Promise.resolve(null), metadataAt: 'nowhere' }, (request, response) => {
    if (request.method !== 'GET') return false;
    response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"status":"ok"}');
    return true;
  }));
  expect((await discover(way, server.url)).failure).toMatchObject({ code: 'ABSENT' });
});

it('admits a server that doesn\'t advertise PKCE where that is allowed, but not one that lists other methods only', () => faulty({ faults: { pkceMethods: null } }, async (server) => {
  expect((await discover(way, server.mcp.url, { allowUnadvertisedPkce: true })).found).toMatchObject({ issuer: server.issuer, pkceAdvertised: false });
  server.faults.pkceMethods = ['plain'];
  expect((await discover(way, server.mcp.url, { allowUnadvertisedPkce: true })).failure).toMatchObject({ code: 'UNSUPPORTED' });
}));

it.each([
  'https://other.example/mcp', 'http://127.0.0.1:9/mcp', '/mcp', 'not a url', 'http://user@HOST/mcp', 'http://HOST/mcp/deeper', 'http://HOST/mc', 'http://HOST/mcp?x=1', 'http://HOST/mcp#x', 'http://HOST/mcp\u0000',
])('refuses resource metadata for %s', (resource) => faulty({}, async (server) => {
  server.mcp.guard.metadata = { resource: resource.replace('HOST', new URL(server.mcp.url).host) };
  expect(await discover(way, server.mcp.url)).toMatchObject({ found: null, failure: { code: 'INCONSISTENT' } });
  expect(server.seen).toEqual([]);
}));

it.each(['http://HOST', 'http://HOST/', 'http://HOST/mcp/'])('takes resource metadata for the parent %s, as published', (template) => faulty({}, async (server) => {
  const resource = template.replace('HOST', new URL(server.mcp.url).host);
  server.mcp.guard.metadata = { resource };
  expect((await discover(way, server.mcp.url)).found).toMatchObject({ resource });
}));

it('refuses a redirect to a private address during discovery, without a time and without saying what is there', () => faulty({}, async (server) => {
  for (const target of ['http://169.254.169.254/latest/meta-data', 'http://10.1.2.3/']) {
    server.faults.redirectMetadataTo = target;
    const report = await discover(way, server.mcp.url);
    expect(report.failure).toMatchObject({ code: 'REFUSED_BY_POLICY' });
    expect(report.steps.find(({ message }) => message.includes('refused'))).toMatchObject({ name: 'authorization server', outcome: 'FAILED', durationMs: null });
    expect(JSON.stringify(report)).not.toContain(new URL(target).host);
  }
}));

it('leaves out of lists what could not be stored', () => faulty({ faults: { metadataMembers: { scopes_supported: ['\ud800', 'a\u0000b', 7, 'ok'], grant_types_supported: 'none' } } }, async (server) => {
  const { found } = await discover(way, server.mcp.url);
  expect(found!.metadata.scopes_supported).toEqual(['ok']);
  expect(found!.metadata.grant_types_supported).toBeUndefined();
}));

it('takes for scopes only what can be one', () => faulty({ guard: { scopesSupported: ['mcp:tools', 'mcp:tools admin:all', '\u202edaer', '<b>"'] } }, async (server) => {
  expect((await discover(way, server.mcp.url)).found).toMatchObject({ scopesSupported: ['mcp:tools'] });
}));

it('follows a redirect of metadata to an address that policy admits', () => faulty({}, async (server) => {
  await faulty({}, async (other) => {
    other.faults.issuerInMetadata = server.issuer;
    server.faults.redirectMetadataTo = `${other.issuer}/.well-known/oauth-authorization-server`;
    expect((await discover(way, server.mcp.url)).found).toMatchObject({ issuer: server.issuer });
  });
}));

it('never asks a private address that a challenge names', () => faulty({}, async (server) => {
  server.mcp.guard.challenge = 'Bearer resource_metadata="http://192.168.1.1/secret"';
  const report = await discover(way, server.mcp.url);
  expect(report.failure).toMatchObject({ code: 'REFUSED_BY_POLICY' });
  expect(report.steps.at(-1)).toMatchObject({ name: 'resource metadata', outcome: 'FAILED', durationMs: null });
}));

it('takes the second authorization server where the first can\'t be used, and keeps to the pinned one', () => faulty({}, (first) => faulty({}, async (second) => {
  first.mcp.guard.authorizationServers = [first.issuer, second.issuer];
  first.faults.metadata = '404';
  expect((await discover(way, first.mcp.url)).found).toMatchObject({ issuer: second.issuer });
  expect((await discover(way, first.mcp.url, { pinnedIssuer: first.issuer })).failure).toMatchObject({ code: 'INCONSISTENT' });
  first.faults.metadata = undefined;
  expect((await discover(way, first.mcp.url, { pinnedIssuer: second.issuer })).found).toMatchObject({ issuer: second.issuer });
  expect((await discover(way, first.mcp.url, { pinnedIssuer: 'https://gone.example' })).found).toMatchObject({ issuer: first.issuer });
})));

describe('a server of 2025-03-26, which is its own authorization server', () => {
  const serve = (metadata: (origin: string) => object | null, authorize = 404) => startGuardedMcp({ authorizationServers: null, verify: () => Promise.resolve(null), metadataAt: 'nowhere' }, (_request, response, seen) => {
    const origin = `http://${seen.headers.host}`;
    const document = seen.path === '/.well-known/oauth-authorization-server' ? metadata(origin) : null;
    if (document !== null) response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(document));
    else if (seen.path === '/authorize') response.writeHead(authorize).end();
    else return false;
    return true;
  });
  const document = (origin: string, slash = '') => ({ issuer: origin + slash, authorization_endpoint: `${origin}/a`, token_endpoint: `${origin}/t`, code_challenge_methods_supported: ['S256'] });

  it.each(['', '/'])('is found at its origin, which it may write with the ending "%s", and that is said', async (slash) => {
    const server = await way.kept(serve((origin) => document(origin, slash)));
    const { found } = await discover(way, server.url);
    expect(found).toMatchObject({ issuer: new URL(server.url).origin + slash, resource: server.url });
    expect(found!.fallbacks).toEqual([expect.stringContaining('2025-03-26')]);
  });

  it('is refused when its metadata name somebody else', async () => {
    const server = await way.kept(serve(() => document('http://127.0.0.1:9')));
    expect((await discover(way, server.url)).failure).toMatchObject({ code: 'INCONSISTENT' });
  });

  it('is taken at its default endpoints only where a manager allows it and something answers there', async () => {
    const server = await way.kept(serve(() => null, 400));
    expect((await discover(way, server.url)).failure).toMatchObject({ code: 'ABSENT' });
    const { found } = await discover(way, server.url, { allowUnadvertisedPkce: true });
    expect(found).toMatchObject({ metadata: { token_endpoint: `${new URL(server.url).origin}/token` }, fallbacks: [expect.stringContaining('default endpoints')] });
    const silent = await way.kept(serve(() => null, 404));
    expect((await discover(way, silent.url, { allowUnadvertisedPkce: true })).failure).toMatchObject({ code: 'ABSENT' });
  });

  it('isn\'t guessed at while its resource metadata can\'t be read', async () => {
    const server = await way.kept(startGuardedMcp({ authorizationServers: null, verify: () => Promise.resolve(null), metadataAt: 'nowhere' }, (_request, response, seen) => {
      if (!seen.path.startsWith('/.well-known/')) return false;
      response.writeHead(seen.path.includes('protected-resource') ? 502 : 200, { 'Content-Type': 'application/json' }).end(JSON.stringify(document(`http://${seen.headers.host}`)));
      return true;
    }));
    expect((await discover(way, server.url)).failure).toMatchObject({ code: 'UNREACHABLE' });
  });
});

it('finds no OAuth at servers with a static key or none, whatever their challenge says', async () => {
  const key = await way.kept(startMinimal({ credential: { header: 'Authorization', value: 'Bearer static-key' } }));
  const withKey = await discover(way, key.url);
  expect(withKey.failure).toMatchObject({ code: 'ABSENT' });
  expect(outcome(withKey)).toMatchObject({ outcome: 'NOT_SUPPORTED', suggestedAuthMethod: 'ACCESS_TOKEN', retryable: false });
  const open = await way.kept(startEverything());
  const without = await discover(way, open.url);
  expect(decideOutcome({ discovery: without, challenged: false, redirectUri: REDIRECT_URI, clientMetadataUrl: null })).toMatchObject({ outcome: 'NOT_SUPPORTED', suggestedAuthMethod: 'NONE' });
});

it('ends in time when nobody answers', () => faulty({ faults: { metadata: 'hang' } }, async (server) => {
  const report = await discover(way, server.mcp.url, { timeoutMs: 400 });
  expect(report.failure).toMatchObject({ code: 'UNREACHABLE' });
}));
