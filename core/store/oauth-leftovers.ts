import type { EntityManager } from 'typeorm';
import { OAuthLeftover } from './entities/oauth-grant.entity.js';
import { newId } from './ids.js';

/** What is recorded when something is left over; `sealed` is null for what can't be undone, which is ended from the start. */
export type NewLeftover = Pick<OAuthLeftover, 'id' | 'teamId' | 'kind' | 'subjectName' | 'issuer' | 'sealed' | 'outcome' | 'message'>;

/** What remains to be undone at providers. All times are the database's. */
export class OAuthLeftovers {
  constructor(private readonly manager: EntityManager) {}

  static newId(): string {
    return newId();
  }

  /** Part of the transaction that deletes what it comes from. Due at once, and given up after `giveUpAfterMs`. */
  async insert({ id, teamId, kind, subjectName, issuer, sealed, outcome, message }: NewLeftover, giveUpAfterMs: number): Promise<void> {
    await this.manager.query(
      `insert into oauth_leftovers (id, team_id, kind, subject_name, issuer, sealed, outcome, message, next_attempt_at, give_up_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp(), clock_timestamp() + $9 * interval '1 millisecond')`,
      [id, teamId, kind, subjectName, issuer, sealed, outcome, message, giveUpAfterMs],
    );
  }

  byIds(ids: readonly string[]): Promise<OAuthLeftover[]> {
    return this.manager.createQueryBuilder(OAuthLeftover, 'l').where('l.id = any(:ids)', { ids }).orderBy('l.id').getMany();
  }

  /**
   * Takes up to `limit` that are due, pushing each one's next attempt `leaseMs` away, so that no other process takes it meanwhile. A client waits for the tokens that were
   * issued to it: it has to authenticate their revocation.
   * @param ids only of these; null: of all
   */
  async claimDue(limit: number, leaseMs: number, ids: readonly string[] | null = null): Promise<OAuthLeftover[]> {
    const rows = (await this.manager.query(
      `with claimed as (
         update oauth_leftovers set next_attempt_at = clock_timestamp() + $2 * interval '1 millisecond', attempts = attempts + 1, updated_at = now()
         where id in (
           select l.id from oauth_leftovers l
           where l.outcome = 'PENDING' and l.next_attempt_at <= clock_timestamp() and ($3::uuid[] is null or l.id = any($3))
             and not (l.kind = 'CLIENT' and exists (
               select from oauth_leftovers t where t.team_id = l.team_id and t.issuer = l.issuer and t.kind = 'TOKENS' and t.outcome = 'PENDING'
                 and (t.subject_name = l.subject_name or starts_with(t.subject_name, l.subject_name || '/'))))
           order by l.next_attempt_at limit $1 for update of l skip locked)
         returning id)
       select id from claimed`,
      [limit, leaseMs, ids],
    )) as { id: string }[];
    return rows.length === 0 ? [] : this.byIds(rows.map((row) => row.id));
  }

  async update(id: string, values: Partial<Pick<OAuthLeftover, 'outcome' | 'message' | 'sealed' | 'nextAttemptAt'>>): Promise<void> {
    await this.manager.update(OAuthLeftover, { id }, { ...values, updatedAt: new Date() });
  }

  /** Forgets what was ended longer ago than so many days; the audit trail stays. */
  async prune(days: number): Promise<void> {
    await this.manager.query(`delete from oauth_leftovers where outcome <> 'PENDING' and updated_at < clock_timestamp() - $1 * interval '1 day'`, [days]);
  }
}
