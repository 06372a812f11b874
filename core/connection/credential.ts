import type { ConnectionTypeSpec } from './spec.js';
import type { CredentialTarget } from './target.js';

/** A credential in clear: exists in memory only, between the vault and a request. */
export type CredentialValue =
  | { kind: 'NONE' }
  | { kind: 'ACCESS_TOKEN'; accessToken: string }
  | { kind: 'CUSTOM_HEADERS'; headers: HeaderValue[] }
  | OAuthTokens;

/** A header as a teammate entered it. `open`: it was declared as no secret when they did, and so may be shown; a later declaration can't make it so. */
export interface HeaderValue {
  name: string;
  value: string;
  open?: boolean;
}

/** What a consent or refresh brought; its life is in the enrollment's `OAuthGrant`. Only ever of type Bearer. */
export interface OAuthTokens {
  kind: 'OAUTH';
  accessToken: string;
  refreshToken: string | null;
}

/** The request headers that carry the credential; names as declared. */
export function credentialHeaders(spec: ConnectionTypeSpec, value: CredentialValue): Record<string, string> {
  switch (value.kind) {
    case 'NONE':
      return {};
    case 'ACCESS_TOKEN': {
      const { header, prefix } = spec.accessToken ?? { header: 'Authorization', prefix: 'Bearer ' };
      return { [header]: `${prefix}${value.accessToken}` };
    }
    case 'CUSTOM_HEADERS':
      return Object.fromEntries(value.headers.filter((header) => isDeclared(spec, header.name)).map((header) => [header.name, header.value]));
    case 'OAUTH':
      return { Authorization: `Bearer ${value.accessToken}` };
  }
}

/** Whether a type's teammates may send this header: what is no longer declared no longer goes out. Where nothing is declared, they name their own. */
export function isDeclared(spec: ConnectionTypeSpec, name: string): boolean {
  return spec.headers.length === 0 || spec.headers.some((header) => header.name.toLowerCase() === name.toLowerCase());
}

/**
 * The texts that must not come back in a result or an error. Headers that are declared as not secret, and were when they were entered, are left alone. A token is there as it
 * was entered, whatever it is sent behind; behind `Basic ` also as it is sent, since the scheme alone says that it encodes a password.
 */
export function credentialSecrets(spec: ConnectionTypeSpec, value: CredentialValue): string[] {
  switch (value.kind) {
    case 'NONE':
      return [];
    case 'ACCESS_TOKEN':
      return [value.accessToken, ...(/^basic /i.test(spec.accessToken?.prefix ?? '') ? Object.values(credentialHeaders(spec, value)) : [])];
    case 'CUSTOM_HEADERS': {
      const open = new Set(spec.headers.filter((header) => !header.secret).map((header) => header.name.toLowerCase()));
      return value.headers.filter((header) => !(header.open === true && open.has(header.name.toLowerCase()))).map((header) => header.value);
    }
    case 'OAUTH':
      return value.refreshToken === null ? [value.accessToken] : [value.accessToken, value.refreshToken];
  }
}

/** What a sealed credential is bound to, besides its row and version: the place that its owner confirmed (design section 4). */
export function targetBinding(target: CredentialTarget): string[] {
  return [target.serverUrl, target.authMethod, target.header ?? ''];
}
