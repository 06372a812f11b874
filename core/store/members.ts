import { In, MoreThan, type EntityManager } from 'typeorm';
import type { Role } from '../connection/role.js';
import { Member } from './entities/member.entity.js';
import { newId } from './ids.js';
import { pageOf, type Page, type PageRequest } from './page.js';

/** Members of teams. */
export class Members {
  constructor(private readonly manager: EntityManager) {}

  byIds(ids: readonly string[]): Promise<Member[]> {
    return this.manager.findBy(Member, { id: In([...ids]) });
  }

  /** All memberships of one person, oldest first. */
  ofPerson(subject: string, local: boolean): Promise<Member[]> {
    return this.manager.find(Member, { where: { subject, local }, order: { id: 'ASC' } });
  }

  inTeam(teamId: string, id: string): Promise<Member | null> {
    return this.manager.findOneBy(Member, { teamId, id });
  }

  bySubject(teamId: string, subject: string, local: boolean): Promise<Member | null> {
    return this.manager.findOneBy(Member, { teamId, subject, local });
  }

  /** People of the team whose verified mail address it is, in whatever case it is written; several where an address went from one to another. */
  byEmail(teamId: string, email: string): Promise<Member[]> {
    return this.manager.createQueryBuilder(Member, 'm').where('m.team_id = :teamId and lower(m.email) = lower(:email)', { teamId, email }).orderBy('m.id').limit(2).getMany();
  }

  /** The issuer says that it verified this address of the person: in all their teams. */
  async learnEmail(subject: string, email: string): Promise<void> {
    await this.manager.query('update members set email = $2, updated_at = now() where subject = $1 and not local and email is distinct from $2', [subject, email]);
  }

  async page(teamId: string, request: PageRequest): Promise<Page<Member>> {
    const rows = await this.manager.find(Member, {
      where: { teamId, ...(request.after === null ? {} : { id: MoreThan(request.after) }) },
      order: { id: 'ASC' },
      take: request.first + 1,
    });
    return pageOf(rows, request.first);
  }

  count(teamId: string): Promise<number> {
    return this.manager.countBy(Member, { teamId });
  }

  /** How many administrators the team has; the last one stays. Locks them, so that two removals can't both be the last but one. */
  async lockAdmins(teamId: string): Promise<string[]> {
    const rows = (await this.manager.query(`select id from members where team_id = $1 and role = 'ADMIN' order by id for update`, [teamId])) as { id: string }[];
    return rows.map((row) => row.id);
  }

  /** Adds the person, or changes their role and name. */
  async upsert(values: { teamId: string; subject: string; local: boolean; displayName: string | null; role: Role; source: 'API' | 'CLAIM' }): Promise<Member> {
    await this.manager.query(
      `insert into members (id, team_id, subject, local, display_name, role, source) values ($1, $2, $3, $4, coalesce($5, $3), $6, $7)
       on conflict (team_id, local, subject) do update set role = excluded.role, source = excluded.source, display_name = coalesce($5, members.display_name), updated_at = now()`,
      [newId(), values.teamId, values.subject, values.local, values.displayName, values.role, values.source],
    );
    return this.manager.findOneByOrFail(Member, { teamId: values.teamId, subject: values.subject, local: values.local });
  }

  /** Ends a membership; enrollments and tokens go with it. Returns whether there was one. */
  async remove(teamId: string, id: string): Promise<boolean> {
    await this.manager.query('delete from tokens where team_id = $1 and $2 = any(voucher_ids)', [teamId, id]);
    const result = await this.manager.delete(Member, { teamId, id });
    return (result.affected ?? 0) > 0;
  }
}
