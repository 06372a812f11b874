import type { Loaders } from './loaders.js';
import type { Principal } from './identity/principal.js';

/** What every resolver gets: one per request. */
export interface Context {
  requestId: string;
  /** Aborted when the client goes away before it has its answer. */
  signal: AbortSignal;
  principal: Principal;
  loaders: Loaders;
}
