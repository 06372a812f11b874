/** Conditions in the sense of the Kubernetes API conventions: one list, keyed by type; the same in SQL, CR status and GraphQL. */

export const CONDITION_STATUSES = ['TRUE', 'FALSE', 'UNKNOWN'] as const;
export type ConditionStatus = (typeof CONDITION_STATUSES)[number];

export interface Condition {
  type: string;
  status: ConditionStatus;
  /** CamelCase, never empty. */
  reason: string;
  /** Says the next step; holds no secret. */
  message: string;
  /** RFC 3339; moves only when `status` flips. */
  lastTransitionTime: string;
  /** The spec version that the condition speaks of. */
  observedGeneration: number;
}

/** What a run observed, before times are known. */
export type Observation = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

/**
 * The conditions after `observations`: each replaces its type, others stay, order is that of first appearance.
 * `lastTransitionTime` is kept while the status is the same
 * (https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#typical-status-properties).
 */
export function withObservations(before: readonly Condition[], observations: readonly Observation[], generation: number, now: Date): Condition[] {
  const after = [...before];
  for (const observed of observations) {
    const index = after.findIndex((one) => one.type === observed.type);
    const old = after[index];
    const lastTransitionTime = old !== undefined && old.status === observed.status ? old.lastTransitionTime : now.toISOString();
    const next: Condition = { ...observed, lastTransitionTime, observedGeneration: generation };
    if (index === -1) after.push(next);
    else after[index] = next;
  }
  return after;
}

/** The condition of that type, or undefined. */
export function condition(conditions: readonly Condition[], type: string): Condition | undefined {
  return conditions.find((entry) => entry.type === type);
}

/** Whether two lists say the same, times apart. A status that says the same isn't written again. */
export function sameMeaning(a: readonly Condition[], b: readonly Condition[]): boolean {
  const meaning = (list: readonly Condition[]) => JSON.stringify(list.map((c) => [c.type, c.status, c.reason, c.message, c.observedGeneration]));
  return meaning(a) === meaning(b);
}
