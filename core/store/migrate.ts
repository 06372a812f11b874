import { Store } from './store.js';

/** Serialises start-up migrations of replicas; any constant does, as long as it never changes. */
const LOCK = 4_203_337_001;

/** The schema is newer than this program: refuse to touch it. */
export class SchemaTooNew extends Error {
  override readonly name = 'SchemaTooNew';
}

/** The schema lacks what this program needs. */
export class SchemaTooOld extends Error {
  override readonly name = 'SchemaTooOld';
}

/**
 * Brings the database at `url` to this program's schema, under an advisory lock. Returns the names of the migrations that ran.
 * Newer, unknown migrations are fine (expand, then contract: version N-1 runs on N's schema), unless the schema says that it needs a newer program.
 */
export async function migrate(url: string): Promise<string[]> {
  const store = await Store.open({ url, poolSize: 2, patient: true });
  try {
    const lock = store.dataSource.createQueryRunner();
    try {
      await lock.query('select pg_advisory_lock($1)', [LOCK]);
      await refuseNewerSchema(store);
      const ran = await store.dataSource.runMigrations({ transaction: 'each' });
      return ran.map((migration) => migration.name);
    } finally {
      await lock.query('select pg_advisory_unlock($1)', [LOCK]).catch(() => undefined);
      await lock.release();
    }
  } finally {
    await store.close();
  }
}

/**
 * Sees that this program can run on the schema of the database at `url`, without touching it.
 * @throws SchemaTooNew when the schema needs a newer program
 * @throws SchemaTooOld when it lacks a migration of this program's
 */
export async function checkSchema(url: string): Promise<void> {
  const store = await Store.open({ url, poolSize: 1 });
  try {
    await refuseNewerSchema(store);
    const lacking = await lackingMigrations(store);
    if (lacking.length > 0) {
      throw new SchemaTooOld(`The database lacks ${lacking.length} migration(s) of this program, from ${lacking[0]} on, and FAIRLEAD_MIGRATE is off. Run "fairlead migrate" first; it may run beside what serves.`);
    }
  } finally {
    await store.close();
  }
}

/** What this program understands of the schema; a contracting migration raises the number that the database asks for. */
export const PROGRAM_SCHEMA_LEVEL = 1;

/** The names, in their order. TypeORM's own look makes its table where there is none, which a program that only reads may not be allowed to. */
async function lackingMigrations({ dataSource }: Store): Promise<string[]> {
  const [found] = (await dataSource.query(`select to_regclass('schema_migrations') as migrations`)) as { migrations: string | null }[];
  const ran = found?.migrations == null ? [] : ((await dataSource.query('select name from schema_migrations')) as { name: string }[]);
  const names = new Set(ran.map(({ name }) => name));
  return dataSource.migrations.map((migration) => migration.name ?? migration.constructor.name).filter((name) => !names.has(name));
}

async function refuseNewerSchema(store: Store): Promise<void> {
  const [found] = (await store.dataSource.query(`select to_regclass('schema_level') as level`)) as { level: string | null }[];
  if (found?.level == null) return;
  const [row] = (await store.dataSource.query('select needs from schema_level')) as { needs: number }[];
  if (row !== undefined && row.needs > PROGRAM_SCHEMA_LEVEL) {
    throw new SchemaTooNew(`The database's schema needs a newer Fairlead (level ${row.needs}, this program knows ${PROGRAM_SCHEMA_LEVEL}): update the program.`);
  }
}
