import type { EntityManager } from 'typeorm';
import type { DataKeyStore, WrappedKey } from '../vault/data-key.js';
import { TeamKey } from './entities/team-key.entity.js';

/** A wrapped data key, and whose it is. */
export interface StoredKey extends WrappedKey {
  teamId: string;
}

/** Where a walk through all data keys stands: after this one. */
export type KeyPlace = Pick<StoredKey, 'teamId' | 'version'>;

/** Wrapped data keys of teams, for the vault. */
export class TeamKeys implements DataKeyStore {
  constructor(private readonly manager: EntityManager) {}

  /** All versions, oldest first. */
  load(teamId: string): Promise<WrappedKey[]> {
    return this.manager.find(TeamKey, { where: { teamId }, order: { version: 'ASC' } });
  }

  /** Stores a key unless that version exists; returns the one that is stored. */
  async insert(teamId: string, key: WrappedKey): Promise<WrappedKey> {
    await this.manager.query(
      'insert into team_keys (team_id, version, kek_id, wrapped) values ($1, $2, $3, $4) on conflict do nothing',
      [teamId, key.version, key.kekId, key.wrapped],
    );
    return this.manager.findOneByOrFail(TeamKey, { teamId, version: key.version });
  }

  /** How many data keys each key-encryption key wraps. */
  async usage(): Promise<Map<string, number>> {
    const rows = (await this.manager.query('select kek_id as id, count(*)::int as used from team_keys group by kek_id')) as { id: string; used: number }[];
    return new Map(rows.map(({ id, used }) => [id, used]));
  }

  /** Up to `limit` data keys that another key than this one wraps, in the order of a walk, after a place of it. */
  async notWrappedBy(kekId: string, after: KeyPlace | null, limit: number): Promise<StoredKey[]> {
    return (await this.manager.query(
      `select team_id as "teamId", version, kek_id as "kekId", wrapped from team_keys
       where kek_id <> $1 and ($2::uuid is null or (team_id, version) > ($2, $3::int)) order by team_id, version limit $4`,
      [kekId, after?.teamId ?? null, after?.version ?? null, limit],
    )) as StoredKey[];
  }

  /** Puts the same data key in its new wrapping in the place of the old; false when that has changed since. */
  async rewrap({ teamId, version, wrapped }: StoredKey, anew: WrappedKey): Promise<boolean> {
    const [, count] = (await this.manager.query(
      'update team_keys set kek_id = $4, wrapped = $5 where team_id = $1 and version = $2 and wrapped = $3', [teamId, version, wrapped, anew.kekId, anew.wrapped],
    )) as [unknown, number];
    return count === 1;
  }

  /** For use inside a transaction, until whose end no data key is added or wrapped anew. */
  async hold(): Promise<void> {
    await this.manager.query('lock table team_keys in share mode');
  }
}
