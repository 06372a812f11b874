import { timingSafeEqual } from 'node:crypto';
import { UserFault } from '#core/errors.js';
import { canonicalJson } from '#core/json/canonical.js';
import { JsonFault } from '#core/json/json-fault.js';
import type { CallReservations, KeyClaim } from '#core/store/call-reservations.js';
import type { Vault } from '#core/vault/vault.js';
import type { Membership } from '../identity/principal.js';
import { idempotencyScope } from './actor.js';
import type { CallRequest } from './call-request.js';

/**
 * Idempotency keys: unique per team, member, assignment and person on whose behalf for 24 hours, each with a hash of what was asked. The hash is of the request as it was written (type,
 * enrollment, tool, arguments), not of what it resolves to: a retry finds its call even if the type was renamed or the enrollment is gone by then.
 */
export class Idempotency {
  constructor(private readonly reservations: Pick<CallReservations, 'claim'>, private readonly vault: Vault) {}

  /**
   * The id of the call that holds the request's key, or null.
   * @throws {UserFault} `IDEMPOTENCY_MISMATCH` when it was another request
   */
  async find(request: CallRequest, key: string, candidates: readonly Membership[]): Promise<string | null> {
    const claim = await this.reservations.claim(candidates.map((membership) => idempotencyScope(request, membership)), key);
    if (claim === null) return null;
    if (!timingSafeEqual(claim.requestHash, await this.#hash(claim.teamId, request))) {
      throw new UserFault('IDEMPOTENCY_MISMATCH', 'This idempotency key was used for another request within the last 24 hours. Use a new key for a new call.', { field: ['input', 'idempotencyKey'] });
    }
    return claim.toolCallId;
  }

  /** What a new call writes to claim its key. */
  async claim(request: CallRequest, key: string, membership: Membership): Promise<KeyClaim> {
    return { scope: idempotencyScope(request, membership), key, requestHash: await this.#hash(membership.teamId, request) };
  }

  /** Keyed, so that a dump of the database doesn't let anybody try out what the arguments were. */
  async #hash(teamId: string, request: CallRequest): Promise<Buffer> {
    const { connectionType, connectionTypeId, enrollmentId, tool } = request;
    const canonical = canonicalArguments({
      connectionType: connectionType ?? null, connectionTypeId: connectionTypeId ?? null, enrollmentId: enrollmentId ?? null, tool, arguments: request.arguments,
    });
    return this.vault.keyedHash(teamId, `callTool/1 ${canonical}`);
  }
}

function canonicalArguments(value: object): string {
  try {
    return canonicalJson(value);
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    throw new UserFault('INVALID', `The arguments can't be read as JSON: ${error.message}`, { field: ['input', 'arguments'], cause: error });
  }
}
