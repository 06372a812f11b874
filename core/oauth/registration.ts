import * as oauth from 'oauth4webapi';
import { quotePeer } from '../errors.js';
import { readClient, type RegisteredClient } from './client-information.js';
import { registrationMetadata, type ClientIdentity } from './client-metadata.js';
import type { Discovery } from './discovery.js';
import { OAuthFault } from './fault.js';
import { isErrorBody, refusal } from './refusal.js';
import { ask, requestOptions, type OAuthTransport } from './transport.js';

/** What to register, and where. */
export interface RegistrationRequest extends ClientIdentity {
  discovery: Pick<Discovery, 'issuer' | 'metadata'>;
  transport: OAuthTransport;
  /** Where the server registers nobody without one. */
  initialAccessToken?: string | null;
  /** To register for; usually left out: see {@link registrationMetadata}. */
  scopes?: readonly string[];
  now: Date;
}

/**
 * Registers a client dynamically. Not idempotent: record it as pending before, and treat `OUTCOME_UNKNOWN` as "there may be a client that we don't know".
 * https://www.rfc-editor.org/rfc/rfc7591#section-3
 * @throws {OAuthFault} `REFUSED` in the server's words: a client is required; `TEMPORARY`: nothing was registered, try again;
 * `OUTCOME_UNKNOWN`, `INVALID_ANSWER`: one may have been registered; `UNSUPPORTED`, `REFUSED_BY_POLICY`: nothing was sent
 */
export async function registerClient(request: RegistrationRequest): Promise<RegisteredClient> {
  const { discovery: { issuer, metadata }, transport, initialAccessToken, redirectUri, now } = request;
  const endpoint = metadata.registration_endpoint;
  const peer = `The registration at ${quotePeer(issuer)}`;
  if (endpoint === undefined) throw new OAuthFault('UNSUPPORTED', `${peer} isn't offered.`);
  const options = requestOptions(transport, endpoint, peer);
  const client = registrationMetadata(request, metadata, request.scopes);
  const answer = await ask(() => oauth.dynamicClientRegistrationRequest(metadata, { ...client }, { ...options, initialAccessToken: initialAccessToken || undefined }), peer);
  // Real servers answer 200 as well as 201.
  if ((answer.status !== 201 && answer.status !== 200) || answer.json === null || isErrorBody(answer.json)) throw refused(refusal(answer, peer, [initialAccessToken]), initialAccessToken);
  return readClient(answer.json, {
    peer, status: answer.status, redirectUri, requestedAuthMethod: client.token_endpoint_auth_method, now, admits: (url) => admitsManagement(transport, issuer, url),
  });
}

/** Whatever the refusal's code, here it means the same: no client. */
function refused(fault: OAuthFault, initialAccessToken: string | null | undefined): OAuthFault {
  if (fault.code === 'TEMPORARY' || fault.code === 'OUTCOME_UNKNOWN') return fault;
  const wantsToken = fault.status === 401 || fault.status === 403;
  const hint = !wantsToken ? '' : initialAccessToken ? ' The initial access token was not accepted.' : ' It may want an initial access token.';
  return new OAuthFault('REFUSED', fault.publicMessage + hint, { status: fault.status ?? undefined, error: fault.error ?? undefined });
}

/** A registration access token goes over HTTPS, unless the issuer itself is at a plain HTTP address that our policy admits. */
export function admitsManagement({ egress }: OAuthTransport, issuer: string, url: string): boolean {
  if (!url.startsWith('https:') && !(url.startsWith('http:') && issuer.startsWith('http:'))) return false;
  try {
    egress.check(url);
    return true;
  } catch {
    return false;
  }
}
