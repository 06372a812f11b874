import type { EntityManager } from 'typeorm';
import { OAuthAuthorization, type OAuthAuthorizationState } from './entities/oauth-grant.entity.js';
import { newId } from './ids.js';

/** Consents under way. Links, cookies and states are looked up by their hashes; each step is a compare-and-set, so that it happens once. */
export class OAuthAuthorizations {
  constructor(private readonly manager: EntityManager) {}

  byId(id: string): Promise<OAuthAuthorization | null> {
    return this.manager.findOneBy(OAuthAuthorization, { id });
  }

  byLink(linkHash: Buffer): Promise<OAuthAuthorization | null> {
    return this.manager.findOneBy(OAuthAuthorization, { linkHash });
  }

  byState(stateHash: Buffer): Promise<OAuthAuthorization | null> {
    return this.manager.findOneBy(OAuthAuthorization, { stateHash });
  }

  /** The newest of an enrollment, whatever became of it. */
  latest(enrollmentId: string): Promise<OAuthAuthorization | null> {
    return this.manager.findOne(OAuthAuthorization, { where: { enrollmentId }, order: { id: 'DESC' } });
  }

  /** A new link, good for `lifetimeMs` by the database's clock. */
  async insert(values: Pick<OAuthAuthorization, 'teamId' | 'enrollmentId' | 'memberId' | 'linkHash' | 'returnUrl'>, lifetimeMs: number): Promise<OAuthAuthorization> {
    const now = new Date();
    const row = this.manager.create(OAuthAuthorization, {
      ...values, id: newId(), expiresAt: await this.after(lifetimeMs), state: 'LINKED', cookieHash: null, stateHash: null, sealed: null, clientId: null, issuer: null, scopes: [], message: null, createdAt: now, updatedAt: now,
    });
    await this.manager.insert(OAuthAuthorization, row);
    return row;
  }

  /** Whether its time is over, by the database's clock. */
  async isOver(id: string): Promise<boolean> {
    const rows = (await this.manager.query('select 1 from oauth_authorizations where id = $1 and expires_at > clock_timestamp()', [id])) as unknown[];
    return rows.length === 0;
  }

  /**
   * Moves one on, if it still stands at `from` and its time isn't over: false otherwise.
   * @param lifetimeMs how long it may stand there; as long as before if it isn't given
   */
  async transition(id: string, from: OAuthAuthorizationState, values: Partial<Omit<OAuthAuthorization, 'id' | 'teamId' | 'enrollmentId' | 'memberId' | 'expiresAt'>>, lifetimeMs?: number): Promise<boolean> {
    const expiry = lifetimeMs === undefined ? {} : { expiresAt: await this.after(lifetimeMs) };
    const result = await this.manager
      .createQueryBuilder().update(OAuthAuthorization).set({ ...values, ...expiry, updatedAt: new Date() } as never)
      .where('id = :id and state = :from and expires_at > clock_timestamp()', { id, from }).execute();
    return result.affected === 1;
  }

  /**
   * Ends everything that is over its time, and, with `enrollmentId`, what a newer consent of that enrollment replaces: but for one that is being finished this moment, whose
   * tokens would be lost unrevoked. Returns how many.
   */
  async expire(enrollmentId: string | null): Promise<number> {
    const rows = (await this.manager.query(
      `with ended as (
         update oauth_authorizations set state = 'EXPIRED', sealed = null, message = coalesce(message, 'It was not finished in time.'), updated_at = now()
         where (state in ('LINKED', 'SENT') and enrollment_id = $1)
            or id in (select id from oauth_authorizations where state in ('LINKED', 'SENT', 'FINISHING') and expires_at < clock_timestamp() for update skip locked)
         returning 1)
       select count(*)::int as count from ended`,
      [enrollmentId],
    )) as { count: number }[];
    return rows[0]?.count ?? 0;
  }

  /** Deletes up to `limit` that ended more than 30 days ago, but for the newest of each enrollment, which says why it is as it is. Returns how many. */
  async deleteEnded(limit: number): Promise<number> {
    const [, count] = (await this.manager.query(
      `delete from oauth_authorizations where id in (
         select a.id from oauth_authorizations a
         where a.state not in ('LINKED', 'SENT', 'FINISHING') and a.updated_at < now() - interval '30 days'
           and exists (select from oauth_authorizations newer where newer.enrollment_id = a.enrollment_id and newer.id > a.id) limit $1)`,
      [limit],
    )) as [unknown, number];
    return count;
  }

  private async after(ms: number): Promise<Date> {
    const rows = (await this.manager.query(`select clock_timestamp() + $1 * interval '1 millisecond' as at`, [ms])) as { at: Date }[];
    return rows[0]!.at;
  }
}
