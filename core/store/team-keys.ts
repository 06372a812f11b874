import type { EntityManager } from 'typeorm';
import { TeamKey } from './entities/team-key.entity.js';

/** Wrapped data keys of teams. */
export class TeamKeys {
  constructor(private readonly manager: EntityManager) {}

  /** All versions, oldest first. */
  ofTeam(teamId: string): Promise<TeamKey[]> {
    return this.manager.find(TeamKey, { where: { teamId }, order: { version: 'ASC' } });
  }

  /** Stores a key unless that version exists; returns the one that is stored. */
  async insertIfAbsent(key: Omit<TeamKey, 'createdAt'>): Promise<TeamKey> {
    await this.manager.query(
      'insert into team_keys (team_id, version, kek_id, wrapped) values ($1, $2, $3, $4) on conflict do nothing',
      [key.teamId, key.version, key.kekId, key.wrapped],
    );
    return this.manager.findOneByOrFail(TeamKey, { teamId: key.teamId, version: key.version });
  }
}
