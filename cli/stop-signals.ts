/** Within this time a second signal is the same wish: Ctrl-C reaches us from the terminal and once more through npm. */
const SAME_WISH_MS = 500;
const SIGNALS = { SIGTERM: 143, SIGINT: 130, SIGHUP: 129 } as const;

/** How often it is looked whether the parent is still there. */
const PARENT_EVERY_MS = 250;

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
 * @param parent given where we live and die with the process that started us: its id, as it is now
 */
export function stopSignals(source: SignalSource, now: () => number, force: (exitCode: number) => void, parent?: () => number): AbortSignal {
  const controller = new AbortController();
  if (parent !== undefined) watchParent(parent, () => controller.abort('parent ended'));
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

/**
 * Calls `gone` once the process that started us has ended: an `npm start` that is killed outright takes nobody with it, and would leave us
 * holding the state directory. For use only where the parent is known to wait for us.
 * @param parent the parent's process id now
 */
function watchParent(parent: () => number, gone: () => void): void {
  const first = parent();
  const timer = setInterval(() => {
    if (parent() === first) return;
    clearInterval(timer);
    gone();
  }, PARENT_EVERY_MS).unref();
}
