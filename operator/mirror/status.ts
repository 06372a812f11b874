import { condition, type Condition } from '#core/connection/condition.js';
import { nodeId } from '#core/connection/node-id.js';
import { connectionTypeState, enrollmentState } from '#core/connection/state.js';
import { currentTarget, sameTarget } from '#core/connection/target.js';
import type { ConnectionType, ConnectionTypeStatus } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment, EnrollmentStatus } from '#core/store/entities/enrollment.entity.js';
import type { OAuthClient, OAuthDiscovery } from '#core/store/entities/oauth-client.entity.js';
import type { OAuthGrant } from '#core/store/entities/oauth-grant.entity.js';
import type { CustomResource } from '../manifest/resources.js';
import type { ConnectionTypeStatusEntry, EnrollmentStatusEntry } from '../manifest/status.js';
import { seconds, statusConditions, type Verdict } from './conditions.js';

/** Which generation of a custom resource is which version of its row. */
export interface Pair {
  generation: number;
  version: number;
}

/** A connection type with everything that its status shows. */
export interface TypeFacts {
  type: ConnectionType;
  status: ConnectionTypeStatus;
  toolCount: number;
  client: OAuthClient | null;
  discovery: OAuthDiscovery | null;
  redirectUri: string;
}

/** The status of a connection type's custom resource; null while nothing was observed. Pure. */
export function typeStatus({ type, status, toolCount, client, discovery, redirectUri }: TypeFacts, object: CustomResource, pair: Pair | null, verdict: Verdict): ConnectionTypeStatusEntry | null {
  const observedGeneration = observed(status.conditions, object, pair, verdict);
  if (observedGeneration === null) return null;
  const state = connectionTypeState(status.conditions);
  const tools = status.toolsSource === null ? undefined : { count: toolCount, ...toolsSince(object, toolCount, status.toolsSyncedAt) };
  return {
    observedGeneration, id: nodeId('ConnectionType', type.id), state, conditions: withStall(statusConditions(status.conditions, generations(pair)), verdict, object),
    ...(status.protocolVersion !== null && { protocolVersion: status.protocolVersion.slice(0, 100) }),
    ...(status.serverName !== null && { server: { name: status.serverName.slice(0, 1000), ...(status.serverVersion !== null && { version: status.serverVersion.slice(0, 1000) }) } }),
    ...(tools !== undefined && { tools }),
    ...(type.spec.authMethod === 'OAUTH' && {
      oauth: {
        ...(discovery !== null && { issuer: discovery.issuer.slice(0, 2048) }), ...(client !== null && { registrationMethod: client.method }),
        ...(client?.clientId != null && { clientId: client.clientId.slice(0, 2048) }), redirectUri,
      },
    }),
    ...(state === 'ACTION_REQUIRED' && { action: { label: 'Enter a client ID and secret' } }),
  };
}

/** An enrollment with everything that its status shows. */
export interface EnrollmentFacts {
  enrollment: Enrollment;
  status: EnrollmentStatus;
  type: ConnectionType;
  typeStatus: ConnectionTypeStatus;
  grant: OAuthGrant | null;
  /** Our page for enrolling: no capability. */
  page: string;
}

/** The status of an enrollment's custom resource; null while nothing was observed. Pure. */
export function enrollmentStatus({ enrollment, status, type, typeStatus, grant, page }: EnrollmentFacts, object: CustomResource, pair: Pair | null, verdict: Verdict): EnrollmentStatusEntry | null {
  // What is observed of an enrollment is said of its type's version.
  const observedGeneration = observed(status.conditions, object, pair === null ? null : { ...pair, version: 0 }, verdict);
  if (observedGeneration === null) return null;
  const suspended = !sameTarget(enrollment.confirmedTarget, currentTarget(type.spec));
  const state = enrollmentState(status.conditions, suspended, typeStatus.conditions);
  const mustAct = state === 'PENDING_AUTHORIZATION' || state === 'ACTION_REQUIRED' || state === 'SUSPENDED';
  return {
    observedGeneration, id: nodeId('Enrollment', enrollment.id), state, conditions: withStall(statusConditions(status.conditions, () => pair?.generation ?? null), verdict, object),
    ...(mustAct && { action: { label: state === 'SUSPENDED' ? 'Confirm the server\'s address' : type.spec.authMethod === 'OAUTH' ? `Sign in to ${type.spec.displayName}` : 'Enter a new credential', url: page } }),
    ...(grant !== null && {
      ...times({ expiresAt: grant.expiresAt, refreshAt: grant.refreshAt, lastRefreshAt: grant.lastRefreshAt, nextAttemptAt: grant.nextAttemptAt }), failedRefreshes: grant.failedRefreshes,
    }),
  };
}

/** The generation that the status speaks of: the object's own once its spec was reconciled, or found to be of no use; what it said before until then; null: nothing to say yet. */
function observed(conditions: readonly Condition[], object: CustomResource, pair: Pair | null, verdict: Verdict): number | null {
  const { generation } = object.metadata;
  const ready = condition(conditions, 'Ready');
  if (!verdict.synced && verdict.stalled) return generation;
  const before = object.status?.['observedGeneration'];
  if (ready === undefined) return null;
  if (pair?.generation === generation && ready.observedGeneration >= pair.version) return generation;
  return typeof before === 'number' && before >= 0 ? before : null;
}

function generations(pair: Pair | null): (version: number) => number | null {
  return (version) => (pair !== null && version >= pair.version ? pair.generation : null);
}

/** A spec that can't be taken stalls the object, whatever the row that it was before says (kstatus looks at Stalled first). */
function withStall(conditions: ConnectionTypeStatusEntry['conditions'] & object, verdict: Verdict, object: CustomResource): ConnectionTypeStatusEntry['conditions'] & object {
  if (verdict.synced || !verdict.stalled) return conditions;
  const { reason, message } = verdict;
  const before = (object.status as ConnectionTypeStatusEntry | undefined)?.conditions?.find((one) => one.type === 'Stalled');
  const lastTransitionTime = before?.status === 'True' ? before.lastTransitionTime : conditions.find((one) => one.type === 'Synced')?.lastTransitionTime ?? seconds(object.metadata.creationTimestamp ?? new Date(0));
  const stalled = { type: 'Stalled', status: 'True' as const, reason, message, lastTransitionTime, observedGeneration: object.metadata.generation };
  return [...conditions.filter((one) => one.type !== 'Stalled'), stalled];
}

/** Reading the same tools again is no news: the time moves with the list. */
function toolsSince(object: CustomResource, count: number, syncedAt: Date | null): { syncedAt?: string } {
  const before = (object.status as ConnectionTypeStatusEntry | undefined)?.tools;
  if (before?.count === count && before.syncedAt !== undefined) return { syncedAt: before.syncedAt };
  return syncedAt === null ? {} : { syncedAt: seconds(syncedAt) };
}

function times<K extends string>(values: Record<K, Date | null>): Partial<Record<K, string>> {
  return Object.fromEntries(Object.entries<Date | null>(values).flatMap(([name, time]) => (time === null ? [] : [[name, seconds(time)]]))) as Partial<Record<K, string>>;
}
