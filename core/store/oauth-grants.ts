import type { EntityManager } from 'typeorm';
import { OAuthGrant } from './entities/oauth-grant.entity.js';

/** What may be written of a grant. */
export type GrantValues = Partial<Omit<OAuthGrant, 'enrollmentId' | 'teamId' | 'updatedAt'>>;

/** No attempt on record. */
export const NO_ATTEMPT = { attemptId: null, attemptVersion: null, attemptUntil: null } as const satisfies GrantValues;

/** The lives of OAuth enrollments' tokens. All times are the database's. */
export class OAuthGrants {
  constructor(private readonly manager: EntityManager) {}

  byId(enrollmentId: string): Promise<OAuthGrant | null> {
    return this.manager.findOneBy(OAuthGrant, { enrollmentId });
  }

  byIds(enrollmentIds: readonly string[]): Promise<OAuthGrant[]> {
    return this.manager.createQueryBuilder(OAuthGrant, 'g').where('g.enrollment_id = any(:ids)', { ids: enrollmentIds }).getMany();
  }

  /** The grant with the time by the database's clock, which its own times are of. */
  async atNow(enrollmentId: string): Promise<{ grant: OAuthGrant; now: Date } | null> {
    const { entities: [grant], raw } = await this.manager
      .createQueryBuilder(OAuthGrant, 'g').addSelect('clock_timestamp()', 'now').where('g.enrollment_id = :enrollmentId', { enrollmentId }).getRawAndEntities<{ now: Date }>();
    return grant === undefined ? null : { grant, now: raw[0]!.now };
  }

  /** As {@link atNow}, of these enrollments, in any order. */
  async allAtNow(enrollmentIds: readonly string[]): Promise<{ grant: OAuthGrant; now: Date }[]> {
    const { entities, raw } = await this.manager
      .createQueryBuilder(OAuthGrant, 'g').addSelect('statement_timestamp()', 'now').where('g.enrollment_id = any(:ids)', { ids: enrollmentIds }).getRawAndEntities<{ now: Date }>();
    return entities.map((grant) => ({ grant, now: raw[0]!.now }));
  }

  /** Makes the row of an enrollment, unless it has one. */
  async insert(enrollmentId: string, teamId: string): Promise<void> {
    await this.manager.query('insert into oauth_grants (enrollment_id, team_id) values ($1, $2) on conflict do nothing', [enrollmentId, teamId]);
  }

  async update(enrollmentId: string, values: GrantValues): Promise<void> {
    await this.manager.update(OAuthGrant, { enrollmentId }, { ...values, updatedAt: new Date() });
  }

  /**
   * Puts an attempt to refresh on record before it is sent. Answers the time, by the database's clock, for exactly one caller: no other attempt is under way, there
   * is something to present, and the credential still has the version whose refresh token will be presented. Null for the others.
   * @param leaseMs outlives the request's deadline
   */
  async claimAttempt(enrollmentId: string, attemptId: string, credentialVersion: number, leaseMs: number): Promise<Date | null> {
    const rows = (await this.manager.query(
      `with claimed as (
         update oauth_grants g set attempt_id = $2, attempt_version = $3, attempt_until = clock_timestamp() + $4 * interval '1 millisecond', updated_at = now()
         from credentials c
         where g.enrollment_id = $1 and c.enrollment_id = $1 and c.version = $3 and g.attempt_id is null and g.refreshable
         returning 1)
       select clock_timestamp() as at from claimed`,
      [enrollmentId, attemptId, credentialVersion, leaseMs],
    )) as { at: Date }[];
    return rows[0]?.at ?? null;
  }

  /** Takes an attempt off the record because its answer is known; does nothing when it isn't the one on record. */
  async endAttempt(enrollmentId: string, attemptId: string): Promise<void> {
    await this.manager.query(
      `update oauth_grants set attempt_id = null, attempt_version = null, attempt_until = null, updated_at = now() where enrollment_id = $1 and attempt_id = $2`,
      [enrollmentId, attemptId],
    );
  }

  /**
   * Ends an attempt whose lease has run out: its answer is lost, and that goes on record. Null unless it was this caller who ended it.
   *
   * | `FIRST` | the refresh token may be presented once more, and only once |
   * | `AGAIN` | that was it: it isn't `refreshable` any more |
   * | `MOVED` | the credential was replaced meanwhile: what was lost is of no concern |
   */
  async expireAttempt(enrollmentId: string, attemptId: string): Promise<'FIRST' | 'AGAIN' | 'MOVED' | null> {
    const rows = (await this.manager.query(
      `with lost as (
         select g.enrollment_id, g.attempt_version = c.version as present, g.outcome_unknown_at is not null as again
         from oauth_grants g join credentials c using (enrollment_id)
         where g.enrollment_id = $1 and g.attempt_id = $2 and g.attempt_until < clock_timestamp() for update of g),
       ended as (
         update oauth_grants g set attempt_id = null, attempt_version = null, attempt_until = null, updated_at = now(),
           outcome_unknown_at = case when lost.present then coalesce(g.outcome_unknown_at, clock_timestamp()) else g.outcome_unknown_at end,
           refreshable = g.refreshable and not (lost.present and lost.again)
         from lost where g.enrollment_id = lost.enrollment_id returning lost.present, lost.again)
       select present, again from ended`,
      [enrollmentId, attemptId],
    )) as { present: boolean; again: boolean }[];
    const [ended] = rows;
    if (ended === undefined) return null;
    return !ended.present ? 'MOVED' : ended.again ? 'AGAIN' : 'FIRST';
  }
}
