/** How the API server, or the way to it, failed. */
export type KubeFaultCode =
  /** No answer: no connection, a reset, a deadline. */
  | 'UNREACHABLE'
  /** 404: the object, or the whole resource. */
  | 'NOT_FOUND'
  /** 409 with reason AlreadyExists. */
  | 'ALREADY_EXISTS'
  /** 409: somebody was faster, or another manager owns a field. */
  | 'CONFLICT'
  /** 410: what was asked for is compacted away. */
  | 'GONE'
  /** 422, 400: it will never be taken as it is. */
  | 'INVALID'
  /** 401, 403. */
  | 'FORBIDDEN'
  /** 429, 503, 504 and other 5xx: later. */
  | 'BUSY'
  | 'OTHER';

/** A failure of the Kubernetes API. Its message holds verb, path and reason, **never a body**: a body can hold Secrets. */
export class KubeFault extends Error {
  override readonly name = 'KubeFault';

  /**
   * @param reason the API server's `reason`, one CamelCase word
   * @param retryAfterMs what `Retry-After` asks for
   */
  constructor(readonly code: KubeFaultCode, readonly request: string, readonly status: number | null, readonly reason: string | null, readonly retryAfterMs: number | null = null, cause?: unknown) {
    super(`${request}: ${code}${status === null ? '' : ` (${status}${reason === null ? '' : ` ${reason}`})`}`, { cause });
  }

  /** The CRD of the object that was to be made is being deleted. */
  definitionGoes = false;

  /** Who asked isn't known, or has no right to it: what was asked for wasn't looked at. An API server that has just started knows no roles for a moment. */
  withoutRight = false;

  /** Whether the same request may succeed later. */
  get retryable(): boolean {
    return this.code === 'UNREACHABLE' || this.code === 'BUSY' || this.code === 'CONFLICT';
  }
}

/** Whether it is a failure of the Kubernetes API with one of the codes. */
export function isKubeFault(error: unknown, ...codes: KubeFaultCode[]): error is KubeFault {
  return error instanceof KubeFault && (codes.length === 0 || codes.includes(error.code));
}

/** The fault of an answer; of its body only `reason` is read, and which of two refusals it is. */
export function faultOfAnswer(request: string, status: number, body: string, retryAfter: string | undefined): KubeFault {
  const reason = reasonOf(body);
  const seconds = Number(retryAfter);
  const retryAfterMs = retryAfter !== undefined && Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), 300) * 1000 : null;
  const fault = new KubeFault(codeOf(status, reason), request, status, reason, retryAfterMs);
  // The API server says it by these words alone: its reason is that of all refusals (k8s.io/apiextensions-apiserver, customresource_handler.go).
  fault.definitionGoes = status === 405 || (status === 403 && body.includes('create not allowed while custom resource definition is terminating'));
  // An authorizer's words; admission refuses with the same status and reason (k8s.io/apiserver, responsewriters/errors.go).
  fault.withoutRight = status === 401 || (status === 403 && / cannot [a-z]+ resource /.test(body));
  return fault;
}

function codeOf(status: number, reason: string | null): KubeFaultCode {
  switch (status) {
    case 400:
    case 422:
      return 'INVALID';
    case 401:
    case 403:
      return 'FORBIDDEN';
    case 404:
      return 'NOT_FOUND';
    case 409:
      return reason === 'AlreadyExists' ? 'ALREADY_EXISTS' : 'CONFLICT';
    case 410:
      return 'GONE';
    case 429:
      return 'BUSY';
    default:
      return status >= 500 ? 'BUSY' : 'OTHER';
  }
}

function reasonOf(body: string): string | null {
  try {
    const { reason } = JSON.parse(body) as { reason?: unknown };
    return typeof reason === 'string' && /^[A-Za-z]{1,64}$/.test(reason) ? reason : null;
  } catch {
    return null;
  }
}
