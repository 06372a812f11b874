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

  /** A new link; `expiresAt` is what the database will compare with. */
  async insert(values: Pick<OAuthAuthorization, 'teamId' | 'enrollmentId' | 'memberId' | 'linkHash' | 'returnUrl' | 'expiresAt'>): Promise<OAuthAuthorization> {
    const now = new Date();
    const row = this.manager.create(OAuthAuthorization, {
      ...values, id: newId(), state: 'LINKED', cookieHash: null, stateHash: null, sealed: null, clientId: null, issuer: null, scopes: [], message: null, createdAt: now, updatedAt: now,
    });
    await this.manager.insert(OAuthAuthorization, row);
    return row;
  }

  /** Moves one on, if it still stands at `from` and its time isn't over: false otherwise. */
  async transition(id: string, from: OAuthAuthorizationState, values: Partial<Omit<OAuthAuthorization, 'id' | 'teamId' | 'enrollmentId' | 'memberId'>>): Promise<boolean> {
    const result = await this.manager
      .createQueryBuilder().update(OAuthAuthorization).set({ ...values, updatedAt: new Date() } as never)
      .where('id = :id and state = :from and expires_at > clock_timestamp()', { id, from }).execute();
    return result.affected === 1;
  }

  /** Ends what is over its time, and what a newer consent of the same enrollment replaces (`enrollmentId`). Returns how many. */
  async expire(enrollmentId: string | null): Promise<number> {
    const rows = (await this.manager.query(
      `with ended as (
         update oauth_authorizations set state = 'EXPIRED', sealed = null, message = coalesce(message, 'It was not finished in time.'), updated_at = now()
         where state in ('LINKED', 'SENT', 'FINISHING') and (enrollment_id = $1 or ($1::uuid is null and expires_at < clock_timestamp())) returning 1)
       select count(*)::int as count from ended`,
      [enrollmentId],
    )) as { count: number }[];
    return rows[0]?.count ?? 0;
  }
}
