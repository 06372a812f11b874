import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { BaseContext } from '@apollo/server';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { GraphQLSchema } from 'graphql';
import type { Registry } from 'prom-client';
import { InvariantBroken } from '#core/errors.js';
import type { Logger } from '#core/log.js';
import type { Readiness } from '#core/metrics.js';
import { errorFormatter } from '../graphql/errors.js';
import { createApollo } from './apollo.js';
import { allowOrigin, answerPreflight } from './cors.js';
import { faultOf, HOST_REFUSED, ORIGIN_REFUSED, sendFault } from './error-answer.js';
import { addExplorer } from './explorer.js';
import { graphqlHandler } from './graphql-handler.js';
import type { CallGate } from './call-door.js';
import { Intake } from './intake.js';
import { parseJsonBody } from './json-body.js';
import { HttpMetrics } from './metrics.js';
import { addProbes, PROBE_PATHS } from './probes.js';
import { RequestFrames, type RequestFrame } from './request-frame.js';
import { RequestGuard } from './request-guard.js';
import { requestIdOf } from './request-id.js';
import { refuseUpgrade, upgradeFault } from './upgrade.js';
import { setSecurityHeaders } from './security-headers.js';

/** What the context of a GraphQL request is made from. */
export interface ContextRequest {
  headers: IncomingHttpHeaders;
  requestId: string;
  /** Aborted when the client goes away before its answer was written. */
  signal: AbortSignal;
  /** Keeps the answer back until the promise is kept; where it is broken, the answer is an error of ours. Absent where the answer may leave sooner. */
  hold?: ((until: Promise<unknown>) => void) | undefined;
  ip: string;
}

/** How the HTTP server is built. */
export interface HttpServerOptions<C extends BaseContext> {
  schema: GraphQLSchema;
  /** Makes the context of one request; an `IdentityFault` from here becomes 401 or 503. */
  context: (request: ContextRequest) => Promise<C>;
  host: string;
  /** 0 picks a free one. */
  port: number;
  /** Where people reach this server, if not at the address that it listens on. */
  publicUrl?: string | undefined;
  /** True only while `host` is a loopback address: pages on any loopback origin may call. */
  localMode: boolean;
  /** Exact origins of browser frontends. */
  corsOrigins: string[];
  /** Also switches the explorer. */
  introspection: boolean;
  /** Bytes that a request body may have. */
  bodyLimit: number;
  logger: Logger;
  metrics: Registry;
  ready: () => Promise<Readiness>;
  /** Adds pages and other routes beside the API, in a scope of their own: parsers and error answers there are theirs alone. */
  addRoutes?: (scope: FastifyInstance) => void;
  /** Holds calls of tools back when too many come in; without it none are. */
  calls?: CallGate<C>;
  /** Takes WebSockets at `/graphql`, those that come from an accepted Host and Origin. Without it there are none. */
  sockets?: UpgradeHandler;
}

/** Where requests to switch to WebSocket go. */
export interface UpgradeHandler {
  /** Takes the connection over; false when there is no room, and then it is untouched. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /** Ends all connections, and returns when they are gone. */
  close(): Promise<void>;
}

/** The server of `/graphql`, the probes and the explorer. */
export interface HttpServer {
  /** The public URL, without a slash at its end; known once `listen` has resolved. */
  readonly url: string;
  /** The port that is listened on. */
  readonly port: number;
  /** Rejects when the port is taken. */
  listen(): Promise<void>;
  /** What `/readyz` answers, for a listener of its own: not ready as soon as it is closing, so that a balancer stops sending while what is running finishes. */
  ready(): Promise<Readiness>;
  /** Accepts nothing new, waits at most `graceMs` for what is running, then cuts the rest off (their signals abort). */
  close(graceMs: number): Promise<void>;
}

declare module 'fastify' {
  interface FastifyRequest {
    frame: RequestFrame;
  }
  interface FastifyContextConfig {
    /** The route judges `Origin` itself: a form on a page without referrer comes with `Origin: null`. It is never answered across origins. */
    judgesOrigin?: boolean;
  }
}

/**
 * Builds the HTTP server: `POST /graphql` on Apollo, `/healthz`, `/readyz`, and `/explorer` when introspection is on. Each request is
 * checked for its Host and Origin, has an id (`x-request-id`), one line in the log, and only ever a JSON answer, the explorer and `addRoutes` apart.
 */
export async function createHttpServer<C extends BaseContext>(options: HttpServerOptions<C>): Promise<HttpServer> {
  const { logger } = options;
  const frames = new RequestFrames();
  const intake = new Intake(REQUESTS_A_TURN);
  const mask = errorFormatter({ requestId: () => frames.current()?.requestId ?? 'none', logger });
  const apollo = createApollo<C>({ schema: options.schema, introspection: options.introspection, frames, formatError: mask, logger, door: options.calls?.door });
  await apollo.start();
  const app = Fastify({
    logger: false,
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    bodyLimit: options.bodyLimit,
    requestTimeout: 30_000,
    forceCloseConnections: 'idle',
    // Other upgrades are ignored, as RFC 9110 section 7.8 allows: some HTTP clients offer h2c with every request.
    http: { shouldUpgradeCallback: (request) => options.sockets !== undefined && request.headers.upgrade?.toLowerCase() === 'websocket' },
    return503OnClosing: false,
    genReqId: (request) => requestIdOf(request.headers),
    frameworkErrors: (error, request, reply) => void sendFault(reply, faultOf(error, request.id, options.bodyLimit, logger)),
  });
  const state = { closing: false, guard: null as RequestGuard | null, url: options.publicUrl?.replace(/\/+$/, '') ?? '', port: options.port };
  app.server.on('listening', () => {
    state.port = (app.server.address() as AddressInfo).port;
    state.url ||= `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${state.port}`;
    state.guard = new RequestGuard({ publicUrl: state.url, port: state.port, localMode: options.localMode, corsOrigins: options.corsOrigins });
  });

  app.decorateRequest('frame', null as unknown as RequestFrame);
  app.addHook('onRequest', (request, reply, done) => {
    request.frame = { requestId: request.id, operation: null, operationName: null, failed: false };
    reply.header('x-request-id', request.id);
    setSecurityHeaders(reply);
    if (PROBE_PATHS.has(request.url)) done();
    else if (admit(request, reply, state.guard)) intake.take(() => { if (!request.raw.socket.destroyed) done(); });
  });
  // As late as this: a request that was running when closing began would else leave its connection open, and hold the end up.
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (state.closing) reply.header('connection', 'close');
    done(null, payload);
  });
  observe(app, logger, new HttpMetrics(options.metrics));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, text, done) => parseJsonBody(text as string, request.headers['content-encoding'], done));
  app.setErrorHandler<FastifyError>((error, request, reply) => sendFault(reply, faultOf(error, request.id, options.bodyLimit, logger)));
  app.setNotFoundHandler((_request, reply) => sendFault(reply, { status: 404, code: 'NOT_FOUND', message: 'There is nothing here. The API is at POST /graphql.' }));

  const ready = async (): Promise<Readiness> => (state.closing ? { ok: false, checks: { process: 'closing' } } : options.ready());
  addProbes(app, ready);
  if (options.introspection) addExplorer(app, '/graphql');
  const answer = graphqlHandler({
    apollo, mask: (error) => mask({ message: '' }, error),
    context: (request, reply, hold) => options.context({ headers: request.headers, requestId: request.id, signal: disconnectSignal(reply), hold, ip: request.ip }),
    gate: options.calls,
  });
  app.post('/graphql', (request, reply) => frames.run(request.frame, () => answer.call(app, request, reply)));
  app.route({
    method: ['GET', 'PUT', 'PATCH', 'DELETE'], url: '/graphql',
    handler: (request, reply) => options.introspection && request.method === 'GET' && request.headers.accept?.includes('text/html')
      ? reply.redirect('/explorer', 302)
      : sendFault(reply.header('allow', 'POST'), { status: 405, code: 'METHOD_NOT_ALLOWED', message: 'GraphQL is answered to POST only, with a JSON body.' }),
  });

  const { addRoutes, sockets } = options;
  if (sockets !== undefined) {
    app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const fault = upgradeFault(request, state.guard);
      if (fault !== null) refuseUpgrade(request, socket, fault);
      else if (state.closing || !sockets.upgrade(request, socket, head)) refuseUpgrade(request, socket, { status: 503, code: 'INTERNAL', message: 'No room for another connection: try again later.' });
    });
  }
  if (addRoutes !== undefined) await app.register(async (scope) => addRoutes(scope));

  return {
    get url() { return state.url; },
    get port() { return state.port; },
    ready,
    listen: async () => void await app.listen({ host: options.host, port: options.port, backlog: BACKLOG }),
    close: async (graceMs) => {
      state.closing = true;
      await sockets?.close();
      const cut = setTimeout(() => app.server.closeAllConnections(), graceMs);
      await app.close().finally(() => clearTimeout(cut));
      await apollo.stop();
    },
  };
}

/** No route has a schema. Without being told, Fastify loads two compilers for them. */
function noSchemas(): never {
  throw new InvariantBroken('a route has a schema, and there is no compiler for it');
}

/** Some ten milliseconds of work: no crowd holds up what is under way, or a probe, for longer, and a flood as admission sees it comes through whole. */
const REQUESTS_A_TURN = 64;
/** Connections that the system may hold for us until we take them; it has a bound of its own. Beyond it a client tries again after a second: a probe that comes with a crowd would be late. */
const BACKLOG = 4096;

/** What is as long as a token of ours: links to a consent page hold one, and they aren't for the log. */
const SECRET_IN_PATH = /[A-Za-z0-9_-]{32,}/g;

/** Refuses a request that was not meant for us, and answers preflights; true when the request goes on. */
function admit(request: FastifyRequest, reply: FastifyReply, guard: RequestGuard | null): boolean {
  if (!guard?.acceptsHost(request.headers.host)) {
    sendFault(reply, HOST_REFUSED);
    return false;
  }
  const { origin } = request.headers;
  if (origin === undefined || request.routeOptions.config.judgesOrigin === true) return true;
  reply.header('vary', 'Origin');
  const verdict = guard.judgeOrigin(origin);
  if (verdict === 'REFUSED') {
    sendFault(reply, ORIGIN_REFUSED);
    return false;
  }
  if (verdict === 'ALLOWED') allowOrigin(request, reply);
  if (request.method !== 'OPTIONS') return true;
  answerPreflight(reply);
  return false;
}

/** One log line and the metrics of each answered request. Never headers, variables or bodies. */
function observe(app: FastifyInstance, logger: Logger, metrics: HttpMetrics): void {
  app.addHook('onResponse', (request, reply, done) => {
    const { frame } = request;
    if (frame?.shed === true) {
      metrics.countShed();
      return done();
    }
    const route = request.routeOptions.url;
    const ms = reply.elapsedTime;
    const path = request.url.split('?', 1)[0]!.replace(SECRET_IN_PATH, '…').slice(0, 200);
    logger.info({
      requestId: request.id, method: request.method, path, status: reply.statusCode, ms: Math.round(ms * 1000) / 1000,
      ...(frame?.operation && { operation: frame.operation, operationName: frame.operationName }),
    }, 'request');
    metrics.countRequest(route, reply.statusCode);
    if (route === '/graphql' && request.method === 'POST') {
      metrics.observeGraphql(frame?.operation ?? null, frame?.operation ? (frame.failed ? 'errors' : 'ok') : 'refused', ms / 1000);
    }
    done();
  });
}

/** Aborted when the connection closes before the answer was written. */
function disconnectSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}
