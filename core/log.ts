import { pino, type DestinationStream, type Logger } from 'pino';

export type { Logger } from 'pino';

/** Levels that `FAIRLEAD_LOG_LEVEL` takes. */
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * A structured JSON logger, one line per record, to stdout unless a stream is given.
 * Errors are written as type, message, stack and code; headers and bodies are never passed to it.
 */
export function createLogger(level: LogLevel, stream?: DestinationStream): Logger {
  return pino({ level, base: null, serializers: { err: errorFacts }, timestamp: pino.stdTimeFunctions.isoTime }, stream ?? pino.destination({ dest: 1, sync: true }));
}

/** What may be logged of an error. Its other properties may hold statement parameters, headers or bodies. */
function errorFacts(error: unknown, depth = 0): unknown {
  if (!isErrorLike(error)) return typeof error;
  const cause = error.cause !== undefined && depth < 3 ? { cause: errorFacts(error.cause, depth + 1) } : {};
  return { type: error.name, code: typeof error.code === 'string' ? error.code : undefined, message: error.message, stack: error.stack, ...cause };
}

/** Not `instanceof`: errors may come from another realm. */
function isErrorLike(error: unknown): error is Error & { code?: unknown } {
  return typeof error === 'object' && error !== null && 'message' in error && 'name' in error;
}
