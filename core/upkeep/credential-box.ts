import type { ConnectionTypeSpec } from '../connection/spec.js';
import { targetBinding, type CredentialValue } from '../connection/credential.js';
import type { CredentialTarget } from '../connection/target.js';
import { InvariantBroken } from '../errors.js';
import type { SealContext } from '../vault/context.js';
import type { Vault } from '../vault/vault.js';

/** Which sealed credential, and the place that its owner confirmed for it. */
export interface CredentialKey {
  teamId: string;
  enrollmentId: string;
  version: number;
  target: CredentialTarget;
}

/** Seals and opens credentials. What was sealed for one place doesn't open for another, whatever a row says. */
export class CredentialBox {
  constructor(private readonly vault: Vault) {}

  /** The sealed form; null for a credential that holds nothing. */
  async seal(key: CredentialKey, value: CredentialValue): Promise<Buffer | null> {
    return value.kind === 'NONE' ? null : this.vault.seal(key.teamId, context(key), JSON.stringify(value));
  }

  /** Throws a `VaultError` when the value was sealed for another row, version or place. */
  async open(key: CredentialKey, sealed: Buffer | null, spec: Pick<ConnectionTypeSpec, 'authMethod'>): Promise<CredentialValue> {
    if (sealed === null) {
      if (spec.authMethod === 'NONE') return { kind: 'NONE' };
      throw new InvariantBroken('a credential that was cleared must not be opened');
    }
    return JSON.parse((await this.vault.open(key.teamId, context(key), sealed)).toString('utf8')) as CredentialValue;
  }
}

function context(key: CredentialKey): SealContext {
  return { table: 'credentials', column: 'sealed', rowId: key.enrollmentId, version: key.version, extra: targetBinding(key.target) };
}
