import { quotePeer } from '../errors.js';
import type { ClientManagement, OAuthClientIdentity } from '../oauth/client-information.js';
import { deleteRegistration } from '../oauth/client-management.js';
import { OAuthFault } from '../oauth/fault.js';
import { revokeTokens, type Revocation } from '../oauth/revocation.js';
import type { ServerMetadata } from '../oauth/server-metadata.js';
import type { TokenSet } from '../oauth/token-set.js';
import type { OAuthTransport } from '../oauth/transport.js';

/** What a leftover holds, sealed: everything that undoing it takes, since the rows that it came from are gone. Holds secrets. */
export type LeftoverContent =
  | { kind: 'TOKENS'; client: OAuthClientIdentity; metadata: ServerMetadata; tokens: Pick<TokenSet, 'accessToken' | 'refreshToken'> }
  | { kind: 'CLIENT'; client: OAuthClientIdentity & { management: ClientManagement }; redirectUri: string };

/** Where, and by which way. */
export interface UndoRequest {
  issuer: string;
  transport: OAuthTransport;
  clientName: string;
  now: Date;
}

/** Undoes it, once. Never throws for what the provider does. */
export async function undo(content: LeftoverContent, request: UndoRequest): Promise<Revocation> {
  const { issuer, transport } = request;
  if (content.kind === 'TOKENS') return revokeTokens({ discovery: { issuer, metadata: content.metadata }, client: content.client, transport, tokens: content.tokens });
  return unregister(content, request);
}

async function unregister({ client, redirectUri }: LeftoverContent & { kind: 'CLIENT' }, { issuer, transport, clientName, now }: UndoRequest): Promise<Revocation> {
  const metadata: ServerMetadata = { issuer, authorization_endpoint: '', token_endpoint: '' };
  const managed = { ...client, method: 'DYNAMIC' as const, clientSecretExpiresAt: null, warnings: [] };
  try {
    const deletion = await deleteRegistration({ discovery: { issuer, metadata }, client: managed, transport, clientName, redirectUri, now });
    if (deletion === 'NOT_SUPPORTED') return { outcome: 'NOT_SUPPORTED', retryable: false, retryAfterMs: null, message: `${quotePeer(issuer)} doesn't let clients be deleted.` };
    const message = deletion === 'DELETED' ? `The client was deleted at ${quotePeer(issuer)}.` : `${quotePeer(issuer)} no longer knew the client.`;
    return { outcome: 'REVOKED', retryable: false, retryAfterMs: null, message };
  } catch (error) {
    if (!(error instanceof OAuthFault)) throw error;
    return { outcome: 'FAILED', retryable: error.code === 'TEMPORARY' || error.code === 'OUTCOME_UNKNOWN', retryAfterMs: error.retryAfterMs, message: error.publicMessage };
  }
}
