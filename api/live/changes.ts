import type { LiveVersion } from '#core/store/live-versions.js';

/** What happened to an object, as its viewer sees it: one that they may no longer see is `DELETED` for them. */
export type ChangeKind = 'ADDED' | 'UPDATED' | 'DELETED';

/** One difference between two readings. */
export interface Change {
  kind: ChangeKind;
  id: string;
}

/** A reading of a team's objects by id; shared by all who watch, never changed. */
export type Reading = ReadonlyMap<string, LiveVersion>;

/** A reading out of rows. */
export function reading(rows: readonly LiveVersion[]): Reading {
  return new Map(rows.map((row) => [row.id, row]));
}

/** Whether a member sees the row: it is everybody's, shared, or their own. */
export function visibleTo(memberId: string, row: Pick<LiveVersion, 'ownerId' | 'shared'> | undefined): boolean {
  return row !== undefined && (row.shared || row.ownerId === null || row.ownerId === memberId);
}

/** What changed for one member between two readings. What they saw in neither isn't mentioned. */
export function changesFor(memberId: string, before: Reading, after: Reading): Change[] {
  const changes: Change[] = [];
  if (before === after) return changes;
  for (const [id, row] of after) {
    if (!visibleTo(memberId, row)) continue;
    const earlier = before.get(id);
    if (!visibleTo(memberId, earlier)) changes.push({ kind: 'ADDED', id });
    else if (earlier!.digest !== row.digest) changes.push({ kind: 'UPDATED', id });
  }
  for (const [id, row] of before) if (visibleTo(memberId, row) && !visibleTo(memberId, after.get(id))) changes.push({ kind: 'DELETED', id });
  return changes;
}
