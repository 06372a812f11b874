import { In, type EntityManager } from 'typeorm';
import { Team, type DestructiveTools } from './entities/team.entity.js';
import { newId } from './ids.js';

/** Teams, by id and slug. */
export class Teams {
  constructor(private readonly manager: EntityManager) {}

  bySlug(slug: string): Promise<Team | null> {
    return this.manager.findOneBy(Team, { slug });
  }

  byIds(ids: readonly string[]): Promise<Team[]> {
    return this.manager.findBy(Team, { id: In([...ids]) });
  }

  async update(id: string, values: { destructiveTools: DestructiveTools }): Promise<void> {
    await this.manager.update(Team, { id }, values);
  }

  /** Throws a unique violation when the slug is taken. */
  async insert(slug: string, displayName: string): Promise<Team> {
    const team = this.manager.create(Team, { id: newId(), slug, displayName, destructiveTools: 'ALLOW', createdAt: new Date() });
    await this.manager.insert(Team, team);
    return team;
  }
}
