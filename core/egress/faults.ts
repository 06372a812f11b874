import { EgressError, type EgressCode } from './errors.js';

const UNREACHABLE: readonly string[] = [
  'ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'ETIMEDOUT', 'EADDRNOTAVAIL', 'EACCES', 'EPERM', 'EINVAL', 'EMFILE', 'ENFILE',
  'UND_ERR_CONNECT_TIMEOUT',
];
const BROKEN: readonly string[] = [
  'ECONNRESET', 'EPIPE', 'ECONNABORTED', 'UND_ERR_SOCKET', 'UND_ERR_INFO', 'UND_ERR_ABORTED', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'HPE_INVALID_EOF_STATE',
];

/**
 * Turns what undici, net and tls throw into an {@link EgressError}.
 * @param started whether the request's head was handed to the socket; before that, provably nothing was sent
 */
export function egressFault(error: unknown, started: boolean, secure: boolean, origin: string): EgressError {
  if (error instanceof EgressError) return error;
  const code = codeOf(error, started, secure);
  return new EgressError(code, `${origin}: ${detailOf(error)}`, {
    sent: started ? 'MAYBE' : 'NOTHING',
    publicMessage: code === 'REFUSED' ? 'a header or the path holds characters that HTTP does not allow' : undefined,
    cause: error,
  });
}

function codeOf(error: unknown, started: boolean, secure: boolean): EgressCode {
  const code = errorCode(error);
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED') return 'REFUSED';
  if (code === 'UND_ERR_HEADERS_OVERFLOW' || code === 'HPE_HEADER_OVERFLOW') return 'TOO_LARGE';
  if (code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED') return 'ABORTED';
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
