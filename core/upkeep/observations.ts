import { condition, type Condition, type Observation } from '../connection/condition.js';
import { AWAITING_CONSENT } from '../connection/state.js';
import type { AuthMethod } from '../connection/spec.js';
import type { ProbeReport } from '../mcp/probe.js';

/** What a look at a server says of its connection type: the conditions Reachable, Ready, Reconciling and Stalled. Pure. */
export function reachability(report: ProbeReport, method: AuthMethod): Observation[] {
  switch (report.verdict) {
    case 'OK':
    case 'AUTHENTICATION_REQUIRED': {
      const reachable: Observation = { type: 'Reachable', status: 'TRUE', reason: 'Answered', message: '' };
      if (report.verdict === 'OK' || method !== 'NONE') return [reachable, ...summary(true, 'Ready', '')];
      return [reachable, ...stalled('CredentialWanted', 'The server wants a credential, but this connection type sends none: change its auth method to ACCESS_TOKEN or CUSTOM_HEADERS.')];
    }
    case 'UNREACHABLE':
      return [{ type: 'Reachable', status: 'FALSE', reason: 'Unreachable', message: report.message }, ...summary(false, 'Unreachable', report.message)];
    case 'NOT_MCP':
      return [{ type: 'Reachable', status: 'FALSE', reason: 'NotMcp', message: report.message }, ...stalled('NotMcp', report.message)];
    case 'UNSUPPORTED_TRANSPORT':
      return [{ type: 'Reachable', status: 'FALSE', reason: 'UnsupportedTransport', message: report.message }, ...stalled('UnsupportedTransport', report.message)];
    case 'REFUSED_BY_POLICY':
      return [{ type: 'Reachable', status: 'FALSE', reason: 'RefusedByPolicy', message: report.message }, ...stalled('RefusedByPolicy', report.message)];
  }
}

/**
 * Ready as the other conditions have it: a server that answers is of no use without a client at its issuer, and nobody knows of one until its metadata were read. Null where nothing is to be said.
 */
export function readiness(conditions: readonly Condition[], method: AuthMethod): Observation | null {
  if (condition(conditions, 'Reachable')?.status !== 'TRUE') return null;
  const registered = condition(conditions, 'Registered');
  if (registered === undefined) return method === 'OAUTH' ? { type: 'Ready', status: 'UNKNOWN', reason: 'NotDiscovered', message: 'The server answers; its OAuth metadata were not read yet.' } : null;
  if (registered.status === 'TRUE') return { type: 'Ready', status: 'TRUE', reason: 'Ready', message: '' };
  return { type: 'Ready', status: 'FALSE', reason: registered.reason, message: registered.message };
}

function summary(ready: boolean, reason: string, message: string): Observation[] {
  return [
    { type: 'Ready', status: ready ? 'TRUE' : 'FALSE', reason, message },
    { type: 'Reconciling', status: 'FALSE', reason: 'Observed', message: '' },
    { type: 'Stalled', status: 'FALSE', reason: 'Observed', message: '' },
  ];
}

/** In the sense of kstatus: nothing moves until a person changes the spec. */
function stalled(reason: string, message: string): Observation[] {
  return [
    { type: 'Ready', status: 'FALSE', reason, message },
    { type: 'Reconciling', status: 'FALSE', reason: 'Observed', message: '' },
    { type: 'Stalled', status: 'TRUE', reason, message },
  ];
}

/** Nobody could ask the server for its tools yet. */
export const TOOLS_NOT_READ: Observation = { type: 'ToolsSynced', status: 'UNKNOWN', reason: 'NotRead', message: 'The server could not be asked for its tools yet: check it again when it is reachable.' };

/** The server is there, and its list couldn't be read: what was read before stays. Null where that isn't so. */
export function toolsNotListed({ verdict, message, steps }: Pick<ProbeReport, 'verdict' | 'message' | 'steps'>): Observation | null {
  if (verdict !== 'OK' || !steps.some(({ name, outcome }) => name === 'tools' && outcome === 'FAILED')) return null;
  return { type: 'ToolsSynced', status: 'FALSE', reason: 'NotListed', message: `${message} Its operator has to mend that; what was read before stays, and it goes on being asked.` };
}

/** Whether the type has a list of tools, and whose. */
export function toolsSynced(source: 'ANONYMOUS' | 'SHARED' | null, count: number): Observation {
  if (source === null) {
    return { type: 'ToolsSynced', status: 'UNKNOWN', reason: 'LoginRequired', message: 'The server lists its tools after a login only: everybody who enrolls sees their own list.' };
  }
  const through = source === 'ANONYMOUS' ? 'without a login' : 'through a shared enrollment';
  return { type: 'ToolsSynced', status: 'TRUE', reason: 'Read', message: `${count} tools, read ${through}.` };
}

/** Why there are no tokens yet. */
const WITHOUT_CONSENT: readonly string[] = ['NotConsented', 'ConsentDenied', 'ConsentFailed'];

/** The conditions of an enrollment that has no tokens yet. `reason` and `message` are of the last consent that led to none, or say that there was none so far. */
export function awaitingConsent(reason: 'NotConsented' | 'ConsentDenied' | 'ConsentFailed' = 'NotConsented', message = 'Open the link of the enrollment in your browser and consent there.'): Observation[] {
  return [
    { type: 'Authorized', status: 'FALSE', reason, message },
    { type: 'Ready', status: 'FALSE', reason: AWAITING_CONSENT, message },
    { type: 'Reconciling', status: 'FALSE', reason: 'Observed', message: '' },
    { type: 'Stalled', status: 'FALSE', reason: 'Observed', message: '' },
  ];
}

/** How a server took a credential. */
export type CredentialVerdict = 'ACCEPTED' | 'NOT_VERIFIABLE' | 'NOT_NEEDED' | 'REJECTED' | 'NOT_TRIED';

/**
 * What a try with and, for comparison, without the credential says. Pure.
 * A server that answers alike without the credential leaves it unverified.
 */
export function credentialVerdict(method: AuthMethod, withCredential: ProbeReport, without: ProbeReport | null): CredentialVerdict {
  if (withCredential.verdict === 'AUTHENTICATION_REQUIRED') return 'REJECTED';
  if (withCredential.verdict !== 'OK') return 'NOT_TRIED';
  if (method === 'NONE') return 'NOT_NEEDED';
  return without?.verdict === 'AUTHENTICATION_REQUIRED' ? 'ACCEPTED' : 'NOT_VERIFIABLE';
}

const REJECTED: Record<AuthMethod, string> = {
  NONE: 'The server wants a credential, but this connection type sends none: ask a manager to change its auth method.',
  ACCESS_TOKEN: 'The server no longer accepts this credential: enter a new one.',
  CUSTOM_HEADERS: 'The server no longer accepts this credential: enter a new one.',
  OAUTH: 'The server doesn\'t accept this login: sign in there again with startAuthorization.',
};

/** Ready of an enrollment whose type goes elsewhere than its owner confirmed. */
export const SUSPENDED: Observation = {
  type: 'Ready', status: 'FALSE', reason: 'Suspended', message: 'The server\'s address or method changed: its owner must confirm the new one before the credential goes there.',
};

/** Ready of an enrollment that was suspended, when its type is back at the place that its owner confirmed: what Authorized said last. Null if it wasn't suspended. */
export function resumed(conditions: readonly Condition[]): Observation | null {
  if (condition(conditions, 'Ready')?.reason !== SUSPENDED.reason) return null;
  const { status, reason, message } = condition(conditions, 'Authorized') ?? { status: 'UNKNOWN', reason: 'NotTried', message: '' };
  const ready = status === 'TRUE' || reason === 'NotVerifiable';
  if (WITHOUT_CONSENT.includes(reason)) return { type: 'Ready', status: 'FALSE', reason: AWAITING_CONSENT, message };
  return { type: 'Ready', status: ready ? 'TRUE' : 'FALSE', reason: status === 'TRUE' ? 'Ready' : reason, message };
}

/** The conditions Authorized and Ready of an enrollment. */
export function authorization(method: AuthMethod, verdict: CredentialVerdict): Observation[] {
  const settled: Observation[] = [
    { type: 'Reconciling', status: 'FALSE', reason: 'Observed', message: '' },
    { type: 'Stalled', status: verdict === 'REJECTED' ? 'TRUE' : 'FALSE', reason: verdict === 'REJECTED' ? 'CredentialRejected' : 'Observed', message: '' },
  ];
  switch (verdict) {
    case 'ACCEPTED':
      return [{ type: 'Authorized', status: 'TRUE', reason: 'Accepted', message: '' }, { type: 'Ready', status: 'TRUE', reason: 'Ready', message: '' }, ...settled];
    case 'NOT_NEEDED':
      return [{ type: 'Authorized', status: 'TRUE', reason: 'NoCredentialNeeded', message: '' }, { type: 'Ready', status: 'TRUE', reason: 'Ready', message: '' }, ...settled];
    case 'NOT_VERIFIABLE': {
      const message = 'The server answers alike without this credential, so it could not be verified: a wrong one shows at the first call.';
      return [{ type: 'Authorized', status: 'UNKNOWN', reason: 'NotVerifiable', message }, { type: 'Ready', status: 'TRUE', reason: 'NotVerifiable', message }, ...settled];
    }
    case 'NOT_TRIED': {
      const message = 'The server could not be asked: check it again when it is reachable.';
      return [{ type: 'Authorized', status: 'UNKNOWN', reason: 'NotTried', message }, { type: 'Ready', status: 'FALSE', reason: 'NotTried', message }, ...settled];
    }
    case 'REJECTED': {
      const message = REJECTED[method];
      return [{ type: 'Authorized', status: 'FALSE', reason: 'CredentialRejected', message }, { type: 'Ready', status: 'FALSE', reason: 'CredentialRejected', message }, ...settled];
    }
  }
}
