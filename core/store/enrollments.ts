import { In, type EntityManager } from 'typeorm';
import { Credential, Enrollment, EnrollmentStatus } from './entities/enrollment.entity.js';
import type { OAuthGrant } from './entities/oauth-grant.entity.js';
import { pageOf, type Page, type PageRequest } from './page.js';
import { Schedule } from './schedule.js';
import { storableJson } from './storable.js';

/** What a new enrollment is made of; id, times and status are filled in. */
export type NewEnrollment = Omit<Enrollment, 'createdAt' | 'updatedAt' | 'deletedAt'>;

/** What pages show of an enrollment's login: of the credential all but the sealed value; of a login that isn't OAuth's, no scopes and no times. */
export type SeenOfLogin = Pick<Credential, 'enrollmentId' | 'kind' | 'fields'> & Pick<EnrollmentStatus, 'conditions'>
  & Pick<OAuthGrant, 'scopes' | 'expiresAt' | 'refreshAt' | 'lastRefreshAt' | 'failedRefreshes' | 'nextAttemptAt'>;

const SEEN_OF_LOGIN = `
  select c.enrollment_id as "enrollmentId", c.kind, c.fields, s.conditions, coalesce(g.scopes, '{}') as scopes, g.expires_at as "expiresAt", g.refresh_at as "refreshAt",
    g.last_refresh_at as "lastRefreshAt", coalesce(g.failed_refreshes, 0) as "failedRefreshes", g.next_attempt_at as "nextAttemptAt"
  from credentials c join enrollment_status s on s.enrollment_id = c.enrollment_id left join oauth_grants g on g.enrollment_id = c.enrollment_id and c.kind = 'OAUTH'`;

/** Enrollments with their sealed credentials and status. */
export class Enrollments {
  constructor(private readonly manager: EntityManager) {}

  byId(id: string): Promise<Enrollment | null> {
    return this.manager.findOneBy(Enrollment, { id });
  }

  /** Also one that is hidden. */
  evenHidden(id: string): Promise<Enrollment | null> {
    return this.manager.findOne(Enrollment, { where: { id }, withDeleted: true });
  }

  byIds(ids: readonly string[]): Promise<Enrollment[]> {
    return this.manager.findBy(Enrollment, { id: In([...ids]) });
  }

  /** The person's own enrollments for these types, oldest first. */
  ofOwner(ownerId: string, connectionTypeIds: readonly string[]): Promise<Enrollment[]> {
    return this.manager.find(Enrollment, { where: { ownerId, connectionTypeId: In([...connectionTypeIds]) }, order: { id: 'ASC' } });
  }

  /**
   * The same with their logins, in one statement. As the driver gives them: pages have hundreds, and making entities of them takes longer than reading them. The limit says that
   * each login is looked up by its key: as a plain join, PostgreSQL reads all credentials of a middling catalog.
   */
  async withLogins(ownerId: string, connectionTypeIds: readonly string[]): Promise<(Enrollment & SeenOfLogin)[]> {
    return (await this.manager.query(
      `select e.id, e.team_id as "teamId", e.connection_type_id as "connectionTypeId", e.owner_id as "ownerId", e.label, e.shared, e.origin, e.confirmed_target as "confirmedTarget",
         e.created_at as "createdAt", e.updated_at as "updatedAt", login.*
       from enrollments e cross join lateral (${SEEN_OF_LOGIN} where c.enrollment_id = e.id limit 1) as login
       where e.owner_id = $1 and e.connection_type_id = any($2::uuid[]) and e.deleted_at is null order by e.id`,
      [ownerId, connectionTypeIds],
    )) as (Enrollment & SeenOfLogin)[];
  }

  /** Of these enrollments, in any order. */
  async logins(ids: readonly string[]): Promise<SeenOfLogin[]> {
    return (await this.manager.query(`${SEEN_OF_LOGIN} where c.enrollment_id = any($1::uuid[])`, [ids])) as SeenOfLogin[];
  }

  /** Those shared with the team for these types, oldest first. */
  shared(connectionTypeIds: readonly string[]): Promise<Enrollment[]> {
    return this.manager.find(Enrollment, { where: { connectionTypeId: In([...connectionTypeIds]), shared: true }, order: { id: 'ASC' } });
  }

  ofType(connectionTypeId: string): Promise<Enrollment[]> {
    return this.manager.find(Enrollment, { where: { connectionTypeId }, order: { id: 'ASC' } });
  }

  /** What `ownerId` may see in the team: their own, and the shared ones. */
  async page(teamId: string, ownerId: string, request: PageRequest): Promise<Page<Enrollment>> {
    const rows = await this.manager
      .createQueryBuilder(Enrollment, 'e')
      .where('e.team_id = :teamId and (e.owner_id = :ownerId or e.shared)', { teamId, ownerId })
      .andWhere(request.after === null ? 'true' : 'e.id > :after', { after: request.after })
      .orderBy('e.id')
      .limit(request.first + 1)
      .getMany();
    return pageOf(rows, request.first);
  }

  async count(teamId: string, ownerId: string): Promise<number> {
    return this.manager
      .createQueryBuilder(Enrollment, 'e')
      .where('e.team_id = :teamId and (e.owner_id = :ownerId or e.shared)', { teamId, ownerId })
      .getCount();
  }

  statuses(ids: readonly string[]): Promise<EnrollmentStatus[]> {
    return this.manager.findBy(EnrollmentStatus, { enrollmentId: In([...ids]) });
  }

  credentials(ids: readonly string[]): Promise<Credential[]> {
    return this.manager.findBy(Credential, { enrollmentId: In([...ids]) });
  }

  /** Throws a unique violation when the owner has one of that label. */
  async insert(enrollment: NewEnrollment, credential: Omit<Credential, 'updatedAt'>, status: Omit<EnrollmentStatus, 'updatedAt' | 'triedAt'>): Promise<Enrollment> {
    const now = new Date();
    const row = this.manager.create(Enrollment, { ...enrollment, createdAt: now, updatedAt: now });
    await this.manager.insert(Enrollment, row);
    await this.manager.insert(Credential, { ...credential, updatedAt: now });
    await this.manager.insert(EnrollmentStatus, { ...status, triedAt: null, updatedAt: now });
    await new Schedule(this.manager).mark('Enrollment', [row.id], { urgent: true });
    return row;
  }

  async update(id: string, values: Partial<Pick<Enrollment, 'label' | 'shared' | 'confirmedTarget'>>): Promise<void> {
    await this.manager.update(Enrollment, { id }, { ...values, updatedAt: new Date() });
    if (values.confirmedTarget !== undefined || values.shared !== undefined) await new Schedule(this.manager).mark('Enrollment', [id], { urgent: true });
  }

  /** Compare and set on the fence: false when the credential's version has moved meanwhile. */
  async replaceCredential(id: string, expectedVersion: number, values: Pick<Credential, 'kind' | 'sealed' | 'fields'>): Promise<boolean> {
    const result = await this.manager.update(Credential, { enrollmentId: id, version: expectedVersion }, { ...values, version: expectedVersion + 1, updatedAt: new Date() });
    if (result.affected === 1) await new Schedule(this.manager).mark('Enrollment', [id]);
    return result.affected === 1;
  }

  /** Those of these enrollments that hold OAuth tokens, which can't be renewed until the transaction ends. */
  async lockLogins(of: { enrollmentIds: readonly string[] } | { ownerId: string } | { connectionTypeId: string }): Promise<string[]> {
    const [column, value] = 'ownerId' in of ? ['e.owner_id = $1', of.ownerId] : 'connectionTypeId' in of ? ['e.connection_type_id = $1', of.connectionTypeId] : ['e.id = any($1)', of.enrollmentIds];
    const rows = (await this.manager.query(
      `select c.enrollment_id as id from credentials c join enrollments e on e.id = c.enrollment_id where ${column} and c.kind = 'OAUTH' and c.sealed is not null order by c.enrollment_id for update of c`,
      [value],
    )) as { id: string }[];
    return rows.map((row) => row.id);
  }

  /** Whether the credential still has that version, which then stays until the transaction ends. Whoever also locks other rows of the enrollment does so after this one. */
  async isAtVersion(id: string, version: number): Promise<boolean> {
    const rows = (await this.manager.query('select 1 from credentials where enrollment_id = $1 and version = $2 for update', [id, version])) as unknown[];
    return rows.length === 1;
  }

  /** The enrollment, which can't go until the transaction ends; null when it is gone. */
  lock(id: string): Promise<Enrollment | null> {
    return this.manager.findOne(Enrollment, { where: { id }, lock: { mode: 'for_key_share' } });
  }

  /** Enrollments of the type whose own list of tools was never read, or not since the type had one; oldest first. */
  async withoutTools(connectionTypeId: string): Promise<string[]> {
    const rows = (await this.manager.query(
      'select e.id from enrollments e join enrollment_status s on s.enrollment_id = e.id where e.connection_type_id = $1 and e.deleted_at is null and s.tools_synced_at is null order by e.id',
      [connectionTypeId],
    )) as { id: string }[];
    return rows.map((row) => row.id);
  }

  /** From now on the type has the list: the logins' own are to be read again when that ends. */
  async endOwnLists(connectionTypeId: string): Promise<void> {
    await this.manager.query(
      'update enrollment_status set tools_synced_at = null where tools_synced_at is not null and enrollment_id in (select id from enrollments where connection_type_id = $1)',
      [connectionTypeId],
    );
  }

  /** Its credential is to be tried, and its own list of tools read, as soon as that may be. */
  async tryAgain(id: string): Promise<void> {
    await this.manager.update(EnrollmentStatus, { enrollmentId: id }, { triedAt: null });
    await new Schedule(this.manager).mark('Enrollment', [id]);
  }

  /** A deleted enrollment is no error. */
  async updateStatus(id: string, values: Partial<Omit<EnrollmentStatus, 'enrollmentId'>>): Promise<void> {
    await this.manager.update(EnrollmentStatus, { enrollmentId: id }, { ...storableJson(values), updatedAt: new Date() });
  }

  /** Hands it over to its other owner. */
  async setOrigin(id: string, origin: Enrollment['origin']): Promise<void> {
    await this.manager.query(`with adopts as (select set_config('fairlead.adopts', $1::text, true)) update enrollments set origin = $2, updated_at = now() from adopts where id = $1::uuid`, [id, origin]);
  }

  /** Hides it: to everybody it is as if it were gone, and nothing of it is lost. Also if it went with its type, so that it doesn't come back with that. */
  async hide(id: string): Promise<void> {
    await this.manager.query('update enrollments set deleted_at = now() where id = $1', [id]);
  }

  /** Brings back a hidden one. */
  async show(id: string): Promise<void> {
    await this.manager.query('update enrollments set deleted_at = null where id = $1', [id]);
    await new Schedule(this.manager).mark('Enrollment', [id], { urgent: true });
  }

  /** Returns whether there was one; the sealed value goes with it. */
  async remove(id: string): Promise<boolean> {
    const result = await this.manager.delete(Enrollment, { id });
    return (result.affected ?? 0) > 0;
  }
}
