import type { EntityManager } from 'typeorm';
import { Token } from './entities/token.entity.js';
import { newId } from './ids.js';

type Bounds = 'assignmentId' | 'onBehalfOf' | 'ratePerMinute' | 'concurrency';
/** What a new token is made of. */
export type NewToken = Omit<Token, 'id' | 'createdAt' | 'lastUsedAt' | Bounds> & Partial<Pick<Token, Bounds>>;

/** Fairlead tokens, by hash. */
export class Tokens {
  constructor(private readonly manager: EntityManager) {}

  /** Whatever its expiry says: the caller decides. */
  byHash(hash: Buffer): Promise<Token | null> {
    return this.manager.findOneBy(Token, { hash });
  }

  byId(id: string): Promise<Token | null> {
    return this.manager.findOneBy(Token, { id });
  }

  async insert(values: NewToken): Promise<Token> {
    const token = this.manager.create(Token, { assignmentId: null, onBehalfOf: false, ratePerMinute: null, concurrency: null, ...values, id: newId(), lastUsedAt: null, createdAt: new Date() });
    await this.manager.insert(Token, token);
    return token;
  }

  /** Notes a use, to the minute; returns nothing and is safe to lose. */
  async touch(ids: readonly string[]): Promise<void> {
    await this.manager.query('update tokens set last_used_at = now() where id = any($1::uuid[])', [ids]);
  }

  /** Returns whether there was one. */
  async remove(id: string): Promise<boolean> {
    const result = await this.manager.delete(Token, { id });
    return (result.affected ?? 0) > 0;
  }

  /** Ends the local administrator's tokens other than `keep`, when a new one was written to the state directory. */
  async removeInstallationTokens(keep: Buffer): Promise<void> {
    await this.manager.query(`delete from tokens where kind = 'INSTALLATION' and hash <> $1`, [keep]);
  }

  /** Deletes up to `limit` that expired more than 30 days ago. Returns how many. */
  async deleteExpired(limit: number): Promise<number> {
    const [, count] = (await this.manager.query(
      `delete from tokens where id in (select id from tokens where expires_at < now() - interval '30 days' limit $1)`,
      [limit],
    )) as [unknown, number];
    return count;
  }
}
