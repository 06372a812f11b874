import * as oauth from 'oauth4webapi';
import { quotePeer } from '../errors.js';
import { clientAuthentication } from './client-authentication.js';
import type { OAuthClientIdentity } from './client-information.js';
import type { Discovery } from './discovery.js';
import { isErrorBody, refusal, type Secrets } from './refusal.js';
import { readTokenSet, type TokenSet } from './token-set.js';
import { asResponse, ask, requestOptions, validated, type OAuthTransport, type RequestOptions } from './transport.js';

/** Who asks whom for tokens. */
export interface TokenParties {
  discovery: Pick<Discovery, 'issuer' | 'resource' | 'metadata'>;
  client: OAuthClientIdentity;
  transport: OAuthTransport;
  /** Our clock. */
  now: () => Date;
}

/** One request to the token endpoint, and what its answer is read against. */
export interface TokenRequest {
  send: (client: oauth.Client, authentication: oauth.ClientAuth, options: RequestOptions & { additionalParameters: { resource: string } }) => Promise<Response>;
  process: (client: oauth.Client, response: Response) => Promise<oauth.TokenEndpointResponse>;
  requestedScopes: readonly string[];
  refreshToken: string | null;
  /** What is sent besides the client's secret, and mustn't come back in a message. */
  secrets: Secrets;
}

/**
 * Asks for tokens, with the RFC 8707 `resource`, and reads the answer. Sends once and never again: what may be repeated is decided by who keeps the record.
 * @throws {OAuthFault} every code but `ISSUER_MISMATCH` and `UNSUPPORTED`
 */
export async function requestTokens({ discovery: { issuer, resource, metadata }, client, transport, now }: TokenParties, request: TokenRequest): Promise<TokenSet> {
  const peer = `The token endpoint of ${quotePeer(issuer)}`;
  const options = { ...requestOptions(transport, metadata.token_endpoint, peer), additionalParameters: { resource } };
  const party: oauth.Client = { client_id: client.clientId };
  const sentAt = now();
  const answer = await ask(() => request.send(party, clientAuthentication(client), options), peer);
  const { status, json } = answer;
  // Real servers answer 201 as well, and send errors with 200.
  const success = status === 200 || status === 201;
  if (!success || json === null || (isErrorBody(json) && typeof json.access_token !== 'string')) throw refusal(answer, peer, [client.clientSecret, ...request.secrets]);
  const tokens = readTokenSet(json, { peer, status, sentAt, requestedScopes: request.requestedScopes, refreshToken: request.refreshToken });
  await validated(() => request.process(party, asResponse(200, wireForm(tokens))), peer, status);
  return tokens;
}

/** The answer as it should have been. An `id_token` is left out: who the person is was settled before, by ourselves. */
function wireForm({ accessToken, refreshToken, scopes }: TokenSet): Record<string, unknown> {
  return { access_token: accessToken, token_type: 'bearer', ...(refreshToken === null ? {} : { refresh_token: refreshToken }), scope: scopes.join(' ') };
}
