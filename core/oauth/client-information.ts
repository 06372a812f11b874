import { OAuthFault } from './fault.js';
import { isHeaderSafe } from './header-safe.js';
import type { RegistrationMethod } from './outcome.js';
import { hasControls } from './resource-metadata.js';
import { CLIENT_AUTH_METHODS, type ClientAuthMethod } from './server-metadata.js';

/** Identifiers go into URLs that browsers and servers must take. */
const MAX_ID_LENGTH = 2_048;

/** A client as requests use it. Holds a secret. */
export interface OAuthClientIdentity {
  clientId: string;
  /** Null for public clients, never empty. */
  clientSecret: string | null;
  authMethod: ClientAuthMethod;
}

/** A client as the issuer confirmed it, all of one answer: it is stored as a whole or not at all. Holds secrets. */
export interface RegisteredClient extends OAuthClientIdentity {
  method: RegistrationMethod;
  /** Null where it doesn't expire, or the server doesn't say. */
  clientSecretExpiresAt: Date | null;
  /** RFC 7592 management; both or neither. The token rotates: with every answer the old one may be dead. */
  management: ClientManagement | null;
  /** What is odd about the answer but can be lived with, a sentence each. */
  warnings: string[];
}

/** Where, and with what, a client is managed. https://www.rfc-editor.org/rfc/rfc7592#section-3 */
export interface ClientManagement {
  registrationClientUri: string;
  registrationAccessToken: string;
}

/** What an answer is read against. */
export interface ReadContext {
  /** Who answered: begins a sentence. */
  peer: string;
  status: number;
  redirectUri: string;
  requestedAuthMethod: ClientAuthMethod;
  /** Whether a management URI may be reached. */
  admits: (url: string) => boolean;
  now: Date;
  /** What stays where an answer to an update leaves it out. */
  known?: RegisteredClient;
}

/**
 * Reads an answer of RFC 7591 or RFC 7592, leniently where real servers err: `client_secret_expires_at` missing, null, zero or text; null members; no authentication method.
 * @throws {OAuthFault} `INVALID_ANSWER` where there is no client in it
 */
export function readClient(json: Record<string, unknown>, context: ReadContext): RegisteredClient {
  const { known, peer, status } = context;
  const clientId = text(json.client_id);
  if (clientId === null) throw new OAuthFault('INVALID_ANSWER', `${peer} answered without a "client_id".`, { status });
  if (hasControls(clientId) || clientId.length > MAX_ID_LENGTH) throw new OAuthFault('INVALID_ANSWER', `${peer} answered with a "client_id" that can't be sent: it holds control characters, or is too long for a URL.`, { status });
  if (known && clientId !== known.clientId) throw new OAuthFault('INVALID_ANSWER', `${peer} answered with another "client_id" than the one that was asked about.`, { status });
  const warnings: string[] = [];
  const secret = text(json.client_secret);
  const authMethod = authMethodOf(json.token_endpoint_auth_method, secret ?? known?.clientSecret ?? null, context);
  const clientSecret = authMethod === 'none' ? null : (secret ?? known?.clientSecret ?? null);
  if (Array.isArray(json.redirect_uris) && !json.redirect_uris.includes(context.redirectUri)) warnings.push('The client was registered with other redirect URIs than ours; consent will probably fail.');
  if (Array.isArray(json.grant_types) && !json.grant_types.includes('refresh_token')) warnings.push('The client may not refresh tokens: people will have to consent again whenever a login expires.');
  return {
    method: known?.method ?? 'DYNAMIC', clientId, clientSecret, authMethod, clientSecretExpiresAt: clientSecret === null ? null : expiry(json.client_secret_expires_at, context, warnings),
    management: managementOf(json, context, warnings), warnings,
  };
}

function authMethodOf(value: unknown, secret: string | null, { requestedAuthMethod, peer, status }: ReadContext): ClientAuthMethod {
  const method = text(value);
  if (method === null) return secret === null ? 'none' : requestedAuthMethod === 'none' ? 'client_secret_basic' : requestedAuthMethod;
  const known = CLIENT_AUTH_METHODS.find((one) => one === method);
  if (!known) throw new OAuthFault('INVALID_ANSWER', `${peer} registered the client for a way of authentication that is not supported.`, { status });
  if (known !== 'none' && secret === null) throw new OAuthFault('INVALID_ANSWER', `${peer} registered a client with a secret, and left the secret out.`, { status });
  return known;
}

/** Zero, missing and nonsense are "doesn't expire". So is a time that has passed: a client that was made just now can't be over, and believing it would renew it without end. */
function expiry(value: unknown, { now, known }: ReadContext, warnings: string[]): Date | null {
  if (value === undefined && known) return known.clientSecretExpiresAt;
  const seconds = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof seconds !== 'number' || !Number.isFinite(seconds) || seconds <= 0 || seconds > MAX_SECONDS) return null;
  if (seconds * 1000 > now.getTime()) return new Date(seconds * 1000);
  warnings.push('The client secret is said to have expired before it was made; it is used until it is refused.');
  return null;
}

/** The end of the year 9999: beyond it, neither `Date` nor PostgreSQL is at home. */
const MAX_SECONDS = 253_402_300_799;

function managementOf(json: Record<string, unknown>, { admits, known }: ReadContext, warnings: string[]): ClientManagement | null {
  const registrationAccessToken = text(json.registration_access_token) ?? known?.management?.registrationAccessToken ?? null;
  const registrationClientUri = known?.management?.registrationClientUri ?? text(json.registration_client_uri);
  if (registrationAccessToken === null || registrationClientUri === null) return null;
  if (isHeaderSafe(registrationAccessToken) && !hasControls(registrationClientUri) && registrationClientUri.length <= MAX_ID_LENGTH && admits(registrationClientUri)) return { registrationClientUri, registrationAccessToken };
  warnings.push('The address for managing the client is not one that may be reached, or the token for it can\'t be sent; its secret can\'t be renewed, and it can\'t be deleted, automatically.');
  return null;
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
