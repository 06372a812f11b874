import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createHmac } from 'node:crypto';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, importJWK, SignJWT, type JWK, type JWTPayload } from 'jose';
import { Provider, type Configuration } from 'oidc-provider';
import { createLogger } from '#core/log.js';
import { OidcVerifier, type OidcOptions } from '#api/identity/oidc-verifier.js';

const API = 'https://fairlead.example/';
const claims: Record<string, unknown> = {};

/** A real OIDC issuer, whose keys can be exchanged, and which can be switched off. */
class Issuer {
  down = false;
  requests: string[] = [];
  key!: JWK;
  #answer!: RequestListener;
  readonly #server: Server = createServer((request, response) => {
    this.requests.push(request.url ?? '');
    if (this.down) response.writeHead(503).end('down');
    else this.#answer(request, response);
  });

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    await this.rotate('first');
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async rotate(kid: string): Promise<void> {
    const { privateKey } = await generateKeyPair('RS256', { extractable: true });
    this.key = { ...await exportJWK(privateKey), kid, use: 'sig', alg: 'RS256' };
    const configuration: Configuration = {
      clients: [{ client_id: 'ada', client_secret: 'secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }],
      jwks: { keys: [this.key as never] },
      cookies: { keys: ['k'] },
      ttl: { ClientCredentials: 600 },
      extraTokenClaims: () => ({ ...claims }),
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_ctx, resource) => ({ scope: '', audience: resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } }),
        },
      },
    };
    this.#answer = new Provider(this.url, configuration).callback();
  }

  /** An access token as the issuer hands it out. */
  async token(resource = API): Promise<string> {
    const response = await fetch(`${this.url}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from('ada:secret').toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource }),
    });
    expect(response.status).toBe(200);
    return ((await response.json()) as { access_token: string }).access_token;
  }

  /** A token that the issuer would not hand out, signed with its key all the same. */
  async forge(payload: JWTPayload, header: Record<string, unknown> = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ iss: this.url, aud: API, sub: 'ada', iat: now, exp: now + 600, ...payload })
      .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid: this.key.kid, ...header }).sign(await importJWK(this.key, 'RS256'));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

let issuer: Issuer;
let stranger: Issuer;
let now = 0;
const lines: string[] = [];

const verifierWith = (overrides: Partial<OidcOptions> = {}): OidcVerifier => new OidcVerifier({
  issuer: issuer.url, audience: API, subjectClaim: 'sub', nameClaim: 'name', groupsClaim: null, groups: [], admins: [], clockToleranceSeconds: 30,
  fetch: globalThis.fetch, logger: createLogger('debug', { write: (line: string) => void lines.push(line) }), now: () => now, ...overrides,
});

beforeAll(async () => {
  // oidc-provider warns about its in-memory adapter, which is what a test wants.
  jest.spyOn(console, 'warn').mockImplementation(() => undefined);
  [issuer, stranger] = await Promise.all([new Issuer().start(), new Issuer().start()]);
});
afterAll(async () => {
  jest.restoreAllMocks();
  await Promise.all([issuer.stop(), stranger.stop()]);
});
beforeEach(() => {
  now = Date.now();
  for (const name of Object.keys(claims)) delete claims[name];
});
afterEach(() => {
  issuer.down = false;
  issuer.requests = [];
});

const refusal = (publicMessage: string): unknown => expect.objectContaining({ code: 'UNAUTHENTICATED', publicMessage });
const INVALID = refusal('The token is not valid. Sign in again.');
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('an access token of the issuer', () => {
  it('says who is calling', async () => {
    Object.assign(claims, { name: ' Ada Lovelace ', email: 'ada@example.com', email_verified: true });
    expect(await verifierWith().verify(await issuer.token())).toEqual({
      subject: 'ada', displayName: 'Ada Lovelace', email: 'ada@example.com', installationAdmin: false, grants: null, expiresAt: expect.any(Date),
    });
  });

  it('grants roles by groups, and administration by subject, as configured', async () => {
    Object.assign(claims, { groups: ['devs', 'other', 7] });
    const options = { groupsClaim: 'groups', groups: [{ group: 'devs', team: 'payments', role: 'MANAGER' as const }], admins: ['ada'] };
    expect(await verifierWith(options).verify(await issuer.token())).toMatchObject({ installationAdmin: true, grants: [{ team: 'payments', role: 'MANAGER' }] });
    delete claims.groups;
    expect(await verifierWith(options).verify(await issuer.token())).toMatchObject({ grants: [] });
  });

  it('counts a mail address only if the issuer verified it', async () => {
    Object.assign(claims, { email: 'ceo@example.com', email_verified: false });
    expect(await verifierWith().verify(await issuer.token())).toMatchObject({ email: null });
    await expect(verifierWith({ subjectClaim: 'email' }).verify(await issuer.token())).rejects.toEqual(refusal(expect.stringContaining('Verify it') as never));
    claims.email_verified = true;
    expect(await verifierWith({ subjectClaim: 'email' }).verify(await issuer.token())).toMatchObject({ subject: 'ceo@example.com' });
  });

  it('is refused for another audience, and says which kind to get', async () => {
    await expect(verifierWith().verify(await issuer.token('https://other.example/'))).rejects.toEqual(refusal('The token was issued for another service. Get one whose audience is this API.'));
  });

  it('is refused once it has expired, with the tolerance for clocks that go wrong', async () => {
    const token = await issuer.token();
    now += 620_000;
    expect(await verifierWith().verify(token)).toMatchObject({ subject: 'ada' });
    now += 20_000;
    await expect(verifierWith().verify(token)).rejects.toEqual(refusal('The sign-in has expired. Sign in again.'));
  });

  it('of another issuer is refused, even if that claims to be ours', async () => {
    await expect(verifierWith().verify(await stranger.token())).rejects.toEqual(INVALID);
    await expect(verifierWith().verify(await stranger.forge({ iss: issuer.url }))).rejects.toEqual(INVALID);
  });
});

describe('a token that nobody should have made', () => {
  it('is refused when it was changed', async () => {
    const [header, , signature] = (await issuer.token()).split('.');
    const payload = part({ iss: issuer.url, aud: API, sub: 'root', exp: Math.floor(now / 1000) + 600 });
    await expect(verifierWith().verify(`${header}.${payload}.${signature}`)).rejects.toEqual(INVALID);
  });

  it('is refused unsigned, or signed with the public key as a shared secret', async () => {
    const payload = part({ iss: issuer.url, aud: API, sub: 'ada', exp: Math.floor(now / 1000) + 600 });
    await expect(verifierWith().verify(`${part({ alg: 'none' })}.${payload}.`)).rejects.toEqual(INVALID);
    const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...publicKey } = issuer.key;
    const pem = await exportSPKI(await importJWK(publicKey, 'RS256', { extractable: true }) as never);
    const signed = `${part({ alg: 'HS256', typ: 'at+jwt', kid: issuer.key.kid })}.${payload}`;
    await expect(verifierWith().verify(`${signed}.${createHmac('sha256', pem).update(signed).digest('base64url')}`)).rejects.toEqual(INVALID);
  });

  it('is refused when it is no access token', async () => {
    const idToken = 'That is an ID token. Send the access token instead.';
    await expect(verifierWith().verify(await issuer.forge({ at_hash: 'x' }, { typ: 'JWT' }))).rejects.toEqual(refusal(idToken));
    await expect(verifierWith().verify(await issuer.forge({ typ: 'Refresh' }, { typ: 'JWT' }))).rejects.toEqual(refusal(idToken));
    await expect(verifierWith().verify(await issuer.forge({}, { typ: 'logout+jwt' }))).rejects.toEqual(INVALID);
    await expect(verifierWith().verify(await issuer.forge({ cnf: { jkt: 'x' } }))).rejects.toEqual(refusal(expect.stringContaining('bound to a key') as never));
    for (const typ of [undefined, 'JWT', 'application/at+jwt']) expect(await verifierWith().verify(await issuer.forge({}, { typ }))).toMatchObject({ subject: 'ada' });
  });

  it('is refused without expiry or subject, from the future, or when it isn\'t yet valid', async () => {
    const soon = Math.floor(now / 1000) + 120;
    for (const payload of [{ exp: undefined }, { sub: undefined }, { sub: '' }, { sub: ' ada' }, { sub: 7 as never }, { iat: soon }, { nbf: soon }]) {
      await expect(verifierWith().verify(await issuer.forge(payload))).rejects.toEqual(INVALID);
    }
  });

  it('is refused when it is no token at all', async () => {
    for (const token of ['', 'x', 'a.b.c', '..', `${part({ alg: 'RS256' })}.${part({})}.AAAA`, 'é.é.é']) {
      await expect(verifierWith().verify(token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    }
  });
});

describe('the keys of the issuer', () => {
  it('are fetched once for many tokens at once', async () => {
    const token = await issuer.token();
    issuer.requests = [];
    const verifier = verifierWith();
    await Promise.all(Array.from({ length: 20 }, () => verifier.verify(token)));
    expect(issuer.requests).toEqual(['/.well-known/openid-configuration', '/jwks']);
  });

  it('may be rotated at any time, and an unknown key id makes us ask once, not always', async () => {
    const verifier = verifierWith();
    await verifier.verify(await issuer.token());
    await issuer.rotate('second');
    await verifier.verify(await issuer.token());
    const forged = await issuer.forge({}, { kid: 'nobody' });
    issuer.requests = [];
    for (let attempt = 0; attempt < 5; attempt += 1) await expect(verifier.verify(forged)).rejects.toEqual(INVALID);
    expect(issuer.requests).toEqual([]);
    now += 6_000;
    await expect(verifier.verify(forged)).rejects.toEqual(INVALID);
    expect(issuer.requests).toHaveLength(2);
  });

  it('go on working while the issuer is down, however long', async () => {
    const verifier = verifierWith();
    await verifier.verify(await issuer.token());
    issuer.down = true;
    now += 11 * 60_000;
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect(await verifier.verify(await issuer.forge({ exp: Math.floor(now / 1000) + 60 }))).toMatchObject({ subject: 'ada' });
    }
  });

  it('that were never fetched are a fault of their own, worth a retry, and heal', async () => {
    const token = await issuer.token();
    issuer.down = true;
    issuer.requests = [];
    const verifier = verifierWith();
    const unavailable = expect.objectContaining({ code: 'IDENTITY_UNAVAILABLE', extensions: expect.objectContaining({ http: expect.objectContaining({ status: 503 }) }) });
    for (let attempt = 0; attempt < 3; attempt += 1) await expect(verifier.verify(token)).rejects.toEqual(unavailable);
    expect(issuer.requests).toHaveLength(1);
    issuer.down = false;
    now += 6_000;
    expect(await verifier.verify(token)).toMatchObject({ subject: 'ada' });
  });

  it('are not taken from an issuer that spells its name otherwise', async () => {
    lines.length = 0;
    const verifier = verifierWith({ issuer: `${issuer.url}/` });
    await expect(verifier.verify(await issuer.token())).rejects.toMatchObject({ code: 'IDENTITY_UNAVAILABLE' });
    expect(lines.join('')).toContain('FAIRLEAD_OIDC_ISSUER');
  });

  it('are never fetched over plain HTTP from elsewhere', () => {
    expect(() => verifierWith({ issuer: 'http://issuer.example' })).toThrow('https');
  });
});
