/** Why a sealed value or a key can't be used. */
export const VAULT_ERROR_CODES = ['KEYS_INVALID', 'KEY_FILE_UNSAFE', 'KEY_UNKNOWN', 'KEY_IN_USE', 'TAMPERED_OR_MOVED', 'FORMAT'] as const;
export type VaultErrorCode = (typeof VAULT_ERROR_CODES)[number];

/**
 * A fault of the vault, for logs and for whoever runs the installation; never shown to a client. Messages name key ids, versions and rows, never key
 * material or plaintext, and say the next step.
 *
 * `KEYS_INVALID`: the ring's text is faulty, `faults` lists all. `KEY_FILE_UNSAFE`: others may read the key file. `KEY_UNKNOWN`: the key that a value needs isn't there; putting it
 * back makes the value readable. `KEY_IN_USE`: it can't be retired yet. `TAMPERED_OR_MOVED`: the value was altered, or belongs to another row, column, version, team or address.
 * `FORMAT`: the bytes aren't a sealed value.
 */
export class VaultError extends Error {
  override readonly name = 'VaultError';
  readonly faults: readonly string[];
  constructor(readonly code: VaultErrorCode, message: string, options: { faults?: readonly string[]; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.faults = options.faults ?? [];
  }
}
