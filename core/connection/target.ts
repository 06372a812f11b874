import type { AuthMethod, ConnectionTypeSpec } from './spec.js';

/**
 * Where a credential goes: the address and the place in the request. It is confirmed by the enrollment's owner, and is part of the
 * sealed value's additional data, so that **a credential never goes to a place that its owner has not seen** (design section 4).
 */
export interface CredentialTarget {
  /** Normalised: see {@link targetUrl}. */
  serverUrl: string;
  authMethod: AuthMethod;
  /** ACCESS_TOKEN: the header, lower case. Otherwise null. */
  header: string | null;
}

/** The form in which server URLs are compared: a trailing slash makes no difference, anything else does. */
export function targetUrl(serverUrl: string): string {
  const url = new URL(serverUrl);
  url.pathname = url.pathname.replace(/\/$/, '');
  return url.href;
}

/** Where credentials for this spec go now. */
export function currentTarget(spec: ConnectionTypeSpec): CredentialTarget {
  return { serverUrl: targetUrl(spec.serverUrl), authMethod: spec.authMethod, header: spec.accessToken?.header.toLowerCase() ?? null };
}

/** Whether both name the same place. */
export function sameTarget(a: CredentialTarget, b: CredentialTarget): boolean {
  return a.serverUrl === b.serverUrl && a.authMethod === b.authMethod && a.header === b.header;
}
