import { pino, type Logger, type DestinationStream } from 'pino';

export type { Logger } from 'pino';

/** Levels that `FAIRLEAD_LOG_LEVEL` takes. */
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * A structured JSON logger, one line per record, to stdout unless a stream is given.
 * Errors are written as type, message, stack and code; headers and bodies are never passed to it.
 */
export function createLogger(level: LogLevel, stream?: DestinationStream): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream ?? pino.destination({ dest: 1, sync: true }));
}
