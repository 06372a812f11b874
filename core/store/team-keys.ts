import type { EntityManager } from 'typeorm';
import type { DataKeyStore, WrappedKey } from '../vault/data-key.js';
import { TeamKey } from './entities/team-key.entity.js';

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
}
