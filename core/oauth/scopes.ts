import type { Discovery } from './discovery.js';

/** Scopes, each once, in the order of their first appearance. */
export function scopeUnion(...lists: readonly (readonly string[])[]): string[] {
  return [...new Set(lists.flat())];
}

/** Beyond this, the scopes of one list are left out: nobody has so many, and each is stored, shown, and asked for in a URL. */
export const MAX_SCOPES = 200;

/**
 * What of a peer's list can be a scope, each once; the rest is left out, so that none passes for two, turns the text around it, or fails to be stored.
 * https://www.rfc-editor.org/rfc/rfc6749#section-3.3
 */
export function properScopes(said: readonly unknown[]): string[] {
  return scopeUnion(said.filter((scope): scope is string => typeof scope === 'string' && /^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/.test(scope))).slice(0, MAX_SCOPES);
}

/**
 * What to ask for: what a manager configured, else what the challenge names, else what the resource supports, else nothing, so that the server decides;
 * with `offline_access` besides, but only if the authorization server advertises it (or a manager configured it); and in every case what a step-up needs and what was granted before.
 * https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization#scope-selection-strategy
 * @param wanted of a step-up: the enrollment's granted scopes together with those of the `insufficient_scope` challenge; else empty
 */
export function scopesToRequest({ challengeScopes, scopesSupported, metadata }: Pick<Discovery, 'challengeScopes' | 'scopesSupported' | 'metadata'>, configured: readonly string[], wanted: readonly string[] = []): string[] {
  const usual = [configured, challengeScopes, scopesSupported].find((scopes) => scopes.length > 0) ?? [];
  const offline = metadata.scopes_supported?.includes(OFFLINE_ACCESS) ?? false;
  const asked = scopeUnion(usual, wanted).filter((scope) => scope !== OFFLINE_ACCESS || offline || configured.includes(scope));
  // Alone it would not mean "the usual, and for long", but "nothing, and for long".
  return offline && asked.length > 0 ? scopeUnion(asked, [OFFLINE_ACCESS]) : asked;
}

/** https://openid.net/specs/openid-connect-core-1_0.html#OfflineAccess */
const OFFLINE_ACCESS = 'offline_access';
