import { quotePeer } from '../errors.js';
import { hasControls, texts } from './resource-metadata.js';

/**
 * What an authorization server publishes of itself: the members that we use, each of the right type, others left out.
 * Assignable to oauth4webapi's `AuthorizationServer`. https://www.rfc-editor.org/rfc/rfc8414#section-2
 */
export interface ServerMetadata {
  issuer: string;
  authorization_endpoint: string;
  token_endpoint: string;
  registration_endpoint?: string;
  revocation_endpoint?: string;
  scopes_supported?: string[];
  grant_types_supported?: string[];
  token_endpoint_auth_methods_supported?: string[];
  code_challenge_methods_supported?: string[];
  authorization_response_iss_parameter_supported?: boolean;
  client_id_metadata_document_supported?: boolean;
  [member: string]: string | string[] | boolean | undefined;
}

/** Ways to authenticate a client that we can do. */
export const CLIENT_AUTH_METHODS = ['client_secret_basic', 'client_secret_post', 'none'] as const;
export type ClientAuthMethod = (typeof CLIENT_AUTH_METHODS)[number];

/**
 * Where the metadata of an issuer is looked for, in the specification's order, tenants in paths included; the fault where the identifier isn't usable.
 * https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization/authorization-server-discovery , https://www.rfc-editor.org/rfc/rfc8414#section-3.1
 */
export function serverMetadataUrls(issuer: string): string[] | string {
  const url = URL.parse(issuer);
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:') || /[?#]/.test(issuer) || url.username !== '' || url.password !== '') {
    return `${quotePeer(issuer)} is no issuer identifier: an https:// URL without query and fragment.`;
  }
  const tenant = url.pathname.replace(/\/+$/, '');
  const oauth2 = `${url.origin}/.well-known/oauth-authorization-server${tenant}`;
  const oidc = `${url.origin}/.well-known/openid-configuration${tenant}`;
  return tenant === '' ? [oauth2, oidc] : [oauth2, oidc, `${url.origin}${tenant}/.well-known/openid-configuration`];
}

/** Why metadata can't be used; `PKCE` where S256 is merely not advertised. */
export interface MetadataFault {
  kind: 'INCONSISTENT' | 'PKCE' | 'UNSUPPORTED';
  message: string;
}

/**
 * Reads a document; null where it is no authorization-server metadata at all.
 * @param issuers what the document may call itself: compared character by character. https://www.rfc-editor.org/rfc/rfc8414#section-3.3
 * @param allowUnadvertisedPkce admits a server that says nothing about PKCE; one that lists other methods only is refused all the same
 */
export function readServerMetadata(json: Record<string, unknown>, issuers: readonly string[], allowUnadvertisedPkce: boolean): ServerMetadata | MetadataFault | null {
  const { issuer } = json;
  if (typeof issuer !== 'string' && !('token_endpoint' in json)) return null;
  if (typeof issuer !== 'string' || !issuers.includes(issuer)) {
    const said = typeof issuer === 'string' ? `calls itself ${quotePeer(issuer)}` : 'names no "issuer"';
    return inconsistent(`The authorization server's metadata ${said}, but was found as ${quotePeer(issuers[0]!)}. The two must be equal, character by character.`);
  }
  const metadata: ServerMetadata = { issuer, authorization_endpoint: '', token_endpoint: '' };
  for (const name of ['authorization_endpoint', 'token_endpoint', 'registration_endpoint', 'revocation_endpoint'] as const) {
    const value = json[name];
    if (value === undefined || value === null || value === '') continue;
    if (!isEndpoint(value, issuer)) return inconsistent(`The authorization server's "${name}" is no ${issuer.startsWith('https:') ? 'https://' : 'http(s)://'} URL.`);
    metadata[name] = value;
  }
  if (metadata.authorization_endpoint === '' || metadata.token_endpoint === '') {
    return inconsistent(`The authorization server's metadata names no "${metadata.token_endpoint === '' ? 'token_endpoint' : 'authorization_endpoint'}".`);
  }
  for (const name of LISTS) {
    if (Array.isArray(json[name])) metadata[name] = texts(json[name], 500);
  }
  for (const name of FLAGS) {
    if (typeof json[name] === 'boolean') metadata[name] = json[name];
  }
  return unsupported(metadata, json) ?? unadvertisedPkce(metadata, allowUnadvertisedPkce) ?? metadata;
}

/** Whether {@link readServerMetadata} found a fault. */
export function isMetadataFault(found: ServerMetadata | MetadataFault): found is MetadataFault {
  return 'kind' in found && 'message' in found;
}

const LISTS = ['scopes_supported', 'grant_types_supported', 'token_endpoint_auth_methods_supported', 'code_challenge_methods_supported'] as const;
const FLAGS = ['authorization_response_iss_parameter_supported', 'client_id_metadata_document_supported'] as const;

/** An HTTPS issuer has HTTPS endpoints only: whoever can read plain HTTP could read codes and tokens. */
function isEndpoint(value: unknown, issuer: string): value is string {
  if (typeof value !== 'string' || value.length > 2_048 || value.includes('#') || hasControls(value)) return false;
  const url = URL.parse(value);
  if (!url || url.username !== '' || url.password !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && issuer.startsWith('http:'));
}

function unsupported(metadata: ServerMetadata, json: Record<string, unknown>): MetadataFault | null {
  const say = (message: string): MetadataFault => ({ kind: 'UNSUPPORTED', message });
  const { grant_types_supported: grants, token_endpoint_auth_methods_supported: methods } = metadata;
  const responses = texts(json.response_types_supported, 100);
  if (responses.length > 0 && !responses.includes('code')) return say('The authorization server doesn\'t offer the response type "code".');
  if (grants && grants.length > 0 && !grants.includes('authorization_code')) return say('The authorization server doesn\'t offer the grant "authorization_code".');
  if (json.require_pushed_authorization_requests === true) return say('The authorization server demands pushed authorization requests (RFC 9126), which are not supported.');
  if (methods && methods.length > 0 && !methods.some((method) => (CLIENT_AUTH_METHODS as readonly string[]).includes(method))) {
    return say(`The authorization server authenticates clients only by ${quotePeer(methods.join(', '))}; supported are client_secret_basic, client_secret_post and none.`);
  }
  return null;
}

/** https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization#authorization-code-protection */
function unadvertisedPkce({ code_challenge_methods_supported: methods }: ServerMetadata, allowed: boolean): MetadataFault | null {
  if (methods?.includes('S256')) return null;
  if (methods && methods.length > 0) return { kind: 'UNSUPPORTED', message: 'The authorization server doesn\'t support PKCE with S256, which MCP demands.' };
  if (allowed) return null;
  return {
    kind: 'PKCE',
    message: 'The authorization server doesn\'t advertise PKCE with S256 ("code_challenge_methods_supported"), which MCP demands. If it is known to support it, as Entra ID and Cognito do, set oauth.allowUnadvertisedPkce.',
  };
}

function inconsistent(message: string): MetadataFault {
  return { kind: 'INCONSISTENT', message };
}
