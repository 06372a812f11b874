import type { EntityManager } from 'typeorm';
import { OAuthGrant } from './entities/oauth-grant.entity.js';

/** The lives of OAuth enrollments' tokens. All times are the database's. */
export class OAuthGrants {
  constructor(private readonly manager: EntityManager) {}

  byId(enrollmentId: string): Promise<OAuthGrant | null> {
    return this.manager.findOneBy(OAuthGrant, { enrollmentId });
  }

  byIds(enrollmentIds: readonly string[]): Promise<OAuthGrant[]> {
    return this.manager.createQueryBuilder(OAuthGrant, 'g').where('g.enrollment_id = any(:ids)', { ids: enrollmentIds }).getMany();
  }

  /** Makes the row of an enrollment, unless it has one. */
  async insert(enrollmentId: string, teamId: string): Promise<void> {
    await this.manager.query('insert into oauth_grants (enrollment_id, team_id) values ($1, $2) on conflict do nothing', [enrollmentId, teamId]);
  }

  async update(enrollmentId: string, values: Partial<Omit<OAuthGrant, 'enrollmentId' | 'teamId'>>): Promise<void> {
    await this.manager.update(OAuthGrant, { enrollmentId }, { ...values, updatedAt: new Date() });
  }

  /**
   * Puts an attempt to refresh on record before it is sent. True for exactly one caller: no other attempt is under way, and the credential
   * still has the version whose refresh token will be presented.
   * @param leaseMs outlives the request's deadline
   */
  async claimAttempt(enrollmentId: string, attemptId: string, credentialVersion: number, leaseMs: number): Promise<boolean> {
    const rows = (await this.manager.query(
      `with claimed as (
         update oauth_grants g set attempt_id = $2, attempt_version = $3, attempt_until = clock_timestamp() + $4 * interval '1 millisecond', updated_at = now()
         from credentials c
         where g.enrollment_id = $1 and c.enrollment_id = $1 and c.version = $3 and g.attempt_id is null
         returning 1)
       select count(*)::int as count from claimed`,
      [enrollmentId, attemptId, credentialVersion, leaseMs],
    )) as { count: number }[];
    return rows[0]?.count === 1;
  }

  /** Takes an attempt off the record because its answer is known; does nothing when it isn't the one on record. */
  async endAttempt(enrollmentId: string, attemptId: string): Promise<void> {
    await this.manager.query(
      `update oauth_grants set attempt_id = null, attempt_version = null, attempt_until = null, updated_at = now() where enrollment_id = $1 and attempt_id = $2`,
      [enrollmentId, attemptId],
    );
  }

  /**
   * Ends an attempt whose lease has run out: its answer is lost, and that goes on record. True for exactly one caller; what was
   * on record before (`outcomeUnknownAt`) is in the answer, since a token may be presented once more, and only once.
   */
  async expireAttempt(enrollmentId: string, attemptId: string): Promise<boolean> {
    const rows = (await this.manager.query(
      `with ended as (
         update oauth_grants set attempt_id = null, attempt_version = null, attempt_until = null, outcome_unknown_at = coalesce(outcome_unknown_at, clock_timestamp()), updated_at = now()
         where enrollment_id = $1 and attempt_id = $2 and attempt_until < clock_timestamp() returning 1)
       select count(*)::int as count from ended`,
      [enrollmentId, attemptId],
    )) as { count: number }[];
    return rows[0]?.count === 1;
  }
}
