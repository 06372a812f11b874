import { Client } from 'pg';

/** As the next version's expanding migration may leave the schema: a column more in every table, one that may be null and one with a default; a table more; a migration on record that this program doesn't know. */
export async function expandSchema(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      `select oid::regclass::text as name from pg_class where relkind in ('r', 'p') and not relispartition and relnamespace = 'public'::regnamespace and relname not in ('schema_migrations', 'schema_level')`);
    for (const { name } of rows) await client.query(`alter table ${name} add column next_optional text, add column next_required boolean not null default false`);
    await client.query('create table next_things (id uuid primary key)');
    await client.query(`insert into schema_migrations (timestamp, name) values (9999999999999, 'NextVersion9999999999999')`);
  } finally {
    await client.end();
  }
}
