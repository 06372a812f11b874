import type { Slot } from './call/admission.js';
import type { HoldAnswer } from './call/call-request.js';
import type { Loaders } from './loaders.js';
import type { LiveStreams } from './live/live-streams.js';
import type { Principal } from './identity/principal.js';

/** Addresses of our own pages. */
export interface Links {
  /** To be registered where an OAuth client is registered by hand. */
  redirectUri: string;
  /** Where a person reads how to connect, or to connect anew. */
  enroll: (teamSlug: string, connectionTypeName: string) => string;
}

/** What every resolver gets: one per request. */
export interface Context {
  requestId: string;
  /** Aborted when the client goes away before it has its answer. */
  signal: AbortSignal;
  /** See {@link HoldAnswer}; absent where an answer leaves in parts. */
  hold?: HoldAnswer | undefined;
  principal: Principal;
  loaders: Loaders;
  links: Links;
  /** Of a request that is a call of a tool and nothing else. */
  slot?: Slot;
  /** What subscriptions emit. */
  live: LiveStreams;
  /** Asks anew who is calling, for the next event of a subscription. Throws `IdentityFault` when nobody valid is any more. */
  renew: () => Promise<void>;
}
