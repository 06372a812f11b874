import { createHash } from 'node:crypto';
import { condition, sameMeaning, withObservations } from '../connection/condition.js';
import { canonicalJson } from '../json/canonical.js';
import type { ProbeReport } from '../mcp/probe.js';
import type { RawTool } from '../mcp/session.js';
import type { ConnectionTypeStatus } from '../store/entities/connection-type.entity.js';
import type { TypeSituation } from '../store/type-looks.js';
import { reachability, readiness, TOOLS_NOT_READ, toolsNotListed, toolsSynced } from './observations.js';

/** The list that shared enrollments see: it was read, there is none, or it could not be asked for now and stays as it was. */
export type SharedList = RawTool[] | 'NONE' | 'AS_IT_IS';

/** What a look at a server shows: as a stranger, and the list through shared enrollments where strangers see none. */
export interface Look {
  report: ProbeReport;
  shared: SharedList;
  began: Date;
}

/** Whose list the type has now, and what is in it. */
type OwnList = { source: 'ANONYMOUS' | 'SHARED'; tools: RawTool[] } | 'NONE' | 'AS_IT_IS';

/** What a look means for what is on record. */
export interface LookOutcome {
  list: OwnList;
  toolsSource: ConnectionTypeStatus['toolsSource'];
  /** What is to be written. */
  values: Partial<ConnectionTypeStatus>;
  /** Whether the conditions say something else than before. */
  moved: boolean;
}

/** So many failures in a row make a server unreachable that was there (design section 4); one is enough if it never was. */
export const FAILURES_UNTIL_UNREACHABLE = 3;
const MAX_COUNT = 1_000_000;

/** Judges a look. Pure. `routine`: a server that was there is given up after three failures in a row; otherwise after this one. */
export function outcomeOfLook({ type, status }: Pick<TypeSituation, 'type' | 'status'>, report: ProbeReport, shared: SharedList, routine: boolean, now: Date): LookOutcome {
  const list = ownList(report, shared, status.toolsSource);
  const failedChecks = answers(report) ? 0 : Math.min(status.failedChecks + 1, MAX_COUNT);
  const observations = routine && mayComeBack(status, failedChecks) ? [] : reachability(report, type.spec.authMethod);
  const values: Partial<ConnectionTypeStatus> = { lastCheckedAt: now, failedChecks, ...facts(report) };
  if (list === 'NONE') {
    Object.assign(values, { toolsSource: null, toolsSyncedAt: null });
    observations.push(toolsSynced(null, 0));
  } else if (list !== 'AS_IT_IS') {
    Object.assign(values, { toolsSource: list.source, toolsSyncedAt: now });
    observations.push(toolsSynced(list.source, list.tools.length));
  } else {
    const notListed = toolsNotListed(report);
    if (notListed !== null) observations.push(notListed);
    else if (!status.conditions.some((one) => one.type === TOOLS_NOT_READ.type)) observations.push(TOOLS_NOT_READ);
  }
  const toolsSource = list === 'AS_IT_IS' ? status.toolsSource : list === 'NONE' ? null : list.source;
  const seen = withObservations(status.conditions, observations, type.version, now);
  const ready = readiness(seen, type.spec.authMethod);
  // Against what stood before, so that a time moves only when the status does.
  const conditions = ready === null ? seen : withObservations(status.conditions, [...observations.filter((one) => one.type !== 'Ready'), ready], type.version, now);
  const moved = !sameMeaning(status.conditions, conditions);
  if (moved) values.conditions = conditions;
  return { list, toolsSource, values, moved };
}

/** Whether a look of the routine found a server that answers, and everything as it is on record: then only times are to be written. Pure. */
export function nothingNew(situation: TypeSituation, { report, shared }: Pick<Look, 'report' | 'shared'>): boolean {
  const { status, toolDigests, now } = situation;
  if (!answers(report) || status.failedChecks !== 0) return false;
  const { list, toolsSource, values, moved } = outcomeOfLook(situation, report, shared, true, now);
  if (moved || toolsSource !== status.toolsSource) return false;
  const found = (['era', 'protocolVersion', 'serverName', 'serverVersion'] as const).every((name) => values[name] === undefined || values[name] === status[name]);
  return found && (typeof list !== 'object' || sameTools(toolDigests, list.tools));
}

/** A server that answers, if only to ask for a credential. */
export function answers({ verdict }: Pick<ProbeReport, 'verdict'>): boolean {
  return verdict === 'OK' || verdict === 'AUTHENTICATION_REQUIRED';
}

/** Whether each tool that was read is on record with the same definition, and no other one is. */
function sameTools(digests: Readonly<Record<string, string>>, read: readonly RawTool[]): boolean {
  // Of tools with one name, the first counts.
  const byName = new Map(read.toReversed().map((tool) => [tool.name, tool]));
  return byName.size === Object.keys(digests).length
    && [...byName].every(([name, tool]) => digests[name] === createHash('md5').update(canonicalJson(tool)).digest('hex'));
}

/** A failure that doesn't yet say that the server is gone. */
function mayComeBack({ conditions }: ConnectionTypeStatus, failedChecks: number): boolean {
  return failedChecks > 0 && failedChecks < FAILURES_UNTIL_UNREACHABLE && condition(conditions, 'Reachable')?.status === 'TRUE';
}

/** Whose list the type has now (design section 4: it belongs to the type where listing needs no login, or a shared enrollment exists). */
function ownList(report: ProbeReport, shared: SharedList, before: ConnectionTypeStatus['toolsSource']): OwnList {
  if (report.tools !== null) return { source: 'ANONYMOUS', tools: report.tools };
  if (report.verdict !== 'AUTHENTICATION_REQUIRED') return Array.isArray(shared) && before !== 'ANONYMOUS' ? { source: 'SHARED', tools: shared } : 'AS_IT_IS';
  if (Array.isArray(shared)) return { source: 'SHARED', tools: shared };
  return shared === 'AS_IT_IS' && before === 'SHARED' ? 'AS_IT_IS' : 'NONE';
}

function facts(report: ProbeReport): Partial<ConnectionTypeStatus> {
  if (report.protocolVersion === null) return {};
  return { era: report.era, protocolVersion: report.protocolVersion, serverName: report.server?.name ?? null, serverVersion: report.server?.version ?? null };
}
