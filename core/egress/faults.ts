import { EgressError, type EgressCode } from './errors.js';

const UNREACHABLE: readonly string[] = [
  'ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'ETIMEDOUT', 'EADDRNOTAVAIL', 'EACCES', 'EPERM', 'EINVAL', 'EMFILE', 'ENFILE',
  'UND_ERR_CONNECT_TIMEOUT',
];
const BROKEN: readonly string[] = ['ECONNRESET', 'EPIPE', 'ECONNABORTED'];

/**
 * Turns what undici's connector, net and tls throw into an {@link EgressError}.
 * @param started whether the request's head was handed to the socket; before that, provably nothing was sent
 */
export function egressFault(error: unknown, started: boolean, secure: boolean, origin: string): EgressError {
  if (error instanceof EgressError) return error;
  const code = codeOf(error, started, secure);
  return new EgressError(code, `${origin}: ${detailOf(error)}`, { sent: started ? 'MAYBE' : 'NOTHING', cause: error });
}

function codeOf(error: unknown, started: boolean, secure: boolean): EgressCode {
  const code = errorCode(error);
  if (code === 'ABORT_ERR') return 'ABORTED';
  if (started && code.startsWith('ERR_SSL')) return 'TLS';
  if (started) return BROKEN.includes(code) || UNREACHABLE.includes(code) ? 'RESET' : 'PROTOCOL';
  if (UNREACHABLE.includes(code)) return 'CONNECT';
  return secure ? 'TLS' : 'CONNECT';
}

/** With several addresses tried, Node reports an AggregateError; the first attempt's code is as good as any. */
function errorCode(error: unknown): string {
  // By shape and not `instanceof`: errors of sockets may come from another realm.
  const { code, errors } = (error ?? {}) as { code?: unknown; errors?: unknown };
  if (typeof code === 'string') return code;
  return Array.isArray(errors) && errors.length > 0 ? errorCode(errors[0]) : '';
}

function detailOf(error: unknown): string {
  const { message } = (error ?? {}) as { message?: unknown };
  return `${errorCode(error)} ${typeof message === 'string' ? message : 'failed'}`.trim();
}
