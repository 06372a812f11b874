/** One request to an API server. */
export interface LoggedRequest {
  user: string;
  verb: string;
  /** Empty for the core group, and for what isn't a resource. */
  group: string;
  resource: string;
  subresource: string;
  namespace: string;
  name: string;
  /** The HTTP status that was answered. */
  status: number;
  /** Whether its sender had no right to it; else a 403 has another reason. */
  forbidden: boolean;
  /** With the query. */
  uri: string;
  userAgent: string;
}

/** What is used of an event of the audit log: https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/ */
interface AuditEvent {
  stage: string;
  verb: string;
  requestURI: string;
  userAgent?: string;
  user: { username?: string };
  objectRef?: { apiGroup?: string; resource?: string; subresource?: string; namespace?: string; name?: string };
  responseStatus?: { code?: number };
  annotations?: Record<string, string>;
}

/** Reads an audit log. A watch is one request: when it begins, not when it ends. A line that is just being written isn't read. */
export function readRequests(log: string): LoggedRequest[] {
  return log.split('\n').slice(0, -1).map((line) => JSON.parse(line) as AuditEvent)
    .filter(({ stage, verb }) => (verb === 'watch' ? stage === 'ResponseStarted' : stage === 'ResponseComplete'))
    .map(({ user, verb, requestURI, userAgent, objectRef = {}, responseStatus, annotations }) => ({
      user: user.username ?? '', verb, uri: requestURI, userAgent: userAgent ?? '', status: responseStatus?.code ?? 0,
      forbidden: annotations?.['authorization.k8s.io/decision'] === 'forbid',
      group: objectRef.apiGroup ?? '', resource: objectRef.resource ?? '', subresource: objectRef.subresource ?? '', namespace: objectRef.namespace ?? '', name: objectRef.name ?? '',
    }));
}
