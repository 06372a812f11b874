import type { Config } from '#core/config/config.js';
import { checkServer } from '#core/postgres/check-server.js';
import { migrate } from '#core/store/migrate.js';

/** `fairlead migrate`: brings the database to this version's schema. Running it again, or beside others, does nothing more. */
export async function runMigrate(config: Config, print: (line: string) => void): Promise<void> {
  await checkServer(config.databaseUrl!);
  const migrations = await migrate(config.databaseUrl!);
  for (const migration of migrations) print(`migrated: ${migration}`);
  print(migrations.length === 0 ? 'The database is up to date.' : `The database is up to date after ${migrations.length} migration(s).`);
}
