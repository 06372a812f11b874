const MAX_TEAMS = 1000;
const MAX_ENTRIES = 5000;

/**
 * What was read of a team, until something of the team changes. It keeps the promise of a reading, so that concurrent callers share it; a change
 * throws away the whole map that the promise is in, so that a reading that began before a change is never found after it.
 * Failed readings are not kept. While changes can't be heard nothing is kept.
 */
export class TeamCache {
  #teams = new Map<string, Map<string, Promise<unknown>>>();
  #enabled = false;

  /** Whether changes are heard. Either way it begins empty. */
  set enabled(enabled: boolean) {
    this.#teams = new Map();
    this.#enabled = enabled;
  }

  /** The value under `key`, read now if it isn't there. A key says what it is of, so that one key never has two kinds of value. */
  through<T>(teamId: string, key: string, read: () => Promise<T>): Promise<T> {
    if (!this.#enabled) return read();
    const team = this.#team(teamId);
    const found = team.get(key) as Promise<T> | undefined;
    if (found !== undefined) return found;
    const value = read();
    team.set(key, value);
    if (team.size > MAX_ENTRIES) team.delete(team.keys().next().value!);
    value.catch(() => team.get(key) === value && team.delete(key));
    return value;
  }

  /** Forgets what was read of a team. */
  invalidate(teamId: string): void {
    this.#teams.delete(teamId);
  }

  #team(teamId: string): Map<string, Promise<unknown>> {
    let team = this.#teams.get(teamId);
    if (team === undefined) {
      this.#teams.set(teamId, team = new Map());
      if (this.#teams.size > MAX_TEAMS) this.#teams.delete(this.#teams.keys().next().value!);
    }
    return team;
  }
}
