import type { FastifyReply } from 'fastify';

/** Headers of every answer: it is never sniffed, framed, cached, or named to another site. */
const HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

/** Sets the security headers; a route may overwrite single ones. */
export function setSecurityHeaders(reply: FastifyReply): void {
  reply.headers(HEADERS);
}
