import { PeerFault, UserFault } from '#core/errors.js';
import { ProviderUnavailable } from '#core/upkeep/oauth-tokens-wait.js';

/** What {@link Circuits} is built of. */
export interface CircuitsOptions {
  /** So many transport failures in a row open a circuit. */
  failures: number;
  /** How long it stays open at first, and at the most: each failed probe doubles it. Milliseconds. */
  openMs: number;
  longestMs: number;
  /** Monotonic milliseconds. */
  clock: () => number;
}

interface Circuit {
  /** In a row. */
  failures: number;
  openUntil: number;
  pauseMs: number;
  /** A probe is on its way. */
  probing: boolean;
  usedAt: number;
}

const IDLE_MS = 600_000;
const RETRY_WHILE_PROBING_MS = 1000;

/**
 * A circuit breaker per server, in this process: a server that can't be reached is left alone for a while, and then asked by one call.
 *
 *     closed ──failures in a row──▶ open ──time──▶ half-open: one probe ──reached──▶ closed
 *                                    ▲                          │
 *                                    └──────not reached─────────┘
 */
export class Circuits {
  readonly #circuits = new Map<string, Circuit>();

  constructor(private readonly options: CircuitsOptions) {}

  /**
   * Lets a call through; the function that is returned is to be called once, when the call is over or wasn't made.
   * @throws {UserFault} `CIRCUIT_OPEN`, retryable
   */
  enter(key: string, name: string): () => void {
    const circuit = this.#circuits.get(key);
    if (circuit === undefined || circuit.failures < this.options.failures) return () => undefined;
    const now = this.options.clock();
    const left = circuit.openUntil - now;
    if (left > 0 || circuit.probing) {
      const retryAfterMs = Math.ceil(left > 0 ? left : RETRY_WHILE_PROBING_MS);
      throw new UserFault('CIRCUIT_OPEN', `The server of ${name} could not be reached ${circuit.failures} times in a row, and is left alone for a while. Try again in ${Math.ceil(retryAfterMs / 1000)} s.`, { retryable: true, retryAfterMs });
    }
    circuit.probing = true;
    return () => { circuit.probing = false; };
  }

  /** What the end of a call said of the server: `error` is what ended it, or null. */
  note(key: string, error: unknown): void {
    const reached = reachedBy(error);
    if (reached === null) return;
    if (reached) {
      this.#circuits.delete(key);
      return;
    }
    const { failures, openMs, longestMs } = this.options;
    const now = this.options.clock();
    let circuit = this.#circuits.get(key);
    if (circuit === undefined) this.#circuits.set(key, circuit = { failures: 0, openUntil: 0, pauseMs: openMs / 2, probing: false, usedAt: now });
    circuit.failures += 1;
    circuit.usedAt = now;
    // Failures of calls that were on their way already when it opened don't make it longer.
    if (circuit.failures < failures || circuit.openUntil > now) return;
    circuit.pauseMs = Math.min(longestMs, circuit.pauseMs * 2);
    circuit.openUntil = now + circuit.pauseMs;
  }

  /** Forgets servers that nobody called for long. */
  prune(): void {
    const before = this.options.clock() - IDLE_MS;
    for (const [key, circuit] of this.#circuits) if (circuit.usedAt < before && !circuit.probing) this.#circuits.delete(key);
  }
}

const GATEWAY_ERRORS = new Set([502, 503, 504]);

/** Whether the server was reached; null where the end says nothing of that: cancelled, or a tool that takes long. Only failures of the transport say no. */
export function reachedBy(error: unknown): boolean | null {
  if (error === null) return true;
  // An authorization server that doesn't answer says nothing of the MCP server.
  if (!(error instanceof PeerFault) || error instanceof ProviderUnavailable) return null;
  if (error.code === 'UNREACHABLE') return error.status !== null && !GATEWAY_ERRORS.has(error.status);
  if (error.code === 'TIMEOUT') return error.sent === 'NOTHING' ? false : null;
  return true;
}
