import { Circuits } from './circuits.js';
import { CallLimits, type Leave, type TokenBounds } from './limits.js';
import type { Route } from './route.js';

/** What {@link Gate} is built of. */
export interface GateOptions {
  /** Calls that this process may have in flight. */
  maxInFlight: number;
  /** Monotonic milliseconds. */
  clock: () => number;
}

/** How much the calls to one server may bring back at the same time, in this process: a server that hangs, or answers large, can't take the others' memory and sockets. */
const BYTES_PER_SERVER = 256 * 1024 * 1024;
const BREAKER = { failures: 5, openMs: 5_000, longestMs: 60_000 };

/** The last door before a call: limits of its type and token, a bulkhead and a circuit breaker for its server, and what this process can do at all. */
export class Gate {
  readonly #limits: CallLimits;
  readonly #circuits: Circuits;

  constructor({ maxInFlight, clock }: GateOptions) {
    this.#limits = new CallLimits({ maxInFlight, clock });
    this.#circuits = new Circuits({ ...BREAKER, clock });
  }

  /**
   * Admits one call; the function that is returned ends it, and must be called once (see {@link CallLimits.enter}).
   * @throws {UserFault} `CIRCUIT_OPEN`, `RATE_LIMITED` or `OVERLOADED`, all retryable; then nothing was counted.
   */
  enter(route: Route, token: TokenBounds | null): Leave {
    const { calls, displayName } = route.spec;
    const done = this.#circuits.enter(circuitOf(route), displayName);
    try {
      const atOnce = Math.max(1, Math.floor(BYTES_PER_SERVER / calls.maxResultBytes));
      const leave = this.#limits.enter(route.typeId, { ...calls, atOnce }, token);
      return (end) => {
        done();
        leave(end);
      };
    } catch (error) {
      done();
      throw error;
    }
  }

  /** To be told how each call ended: `error` is what ended it, or null. */
  ended(route: Route, error: unknown): void {
    this.#circuits.note(circuitOf(route), error);
  }

  /** Forgets what wasn't used for a while. */
  prune(): void {
    this.#limits.prune();
    this.#circuits.prune();
  }
}

/** A team's server: what another team brings about is nothing to this one. */
function circuitOf({ typeId, spec }: Route): string {
  return `${typeId} ${spec.serverUrl}`;
}
