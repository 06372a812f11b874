import type { CredentialTarget } from '#core/connection/target.js';
import type { PendingAuthorization } from '#core/oauth/authorization.js';
import type { SealContext } from '#core/vault/context.js';
import type { Vault } from '#core/vault/vault.js';

/** What is sealed of a consent that was sent to the provider. */
export interface Flow {
  pending: PendingAuthorization;
  /** Where the login will go, as its owner saw it. */
  target: CredentialTarget;
}

/** Seals it for its row. */
export function sealFlow(vault: Vault, authorization: { id: string; teamId: string }, flow: Flow): Promise<Buffer> {
  return vault.seal(authorization.teamId, context(authorization.id), JSON.stringify(flow));
}

/** Throws a `VaultError` for what was sealed for another row. */
export async function openFlow(vault: Vault, authorization: { id: string; teamId: string; sealed: Buffer | null }): Promise<Flow> {
  return JSON.parse((await vault.open(authorization.teamId, context(authorization.id), authorization.sealed!)).toString('utf8')) as Flow;
}

function context(rowId: string): SealContext {
  return { table: 'oauth_authorizations', column: 'sealed', rowId, version: 0 };
}
