import { randomBytes } from 'node:crypto';
import * as oauth from 'oauth4webapi';
import { quotePeer } from '../errors.js';
import { clientAuthentication } from './client-authentication.js';
import type { OAuthClientIdentity } from './client-information.js';
import type { Discovery } from './discovery.js';
import { OAuthFault } from './fault.js';
import { refusal } from './refusal.js';
import { ask, requestOptions, type OAuthTransport } from './transport.js';

/** Which client is tried, and where. */
export interface ClientTrial {
  discovery: Pick<Discovery, 'issuer' | 'metadata'>;
  client: OAuthClientIdentity;
  transport: OAuthTransport;
}

/**
 * Whether the issuer lets a client in: asked by revoking a token that nobody has, which ends nothing, and before which the client is authenticated. Null when that can't be told: no revocation
 * endpoint, a public client, no clear answer. Never throws for what the server does. https://www.rfc-editor.org/rfc/rfc7009#section-2.1
 */
export async function tryClient({ discovery: { issuer, metadata }, client, transport }: ClientTrial): Promise<boolean | null> {
  if (metadata.revocation_endpoint === undefined || client.clientSecret === null) return null;
  const peer = `The revocation endpoint of ${quotePeer(issuer)}`;
  try {
    const options = { ...requestOptions(transport, metadata.revocation_endpoint, peer), additionalParameters: { token_type_hint: 'refresh_token' } };
    const answer = await ask(() => oauth.revocationRequest(metadata, { client_id: client.clientId }, clientAuthentication(client), randomBytes(32).toString('base64url'), options), peer);
    if (answer.status === 200 || answer.status === 204) return true;
    throw refusal(answer, peer, [client.clientSecret]);
  } catch (error) {
    if (!(error instanceof OAuthFault)) throw error;
    return error.code === 'INVALID_CLIENT' ? false : null;
  }
}
