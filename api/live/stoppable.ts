/**
 * The iterator of `work`, which ends at once when it is returned or when `outer` aborts: a generator's own `return` would wait for what it is waiting for.
 * `work` gets a signal that says so, and has to heed it wherever it waits.
 */
export function stoppable<T>(outer: AbortSignal, work: (signal: AbortSignal) => AsyncGenerator<T, void>): AsyncIterableIterator<T> {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  if (outer.aborted) stop();
  else outer.addEventListener('abort', stop, { once: true });
  const source = work(controller.signal);
  const ended = (): void => outer.removeEventListener('abort', stop);
  return {
    async next() {
      try {
        const result = await source.next();
        if (result.done === true) ended();
        return result;
      } catch (error) {
        ended();
        throw error;
      }
    },
    async return() {
      stop();
      ended();
      return source.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
