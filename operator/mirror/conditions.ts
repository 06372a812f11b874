import { createHash } from 'node:crypto';
import { withObservations, type Condition, type ConditionStatus, type Observation } from '#core/connection/condition.js';
import { canonicalJson } from '#core/json/canonical.js';
import type { ConditionStatusEntry } from '../manifest/status.js';

const WORDS: Record<ConditionStatus, ConditionStatusEntry['status']> = { TRUE: 'True', FALSE: 'False', UNKNOWN: 'Unknown' };

/** What the mirror says of an object: whether row and custom resource agree. */
export interface Verdict {
  synced: boolean;
  /** CamelCase. */
  reason: string;
  /** Says the next step; holds no secret. */
  message: string;
  /** Nothing moves until a person acts. */
  stalled: boolean;
}

/** Row and custom resource agree. */
export const SYNCED: Verdict = { synced: true, reason: 'Synced', message: '', stalled: false };

/** Row and custom resource don't agree, and won't until a person acts. */
export function refused(reason: string, message: string): Verdict {
  return { synced: false, reason, message, stalled: true };
}

/** Row and custom resource don't agree yet: something is waited for. */
export function waiting(reason: string, message: string): Verdict {
  return { synced: false, reason, message, stalled: false };
}

/** The condition `Synced`. */
export function syncedObservation({ synced, reason, message }: Verdict): Observation {
  return { type: 'Synced', status: synced ? 'TRUE' : 'FALSE', reason, message };
}

/** The conditions that a row begins with that was just made of a manifest. `version` is that of its type's spec. */
export function syncedFromNow(version: number, now: Date): Condition[] {
  return withObservations([], [syncedObservation(SYNCED)], version, now);
}

/** What is said of a custom resource that has no row: all of it is the mirror's to say. */
export function rowlessObservations(verdict: Verdict): Observation[] {
  const { reason, message, stalled } = verdict;
  return [
    { type: 'Ready', status: 'FALSE', reason, message },
    syncedObservation(verdict),
    { type: 'Reconciling', status: stalled ? 'FALSE' : 'TRUE', reason, message: '' },
    { type: 'Stalled', status: stalled ? 'TRUE' : 'FALSE', reason, message: stalled ? message : '' },
  ];
}

/** Conditions as they stand in a status. `generationOf` gives the generation that a version of the row is. */
export function statusConditions(conditions: readonly Condition[], generationOf: (version: number) => number | null): ConditionStatusEntry[] {
  return conditions.map(({ type, status, reason, message, lastTransitionTime, observedGeneration }) => {
    const generation = generationOf(observedGeneration);
    return { type, status: WORDS[status], reason, message, lastTransitionTime: seconds(lastTransitionTime), ...(generation !== null && { observedGeneration: generation }) };
  });
}

/** A time as Kubernetes writes it. */
export function seconds(time: string | Date): string {
  return new Date(time).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** Whether two statuses mean the same: times of transitions and of reading tools follow from the rest. */
export function sameStatus(a: object | undefined, b: object): boolean {
  return meaningOf(a ?? {}) === meaningOf(b);
}

function meaningOf(status: object): string {
  const { conditions = [], tools, ...rest } = status as { conditions?: ConditionStatusEntry[]; tools?: { count?: number } };
  const told = conditions.map(({ lastTransitionTime: _time, ...condition }) => condition).toSorted((a, b) => a.type.localeCompare(b.type));
  return canonicalJson({ ...rest, tools: tools?.count ?? null, conditions: told });
}

/** A hash by which specs are compared. */
export function hashOf(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('base64url');
}
