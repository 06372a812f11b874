import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * Lets a page of an allowed origin read the answer. No credentials mode: callers are told by the Authorization header, never by a cookie.
 * https://fetch.spec.whatwg.org/#http-cors-protocol
 */
export function allowOrigin(request: FastifyRequest, reply: FastifyReply): void {
  reply.headers({
    'access-control-allow-origin': request.headers.origin,
    'access-control-expose-headers': 'x-request-id, retry-after, www-authenticate',
    'cross-origin-resource-policy': 'cross-origin',
  });
}

/** Answers a preflight request of an allowed origin. */
export function answerPreflight(reply: FastifyReply): void {
  reply.code(204).headers({
    'access-control-allow-methods': 'POST',
    'access-control-allow-headers': 'authorization, content-type, x-request-id, apollo-require-preflight',
    'access-control-max-age': '600',
    vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
  }).send();
}
