import { AsyncLocalStorage } from 'node:async_hooks';

/** What is known about one HTTP request while it is being answered; filled in as it goes through the layers. */
export interface RequestFrame {
  readonly requestId: string;
  /** Root field of the GraphQL operation (from the schema, so a bounded set), `multiple` for several, null before it is known. */
  operation: string | null;
  /** The client's own name for its operation: for logs only, never a metric label. */
  operationName: string | null;
  /** True for a call that was refused because too many came in: those are counted, and not logged one by one. */
  shed?: boolean;
  /** True once a GraphQL answer with errors was made. */
  failed: boolean;
}

/**
 * The frame of the request that the running code belongs to. Apollo hands neither request nor context to `formatError`,
 * and an error that is published without its request id is of no use to anyone.
 * https://nodejs.org/api/async_context.html
 */
export class RequestFrames {
  readonly #storage = new AsyncLocalStorage<RequestFrame>();

  /** Runs `work` (and everything that it awaits) inside `frame`. */
  run<T>(frame: RequestFrame, work: () => T): T {
    return this.#storage.run(frame, work);
  }

  /** The running request's frame; undefined outside of one. */
  current(): RequestFrame | undefined {
    return this.#storage.getStore();
  }
}
