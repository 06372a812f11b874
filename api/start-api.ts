import type { Config } from '#core/config/config.js';
import { parseAllowRules } from '#core/egress/allow-rules.js';
import { clientMetadataDocument } from '#core/oauth/client-metadata.js';
import { clientMetadataUrl } from '#core/oauth/outcome.js';
import { Egress } from '#core/egress/egress.js';
import { parseLossless } from '#core/json/lossless.js';
import type { Logger } from '#core/log.js';
import { probeServer } from '#core/mcp/probe.js';
import { SessionOpener } from '#core/mcp/session-opener.js';
import { SessionPool } from '#core/mcp/session-pool.js';
import { Listener } from '#core/store/listener.js';
import { Store } from '#core/store/store.js';
import { ToolSchemas } from '#core/tool/arguments.js';
import { CredentialBox } from '#core/upkeep/credential-box.js';
import { OAuthCheck } from '#core/upkeep/oauth-check.js';
import { OAuthClientRegistry } from '#core/upkeep/oauth-clients.js';
import { Leftovers } from '#core/upkeep/leftovers.js';
import { OAuthTokens } from '#core/upkeep/oauth-tokens.js';
import { TypeOAuth } from '#core/upkeep/type-oauth.js';
import { Upkeep, type Prober } from '#core/upkeep/upkeep.js';
import type { KeyRing } from '#core/vault/key-ring.js';
import { Vault } from '#core/vault/vault.js';
import { createConsent } from './consent/create-consent.js';
import { EnrollmentLogins } from './modules/enrollment/enrollment.logins.js';
import { OAuthPlanner } from './modules/connection-type/oauth-plan.js';
import { CallService } from './call/call-service.js';
import type { Context } from './context.js';
import { createRegistry, startMetricsServer } from './http/metrics.js';
import { createHttpServer } from './http/server.js';
import { Authenticator } from './identity/authenticator.js';
import { bearerOf } from './identity/bearer.js';
import { OidcVerifier } from './identity/oidc-verifier.js';
import { Loaders } from './loaders.js';
import { ensureLocalAdmin, type TokenKeeper } from './local-admin.js';
import { TeamAuditResolver } from './modules/audit/audit.resolver.js';
import { ConnectionTypeManager } from './modules/connection-type/connection-type.manager.js';
import { ConnectionTypeResolver, TeamCatalogResolver } from './modules/connection-type/connection-type.resolver.js';
import { ProbeManager } from './modules/connection-type/probe.manager.js';
import { ProbeResolver } from './modules/connection-type/probe.resolver.js';
import { EnrollmentManager } from './modules/enrollment/enrollment.manager.js';
import { EnrollmentResolver, TeamEnrollmentsResolver } from './modules/enrollment/enrollment.resolver.js';
import { NodeResolver } from './modules/node/node.resolver.js';
import { TeamManager } from './modules/team/team.manager.js';
import { TeamResolver } from './modules/team/team.resolver.js';
import { TokenManager } from './modules/token/token.manager.js';
import { TokenResolver } from './modules/token/token.resolver.js';
import { TeamToolCallsResolver, ToolCallResolver } from './modules/tool-call/tool-call.resolver.js';
import { ToolManager } from './modules/tool/tool.manager.js';
import { ToolResolver } from './modules/tool/tool.resolver.js';
import { Mutations } from './mutation.js';
import { RateLimit } from './rate-limit.js';
import { createSchema } from './schema.js';

/** What an API is started on. */
export interface ApiResources {
  /** A database that answers and is migrated. */
  databaseUrl: string;
  keyRing: KeyRing;
  logger: Logger;
  /** This program's version, for servers that ask. */
  version: string;
  /** Where the local administrator's token is kept: `fairlead dev` only. */
  adminToken: TokenKeeper | null;
  /** Called with each SQL statement; tests count them. */
  onStatement?: ((sql: string) => void) | undefined;
}

/** An API that takes requests. */
export interface RunningApi {
  /** The public URL. */
  url: string;
  /** Finishes or hands back what it holds, within `config.shutdownTimeoutMs`, and closes everything. */
  stop(): Promise<void>;
}

const SESSION_IDLE_MS = 5 * 60_000;
const SESSION_OPEN_TIMEOUT_MS = 15_000;
const MAX_SESSIONS = 5_000;
const MAX_CALLS_IN_FLIGHT = 1_000;
const OAUTH_TIMEOUT_MS = 15_000;
/** What people see on an authorization server's consent page. */
const CLIENT_NAME = 'Fairlead';
const LOOKS_PER_MINUTE = 120;

/** The composition root of the API: builds everything, top to bottom, and resolves when it takes requests. */
export async function startApi(config: Config, resources: ApiResources): Promise<RunningApi> {
  const { logger, databaseUrl, version } = resources;
  const now = () => new Date();
  const clock = () => performance.now();
  const metrics = createRegistry();

  const egress = new Egress({ policy: { allow: parseAllowRules(config.egressAllow), allowLoopback: config.localMode, denied: [endpointOf(databaseUrl)] }, logger });
  const store = await Store.open({ url: databaseUrl, poolSize: config.databasePoolSize, onStatement: resources.onStatement });
  const vault = new Vault(resources.keyRing, store.keys);
  const box = new CredentialBox(vault);
  const opener = new SessionOpener({ egress, clientInfo: { name: 'fairlead', version }, parse: parseLossless });
  const sessions = new SessionPool({ open: (target) => opener.open(target), idleMs: SESSION_IDLE_MS, maxSessions: MAX_SESSIONS, openTimeoutMs: SESSION_OPEN_TIMEOUT_MS });
  const probe: Prober = (url, headers, timeoutMs) => probeServer({ url, headers, opener, egress, timeoutMs, clock });
  // Known once the server listens, and asked for no sooner.
  const publicUrl = (): string => server.url;
  const redirectUri = () => `${publicUrl()}/oauth/callback`;
  const transport = { egress, timeoutMs: OAUTH_TIMEOUT_MS };
  const changed = (teamId: string): void => calls.invalidate(teamId);
  const registry = new OAuthClientRegistry({ store, vault, transport, clientName: CLIENT_NAME, now });
  const oauth = new TypeOAuth({ store, registry, transport, redirectUri, clientMetadataUrl: () => clientMetadataUrl(publicUrl(), config.clientMetadataUrl), now, clock, changed });
  const leftovers = new Leftovers({ store, vault, box, registry, transport, clientName: CLIENT_NAME, now, random: Math.random, logger });
  const tokens = new OAuthTokens({
    store, box, transport, changed, now, clock, random: Math.random, logger,
    setupOf: (type) => oauth.setupOf(type),
    clientRefused: (type, clientRowId) => oauth.clientRefused(type, clientRowId),
    orphaned: (orphan) => leftovers.orphaned(orphan),
  });
  const upkeep: Upkeep = new Upkeep({ store, box, probe, now, oauth: new OAuthCheck({ store, oauth, registry, now }), tokens, changed });
  const consent = createConsent({
    config, store, vault, box, upkeep, fetch: globalThis.fetch, logger, now, publicUrl, changed, transport, random: Math.random,
    setupOf: (type) => oauth.setupOf(type),
    clientRefused: (type, clientRowId) => oauth.clientRefused(type, clientRowId),
    clientMetadata: () => clientMetadataDocument(publicUrl(), config.clientMetadataUrl, { clientName: CLIENT_NAME, redirectUri: redirectUri() }),
  });
  const enrollPage = (team: string, name: string) => `${publicUrl()}/enroll/${team}/${name}`;
  const schemas = new ToolSchemas();
  const calls: CallService = new CallService({
    store, databaseUrl, vault, sessions, schemas, tokens, maxInFlight: MAX_CALLS_IN_FLIGHT, logger, now, clock,
    enrollLink: (membership, typeName) => enrollPage(membership.teamSlug, typeName),
    typeDue: (id) => upkeep.checkType(id).catch((error: unknown) => logger.warn({ err: error, connectionTypeId: id }, 'a check after a call failed')),
  });

  const oidc = config.oidc === null ? null : new OidcVerifier({ ...config.oidc, clockToleranceSeconds: 30, fetch: globalThis.fetch, logger, now: () => Date.now() });
  const authenticator = new Authenticator({ store, oidc, logger, now });
  const changes = new Listener({ url: databaseUrl, logger, handlers: { fairlead_changed: () => authenticator.forget() }, onChange: (listening) => { authenticator.remembering = listening; } });
  const mutations = new Mutations(store, logger, (teamId) => {
    authenticator.forget();
    if (teamId !== null) calls.invalidate(teamId);
  });

  const looks = new RateLimit(LOOKS_PER_MINUTE, 60_000, clock, `Looking at servers is limited to ${LOOKS_PER_MINUTE} times a minute for each person: try again a little later.`);
  const tools = new ToolManager(store);
  const schema = await createSchema([
    new TeamResolver(store, new TeamManager(store, upkeep, leftovers, config.oidc !== null), mutations),
    new TokenResolver(new TokenManager(store, now), mutations),
    new ConnectionTypeResolver(store, new ConnectionTypeManager(store, upkeep, new OAuthPlanner(oauth, registry), leftovers, looks), mutations),
    new TeamCatalogResolver(store),
    new ProbeResolver(new ProbeManager(store, probe, oauth, looks)),
    new ToolResolver(tools, mutations),
    new EnrollmentResolver(store, new EnrollmentManager(store, upkeep, box, new EnrollmentLogins(oauth, consent.service, upkeep, tokens), leftovers, looks, now), mutations),
    new TeamEnrollmentsResolver(store),
    new ToolCallResolver(calls),
    new TeamToolCallsResolver(calls),
    new TeamAuditResolver(store),
    new NodeResolver(store, tools, calls),
  ]);

  const server = await createHttpServer<Context>({
    schema,
    context: async ({ headers, requestId, signal }) => {
      const principal = await authenticator.authenticate(bearerOf(headers));
      return { requestId, signal, principal, loaders: new Loaders(store), links: { redirectUri: redirectUri(), enroll: enrollPage } };
    },
    host: config.host,
    port: config.port,
    publicUrl: config.publicUrl ?? undefined,
    localMode: config.localMode,
    corsOrigins: [...config.corsOrigins],
    introspection: config.introspection,
    bodyLimit: config.bodyLimitBytes,
    logger,
    metrics,
    addRoutes: consent.addRoutes,
    ready: async () => {
      const database = await store.ping().then(() => 'ok', () => 'unreachable');
      return { ok: database === 'ok', checks: { database } };
    },
  });

  if (resources.adminToken !== null) await ensureLocalAdmin(store, resources.adminToken);
  await calls.start();
  if (config.databaseUrl === null) await calls.adoptOrphans();
  changes.start();
  leftovers.start();
  await server.listen();
  egress.forbid(server.port);
  const metricsServer = config.metrics === null ? null : await startMetricsServer({ registry: metrics, ...config.metrics });
  if (metricsServer !== null) egress.forbid(metricsServer.port);

  return {
    url: server.url,
    async stop() {
      const until = clock() + config.shutdownTimeoutMs;
      const left = () => Math.max(0, until - clock());
      await server.close(left());
      await calls.stop(left());
      await authenticator.stop();
      await changes.stop();
      await metricsServer?.close();
      await tokens.stop();
      await leftovers.stop();
      await sessions.close();
      await schemas.close();
      await egress.close();
      await store.close();
    },
  };
}

function endpointOf(databaseUrl: string): { host: string; port: number } {
  const url = new URL(databaseUrl);
  return { host: url.hostname || '127.0.0.1', port: url.port === '' ? 5432 : Number(url.port) };
}
