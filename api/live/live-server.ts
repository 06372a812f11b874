import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { GraphQLError, type FormattedExecutionResult, type GraphQLFormattedError, type GraphQLSchema } from 'graphql';
import { handleProtocols, makeServer, type Server } from 'graphql-ws';
import { WebSocketServer, type WebSocket } from 'ws';
import { UserFault } from '#core/errors.js';
import type { Logger } from '#core/log.js';
import type { Context } from '../context.js';
import { errorFormatter } from '../graphql/errors.js';
import { requestIdOf } from '../http/request-id.js';
import { bearerOf } from '../identity/bearer.js';
import { IdentityFault } from '../identity/identity-fault.js';
import type { Principal } from '../identity/principal.js';
import { CLOSE, type LiveLimits } from './limits.js';
import { LiveSocket } from './live-socket.js';
import { prepareSubscription } from './operation.js';

/** What {@link LiveServer} is built of. */
export interface LiveServerOptions {
  schema: GraphQLSchema;
  introspection: boolean;
  limits: LiveLimits;
  logger: Logger;
  /** Throws `IdentityFault`. */
  authenticate: (bearer: string | null) => Promise<Principal>;
  /** The context of one subscription, less its `renew`. */
  context: (request: { principal: Principal; requestId: string; signal: AbortSignal }) => Omit<Context, 'renew'>;
}

type Payload = Record<string, unknown> | undefined;

/**
 * Subscriptions over graphql-transport-ws. Nothing of the HTTP server's limits and masks comes along with a WebSocket, so all of them are applied here.
 * https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverWebSocket.md
 */
export class LiveServer {
  readonly #wss: WebSocketServer;
  readonly #graphql: Server<LiveSocket>;
  /** Each with what is left to do when it has closed. */
  readonly #sockets = new Map<LiveSocket, Promise<void>>();
  readonly #perPrincipal = new Map<string, number>();
  #closing = false;

  constructor(private readonly options: LiveServerOptions) {
    const { limits } = options;
    this.#wss = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false, maxPayload: limits.messageBytes, handleProtocols });
    this.#graphql = makeServer<Payload, LiveSocket>({
      connectionInitWaitTimeout: limits.initTimeoutMs,
      onConnect: ({ connectionParams, extra }) => this.#admit(extra, connectionParams),
      onSubscribe: ({ extra, subscriptions }, _id, payload) => {
        if (Object.keys(subscriptions).length > limits.subscriptionsPerSocket) {
          return [refused(new UserFault('RATE_LIMITED', `A connection has at most ${limits.subscriptionsPerSocket} subscriptions: end one of them first.`, { retryable: true }))];
        }
        const prepared = prepareSubscription(options.schema, options.introspection, payload);
        if (Array.isArray(prepared)) return prepared;
        const context = { ...options.context({ principal: extra.principal!, requestId: extra.requestId, signal: extra.signal }), renew: async () => { context.principal = await this.#renew(extra); } };
        return { ...prepared, contextValue: context };
      },
      onError: ({ extra }, _id, _payload, errors) => errors.map((error) => this.#format(extra, error)),
      onNext: ({ extra }, _id, _payload, _args, result): FormattedExecutionResult | undefined =>
        result.errors === undefined ? undefined : { ...result, errors: result.errors.map((error) => this.#format(extra, error)) },
    });
  }

  /** Takes over a connection whose request was found to be meant for us. False when there is no room: then it is untouched. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    if (this.#closing || this.#sockets.size >= this.options.limits.sockets) return false;
    this.#wss.handleUpgrade(request, socket, head, (ws) => this.#open(ws, requestIdOf(request.headers)));
    return true;
  }

  /** Tells every client that this server goes, and returns when all are gone and nothing runs for them. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const socket of this.#sockets.keys()) socket.close(CLOSE.GOING_AWAY, 'Going away');
    await Promise.all(this.#sockets.values());
    this.#wss.close();
  }

  #open(ws: WebSocket, requestId: string): void {
    const { logger, limits } = this.options;
    const socket = new LiveSocket(ws, limits, requestId);
    const began = performance.now();
    const closed = this.#graphql.opened({
      protocol: socket.protocol, send: (data) => socket.send(data), close: (code, reason) => socket.close(code ?? CLOSE.INTERNAL, reason),
      onMessage: (handle) => socket.onMessage(async (data) => {
        try {
          await handle(data);
        } catch (error) {
          logger.error({ err: error, requestId }, 'a message over WebSocket failed');
          socket.close(CLOSE.INTERNAL, `Internal error; quote ${requestId} when you report it`);
        }
      }),
    }, socket);
    socket.every(limits.renewMs, () => {
      if (socket.principal !== null) this.#renew(socket).catch((error: unknown) => logger.debug({ err: error, requestId }, 'a credential could not be checked again'));
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#sockets.set(socket, promise);
    ws.once('close', (code, reason) => {
      void closed(code, String(reason)).catch((error: unknown) => logger.error({ err: error, requestId }, 'subscriptions could not be ended')).finally(() => {
        this.#sockets.delete(socket);
        this.#count(socket, -1);
        logger.info({ requestId, code, ms: Math.round(performance.now() - began) }, 'live connection ended');
        resolve();
      });
    });
    if (this.#closing) socket.close(CLOSE.GOING_AWAY, 'Going away');
  }

  /** Whether the client is somebody, and may have one connection more; otherwise the socket is closed. */
  async #admit(socket: LiveSocket, params: Payload): Promise<boolean> {
    const authorization = params?.authorization;
    try {
      const bearer = bearerOf(typeof authorization === 'string' ? { authorization } : {});
      const principal = await this.options.authenticate(bearer);
      if (!socket.open) return false;
      if ((this.#perPrincipal.get(keyOf(principal)) ?? 0) >= this.options.limits.socketsPerPrincipal) {
        socket.close(CLOSE.TRY_LATER, 'Too many connections: close one first');
        return false;
      }
      Object.assign(socket, { bearer, principal });
      this.#count(socket, 1);
      return true;
    } catch (error) {
      this.#shut(socket, error);
      return false;
    }
  }

  /** Who the client is now; when they are nobody any more, the socket is closed. */
  async #renew(socket: LiveSocket): Promise<Principal> {
    try {
      return await this.options.authenticate(socket.bearer);
    } catch (error) {
      if (error instanceof IdentityFault && error.code === 'UNAUTHENTICATED') this.#shut(socket, error);
      throw error;
    }
  }

  #shut(socket: LiveSocket, error: unknown): void {
    if (error instanceof IdentityFault) return socket.close(error.code === 'UNAUTHENTICATED' ? CLOSE.FORBIDDEN : CLOSE.TRY_LATER, error.publicMessage);
    this.options.logger.error({ err: error, requestId: socket.requestId }, 'a live connection could not be admitted');
    socket.close(CLOSE.TRY_LATER, `Internal error; quote ${socket.requestId} when you report it`);
  }

  #count(socket: LiveSocket, change: 1 | -1): void {
    if (socket.principal === null) return;
    const key = keyOf(socket.principal);
    const count = (this.#perPrincipal.get(key) ?? 0) + change;
    if (count > 0) this.#perPrincipal.set(key, count);
    else this.#perPrincipal.delete(key);
  }

  #format({ requestId }: LiveSocket, error: GraphQLError): GraphQLFormattedError {
    return errorFormatter({ requestId: () => requestId, logger: this.options.logger })(error.toJSON(), error);
  }
}

function refused(fault: UserFault): GraphQLError {
  return new GraphQLError(fault.publicMessage, { originalError: fault });
}

/** One person, or one token: its holders don't take each other's room. */
function keyOf(principal: Principal): string {
  return principal.tokenId ?? `${principal.local} ${principal.subject}`;
}
