import type { EntityManager, EntityTarget, ObjectLiteral } from 'typeorm';
import { ConnectionType, ConnectionTypeStatus } from './entities/connection-type.entity.js';
import { Enrollment, EnrollmentStatus } from './entities/enrollment.entity.js';
import { MirrorNamespace, MirrorObject } from './entities/mirror.entity.js';

/** What PostgreSQL has of a custom resource, hidden rows included. */
export interface MirrorRows {
  binding: MirrorObject;
  /** The binding of its namespace; null where there is none. */
  namespace: MirrorNamespace | null;
  /** The row of the binding, or, of an enrollment's, the type that it is for. */
  type: ConnectionType | null;
  typeStatus: ConnectionTypeStatus | null;
  /** How many tools that type's own list has. */
  toolCount: number;
  /** The row of an enrollment's binding. */
  enrollment: Enrollment | null;
  enrollmentStatus: EnrollmentStatus | null;
  /** The slug of the team that the row, or else the binding, belongs to; null while there is none. */
  teamSlug: string | null;
}

const PARTS = { binding: MirrorObject, namespace: MirrorNamespace, type: ConnectionType, typeStatus: ConnectionTypeStatus, enrollment: Enrollment, enrollmentStatus: EnrollmentStatus };
type Part = keyof typeof PARTS;
type Row = Record<string, unknown> & { toolCount: number; teamSlug: string | null };

/** Everything that runs of the mirror start from, of many objects by one statement. */
export class MirrorLooks {
  constructor(private readonly manager: EntityManager) {}

  /** By binding, in the order of the ids; null for those that are gone. */
  async rows(ids: readonly string[]): Promise<(MirrorRows | null)[]> {
    const parts = Object.entries(PARTS).map(([part, entity]) => this.#columns(part as Part, entity));
    const rows = (await this.manager.query(
      `select ${parts.map(({ select }) => select).join(', ')}, teams.slug as "teamSlug",
         (select count(*) from tools where tools.scope_id = type.id and tools.removed_at is null)::int as "toolCount"
       from mirror_objects binding
       left join mirror_namespaces namespace on namespace.namespace = binding.namespace
       left join enrollments enrollment on binding.kind = 'Enrollment' and enrollment.id = binding.subject_id
       left join connection_types type on type.id = case binding.kind when 'Enrollment' then enrollment.connection_type_id else binding.subject_id end
       left join connection_type_status "typeStatus" on "typeStatus".connection_type_id = type.id
       left join enrollment_status "enrollmentStatus" on "enrollmentStatus".enrollment_id = enrollment.id
       left join teams on teams.id = coalesce(enrollment.team_id, type.team_id, binding.team_id)
       where binding.id = any($1::uuid[])`,
      [[...ids]],
    )) as Row[];
    const found = new Map(rows.map((row) => {
      const entities = Object.fromEntries(parts.map(({ part, take }) => [part, take(row)])) as Pick<MirrorRows, Part>;
      return [entities.binding.id, { ...entities, toolCount: row.toolCount, teamSlug: row.teamSlug }];
    }));
    return ids.map((id) => found.get(id) ?? null);
  }

  /** The columns of an entity under a name of their own, and what makes the entity of them again; null where the join found none. */
  #columns(part: Part, entity: EntityTarget<ObjectLiteral>): { part: Part; select: string; take: (row: Row) => object | null } {
    const { columns, primaryColumns } = this.manager.connection.getMetadata(entity);
    const names = columns.map(({ propertyName, databaseName }) => ({ property: propertyName, database: databaseName, alias: `${part}.${propertyName}` }));
    const key = `${part}.${primaryColumns[0]!.propertyName}`;
    return {
      part,
      select: names.map(({ database, alias }) => `"${part}"."${database}" as "${alias}"`).join(', '),
      take: (row) => (row[key] === null ? null : Object.fromEntries(names.map(({ property, alias }) => [property, row[alias]]))),
    };
  }
}
