import { Client } from 'pg';

/**
 * The schema of the database at `url` as SQL text, read from PostgreSQL's catalogs (https://www.postgresql.org/docs/18/catalogs.html) in a fixed order: equal
 * schemas give equal text. It is there to be read and compared; migrations are what makes databases. Names of partitions that are made by date are left out.
 */
export async function dumpSchema(url: string): Promise<string> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const read = async (sql: string) => (await client.query<{ line: string; of: string }>(sql)).rows;
    await client.query(`set search_path = ''`);
    const others = await read(OTHERS);
    const functions = await read(FUNCTIONS);
    const [columns, constraints, indexes, triggers] = [await read(COLUMNS), await read(CONSTRAINTS), await read(INDEXES), await read(TRIGGERS)];
    const of = (rows: { line: string; of: string }[], table: string) => rows.filter((row) => row.of === table).map((row) => row.line);
    const blocks = (await read(TABLES)).map(({ of: table, line: suffix }) => {
      const inside = [...of(columns, table), ...of(constraints, table)].map((line) => `  ${line}`).join(',\n');
      const after = [...of(indexes, table), ...of(triggers, table)].map((line) => `${line.replace(/^CREATE [A-Z ]+(?= )/, (words) => words.toLowerCase())};\n`).join('');
      return `create table ${table} (\n${inside}\n)${suffix};\n${after}`;
    });
    return [...others.map(({ line }) => `${line};\n`), ...functions.map(({ line }) => `${line.trim()};\n`), ...blocks].join('\n').replaceAll('public.', '');
  } finally {
    await client.end();
  }
}

/** Tables of ours: ordinary and partitioned ones, without partitions and what extensions brought. */
const OURS = `n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition`;

const TABLES = `
  select c.relname as of, case when c.relkind = 'p' then ' partition by ' || pg_get_partkeydef(c.oid) else '' end || case when c.relpersistence = 'u' then ' -- unlogged' else '' end as line
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where ${OURS} order by c.relname collate "C"`;

const COLUMNS = `
  select c.relname as of, quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
    || case when a.attcollation <> 0 and a.attcollation <> t.typcollation then ' collate ' || quote_ident(l.collname) else '' end
    || case when a.attidentity <> '' then ' generated ' || case a.attidentity when 'a' then 'always' else 'by default' end || ' as identity' else '' end
    || case when a.attgenerated <> '' then ' generated always as (' || pg_get_expr(d.adbin, d.adrelid) || ')' || case a.attgenerated when 's' then ' stored' else ' virtual' end
            when d.adbin is not null then ' default ' || pg_get_expr(d.adbin, d.adrelid) else '' end
    || case when a.attnotnull then ' not null' else '' end as line
  from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_type t on t.oid = a.atttypid left join pg_catalog.pg_collation l on l.oid = a.attcollation
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where ${OURS} and a.attnum > 0 and not a.attisdropped order by c.relname collate "C", a.attnum`;

const CONSTRAINTS = `
  select c.relname as of, 'constraint ' || quote_ident(o.conname) || ' ' || pg_get_constraintdef(o.oid, true) as line
  from pg_catalog.pg_constraint o join pg_catalog.pg_class c on c.oid = o.conrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where ${OURS} and o.contype in ('p', 'u', 'f', 'c', 'x') order by c.relname collate "C", position(o.contype::text in 'puxcf'), o.conname collate "C"`;

const INDEXES = `
  select c.relname as of, pg_get_indexdef(i.indexrelid) as line
  from pg_catalog.pg_index i join pg_catalog.pg_class x on x.oid = i.indexrelid join pg_catalog.pg_class c on c.oid = i.indrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where ${OURS} and not exists (select from pg_catalog.pg_constraint o where o.conindid = i.indexrelid and o.contype in ('p', 'u', 'x')) order by c.relname collate "C", x.relname collate "C"`;

const TRIGGERS = `
  select c.relname as of, pg_get_triggerdef(g.oid, true) as line
  from pg_catalog.pg_trigger g join pg_catalog.pg_class c on c.oid = g.tgrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where ${OURS} and not g.tgisinternal order by c.relname collate "C", g.tgname collate "C"`;

const FUNCTIONS = `
  select '' as of, pg_get_functiondef(p.oid) as line from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  where n.nspname = 'public' and p.prokind in ('f', 'p') and not exists (select from pg_catalog.pg_depend e where e.objid = p.oid and e.deptype = 'e')
  order by p.proname collate "C", pg_get_function_identity_arguments(p.oid) collate "C"`;

/** Extensions, enumerations, domains' names, sequences that no identity column owns, and views. */
const OTHERS = `
  select '' as of, line from (
    select 1 as rank, e.extname::text as name, 'create extension ' || quote_ident(e.extname) as line from pg_catalog.pg_extension e where e.extname <> 'plpgsql'
    union all
    select 2, t.typname, 'create type ' || quote_ident(t.typname) || ' as enum (' || (select string_agg(quote_literal(v.enumlabel), ', ' order by v.enumsortorder) from pg_catalog.pg_enum v where v.enumtypid = t.oid) || ')'
      from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace where n.nspname = 'public' and t.typtype = 'e'
    union all
    select 3, t.typname, 'create domain ' || quote_ident(t.typname) || ' as ' || format_type(t.typbasetype, t.typtypmod)
      from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace where n.nspname = 'public' and t.typtype = 'd'
    union all
    select 4, c.relname, 'create sequence ' || quote_ident(c.relname) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'public' and c.relkind = 'S' and not exists (select from pg_catalog.pg_depend d where d.objid = c.oid and d.deptype in ('a', 'i'))
    union all
    select 5, c.relname, 'create view ' || quote_ident(c.relname) || ' as' || chr(10) || rtrim(pg_get_viewdef(c.oid, true), ';')
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public' and c.relkind in ('v', 'm')
  ) found order by rank, name collate "C"`;
