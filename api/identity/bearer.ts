import type { IncomingHttpHeaders } from 'node:http';
import { IdentityFault } from './identity-fault.js';

/**
 * The credential of an `Authorization: Bearer …` header (RFC 6750, section 2.1); null when there is no such header.
 * Throws {@link IdentityFault} UNAUTHENTICATED for another scheme or a malformed credential.
 */
export function bearerOf(headers: IncomingHttpHeaders): string | null {
  const { authorization } = headers;
  if (authorization === undefined) return null;
  const [, token] = /^Bearer +([A-Za-z0-9\-._~+/]+=*) *$/i.exec(authorization) ?? [];
  if (token === undefined) {
    throw new IdentityFault('UNAUTHENTICATED', 'Send the token as "Authorization: Bearer <token>".', { internal: 'Authorization header is no bearer credential' });
  }
  return token;
}
