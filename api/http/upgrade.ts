import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { faultBody, HOST_REFUSED, ORIGIN_REFUSED, type HttpFault } from './error-answer.js';
import { requestIdOf } from './request-id.js';
import type { RequestGuard } from './request-guard.js';

/** Why a request to switch to WebSocket isn't for us, by the rules that hold for every request; null when it is. */
export function upgradeFault(request: IncomingMessage, guard: RequestGuard | null): HttpFault | null {
  if (!guard?.acceptsHost(request.headers.host)) return HOST_REFUSED;
  if (guard.judgeOrigin(request.headers.origin) === 'REFUSED') return ORIGIN_REFUSED;
  if (request.url?.split('?', 1)[0] !== '/graphql') return { status: 404, code: 'NOT_FOUND', message: 'There is nothing here. WebSockets are taken at /graphql.' };
  return null;
}

/** Answers without switching, and ends the connection. */
export function refuseUpgrade(request: IncomingMessage, socket: Duplex, fault: HttpFault): void {
  const requestId = requestIdOf(request.headers);
  const body = faultBody(fault, requestId);
  socket.on('error', () => socket.destroy());
  socket.once('finish', () => socket.destroy());
  socket.end([
    `HTTP/1.1 ${fault.status} ${STATUS_CODES[fault.status]}`, 'Connection: close', 'Content-Type: application/json; charset=utf-8', `Content-Length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${requestId}`, '', body,
  ].join('\r\n'));
}
