import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Provider, type Configuration } from 'oidc-provider';
import { Agent, fetch as undiciFetch } from 'undici';
import { LOOPBACK_CERTIFICATE } from '../loopback-certificate.js';
import { listen } from '../mcp-servers/listener.js';
import { startGuardedMcp, type Guard, type GuardedMcp } from './guarded-mcp.js';

/** How {@link startOidcProvider} behaves. */
export interface OidcProviderOptions {
  /** Seconds; 3,600 by default. */
  accessTokenTtl?: number;
  /** Wanted for dynamic registration. */
  initialAccessToken?: string;
  /** Registered beforehand. */
  clients?: { client_id: string; client_secret?: string; redirect_uris: string[]; token_endpoint_auth_method?: string }[];
  /** What a person decides on the consent page; `approve` by default, and may be changed on the way. */
  decision?: 'approve' | 'deny';
  guard?: Partial<Guard>;
  /** Takes client ID metadata documents, which it reads over HTTPS from hosts with the loopback certificate. */
  readsDocuments?: boolean;
  /** How long the token endpoint takes between its work and its answer, drawn anew for each, in milliseconds; not at all by default. */
  takesMs?: () => number;
}

/** One request in which something secret was presented. */
export interface Presentation {
  path: string;
  method: string;
  status: number;
  grantType: string | null;
  clientId: string | null;
  refreshToken: string | null;
  /** The consent that the presented refresh token comes from; null for one that was never handed out. */
  grantId: string | null;
  /** What was to be revoked or introspected. */
  token: string | null;
  resource: string | null;
  /** Whether a `client_secret` was in the body, an empty one too. */
  secretInBody: boolean;
  authorization: string | null;
  error: string | null;
  /** Monotonic milliseconds. */
  began: number;
  ended: number;
}

/** A real authorization server that guards an MCP server. */
export interface OidcProviderServer {
  issuer: string;
  mcp: GuardedMcp;
  /** In order: what it saw at its token, revocation and registration endpoints. */
  presentations: Presentation[];
  /** Pairs of presentations of one refresh token that overlapped in time. */
  overlaps(): number;
  decision: 'approve' | 'deny';
  /** While set, requests that match are answered with this status instead; 0: the connection is cut after the request was handled. */
  outage: { path: RegExp; status: number } | null;
  /** The consent that a refresh token comes from, of all that were handed out. */
  grantOf(refreshToken: string): string | null;
  /** Whether the provider still knows the access token. */
  knows(accessToken: string): Promise<boolean>;
  /** Knows a client, by that secret, which was registered by hand; a second time: by another secret. */
  register(client: { client_id: string; client_secret: string; redirect_uris: string[] }): Promise<void>;
  /** Forgets a client, as providers do that clean up. */
  purge(clientId: string): Promise<void>;
  close(): Promise<void>;
}

const SCOPES = ['mcp:tools', 'files:write'];

/**
 * Starts `oidc-provider` on loopback: dynamic registration and its management with rotating registration access tokens, PKCE required, refresh tokens that rotate and whose
 * reuse ends the family, resource indicators, revocation, introspection, `iss` in answers. Nobody has to click: its interactions end by themselves, by redirects that a browser follows too.
 */
export async function startOidcProvider(options: OidcProviderOptions = {}): Promise<OidcProviderServer> {
  let handle: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) => void response.writeHead(503).end();
  const listener = await listen((request, response) => handle(request, response), '');
  const issuer = listener.url;
  const mcp = await startGuardedMcp({
    authorizationServers: [issuer], scopesSupported: ['mcp:tools'], toolScopes: { failing: ['files:write'] }, ...options.guard,
    verify: async (token, resource) => {
      const found = await provider.AccessToken.find(token);
      return found && !found.isExpired && [found.aud].flat().includes(resource) ? { scopes: (found.scope ?? '').split(' '), grantId: found.grantId } : null;
    },
  });
  const provider = quietly(() => new Provider(issuer, configuration(options, mcp.url)));
  const presentations: Presentation[] = [];
  const grants = new Map<string, string>();
  const server: OidcProviderServer = {
    issuer, mcp, presentations, overlaps: () => overlaps(presentations), decision: options.decision ?? 'approve', outage: null, grantOf: (refreshToken) => grants.get(refreshToken) ?? null,
    knows: async (accessToken) => (await provider.AccessToken.find(accessToken)) !== undefined,
    register: (client) => (provider.Client as unknown as { adapter: { upsert(id: string, client: object): Promise<void> } }).adapter.upsert(client.client_id, {
      grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], application_type: 'native', ...client,
    }),
    purge: (clientId) => (provider.Client as unknown as { adapter: { destroy(id: string): Promise<void> } }).adapter.destroy(clientId),
    close: async () => { await Promise.all([mcp.close(), listener.close()]); },
  };
  provider.use(async (ctx, next) => {
    if (ctx.path.startsWith('/interaction/')) return finish(provider, server, ctx.req, ctx.res).then(() => { ctx.respond = false; });
    const outage = server.outage?.path.test(ctx.path) ? server.outage : null;
    if (outage !== null && outage.status !== 0) {
      ctx.status = outage.status;
      return;
    }
    const began = performance.now();
    try {
      await next();
      await noteGrant(provider, grants, ctx.body);
      if (options.takesMs !== undefined && ctx.path === '/token') await sleep(options.takesMs());
    } finally {
      if (/^\/(token|reg)/.test(ctx.path)) presentations.push({ ...presentation(ctx, grants), began, ended: performance.now() });
    }
    if (outage !== null) {
      ctx.respond = false;
      ctx.req.socket.destroy();
    }
  });
  handle = provider.callback();
  return server;
}

function configuration(options: OidcProviderOptions, resource: string): Configuration {
  return {
    clients: options.clients?.map((client) => ({ grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], application_type: 'native', ...client }) as never),
    cookies: { keys: ['test'] },
    scopes: ['openid', 'offline_access', ...SCOPES],
    pkce: { required: () => true },
    rotateRefreshToken: true,
    ...(options.readsDocuments === true && { fetch: fetchDocument }),
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    ttl: { AccessToken: options.accessTokenTtl ?? 3_600, RefreshToken: 86_400, Grant: 86_400, Session: 86_400, Interaction: 600 },
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    renderError: (ctx, out) => { ctx.type = 'text'; ctx.body = `${out.error}: ${out.error_description}`; },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true, initialAccessToken: options.initialAccessToken ?? false, issueRegistrationAccessToken: true },
      registrationManagement: { enabled: true, rotateRegistrationAccessToken: true },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
      ...(options.readsDocuments === true && { clientIdMetadataDocument: { enabled: true, ack: 'draft-02', cacheDuration: { min: 0, max: 0 } } }),
      introspection: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, indicator) => {
          if (indicator !== resource) throw new Error(`unknown resource ${indicator}`);
          return { scope: SCOPES.join(' '), audience: indicator, accessTokenFormat: 'opaque', accessTokenTTL: options.accessTokenTtl ?? 3_600 };
        },
      },
    },
  };
}

/** Trusts the loopback certificate, and goes to loopback, both of which oidc-provider would refuse by itself. */
const fetchDocument: typeof fetch = (url, options) => {
  const dispatcher = new Agent({ connect: { ca: LOOPBACK_CERTIFICATE.cert } });
  return undiciFetch(url as string, { ...(options as object), dispatcher }) as unknown as Promise<Response>;
};

/** What a person would do: sign in, and say yes or no. */
async function finish(provider: Provider, server: OidcProviderServer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  if (server.decision === 'deny') {
    return provider.interactionFinished(request, response, { error: 'access_denied', error_description: 'the person said no' });
  }
  if (prompt.name === 'login') return provider.interactionFinished(request, response, { login: { accountId: 'ada' } });
  const grant = (grantId ? await provider.Grant.find(grantId) : undefined) ?? new provider.Grant({ accountId: session!.accountId, clientId: params.client_id as string });
  const details = prompt.details as { missingOIDCScope?: string[]; missingResourceScopes?: Record<string, string[]> };
  if (details.missingOIDCScope) grant.addOIDCScope(details.missingOIDCScope.join(' '));
  for (const [indicator, scopes] of Object.entries(details.missingResourceScopes ?? {})) grant.addResourceScope(indicator, scopes.join(' '));
  await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

interface SeenContext {
  path: string;
  method: string;
  status: number;
  body?: unknown;
  headers: Record<string, unknown>;
  oidc?: { params?: Record<string, unknown>; body?: Record<string, unknown>; client?: { clientId: string } };
}

function overlaps(presentations: readonly Presentation[]): number {
  const refreshes = presentations.filter(({ refreshToken }) => refreshToken !== null);
  return refreshes.flatMap((one, index) => refreshes.slice(index + 1).filter((other) => other.refreshToken === one.refreshToken && other.began < one.ended && one.began < other.ended)).length;
}

/** Which consent a refresh token that is handed out comes from. */
async function noteGrant(provider: Provider, grants: Map<string, string>, body: unknown): Promise<void> {
  const token = (body as { refresh_token?: unknown } | undefined)?.refresh_token;
  const grantId = typeof token === 'string' ? (await provider.RefreshToken.find(token))?.grantId : undefined;
  if (grantId !== undefined) grants.set(token as string, grantId);
}

function presentation(ctx: unknown, grants: ReadonlyMap<string, string>): Omit<Presentation, 'began' | 'ended'> {
  const { path, method, status, body, headers, oidc } = ctx as SeenContext;
  const sent = { ...oidc?.body, ...oidc?.params };
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
  return {
    path, method, status, grantType: text(sent.grant_type), clientId: oidc?.client?.clientId ?? text(sent.client_id), refreshToken: text(sent.refresh_token),
    grantId: grants.get(text(sent.refresh_token) ?? '') ?? null, token: text(sent.token),
    resource: text(sent.resource), secretInBody: oidc?.body !== undefined && 'client_secret' in oidc.body && path !== '/reg', authorization: text(headers.authorization),
    error: text((body as { error?: unknown } | undefined)?.error),
  };
}

/** oidc-provider warns of its in-memory adapter and keys, which are what a test wants. */
export function quietly<T>(build: () => T): T {
  const { info, warn } = console;
  console.info = console.warn = () => undefined;
  try {
    return build();
  } finally {
    console.info = info;
    console.warn = warn;
  }
}
