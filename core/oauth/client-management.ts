import { quotePeer } from '../errors.js';
import { readClient, type ClientManagement, type RegisteredClient } from './client-information.js';
import { registrationMetadata, type ClientIdentity } from './client-metadata.js';
import type { Discovery } from './discovery.js';
import { OAuthFault } from './fault.js';
import { isErrorBody, refusal } from './refusal.js';
import { admitsManagement } from './registration.js';
import { ask, type OAuthTransport, type PeerAnswer } from './transport.js';

/** A client that can be managed, and how to reach it. */
export interface ManagedClient extends ClientIdentity {
  discovery: Pick<Discovery, 'issuer' | 'metadata'>;
  client: RegisteredClient & { management: ClientManagement };
  transport: OAuthTransport;
  now: Date;
}

/**
 * Reads the client as the issuer knows it now. Whatever comes back is to be stored as a whole: the registration access token may have rotated, the secret too.
 * https://www.rfc-editor.org/rfc/rfc7592#section-2.1
 * @throws {OAuthFault} `INVALID_CLIENT`: the issuer no longer knows the client (purged), or the token; `TEMPORARY`, `OUTCOME_UNKNOWN` as usual: after the latter the token may be dead
 */
export async function readRegistration(managed: ManagedClient): Promise<RegisteredClient> {
  return understood(await manage(managed, 'GET'), managed);
}

/**
 * Asks for the client to be renewed, which gives servers that let secrets expire the occasion to issue a new one. Store the answer as a whole, before anything else is done with it.
 * https://www.rfc-editor.org/rfc/rfc7592#section-2.2
 * @throws {OAuthFault} as {@link readRegistration}; `REFUSED` in the server's words
 */
export async function renewRegistration(managed: ManagedClient): Promise<RegisteredClient> {
  const { client } = managed;
  // The members that the server alone may set, `registration_client_uri` and its like, must not be sent back.
  const body = {
    ...registrationMetadata(managed, managed.discovery.metadata), client_id: client.clientId, token_endpoint_auth_method: client.authMethod,
    ...(client.clientSecret === null ? {} : { client_secret: client.clientSecret }),
  };
  return understood(await manage(managed, 'PUT', body), managed);
}

/** What became of a client that was to be deleted. `GONE`: the issuer didn't know it, or its token, any more. */
export type ClientDeletion = 'DELETED' | 'GONE' | 'NOT_SUPPORTED';

/**
 * Deletes the client. May be repeated.
 * https://www.rfc-editor.org/rfc/rfc7592#section-2.3
 * @throws {OAuthFault} `TEMPORARY`, `OUTCOME_UNKNOWN`: try again; `REFUSED` in the server's words
 */
export async function deleteRegistration(managed: ManagedClient): Promise<ClientDeletion> {
  const answer = await manage(managed, 'DELETE');
  if (answer.status >= 200 && answer.status < 300) return 'DELETED';
  if (answer.status === 401 || answer.status === 404 || answer.status === 410) return 'GONE';
  if (answer.status === 403 || answer.status === 405 || answer.status === 501) return 'NOT_SUPPORTED';
  throw refusal(answer, peerOf(managed), secretsOf(managed));
}

/** oauth4webapi has no RFC 7592: the three requests are made here, under the same guard. */
async function manage({ discovery: { issuer }, client: { management }, transport }: ManagedClient, method: 'GET' | 'PUT' | 'DELETE', body?: object): Promise<PeerAnswer> {
  const peer = peerName(issuer);
  const { registrationClientUri: url, registrationAccessToken } = management;
  if (!admitsManagement(transport, issuer, url)) throw new OAuthFault('REFUSED_BY_POLICY', `${peer}: the address is refused by policy.`);
  const fetch = transport.egress.fetchWith({ timeoutMs: transport.timeoutMs, maxBytes: 256 * 1024 });
  const headers = { Accept: 'application/json', Authorization: `Bearer ${registrationAccessToken}`, ...(body ? { 'Content-Type': 'application/json' } : {}) };
  // oxlint-disable-next-line unicorn/no-invalid-fetch-options -- a body comes with PUT only
  return ask(() => fetch(url, { method, headers, body: body && JSON.stringify(body), redirect: 'manual', signal: transport.signal }), peer);
}

function understood(answer: PeerAnswer, managed: ManagedClient): RegisteredClient {
  const { client, transport, discovery: { issuer }, redirectUri, now } = managed;
  if (answer.status !== 200 || answer.json === null || isErrorBody(answer.json)) throw gone(answer) ?? refusal(answer, peerOf(managed), secretsOf(managed));
  return readClient(answer.json, {
    peer: peerOf(managed), status: answer.status, redirectUri, requestedAuthMethod: client.authMethod, now, known: client, admits: (url) => admitsManagement(transport, issuer, url),
  });

  function gone({ status, json }: PeerAnswer): OAuthFault | null {
    if (status !== 401 && status !== 404 && status !== 410) return null;
    return new OAuthFault('INVALID_CLIENT', `${peerOf(managed)}: the client, or the token for managing it, is no longer known (HTTP ${status}).`, { status, error: isErrorBody(json) ? json.error : undefined });
  }
}

function secretsOf({ client }: ManagedClient): string[] {
  return [client.management.registrationAccessToken, client.clientSecret ?? ''];
}

function peerOf({ discovery }: ManagedClient): string {
  return peerName(discovery.issuer);
}

function peerName(issuer: string): string {
  return `The client's registration at ${quotePeer(issuer)}`;
}
