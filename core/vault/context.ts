import { InvariantBroken } from '#core/errors.js';

/** Where a sealed value belongs. It opens there and nowhere else. */
export interface SealContext {
  table: string;
  column: string;
  rowId: string;
  /** Version of the value in its row; a non-negative integer. An old value can't be put back under a newer version. */
  version: number;
  /** Whatever else the value is bound to, in order: the confirmed server URL of a credential, say. */
  extra?: readonly string[];
}

/**
 * Encodes strings so that no two different lists have the same bytes: the number of fields, then each as its length in bytes and its UTF-8, all lengths as 32 bits big-endian.
 * Throws InvariantBroken for a lone surrogate, which UTF-8 would turn into the same bytes as another.
 */
export function encodeFields(fields: readonly string[]): Buffer {
  const parts: Buffer[] = [uint32(fields.length)];
  for (const field of fields) {
    if (!field.isWellFormed()) throw new InvariantBroken('A field that a sealed value is bound to is not well-formed Unicode.');
    const bytes = Buffer.from(field, 'utf8');
    parts.push(uint32(bytes.length), bytes);
  }
  return Buffer.concat(parts);
}

/** The additional data of a sealed value: team, data key version and context. Throws InvariantBroken for a version that is no non-negative integer. */
export function encodeContext(teamId: string, dataKeyVersion: number, context: SealContext): Buffer {
  if (!Number.isSafeInteger(context.version) || context.version < 0) throw new InvariantBroken('The version of a sealed value must be a non-negative integer.');
  const { table, column, rowId, version, extra = [] } = context;
  return encodeFields(['fairlead/sealed/1', teamId, String(dataKeyVersion), table, column, rowId, String(version), ...extra]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
