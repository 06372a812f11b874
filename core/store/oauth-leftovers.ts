import type { EntityManager } from 'typeorm';
import { OAuthLeftover } from './entities/oauth-grant.entity.js';
import { newId } from './ids.js';

/** What remains to be undone at providers. */
export class OAuthLeftovers {
  constructor(private readonly manager: EntityManager) {}

  static newId(): string {
    return newId();
  }

  byId(id: string): Promise<OAuthLeftover | null> {
    return this.manager.findOneBy(OAuthLeftover, { id });
  }

  /** Part of the transaction that deletes what it comes from. Due at once. */
  async insert(values: Pick<OAuthLeftover, 'id' | 'teamId' | 'kind' | 'subjectName' | 'issuer' | 'sealed' | 'giveUpAt'>): Promise<void> {
    const now = new Date();
    await this.manager.insert(OAuthLeftover, { ...values, outcome: 'PENDING', message: '', attempts: 0, nextAttemptAt: now, createdAt: now, updatedAt: now });
  }

  /** Takes up to `limit` that are due, pushing each one's next attempt `leaseMs` away, so that no other process takes it meanwhile. */
  async claimDue(limit: number, leaseMs: number): Promise<OAuthLeftover[]> {
    const rows = (await this.manager.query(
      `with claimed as (
         update oauth_leftovers set next_attempt_at = clock_timestamp() + $2 * interval '1 millisecond', attempts = attempts + 1, updated_at = now()
         where id in (select id from oauth_leftovers where outcome = 'PENDING' and next_attempt_at <= clock_timestamp() order by next_attempt_at limit $1 for update skip locked)
         returning id)
       select id from claimed`,
      [limit, leaseMs],
    )) as { id: string }[];
    if (rows.length === 0) return [];
    return this.manager.createQueryBuilder(OAuthLeftover, 'l').where('l.id = any(:ids)', { ids: rows.map((row) => row.id) }).getMany();
  }

  async update(id: string, values: Partial<Pick<OAuthLeftover, 'outcome' | 'message' | 'sealed' | 'nextAttemptAt'>>): Promise<void> {
    await this.manager.update(OAuthLeftover, { id }, { ...values, updatedAt: new Date() });
  }
}
