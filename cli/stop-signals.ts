/** Within this time a second signal is the same wish: Ctrl-C reaches us from the terminal and once more through npm. */
const SAME_WISH_MS = 500;
const SIGNALS = { SIGTERM: 143, SIGINT: 130, SIGHUP: 129 } as const;

/** What {@link stopSignals} listens to: `process`, or an emitter in its place. */
export interface SignalSource {
  on(event: string, listener: () => void): unknown;
  /** There when another process started us with one, as bin/fairlead.js does. */
  channel?: { unref(): void } | undefined | null;
}

/**
 * Aborts at the first SIGTERM, SIGINT or SIGHUP, or when the process that started us through a channel is gone. At the next signal, `force` is called with
 * the exit code that says so (128 + the signal's number).
 * @param now monotonic milliseconds
 */
export function stopSignals(source: SignalSource, now: () => number, force: (exitCode: number) => void): AbortSignal {
  const controller = new AbortController();
  let first = 0;
  for (const [signal, exitCode] of Object.entries(SIGNALS)) {
    source.on(signal, () => {
      if (!controller.signal.aborted) {
        first = now();
        controller.abort(signal);
      } else if (now() - first >= SAME_WISH_MS) force(exitCode);
    });
  }
  if (source.channel) {
    source.on('disconnect', () => controller.abort('disconnect'));
    source.channel.unref();
  }
  return controller.signal;
}
