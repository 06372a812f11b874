import type { FastifyReply } from 'fastify';
import { JsonFault } from '#core/json/json-fault.js';
import type { Logger } from '#core/log.js';
import { BodyEncoded } from './json-body.js';

/** Codes of errors that are answered before GraphQL sees the request. */
export type HttpFaultCode = 'BAD_REQUEST' | 'HOST_REFUSED' | 'ORIGIN_REFUSED' | 'NOT_FOUND' | 'METHOD_NOT_ALLOWED' | 'LIMIT_EXCEEDED' | 'INTERNAL';

/** What an error answer says; the shape is that of a GraphQL error, so that clients need one parser only. */
export interface HttpFault {
  status: number;
  code: HttpFaultCode;
  message: string;
}

/** The answer under a host name that isn't ours. */
export const HOST_REFUSED: HttpFault = { status: 421, code: 'HOST_REFUSED', message: 'This server is not known under that host name. Use its public URL (FAIRLEAD_PUBLIC_URL).' };

/** The answer to a page of a foreign origin. */
export const ORIGIN_REFUSED: HttpFault = { status: 403, code: 'ORIGIN_REFUSED', message: 'Pages of this origin may not call this server. An operator can allow it in FAIRLEAD_CORS_ORIGINS.' };

/** The body of the answer that says `fault`. */
export function faultBody(fault: HttpFault, requestId: string): string {
  return JSON.stringify({ errors: [{ message: fault.message, extensions: { code: fault.code, requestId } }] });
}

/** Answers `fault` as `{errors: [{message, extensions: {code, requestId}}]}`. */
export function sendFault(reply: FastifyReply, fault: HttpFault): FastifyReply {
  return reply
    .code(fault.status)
    .header('content-type', 'application/json; charset=utf-8')
    .send(faultBody(fault, reply.request.id));
}

/** The public message for what our own code or Fastify threw on the way; anything unknown is ours, logged, and masked. */
export function faultOf(error: Error & { code?: string }, requestId: string, bodyLimit: number, logger: Logger): HttpFault {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return { status: 413, code: 'LIMIT_EXCEEDED', message: `The request body is larger than ${bodyLimit} bytes. Send less at once.` };
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return { status: 415, code: 'BAD_REQUEST', message: 'Send the request body as JSON, with the header "content-type: application/json".' };
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return { status: 400, code: 'BAD_REQUEST', message: 'The request body is shorter or longer than its Content-Length says.' };
    case 'FST_ERR_BAD_URL':
      return { status: 400, code: 'BAD_REQUEST', message: 'The path of the request URL is not properly percent-encoded.' };
  }
  // Whoever sent it has gone: nobody reads this, and nothing went wrong here.
  if (error.code === 'ECONNRESET' && error.message === 'aborted') return { status: 400, code: 'BAD_REQUEST', message: 'The request body was broken off.' };
  if (error instanceof BodyEncoded) return { status: 415, code: 'BAD_REQUEST', message: 'The request body is encoded. Send it as it is, without Content-Encoding.' };
  if (error instanceof JsonFault) return { status: 400, code: 'BAD_REQUEST', message: `The request body can't be read: ${error.message}` };
  logger.error({ err: error, requestId }, 'request failed');
  return { status: 500, code: 'INTERNAL', message: `Internal error; quote request id ${requestId} when you report it.` };
}
