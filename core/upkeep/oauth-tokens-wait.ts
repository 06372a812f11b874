import { PeerFault } from '../errors.js';

/** How long somebody waits for a login. */
export interface Wait {
  timeoutMs: number;
  signal?: AbortSignal;
}

/** The provider that would have to renew a login doesn't answer, or not in time: nobody has to act. Nothing was sent to the MCP server with this login, or it was refused. */
export class ProviderUnavailable extends PeerFault {
  constructor(publicMessage: string, retryAfterMs: number | null, cause?: unknown) {
    super('UNREACHABLE', publicMessage, { sent: 'NOTHING', cause, ...(retryAfterMs === null ? {} : { retryAfterMs }) });
  }
}

/** The promise's outcome, unless the waiting ends before: that ends the waiting, not the work. @throws {ProviderUnavailable} then */
export async function waitFor<T>(work: Promise<T>, { timeoutMs, signal }: Wait): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const end = (): void => reject(new ProviderUnavailable('The login was not renewed by its provider in time. Try again.', 1000));
  const timer = setTimeout(end, Math.max(0, timeoutMs));
  if (signal?.aborted === true) end();
  else signal?.addEventListener('abort', end, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
    work.catch(() => undefined);
    promise.catch(() => undefined);
  }
}
