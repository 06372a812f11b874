import { In, IsNull, type EntityManager } from 'typeorm';
import { Tool, type ToolChange } from './entities/tool.entity.js';
import { newId } from './ids.js';
import { storableJson } from './storable.js';

/** A definition as it was read from a server. */
export interface ToolDefinition {
  name: string;
  /** Canonical JSON. */
  definition: string;
  hash: string;
}

/** One list of tools: the type's own, or that of one login. */
export interface ToolScope {
  teamId: string;
  connectionTypeId: string;
  enrollmentId: string | null;
}

/** What there is to see of a tool that its server still lists. */
export type VisibleTool = Pick<Tool, 'id' | 'connectionTypeId' | 'name' | 'definition' | 'definitionHash' | 'acceptedHash' | 'change'>;

/**
 * Which lists a viewer sees of a type: its own where it has one, else those of the viewer's logins. That logins are of these types is said twice: the join alone lets PostgreSQL
 * read all logins of the catalog.
 */
const VISIBLE_SCOPES = `
  select s.connection_type_id as type_id, case when s.tools_source is null then e.id else s.connection_type_id end as scope_id
  from connection_type_status s
  left join enrollments e on s.tools_source is null and e.deleted_at is null and e.connection_type_id = s.connection_type_id and e.connection_type_id = any($1::uuid[]) and e.owner_id = $2
  where s.connection_type_id = any($1::uuid[])`;

/** Tool catalogs, with their definition hashes. */
export class Tools {
  constructor(private readonly manager: EntityManager) {}

  byId(id: string): Promise<Tool | null> {
    return this.manager.findOneBy(Tool, { id });
  }

  inScope(scopeId: string): Promise<Tool[]> {
    return this.manager.find(Tool, { where: { scopeId }, order: { name: 'ASC' } });
  }

  /** What these lists have, without what servers no longer list; by name. */
  inScopes(scopeIds: readonly string[]): Promise<Tool[]> {
    return scopeIds.length === 0 ? Promise.resolve([]) : this.manager.find(Tool, { where: { scopeId: In([...scopeIds]), removedAt: IsNull() }, order: { name: 'ASC' } });
  }

  byName(scopeId: string, name: string): Promise<Tool | null> {
    return this.manager.findOneBy(Tool, { scopeId, name });
  }

  /**
   * The first `first + 1` tools of each type that the viewer may see, by name, after the name `after`: one statement for all types. As the driver gives them: pages have
   * hundreds, and making entities of them takes longer than reading them.
   */
  async visible(typeIds: readonly string[], viewerId: string, first: number, after: string | null): Promise<VisibleTool[]> {
    return (await this.manager.query(
      `with scopes as (${VISIBLE_SCOPES})
       select tool.* from (select distinct type_id from scopes) as type cross join lateral (
         select distinct on (t.name) t.id, t.connection_type_id as "connectionTypeId", t.name, t.definition, t.definition_hash as "definitionHash", t.accepted_hash as "acceptedHash", t.change
         from scopes join tools t on t.scope_id = scopes.scope_id
         where scopes.type_id = type.type_id and t.removed_at is null and ($4::text is null or t.name > $4)
         order by t.name, t.id limit $3
       ) as tool order by tool.name`,
      [typeIds, viewerId, first + 1, after],
    )) as VisibleTool[];
  }

  /** How many tools of each type the viewer may see. Types without any are missing. */
  async visibleCounts(typeIds: readonly string[], viewerId: string): Promise<Map<string, number>> {
    const rows = (await this.manager.query(
      `with scopes as (${VISIBLE_SCOPES})
       select scopes.type_id, count(distinct t.name)::int as count from scopes join tools t on t.scope_id = scopes.scope_id
       where t.removed_at is null group by scopes.type_id`,
      [typeIds, viewerId],
    )) as { type_id: string; count: number }[];
    return new Map(rows.map((row) => [row.type_id, row.count]));
  }

  /** How many tools the list has that is a type's own. */
  listed(connectionTypeId: string): Promise<number> {
    return this.manager.countBy(Tool, { scopeId: connectionTypeId, removedAt: IsNull() });
  }

  async insert(scope: ToolScope, tool: ToolDefinition, change: ToolChange | null): Promise<void> {
    await this.manager.insert(Tool, {
      id: newId(), ...scope, scopeId: scope.enrollmentId ?? scope.connectionTypeId, name: tool.name, definition: tool.definition,
      definitionHash: tool.hash, acceptedHash: tool.hash, change: storableJson(change), removedAt: null, createdAt: new Date(),
    });
  }

  async update(id: string, values: Partial<Pick<Tool, 'definition' | 'definitionHash' | 'acceptedHash' | 'change' | 'removedAt'>>): Promise<void> {
    await this.manager.update(Tool, { id }, storableJson(values) as never);
  }

  /** Accepts the definition `hash` wherever the type's lists have a tool of that name with it. */
  async accept(connectionTypeId: string, name: string, hash: string): Promise<void> {
    await this.manager.query(
      'update tools set accepted_hash = definition_hash, change = null where connection_type_id = $1 and name = $2 and definition_hash = $3',
      [connectionTypeId, name, hash],
    );
  }
}
