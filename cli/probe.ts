import type { Config } from '#core/config/config.js';
import { parseAllowRules } from '#core/egress/allow-rules.js';
import { Egress } from '#core/egress/egress.js';
import { parseLossless } from '#core/json/lossless.js';
import { discoverOAuth } from '#core/oauth/discovery.js';
import { clientMetadataUrl, decideOutcome, type OAuthOutcome } from '#core/oauth/outcome.js';
import type { OAuthStep } from '#core/oauth/step.js';
import { namesAnotherTransport, probeServer, type ProbeReport } from '#core/mcp/probe.js';
import { SessionOpener } from '#core/mcp/session-opener.js';
import { UsageError } from './failure.js';
import { version } from './version.js';

/** Options of `fairlead probe`. */
export interface ProbeOptions {
  /** `Name: value` each. */
  header: string[];
  json: boolean;
  timeoutMs: number;
}

/**
 * `fairlead probe URL`: asks a server as `fairlead dev` with this configuration would, and prints what it is.
 * @returns whether a connection type could be made of it
 */
export async function runProbe(config: Config, url: string, options: ProbeOptions, print: (line: string) => void): Promise<boolean> {
  if (!namesAnotherTransport(url) && !/^https?:\/\//i.test(url)) throw new UsageError('Give the server\'s address as an absolute URL, for example https://mcp.example.com/mcp.');
  const policy = { allow: parseAllowRules(config.egressAllow), allowLoopback: config.localMode, denied: [] };
  const egress = new Egress({ policy });
  try {
    const opener = new SessionOpener({ egress, clientInfo: { name: 'fairlead', version: version() }, parse: parseLossless });
    const headers = Object.fromEntries(options.header.map(parseHeader));
    const report = await probeServer({ url, headers, opener, egress, timeoutMs: options.timeoutMs, clock: () => performance.now() });
    const oauth = await lookAtOAuth(config, url, report, egress);
    if (options.json) print(JSON.stringify({ ...report, tools: report.tools?.map(({ name }) => name) ?? null, oauth: oauth === null ? null : { ...oauth.outcome, steps: oauth.steps } }, null, 2));
    else [...describe(report), ...(oauth === null ? [] : describeOAuth(oauth))].forEach(print);
    return report.verdict === 'OK' || report.verdict === 'AUTHENTICATION_REQUIRED';
  } finally {
    await egress.close();
  }
}

/** What OAuth takes at the server, as `probeServer` of the API says it. */
interface OAuthFacts {
  outcome: OAuthOutcome;
  steps: OAuthStep[];
}

async function lookAtOAuth(config: Config, serverUrl: string, report: ProbeReport, egress: Egress): Promise<OAuthFacts | null> {
  if (report.verdict !== 'OK' && report.verdict !== 'AUTHENTICATION_REQUIRED') return null;
  const challenged = report.verdict === 'AUTHENTICATION_REQUIRED';
  const publicUrl = config.publicUrl ?? `http://${config.host}:${config.port}`;
  const discovery = await discoverOAuth({ serverUrl, challenge: report.challenge, challenged, transport: { egress, timeoutMs: 10_000 }, allowUnadvertisedPkce: false, clock: () => performance.now() });
  const facts = { discovery, challenged, redirectUri: `${publicUrl}/oauth/callback`, clientMetadataUrl: clientMetadataUrl(publicUrl, config.clientMetadataUrl) };
  return { outcome: decideOutcome(facts), steps: discovery.steps };
}

/** What OAuth takes, as lines for people. */
function describeOAuth({ outcome, steps }: OAuthFacts): string[] {
  const facts: Array<[string, string | null]> = [
    ['issuer', outcome.issuer], ['registration', outcome.registrationMethods.join(', ') || null], ['scopes', outcome.scopesSupported.join(', ') || null],
    ['redirect URI', outcome.outcome === 'CLIENT_REQUIRED' ? outcome.redirectUri : null], ['suggested', outcome.suggestedAuthMethod],
  ];
  return [
    `OAuth ${outcome.outcome}: ${printable(outcome.message)}`,
    // Where there is no OAuth nothing has failed: it was looked for, and isn't there.
    ...steps.map((step) => stepLine(step, outcome.outcome === 'NOT_SUPPORTED' ? 'none' : 'FAIL')),
    ...facts.filter((fact): fact is [string, string] => fact[1] !== null).map(([name, value]) => `  ${name}: ${printable(value)}`),
  ];
}

function stepLine(step: Pick<OAuthStep, 'outcome' | 'message' | 'durationMs'> & { name: string }, failed: 'none' | 'FAIL'): string {
  const mark = { OK: 'ok  ', FAILED: failed, SKIPPED: '-   ' };
  return `  ${mark[step.outcome]} ${step.name}: ${printable(step.message)}${step.durationMs === null ? '' : ` (${Math.round(step.durationMs)} ms)`}`;
}

/** Takes `Name: value` apart. Throws a {@link UsageError} that doesn't quote the value. */
export function parseHeader(text: string): [string, string] {
  const parts = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*)$/.exec(text);
  if (parts === null) throw new UsageError('A header is given as "Name: value".');
  return [parts[1]!, parts[2]!];
}

/** A report as lines for people. */
export function describe(report: ProbeReport): string[] {
  const facts: Array<[string, string | null]> = [
    ['protocol', report.protocolVersion], ['server', report.server && `${report.server.name} ${report.server.version}`],
    ['tools', report.toolCount === null ? null : String(report.toolCount)], ['names', report.tools?.map(({ name }) => name).join(', ') || null],
  ];
  return [
    `${report.verdict}: ${report.message}`,
    ...report.steps.map((step) => stepLine(step, 'FAIL')),
    ...facts.filter((fact): fact is [string, string] => fact[1] !== null).map(([name, value]) => `  ${name}: ${printable(value)}`),
  ];
}

/** A server's words must not steer the terminal. */
function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- replacing control characters is the point
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, ' ');
}
