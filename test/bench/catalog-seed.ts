import { createHash } from 'node:crypto';
import { Client } from 'pg';
import { withObservations, type Observation } from '#core/connection/condition.js';
import { connectionTypeSpec } from '#core/connection/spec.js';
import { currentTarget } from '#core/connection/target.js';

/** What a catalog is filled with. */
export interface CatalogSize {
  types: number;
  toolsOfType: number;
  /** The viewer's own, of each type. */
  enrollmentsOfType: number;
  /** Of a tool's input schema, in bytes. */
  schemaBytes: number;
}

const SERVER_URL = 'https://mcp.example.com/mcp';

/**
 * Fills the team `default` by SQL, in a few statements: through the API it would take an MCP server and an hour. Rows look as a check leaves them: healthy types with lists
 * of their own, and logins that work.
 */
export async function seedCatalog(databaseUrl: string, size: CatalogSize): Promise<void> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const spec = connectionTypeSpec.parse({ displayName: 'Seeded', description: 'A server of the benchmark.', serverUrl: SERVER_URL, authMethod: 'ACCESS_TOKEN' });
    const tool = definitionOf(size.schemaBytes);
    await client.query('begin');
    await client.query(
      `create temporary table seeded on commit drop as
       select uuidv7() as id, t.id as team_id, m.id as owner_id, n from generate_series(1, $1::int) n, teams t join members m on m.team_id = t.id where t.slug = 'default'`, [size.types]);
    await client.query(
      `insert into connection_types (id, team_id, name, spec, version, origin)
       select id, team_id, 'type-' || lpad(n::text, 5, '0'), $1::jsonb || jsonb_build_object('displayName', 'Type ' || n), 1, 'API' from seeded`, [JSON.stringify(spec)]);
    await client.query(
      `insert into connection_type_status (connection_type_id, conditions, era, protocol_version, server_name, server_version, tools_source, tools_synced_at, last_checked_at, next_check_at)
       select id, $1::jsonb, 'MODERN', '2026-07-28', 'bench', '1.0.0', 'ANONYMOUS', now(), now(), now() + interval '1 day' from seeded`, [conditions(['Reachable', 'ToolsSynced', 'Ready'])]);
    await client.query(
      `insert into tools (id, team_id, connection_type_id, scope_id, name, definition, definition_hash, accepted_hash)
       select uuidv7(), team_id, id, id, 'tool_' || k, replace($1::text, '"tool"', '"tool_' || k || '"'), $2, $2 from seeded, generate_series(1, $3::int) k`,
      [tool, createHash('sha256').update(tool).digest('base64url'), size.toolsOfType]);
    await client.query(
      `create temporary table logins on commit drop as select uuidv7() as enrollment_id, team_id, id as type_id, owner_id, k from seeded, generate_series(1, $1::int) k`, [size.enrollmentsOfType]);
    await client.query(
      `insert into enrollments (id, team_id, connection_type_id, owner_id, label, origin, confirmed_target)
       select enrollment_id, team_id, type_id, owner_id, 'login-' || k, 'API', $1::jsonb from logins`, [JSON.stringify(currentTarget(spec))]);
    await client.query(
      `insert into credentials (enrollment_id, team_id, kind, version, sealed, fields)
       select enrollment_id, team_id, 'ACCESS_TOKEN', 1, '\\x00', $1::jsonb from logins`, [JSON.stringify([{ name: 'accessToken', isSet: true, updatedAt: new Date().toISOString() }])]);
    await client.query('insert into enrollment_status (enrollment_id, conditions, tried_at) select enrollment_id, $1::jsonb, now() from logins', [conditions(['Authorized', 'Ready'])]);
    // A day from now, as of what was just looked at: the operator in the same process would put all of it on the schedule as due, and be busy with that while pages are read.
    await client.query(`insert into reconcile_schedule (kind, id, due) select 'ConnectionType', id, now() + interval '1 day' from seeded union all select 'Enrollment', enrollment_id, now() + interval '1 day' from logins`);
    await client.query('commit');
    await client.query('analyze');
  } finally {
    await client.end();
  }
}

function conditions(types: string[]): string {
  const observations = types.map((type): Observation => ({ type, status: 'TRUE', reason: type, message: '' }));
  return JSON.stringify(withObservations([], observations, 1, new Date()));
}

/** A definition whose input schema takes about so many bytes. */
function definitionOf(bytes: number): string {
  const properties: Record<string, object> = {};
  const schema = { type: 'object', properties, required: ['field_1'] };
  for (let index = 1; JSON.stringify(schema).length < bytes - 40; index += 1) properties[`field_${index}`] = { type: 'string', description: `What goes into field ${index}.`, maxLength: 200 };
  return JSON.stringify({ name: 'tool', title: 'A tool', description: 'Does what tools do.', inputSchema: schema, annotations: { readOnlyHint: true } });
}
