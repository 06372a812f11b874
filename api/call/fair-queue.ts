interface Team<T> {
  size: number;
  callers: Map<string, T[]>;
}

/**
 * Those who wait, by team and caller: teams take turns, and so do the callers of each. Whoever brings many waits for their own, not for
 * others'.
 */
export class FairQueue<T> {
  /** In the order of their turns; each holds at least one. */
  readonly #teams = new Map<string, Team<T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(teamId: string, callerId: string, item: T): void {
    let team = this.#teams.get(teamId);
    if (team === undefined) this.#teams.set(teamId, team = { size: 0, callers: new Map() });
    const items = team.callers.get(callerId);
    if (items === undefined) team.callers.set(callerId, [item]);
    else items.push(item);
    team.size += 1;
    this.#size += 1;
  }

  /** Takes out one of whoever's turn it is: their newest or their oldest; null if nobody waits. */
  next(which: 'NEWEST' | 'OLDEST'): T | null {
    for (const [teamId, team] of this.#teams) {
      for (const [callerId, items] of team.callers) {
        const item = which === 'NEWEST' ? items.pop()! : items.shift()!;
        // To the end: it was their turn.
        team.callers.delete(callerId);
        if (items.length > 0) team.callers.set(callerId, items);
        this.#teams.delete(teamId);
        if (team.callers.size > 0) this.#teams.set(teamId, team);
        team.size -= 1;
        this.#size -= 1;
        return item;
      }
    }
    return null;
  }

  /** Takes out the oldest of the caller who has the most waiting in the team that has the most; null if nobody waits. */
  crowdedOut(): T | null {
    const [teamId, team] = longest(this.#teams, ({ size }) => size) ?? [];
    if (team === undefined) return null;
    const [callerId, items] = longest(team.callers, ({ length }) => length)!;
    const item = items.shift()!;
    if (items.length === 0) team.callers.delete(callerId);
    team.size -= 1;
    if (team.size === 0) this.#teams.delete(teamId!);
    this.#size -= 1;
    return item;
  }
}

function longest<V>(map: ReadonlyMap<string, V>, length: (value: V) => number): [string, V] | null {
  let found: [string, V] | null = null;
  for (const entry of map) if (found === null || length(entry[1]) > length(found[1])) found = entry;
  return found;
}
