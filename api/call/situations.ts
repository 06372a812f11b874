import type { NextAction } from '#core/errors.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Repositories } from '#core/store/store.js';
import { knownId } from './call-input.js';
import type { Situation, Standing } from './passage.js';

/** Who wants through, to which types. */
export interface Approach {
  types: readonly ConnectionType[];
  person: Situation['person'];
  /** Null: a person's own call, for which no pin counts. */
  assignmentId: string | null;
  /** The enrollment that was asked for, or null. */
  asked: string | null;
  /** A step on our page for the type. */
  link: (type: ConnectionType, label: string) => NextAction;
}

/** Gathers what decides about calls. The number of statements doesn't depend on how many types there are. */
export class Situations {
  constructor(private readonly store: Repositories) {}

  /** In the order of the types. */
  async of({ types, person, assignmentId, asked, link }: Approach): Promise<Situation[]> {
    const typeIds = types.map(({ id }) => id);
    const [candidates, pins] = await Promise.all([
      this.#candidates(typeIds, person?.id ?? null, asked),
      assignmentId === null ? [] : this.store.assignments.pins([assignmentId], person?.id ?? null),
    ]);
    const ids = candidates.map(({ id }) => id);
    const [statuses, credentials] = ids.length === 0 ? [[], []] : await Promise.all([this.store.enrollments.statuses(ids), this.store.enrollments.credentials(ids)]);
    const byId = new Map(credentials.map((credential) => [credential.enrollmentId, credential]));
    const logins = credentials.filter(({ kind, sealed }) => kind === 'OAUTH' && sealed !== null).map(({ enrollmentId }) => enrollmentId);
    const lives = new Map((logins.length === 0 ? [] : await this.store.oauthGrants.allAtNow(logins)).map((life) => [life.grant.enrollmentId, life]));
    const standings = new Map(statuses.flatMap((status): [string, Standing][] => {
      const credential = byId.get(status.enrollmentId);
      return credential === undefined ? [] : [[status.enrollmentId, { status, credential, life: lives.get(status.enrollmentId) ?? null }]];
    }));
    return types.map((type) => ({
      type, person, asked, standings, link: (label) => link(type, label),
      candidates: candidates.filter(({ connectionTypeId }) => connectionTypeId === type.id),
      pins: pins.filter(({ connectionTypeId }) => connectionTypeId === type.id),
    }));
  }

  /** The person's own and the shared ones; where one is asked for, only that is read, since a person may have many. */
  async #candidates(typeIds: readonly string[], personId: string | null, asked: string | null) {
    if (asked !== null) {
      const enrollment = knownId(asked) ? await this.store.enrollments.byId(asked) : null;
      return enrollment === null ? [] : [enrollment];
    }
    const [own, shared] = await Promise.all([personId === null ? [] : this.store.enrollments.ofOwner(personId, typeIds), this.store.enrollments.shared(typeIds)]);
    return [...new Map([...own, ...shared].map((enrollment) => [enrollment.id, enrollment])).values()];
  }
}
