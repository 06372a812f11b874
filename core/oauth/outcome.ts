import type { AuthMethod } from '../connection/spec.js';
import { checkUrl } from '../egress/policy.js';
import { EgressError } from '../egress/errors.js';
import { quotePeer } from '../errors.js';
import type { Discovery, DiscoveryReport } from './discovery.js';

/** How a client comes to be known at an issuer, in the order of preference. */
export const REGISTRATION_METHODS = ['PREREGISTERED', 'METADATA_DOCUMENT', 'DYNAMIC'] as const;
export type RegistrationMethod = (typeof REGISTRATION_METHODS)[number];

/** The three answers to "can this server be connected with OAuth?". */
export type OAuthVerdict = 'NOT_SUPPORTED' | 'AUTOMATIC' | 'CLIENT_REQUIRED';

/** What a person is told, and what creation goes by. */
export interface OAuthOutcome {
  outcome: OAuthVerdict;
  /** `NOT_SUPPORTED` only: what to use instead. */
  suggestedAuthMethod: AuthMethod | null;
  /** `NOT_SUPPORTED` only: whether asking again later may give another answer. */
  retryable: boolean;
  issuer: string | null;
  authorizationEndpoint: string | null;
  /** Ways that are open, preferred first; `PREREGISTERED` always is where there is OAuth. */
  registrationMethods: RegistrationMethod[];
  scopesSupported: string[];
  /** To be registered where a client is registered by hand. */
  redirectUri: string;
  message: string;
}

/** What the outcome is decided from. */
export interface OutcomeFacts {
  discovery: DiscoveryReport;
  /** The server answered 401 to a request without a credential. */
  challenged: boolean;
  redirectUri: string;
  /** Where our client metadata document is, if others can read it there: see {@link clientMetadataUrl}. */
  clientMetadataUrl: string | null;
  /** What the registration endpoint said when it refused; null where it wasn't asked, or didn't refuse. */
  registrationRefusal?: string | null;
}

/** Decides the outcome. */
export function decideOutcome(facts: OutcomeFacts): OAuthOutcome {
  const { discovery: { found, failure }, redirectUri } = facts;
  if (!found) {
    return {
      outcome: 'NOT_SUPPORTED', suggestedAuthMethod: failure.code === 'ABSENT' ? (facts.challenged ? 'ACCESS_TOKEN' : 'NONE') : null, retryable: failure.code === 'UNREACHABLE',
      issuer: null, authorizationEndpoint: null, registrationMethods: [], scopesSupported: [], redirectUri, message: notSupported(facts),
    };
  }
  const ways = registrationMethods(found, facts);
  const outcome = ways.length > 1 ? 'AUTOMATIC' : 'CLIENT_REQUIRED';
  return {
    outcome, suggestedAuthMethod: null, retryable: false, issuer: found.issuer, authorizationEndpoint: found.metadata.authorization_endpoint,
    registrationMethods: ways, scopesSupported: found.scopesSupported, redirectUri, message: outcome === 'AUTOMATIC' ? automatic(found, ways[1]!) : clientRequired(found, facts),
  };
}

/** Which way to take: the client that a manager entered wins, then the metadata document, then dynamic registration; null where a client is required. */
export function chooseRegistration(found: Discovery, facts: Pick<OutcomeFacts, 'clientMetadataUrl' | 'registrationRefusal'> & { hasClient: boolean }): RegistrationMethod | null {
  return facts.hasClient ? 'PREREGISTERED' : (registrationMethods(found, facts)[1] ?? null);
}

/**
 * Where the world can read our client metadata document: the configured place, else under our public URL if that is public HTTPS; null where nobody could.
 * https://datatracker.ietf.org/doc/draft-ietf-oauth-client-id-metadata-document/
 */
export function clientMetadataUrl(publicUrl: string, configured: string | null): string | null {
  if (configured !== null) return configured;
  const url = new URL(CLIENT_METADATA_PATH, publicUrl).href;
  try {
    return checkUrl({ allow: [], allowLoopback: false, denied: [] }, url).secure ? url : null;
  } catch (error) {
    if (error instanceof EgressError) return null;
    throw error;
  }
}

/** Where we serve the document. */
export const CLIENT_METADATA_PATH = '/.well-known/fairlead-client.json';

function registrationMethods({ metadata }: Discovery, { clientMetadataUrl: url, registrationRefusal }: Pick<OutcomeFacts, 'clientMetadataUrl' | 'registrationRefusal'>): RegistrationMethod[] {
  const methods: RegistrationMethod[] = ['PREREGISTERED'];
  // Such a client is public: a server that lists its ways to authenticate clients must take "none".
  const takesPublic = metadata.token_endpoint_auth_methods_supported?.includes('none') ?? true;
  if (url !== null && metadata.client_id_metadata_document_supported === true && takesPublic) methods.push('METADATA_DOCUMENT');
  if (metadata.registration_endpoint !== undefined && (registrationRefusal ?? null) === null) methods.push('DYNAMIC');
  return methods;
}

function automatic({ issuer }: Discovery, way: RegistrationMethod): string {
  return way === 'METADATA_DOCUMENT'
    ? `The server uses OAuth; ${quotePeer(issuer)} accepts our client metadata document, so there is nothing more to enter.`
    : `The server uses OAuth; ${quotePeer(issuer)} registers clients automatically, so there is nothing more to enter.`;
}

function clientRequired({ issuer, metadata }: Discovery, { redirectUri, registrationRefusal, clientMetadataUrl: url }: OutcomeFacts): string {
  const why = registrationRefusal
    ? `automatic registration was refused (${registrationRefusal.replace(/\.$/, '')})`
    : metadata.client_id_metadata_document_supported === true && url === null
      ? 'it would accept our client metadata document, but our public URL isn\'t public HTTPS, and it offers no dynamic registration'
      : 'it doesn\'t register clients automatically';
  return `The server uses OAuth, but ${why}. Register a client at ${quotePeer(issuer)} with the redirect URI ${redirectUri}, and enter its client ID and secret.`;
}

function notSupported({ discovery: { failure }, challenged }: OutcomeFacts): string {
  if (failure!.code !== 'ABSENT') return failure!.message;
  return challenged
    ? 'The server wants a credential but publishes no OAuth metadata. Use an access token or custom headers.'
    : 'The server answers without a credential and publishes no OAuth metadata. Use the auth method NONE.';
}
