import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { listen, record, sendJson, type SeenRequest, type TestListener } from '../mcp-servers/listener.js';
import { decodeBasic, type Faults } from './faults.js';
import { startGuardedMcp, type Guard, type GuardedMcp } from './guarded-mcp.js';

/** An authorization server of our own that does what real ones get wrong, and the MCP server that it guards. */
export interface FaultyServer {
  /** The identifier under which it is found. */
  issuer: string;
  mcp: GuardedMcp;
  /** Read at every request: change it on the way. */
  faults: Faults;
  seen: SeenRequest[];
  clients: Map<string, FaultyClient>;
  /** The bodies of requests to its token endpoint, as they were sent. */
  tokenRequests: URLSearchParams[];
  /** Refresh tokens that were presented, in order. */
  presented: string[];
  revoked: string[];
  /** Refresh tokens that are good now. */
  refreshTokens: Map<string, FaultyGrant>;
  /** Hands out tokens to a client as a consent would; they live as long as those of a refresh. */
  grant(clientId: string, scope: string): { accessToken: string; refreshToken: string };
  /** What an access token is good for; null when it has expired, or was never handed out. */
  verify(token: string): { scopes: string[] } | null;
  /** Makes all access tokens expire. */
  expire(): void;
  close(): Promise<void>;
}

export interface FaultyClient {
  client_id: string;
  client_secret?: string;
  registration_access_token: string;
  metadata: Record<string, unknown>;
}

export interface FaultyGrant {
  clientId: string;
  scope: string;
}

interface Code extends FaultyGrant {
  challenge: string | null;
  redirectUri: string;
}

/** Starts both on free ports of 127.0.0.1. Without faults it is correct: PKCE, rotating refresh tokens, dynamic registration with management, revocation, `iss` in answers. */
export async function startFaultyAuthorizationServer({ faults = {}, guard, path = '' }: { faults?: Faults; guard?: Partial<Guard>; path?: string } = {}): Promise<FaultyServer> {
  const seen: SeenRequest[] = [];
  const listener = await listen((request, response) => void record(request, seen).then(async (entry) => {
    await server.faults.before?.(entry.path);
    server.answer(request, response, entry);
  }), path, seen);
  const server = new Server(listener, faults);
  const mcp = await startGuardedMcp({ authorizationServers: [listener.url], verify: (token) => Promise.resolve(server.verify(token)), ...guard });
  return Object.assign(server, { mcp, close: async () => { await Promise.all([mcp.close(), listener.close()]); } });
}

class Server {
  readonly issuer: string;
  readonly origin: string;
  readonly seen: SeenRequest[];
  readonly clients = new Map<string, FaultyClient>();
  readonly tokenRequests: URLSearchParams[] = [];
  readonly presented: string[] = [];
  readonly revoked: string[] = [];
  readonly refreshTokens = new Map<string, FaultyGrant>();
  readonly #codes = new Map<string, Code>();
  readonly #access = new Map<string, { scope: string; until: number }>();

  constructor(listener: TestListener, public faults: Faults) {
    this.issuer = listener.url;
    this.origin = new URL(listener.url).origin;
    this.seen = listener.seen;
  }

  expire(): void {
    for (const token of this.#access.values()) token.until = 0;
  }

  grant(clientId: string, scope: string): { accessToken: string; refreshToken: string } {
    const [accessToken, refreshToken] = [`access-${randomUUID()}`, `refresh-${randomUUID()}`];
    this.#access.set(accessToken, { scope, until: Date.now() + this.#lifeMs() });
    this.refreshTokens.set(refreshToken, { clientId, scope });
    return { accessToken, refreshToken };
  }

  #lifeMs(): number {
    const { expiresIn } = this.faults;
    return (typeof expiresIn === 'number' && expiresIn > 0 ? expiresIn : 3_600) * 1000;
  }

  verify(token: string): { scopes: string[] } | null {
    const found = this.#access.get(token);
    return found && found.until > Date.now() ? { scopes: found.scope.split(' ') } : null;
  }

  answer(request: IncomingMessage, response: ServerResponse, seen: SeenRequest): void {
    response.setHeader('Date', new Date(this.#now()).toUTCString());
    const url = new URL(seen.path, this.origin);
    const wellKnown = this.#wellKnown();
    if (url.pathname === wellKnown) return this.#metadata(response);
    switch (url.pathname) {
      case '/authorize': return this.#authorize(response, url.searchParams);
      case '/token': return this.#trouble(response, this.faults.token) ? undefined : this.#token(request, response, seen);
      case '/register': return this.#register(response, seen);
      case '/revoke': return this.#trouble(response, this.faults.revocation) ? undefined : this.#revoke(response, seen);
    }
    if (url.pathname.startsWith('/register/')) return this.#manage(request, response, url.pathname.slice('/register/'.length), seen);
    sendJson(response, 404, { error: 'not found' });
  }

  #now(): number {
    return Date.now() + (this.faults.clockSkewSeconds ?? 0) * 1000;
  }

  #wellKnown(): string {
    const path = new URL(this.issuer).pathname.replace(/\/$/, '');
    switch (this.faults.metadataAt ?? 'oauth') {
      case 'oauth': return `/.well-known/oauth-authorization-server${path}`;
      case 'oidc': return `/.well-known/openid-configuration${path}`;
      case 'oidc-appended': return `${path}/.well-known/openid-configuration`;
      case 'nowhere': return '';
    }
  }

  #metadata(response: ServerResponse): void {
    const { faults } = this;
    if (faults.redirectMetadataTo !== undefined) return void response.writeHead(302, { Location: faults.redirectMetadataTo }).end();
    if (this.#trouble(response, faults.metadata)) return;
    sendJson(response, 200, {
      issuer: faults.issuerInMetadata ?? this.issuer,
      authorization_endpoint: `${this.origin}/authorize`, token_endpoint: `${this.origin}/token`,
      ...(faults.registration === 'absent' ? {} : { registration_endpoint: `${this.origin}/register` }),
      ...(faults.revocation === 'absent' ? {} : { revocation_endpoint: `${this.origin}/revoke` }),
      response_types_supported: ['code'], grant_types_supported: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_methods_supported: faults.authMethods ?? ['client_secret_basic', 'client_secret_post', 'none'],
      code_challenge_methods_supported: faults.pkceMethods === undefined ? ['S256'] : faults.pkceMethods ?? undefined,
      authorization_response_iss_parameter_supported: faults.advertiseIss ?? true,
      ...(faults.acceptsDocuments ? { client_id_metadata_document_supported: true } : {}),
      ...faults.metadataMembers,
    });
  }

  #authorize(response: ServerResponse, query: URLSearchParams): void {
    const { faults } = this;
    const client = this.#known(query.get('client_id') ?? '');
    const redirectUri = query.get('redirect_uri') ?? '';
    if (!client) return sendJson(response, 400, { error: 'invalid_client' });
    const answer = new URL(redirectUri);
    if (faults.authorizationError !== undefined) {
      answer.searchParams.set('error', faults.authorizationError);
      answer.searchParams.set('error_description', '<b>no</b> way');
    } else {
      const code = `code-${randomUUID()}`;
      this.#codes.set(code, { clientId: client.client_id, scope: query.get('scope') ?? 'default', challenge: query.get('code_challenge'), redirectUri });
      answer.searchParams.set('code', code);
    }
    answer.searchParams.set('state', query.get('state') ?? '');
    if (faults.callbackIss !== null) answer.searchParams.set('iss', faults.callbackIss ?? this.issuer);
    response.writeHead(302, { Location: answer.href }).end();
  }

  #token(request: IncomingMessage, response: ServerResponse, seen: SeenRequest): void {
    const body = new URLSearchParams(String(seen.body ?? ''));
    this.tokenRequests.push(body);
    if (this.faults.tokenQuotes) {
      return sendJson(response, 400, { error: 'invalid_request', error_description: `${String(decodeBasic(request.headers.authorization ?? null, true)?.password)} ${body.get('code')} ${body.get('refresh_token')} ${body.get('code_verifier')}` });
    }
    const clientId = this.#authenticated(request, response, body);
    if (clientId === null) return;
    if (body.get('grant_type') === 'refresh_token') return this.#refresh(response, clientId, body.get('refresh_token') ?? '');
    const code = this.#codes.get(body.get('code') ?? '');
    this.#codes.delete(body.get('code') ?? '');
    const verified = code && createHash('sha256').update(body.get('code_verifier') ?? '').digest('base64url') === code.challenge;
    if (!verified || code.clientId !== clientId || code.redirectUri !== body.get('redirect_uri')) return sendJson(response, 400, { error: 'invalid_grant', error_description: `no such code: ${body.get('code')}` });
    this.#issue(response, code, true);
  }

  #refresh(response: ServerResponse, clientId: string, token: string): void {
    this.presented.push(token);
    const grant = this.refreshTokens.get(token);
    if (!grant || grant.clientId !== clientId) {
      return this.faults.errorsWith200 ? sendJson(response, 200, { error: 'bad_refresh_token' }) : sendJson(response, 400, { error: 'invalid_grant', error_description: `unknown token ${token}` });
    }
    if (this.faults.refreshTokenOnRefresh !== 'missing') this.refreshTokens.delete(token);
    // The answer is lost, but what it did remains.
    if (this.faults.loseRefreshAnswer) return void response.socket?.destroy();
    this.#issue(response, grant, this.faults.refreshTokenOnRefresh !== 'missing');
  }

  #issue(response: ServerResponse, { clientId, scope }: FaultyGrant, withRefreshToken: boolean): void {
    const { faults } = this;
    const { accessToken: access, refreshToken: refresh } = this.grant(clientId, scope);
    const seconds = faults.expiresIn === undefined ? 3_600 : faults.expiresIn;
    if (!withRefreshToken) this.refreshTokens.delete(refresh);
    sendJson(response, 200, {
      access_token: access, token_type: faults.tokenType === undefined ? 'Bearer' : faults.tokenType ?? undefined,
      ...(seconds === 'missing' ? {} : { expires_in: seconds }),
      ...(withRefreshToken ? { refresh_token: refresh } : {}),
      ...(faults.nullFields ? { scope: null, id_token: null, ...(withRefreshToken ? {} : { refresh_token: null }) } : { scope }),
      ...faults.tokenMembers,
    });
  }

  /** The client's id; null where it was refused. A secret is compared as it came: percent-encoded or not. */
  #authenticated(request: IncomingMessage, response: ServerResponse, body: URLSearchParams): string | null {
    const basic = decodeBasic(request.headers.authorization ?? null, this.faults.basicDecoding !== 'none');
    const clientId = basic?.user ?? body.get('client_id') ?? '';
    const secret = basic?.password ?? body.get('client_secret');
    const client = this.#known(clientId);
    if (client && (client.client_secret ?? null) === secret) return clientId;
    sendJson(response, 401, { error: 'invalid_client', error_description: `who is ${clientId} with ${secret}?` }, { 'WWW-Authenticate': 'Basic realm="clients"' });
    return null;
  }

  #known(clientId: string): FaultyClient | undefined {
    const byDocument = this.faults.acceptsDocuments && clientId.startsWith('https://');
    return byDocument ? { client_id: clientId, registration_access_token: '', metadata: {} } : this.clients.get(clientId);
  }

  #register(response: ServerResponse, { body }: SeenRequest): void {
    const { faults } = this;
    if (faults.registration === 'refuse') return sendJson(response, 400, { error: 'invalid_client_metadata', error_description: 'registration is for <friends> only' });
    if (faults.registration === 'unauthorized') return sendJson(response, 401, { error: 'invalid_token' }, { 'WWW-Authenticate': 'Bearer' });
    if (faults.registration !== 'absent' && this.#trouble(response, faults.registration)) return;
    const metadata = body as Record<string, unknown>;
    const client: FaultyClient = { client_id: `client-${randomUUID()}`, registration_access_token: `rat-${randomUUID()}`, metadata };
    if (metadata.token_endpoint_auth_method !== 'none') client.client_secret = faults.clientSecret ?? `secret-${randomUUID()}`;
    this.clients.set(client.client_id, client);
    if (faults.loseRegistrationAnswer) return void response.socket?.destroy();
    sendJson(response, faults.registrationStatus ?? 201, this.#client(client));
  }

  #manage(request: IncomingMessage, response: ServerResponse, id: string, { body }: SeenRequest): void {
    const client = this.clients.get(id);
    if (!client || request.headers.authorization !== `Bearer ${client.registration_access_token}`) return sendJson(response, 401, { error: 'invalid_token' });
    if (request.method === 'DELETE') {
      this.clients.delete(id);
      return void response.writeHead(204).end();
    }
    if (request.method === 'PUT') {
      client.metadata = body as Record<string, unknown>;
      client.registration_access_token = `rat-${randomUUID()}`;
      if (client.client_secret !== undefined) client.client_secret = `secret-${randomUUID()}`;
    }
    sendJson(response, 200, this.#client(client));
  }

  #client({ client_id, client_secret, registration_access_token, metadata }: FaultyClient): object {
    const { secretExpiresAt = 'zero' } = this.faults;
    const at = { missing: undefined, zero: 0, null: null, past: Math.floor(this.#now() / 1000) - 3_600 }[String(secretExpiresAt)];
    return {
      ...metadata, client_id, client_id_issued_at: Math.floor(this.#now() / 1000), registration_access_token, registration_client_uri: `${this.origin}/register/${client_id}`,
      ...(client_secret === undefined ? {} : { client_secret, client_secret_expires_at: typeof secretExpiresAt === 'number' ? Math.floor(this.#now() / 1000) + secretExpiresAt : at }),
      ...(this.faults.nullFields ? { client_uri: null, logo_uri: null, jwks: null } : {}), ...this.faults.registrationMembers,
    };
  }

  #revoke(response: ServerResponse, { body }: SeenRequest): void {
    const token = new URLSearchParams(String(body ?? '')).get('token') ?? '';
    this.revoked.push(token);
    this.refreshTokens.delete(token);
    this.#access.delete(token);
    response.writeHead(200).end();
  }

  /** Whether an endpoint's trouble was the answer. */
  #trouble(response: ServerResponse, trouble: string | undefined): boolean {
    switch (trouble) {
      case 'hang': return true;
      case 'reset': response.socket?.destroy(); return true;
      case 'html': response.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>Sign in</h1>'); return true;
      case 'redirect': response.writeHead(307, { Location: `${this.origin}/elsewhere` }).end(); return true;
      case 'unsupported': sendJson(response, 400, { error: 'unsupported_token_type' }); return true;
      case '429':
      case '503': sendJson(response, Number(trouble), { error: 'temporarily_unavailable' }, { 'Retry-After': '7' }); return true;
      case '400':
      case '404':
      case '500':
      case '502': sendJson(response, Number(trouble), 'oops'); return true;
      default: return false;
    }
  }
}
