import type { RegisteredClient } from './client-information.js';
import { CLIENT_METADATA_PATH } from './outcome.js';
import { CLIENT_AUTH_METHODS, type ClientAuthMethod, type ServerMetadata } from './server-metadata.js';

/** What we say of ourselves when a client is registered. https://www.rfc-editor.org/rfc/rfc7591#section-2 */
export interface ClientMetadata {
  client_name: string;
  client_uri?: string;
  redirect_uris: string[];
  grant_types: string[];
  response_types: string[];
  token_endpoint_auth_method: ClientAuthMethod;
  /** https://openid.net/specs/openid-connect-registration-1_0.html#ClientMetadata */
  application_type: 'web' | 'native';
  scope?: string;
}

/** Who registers. */
export interface ClientIdentity {
  /** What a person sees on the consent page. */
  clientName: string;
  redirectUri: string;
}

/**
 * The metadata for dynamic registration: `web` for an HTTPS redirect URI, `native` for a loopback one; a refresh token is asked for unless the server says that
 * it has none to give; the client authenticates as the server wants it.
 * @param scopes to register for; left out where empty, so that a later step-up isn't barred
 */
export function registrationMetadata({ clientName, redirectUri }: ClientIdentity, server: ServerMetadata, scopes: readonly string[] = []): ClientMetadata {
  const refreshes = server.grant_types_supported?.includes('refresh_token') ?? true;
  const url = new URL(redirectUri);
  const web = url.protocol === 'https:';
  return {
    client_name: clientName,
    ...(web ? { client_uri: url.origin } : {}),
    redirect_uris: [redirectUri],
    grant_types: refreshes ? ['authorization_code', 'refresh_token'] : ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: preferredAuthMethod(server),
    application_type: web ? 'web' : 'native',
    ...(scopes.length > 0 ? { scope: scopes.join(' ') } : {}),
  };
}

/**
 * How a client authenticates where we may choose: with a secret where the server takes one, since we can keep it.
 * A server that says nothing takes `client_secret_basic`. https://www.rfc-editor.org/rfc/rfc8414#section-2
 */
export function preferredAuthMethod({ token_endpoint_auth_methods_supported: methods }: ServerMetadata): ClientAuthMethod {
  return CLIENT_AUTH_METHODS.find((method) => methods?.includes(method)) ?? 'client_secret_basic';
}

/**
 * The client ID metadata document: its own URL is the client ID, and the client is public.
 * https://datatracker.ietf.org/doc/draft-ietf-oauth-client-id-metadata-document/
 * @param configured where an administrator says that the world reads it, if not under our public URL; what is served must call itself by that address
 */
export function clientMetadataDocument(publicUrl: string, configured: string | null, { clientName, redirectUri }: ClientIdentity): ClientMetadata & { client_id: string } {
  const { protocol, origin } = new URL(redirectUri);
  return {
    // Servers refuse a document whose `client_uri` isn't HTTPS (oidc-provider).
    client_id: configured ?? new URL(CLIENT_METADATA_PATH, publicUrl).href, client_name: clientName, ...(protocol === 'https:' ? { client_uri: origin } : {}), redirect_uris: [redirectUri], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
    token_endpoint_auth_method: 'none', application_type: protocol === 'https:' ? 'web' : 'native',
  };
}

/** The client that the document at this URL makes us, wherever it is accepted. Nothing is asked for, and nothing expires. */
export function documentClient(url: string): RegisteredClient {
  return { method: 'METADATA_DOCUMENT', clientId: url, clientSecret: null, authMethod: 'none', clientSecretExpiresAt: null, management: null, warnings: [] };
}

/** The client that a manager entered; without a secret it is public. */
export function preregisteredClient(clientId: string, clientSecret: string | null, server: ServerMetadata): RegisteredClient {
  const authMethod = preregisteredAuthMethod(clientSecret, server);
  return { method: 'PREREGISTERED', clientId, clientSecret: authMethod === 'none' ? null : clientSecret, authMethod, clientSecretExpiresAt: null, management: null, warnings: [] };
}

/** How a client that a manager entered authenticates: one without a secret is public. */
export function preregisteredAuthMethod(clientSecret: string | null, server: ServerMetadata): ClientAuthMethod {
  if (clientSecret === null || clientSecret === '') return 'none';
  const preferred = preferredAuthMethod(server);
  return preferred === 'none' ? 'client_secret_basic' : preferred;
}
