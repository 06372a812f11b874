import { Store } from './store.js';

/** Serialises start-up migrations of replicas; any constant does, as long as it never changes. */
const LOCK = 4_203_337_001;

/** The schema is newer than this program: refuse to touch it. */
export class SchemaTooNew extends Error {
  override readonly name = 'SchemaTooNew';
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

/** What this program understands of the schema; a contracting migration raises the number that the database asks for. */
export const PROGRAM_SCHEMA_LEVEL = 1;

async function refuseNewerSchema(store: Store): Promise<void> {
  const [found] = (await store.dataSource.query(`select to_regclass('schema_level') as level`)) as { level: string | null }[];
  if (found?.level == null) return;
  const [row] = (await store.dataSource.query('select needs from schema_level')) as { needs: number }[];
  if (row !== undefined && row.needs > PROGRAM_SCHEMA_LEVEL) {
    throw new SchemaTooNew(`The database's schema needs a newer Fairlead (level ${row.needs}, this program knows ${PROGRAM_SCHEMA_LEVEL}): update the program.`);
  }
}
