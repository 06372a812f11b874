import { headerNameFault, headerValueFault } from '#core/connection/header-rules.js';
import { serverUrl } from '#core/connection/spec.js';
import { UserFault } from '#core/errors.js';
import { namesAnotherTransport, type ProbeReport } from '#core/mcp/probe.js';
import type { OAuthOutcome } from '#core/oauth/outcome.js';
import type { OAuthLook, TypeOAuth } from '#core/upkeep/type-oauth.js';
import type { Prober } from '#core/upkeep/upkeep.js';
import type { Store } from '#core/store/store.js';
import { requireRole, teamBySlug } from '../../access.js';
import type { Context } from '../../context.js';
import { parseInput } from '../../graphql/parse-input.js';
import type { RateLimit } from '../../rate-limit.js';
import type { ProbeServerInput } from './probe.type.js';

const PROBE_TIMEOUT_MS = 15_000;

/** Looking at servers before anything is saved: for managers, rate-limited, never cached. */
export class ProbeManager {
  constructor(private readonly store: Store, private readonly probe: Prober, private readonly oauth: TypeOAuth, private readonly limit: RateLimit) {}

  /** Throws `UserFault` for bad input; what the server does is in the report. */
  async look(context: Context, input: ProbeServerInput): Promise<{ report: ProbeReport; oauth: OAuthLook | null }> {
    const { membership } = await teamBySlug(this.store, context.principal, input.team);
    requireRole(membership, 'MANAGER', 'Probing servers');
    const headers = probeHeaders(input);
    // A command line is told what it is; whatever else isn't a URL is a fault of the input.
    const url = namesAnotherTransport(input.serverUrl) ? input.serverUrl.trim() : parseInput(serverUrl, input.serverUrl, ['input', 'serverUrl']);
    this.limit.take(membership.memberId);
    const report = await this.probe(url, headers, PROBE_TIMEOUT_MS);
    const asked = report.verdict === 'OK' || report.verdict === 'AUTHENTICATION_REQUIRED';
    return { report, oauth: asked ? await this.oauth.look(url, report, null) : null };
  }
}

/** The method that fits what was found. */
export function suggestedAuthMethod(report: ProbeReport, oauth: OAuthOutcome | null, triedCredential: boolean): string | null {
  if (report.verdict === 'AUTHENTICATION_REQUIRED' && oauth !== null && oauth.outcome !== 'NOT_SUPPORTED') return 'OAUTH';
  if (report.verdict === 'AUTHENTICATION_REQUIRED') return 'ACCESS_TOKEN';
  return report.verdict === 'OK' && !triedCredential ? 'NONE' : null;
}

function probeHeaders(input: ProbeServerInput): Record<string, string> {
  const headers: Record<string, string> = {};
  if (input.accessToken != null) {
    const fault = headerValueFault(input.accessToken);
    if (fault !== null) throw new UserFault('INVALID', fault, { field: ['input', 'accessToken'] });
    headers.Authorization = `Bearer ${input.accessToken}`;
  }
  input.headers?.forEach((header, index) => {
    const at = (part: string) => ['input', 'headers', String(index), part];
    const nameFault = headerNameFault(header.name);
    if (nameFault !== null) throw new UserFault('INVALID', nameFault, { field: at('name') });
    const valueFault = header.value == null ? 'Enter a value.' : headerValueFault(header.value);
    if (valueFault !== null) throw new UserFault('INVALID', valueFault, { field: at('value') });
    headers[header.name] = header.value!;
  });
  return headers;
}
