import { quotePeer } from '../errors.js';
import { MAX_SCOPES, properScopes } from './scopes.js';

/** What a protected resource publishes of itself, as far as it concerns a client. https://www.rfc-editor.org/rfc/rfc9728#section-2 */
export interface ResourceMetadata {
  /** As published: what goes into RFC 8707 requests. */
  resource: string;
  /** Issuer identifiers, as published; may be empty. */
  authorizationServers: string[];
  scopesSupported: string[];
}

/** Beyond this, entries are left out: nobody has so many authorization servers. */
const MAX_SERVERS = 8;

/**
 * Where the metadata of a resource is looked for when no challenge names the place: under its path, then at the root.
 * https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization/authorization-server-discovery
 */
export function resourceMetadataUrls(serverUrl: URL): string[] {
  const root = `${serverUrl.origin}/.well-known/oauth-protected-resource`;
  const path = serverUrl.pathname === '/' ? '' : serverUrl.pathname;
  return [...new Set([`${root}${path}${serverUrl.search}`, root])];
}

/**
 * Reads the document; the fault, a sentence for people, where it can't be used for this server; null where it is no resource metadata at all.
 * `resource` must be the server's URL or a parent of it on the same origin, since a token for another resource would be the wrong key, or a stolen one.
 */
export function readResourceMetadata(json: Record<string, unknown>, serverUrl: URL): ResourceMetadata | string | null {
  const { resource } = json;
  if (typeof resource !== 'string') return 'authorization_servers' in json ? 'The resource metadata names no "resource".' : null;
  if (!coversServer(resource, serverUrl)) {
    return `The resource metadata is for ${quotePeer(resource)}, which is neither ${serverUrl.origin}${serverUrl.pathname} nor a parent of it on the same origin. Correct "resource" there.`;
  }
  if (json.dpop_bound_access_tokens_required === true) return 'The server wants tokens that are bound with DPoP, which is not supported.';
  return {
    resource,
    authorizationServers: texts(json.authorization_servers, MAX_SERVERS),
    scopesSupported: properScopes(texts(json.scopes_supported, MAX_SCOPES)),
  };
}

function coversServer(resource: string, serverUrl: URL): boolean {
  const url = URL.parse(resource);
  if (!url || url.origin !== serverUrl.origin || resource.includes('#') || hasControls(resource) || url.username !== '' || url.password !== '') return false;
  if (url.search !== '' && url.search !== serverUrl.search) return false;
  const parent = url.pathname.replace(/\/+$/, '');
  const path = serverUrl.pathname.replace(/\/+$/, '');
  return path === parent || path.startsWith(`${parent}/`);
}

/** Whether a text holds control characters, or halves of surrogate pairs. `URL` forgives the former at the ends and replaces the latter, and PostgreSQL takes neither in JSON. */
export function hasControls(text: string): boolean {
  // eslint-disable-next-line no-control-regex -- control characters are what is refused
  return /[\u0000-\u001f\u007f]/.test(text) || !text.isWellFormed();
}

/** The usable texts of a list that a peer sent: no others, no doubles. */
export function texts(value: unknown, max: number): string[] {
  if (!Array.isArray(value)) return [];
  const usable = value.filter((text): text is string => typeof text === 'string' && text !== '' && text.length <= 2_048 && !hasControls(text));
  return [...new Set(usable)].slice(0, max);
}
