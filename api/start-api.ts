import type { Registry } from 'prom-client';
import type { Config } from '#core/config/config.js';
import { parseAllowRules } from '#core/egress/allow-rules.js';
import { clientMetadataDocument } from '#core/oauth/client-metadata.js';
import { clientMetadataUrl } from '#core/oauth/outcome.js';
import { Egress } from '#core/egress/egress.js';
import { ownEndpoints } from '#core/egress/own-endpoints.js';
import { parseLossless } from '#core/json/lossless.js';
import type { Logger } from '#core/log.js';
import { createRegistry, listenerGauge, startMetricsServer, type MetricsServer } from '#core/metrics.js';
import { probeServer } from '#core/mcp/probe.js';
import { SessionOpener } from '#core/mcp/session-opener.js';
import { SessionPool } from '#core/mcp/session-pool.js';
import { Listener } from '#core/store/listener.js';
import { Store } from '#core/store/store.js';
import { startTraces } from '#core/traces/start-traces.js';
import { ToolSchemas } from '#core/tool/arguments.js';
import { CredentialBox } from '#core/upkeep/credential-box.js';
import { OAuthCheck } from '#core/upkeep/oauth-check.js';
import { OAuthClientRegistry } from '#core/upkeep/oauth-clients.js';
import { Leftovers } from '#core/upkeep/leftovers.js';
import { OAuthTokens } from '#core/upkeep/oauth-tokens.js';
import { TypeOAuth } from '#core/upkeep/type-oauth.js';
import { Upkeep } from '#core/upkeep/upkeep.js';
import { UpkeepMetrics } from '#core/upkeep/upkeep-metrics.js';
import type { LiveKeyRing } from '#core/vault/live-key-ring.js';
import { Vault } from '#core/vault/vault.js';
import { createConsent } from './consent/create-consent.js';
import { EnrollmentLogins } from './modules/enrollment/enrollment.logins.js';
import { OAuthPlanner } from './modules/connection-type/oauth-plan.js';
import { Admission, Slot } from './call/admission.js';
import { CallService } from './call/call-service.js';
import type { Context, Links } from './context.js';
import { CallDoor } from './http/call-door.js';
import { createHttpServer } from './http/server.js';
import { Authenticator } from './identity/authenticator.js';
import { bearerOf } from './identity/bearer.js';
import type { OidcOptions, OidcVerifier } from './identity/oidc-verifier.js';
import { LIVE_LIMITS } from './live/limits.js';
import { LiveServer } from './live/live-server.js';
import { LiveStreams } from './live/live-streams.js';
import { Loaders } from './loaders.js';
import { ensureLocalAdmin, type TokenKeeper } from './local-admin.js';
import { TeamAuditResolver } from './modules/audit/audit.resolver.js';
import { ConnectionTypeManager } from './modules/connection-type/connection-type.manager.js';
import { AssignmentManager } from './modules/assignment/assignment.manager.js';
import { AssignmentReader } from './modules/assignment/assignment.reader.js';
import { AssignmentResolver, TeamAssignmentsResolver } from './modules/assignment/assignment.resolver.js';
import { ConnectionTypeLiveResolver } from './modules/connection-type/connection-type.live.js';
import { ConnectionTypeResolver, TeamCatalogResolver } from './modules/connection-type/connection-type.resolver.js';
import { ProbeManager } from './modules/connection-type/probe.manager.js';
import { ProbeResolver } from './modules/connection-type/probe.resolver.js';
import { EnrollmentManager } from './modules/enrollment/enrollment.manager.js';
import { EnrollmentLiveResolver } from './modules/enrollment/enrollment.live.js';
import { EnrollmentResolver, TeamEnrollmentsResolver } from './modules/enrollment/enrollment.resolver.js';
import { MirrorManager } from './modules/mirror/mirror.manager.js';
import { MirrorResolver } from './modules/mirror/mirror.resolver.js';
import { NodeResolver } from './modules/node/node.resolver.js';
import { TeamManager } from './modules/team/team.manager.js';
import { TeamResolver } from './modules/team/team.resolver.js';
import { TokenManager } from './modules/token/token.manager.js';
import { TokenResolver } from './modules/token/token.resolver.js';
import { ToolCallLiveResolver } from './modules/tool-call/tool-call.live.js';
import { TeamToolCallsResolver, ToolCallResolver } from './modules/tool-call/tool-call.resolver.js';
import { ToolManager } from './modules/tool/tool.manager.js';
import { ToolResolver } from './modules/tool/tool.resolver.js';
import { Mutations } from './mutation.js';
import { OperatorWatch } from './operator-watch.js';
import { RateLimit } from './rate-limit.js';
import { createSchema } from './schema.js';

/** What an API is started on. */
export interface ApiResources {
  /** A database that answers and is migrated. */
  databaseUrl: string;
  keyRing: LiveKeyRing;
  logger: Logger;
  /** This program's version, for servers that ask. */
  version: string;
  /** Where the local administrator's token is kept: `fairlead dev` only. */
  adminToken: TokenKeeper | null;
  /** Ports of other processes of ours on this machine, which no connection type may reach. */
  ownPorts?: readonly number[];
  /** Called with each SQL statement; tests count them. */
  onStatement?: ((sql: string) => void) | undefined;
}

/** An API that takes requests. */
export interface RunningApi {
  /** The public URL. */
  url: string;
  /** What `/metrics` shows, for who shares this process. */
  metrics: Registry;
  /** Ports that this process listens on: no connection type may reach them. */
  ownPorts: readonly number[];
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
const LIVE_GAP_MS = 250;
const LIVE_POLL_MS = 5_000;
const LIVE_CALL_POLL_MS = 1_000;

/** The composition root of the API: builds everything, top to bottom, and resolves when it takes requests. */
export async function startApi(config: Config, resources: ApiResources): Promise<RunningApi> {
  const { logger, databaseUrl, version } = resources;
  const now = () => new Date();
  const clock = () => performance.now();
  const metrics = createRegistry();

  const traces = await startTraces(config.traces, 'api', version, logger);
  const egress = new Egress({
    policy: { allow: parseAllowRules(config.egressAllow), allowLoopback: config.localMode, denied: ownEndpoints(databaseUrl, config.traces) }, logger, traces, propagateTraces: config.traces?.propagate,
  });
  const store = await Store.open({ url: databaseUrl, poolSize: config.databasePoolSize, onStatement: resources.onStatement });
  const vault = new Vault(resources.keyRing, store.keys);
  const box = new CredentialBox(vault);
  const opener = new SessionOpener({ egress, clientInfo: { name: 'fairlead', version }, parse: parseLossless });
  const sessions = new SessionPool({ open: (target) => opener.open(target), idleMs: SESSION_IDLE_MS, maxSessions: MAX_SESSIONS, openTimeoutMs: SESSION_OPEN_TIMEOUT_MS });
  const upkeepMetrics = new UpkeepMetrics(metrics, clock);
  const probe = upkeepMetrics.counted((url, headers, timeoutMs, secrets) => probeServer({ url, headers, secrets, opener, egress, timeoutMs, clock }));
  // Known once the server listens, and asked for no sooner.
  const publicUrl = (): string => server.url;
  const redirectUri = () => `${publicUrl()}/oauth/callback`;
  const transport = { egress, timeoutMs: OAUTH_TIMEOUT_MS };
  const changed = (teamId: string): void => calls.invalidate(teamId);
  const registry = new OAuthClientRegistry({ store, vault, transport, clientName: CLIENT_NAME, now });
  const oauth = new TypeOAuth({ store, registry, transport, redirectUri, clientMetadataUrl: () => clientMetadataUrl(publicUrl(), config.clientMetadataUrl), now, clock, changed });
  // Tries what it has just deleted; what remains is the operator's.
  const leftovers = new Leftovers({ store, vault, box, registry, transport, clientName: CLIENT_NAME, now, random: Math.random, logger });
  const tokens = new OAuthTokens({
    store, box, transport, changed, now, clock, random: Math.random, logger, metrics: upkeepMetrics,
    setupOf: (type, issuedTo) => oauth.setupOfLogin(type, issuedTo),
    clientRefused: (type, clientRowId) => oauth.clientRefused(type, clientRowId),
    orphaned: (orphan) => leftovers.orphaned(orphan),
  });
  const upkeep: Upkeep = new Upkeep({ store, box, probe, now, oauth: new OAuthCheck({ store, oauth, registry, now }), tokens, changed });
  const consent = createConsent({
    config, store, vault, box, upkeep, fetch: globalThis.fetch, logger, now, publicUrl, changed, transport, random: Math.random,
    setupOf: (type) => oauth.setupOf(type),
    clientRefused: (type, clientRowId) => oauth.clientRefused(type, clientRowId),
    orphaned: (orphan) => leftovers.orphaned(orphan),
    clientMetadata: () => clientMetadataDocument(publicUrl(), config.clientMetadataUrl, { clientName: CLIENT_NAME, redirectUri: redirectUri() }),
  });
  const enrollPage = (team: string, name: string) => `${publicUrl()}/enroll/${team}/${name}`;
  const schemas = new ToolSchemas();
  const operatorWatch = new OperatorWatch(clock, logger);
  const calls: CallService = new CallService({
    store, databaseUrl, vault, keyRing: resources.keyRing, sessions, schemas, tokens, traces, maxInFlight: MAX_CALLS_IN_FLIGHT, peopleSignIn: config.oidc !== null, logger, now, clock,
    enrollLink: (membership, typeName) => enrollPage(membership.teamSlug, typeName),
    onEnded: (call) => live.callEnded(call.id),
    onOperators: (operators) => operatorWatch.seen(operators),
    due: ({ kind, id }) => (kind === 'Enrollment' ? store.enrollments.tryAgain(id) : store.schedule.mark(kind, [id]))
      .catch((error: unknown) => logger.warn({ err: error, kind, id }, 'an object could not be made due after a call')),
  });

  const oidc = config.oidc === null ? null : await createVerifier({ ...config.oidc, clockToleranceSeconds: 30, fetch: globalThis.fetch, logger, now: () => Date.now() });
  const authenticator = new Authenticator({ store, oidc, logger, now });
  const live: LiveStreams = new LiveStreams({ store, calls, logger, gapMs: LIVE_GAP_MS, pollMs: LIVE_POLL_MS, callPollMs: LIVE_CALL_POLL_MS });
  const connected = listenerGauge(metrics, 'api');
  const changes = new Listener({
    url: databaseUrl, logger,
    handlers: {
      fairlead_changed: (teamId) => {
        authenticator.forget();
        live.teamChanged(teamId);
      },
    },
    onChange: (listening) => {
      connected(listening);
      authenticator.remembering = listening;
      live.anythingChanged();
    },
  });
  const mutations = new Mutations(store, logger, traces, (teamId) => {
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
    new AssignmentResolver(store, new AssignmentManager(store), new AssignmentReader(store), mutations),
    new TeamAssignmentsResolver(store),
    new ToolCallResolver(calls, mutations),
    new TeamToolCallsResolver(calls),
    new TeamAuditResolver(store),
    new MirrorResolver(store, new MirrorManager(store), mutations),
    new NodeResolver(store, tools, calls),
    new ConnectionTypeLiveResolver(),
    new EnrollmentLiveResolver(),
    new ToolCallLiveResolver(),
  ]);

  const admission = new Admission({
    ...config.calls, clock, random: Math.random,
    onFlood: () => logger.warn(config.calls, 'more calls come in than this process can do: some are refused with OVERLOADED, and fairlead_calls_shed_total counts them'),
  });
  const admit = (context: Context): Slot | Promise<Slot | null> => {
    const entered = admission.enter(context.principal, context.signal);
    const noted = (slot: Slot): Slot => context.slot = slot;
    return entered instanceof Slot ? noted(entered) : entered.then((slot) => slot && noted(slot));
  };
  const links: Links = { get redirectUri() { return redirectUri(); }, enroll: enrollPage };
  const contextOf = ({ principal, requestId, signal, hold }: Pick<Context, 'principal' | 'requestId' | 'signal' | 'hold'>): Omit<Context, 'renew'> =>
    ({ requestId, signal, hold, principal, loaders: new Loaders(store), links, live });
  const authenticate = (bearer: string | null) => authenticator.authenticate(bearer);

  const server = await createHttpServer<Context>({
    schema,
    context: async ({ headers, requestId, signal, hold }) => {
      const bearer = bearerOf(headers);
      const context = contextOf({ principal: await authenticate(bearer), requestId, signal, hold });
      return Object.assign(context, { renew: async () => { context.principal = await authenticate(bearer); } });
    },
    calls: { door: new CallDoor(schema, Math.random), enter: admit },
    sockets: new LiveServer({ schema, introspection: config.introspection, limits: LIVE_LIMITS, logger, authenticate, context: contextOf }),
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

  const stop = async () => {
    const until = clock() + config.shutdownTimeoutMs;
    const left = () => Math.max(0, until - clock());
    await server.close(left());
    await calls.stop(left());
    await authenticator.stop();
    await changes.stop();
    await metricsServer?.close();
    await tokens.stop();
    await registry.stop();
    await leftovers.stop();
    await sessions.close();
    await schemas.close();
    await egress.close();
    await store.close();
    await traces.stop();
  };
  let metricsServer: MetricsServer | null = null;
  try {
    await server.listen();
    for (const port of [server.port, ...resources.ownPorts ?? []]) egress.forbid(port);
    if (config.metrics !== null) {
      metricsServer = await startMetricsServer({ registry: metrics, ready: server.ready, ...config.metrics });
      egress.forbid(metricsServer.port);
    }
  } catch (error) {
    // A port that is taken: nothing of what was started goes on.
    await stop();
    throw error;
  }
  return { url: server.url, metrics, ownPorts: [server.port, ...(metricsServer === null ? [] : [metricsServer.port])], stop };
}

/** Loaded where it is configured: with its library it takes four mebibytes. */
async function createVerifier(options: OidcOptions): Promise<OidcVerifier> {
  const { OidcVerifier: Verifier } = await import('./identity/oidc-verifier.js');
  return new Verifier(options);
}
