import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { migrate } from '#core/store/migrate.js';
import { createDatabase, type TestDatabase } from '#test/support/database.js';
import { openStore } from '#test/support/open-store.js';
import { dumpSchema } from '#test/support/schema-dump.js';

let databases: TestDatabase[];
beforeEach(async () => { databases = [await createDatabase(), await createDatabase()]; });
afterEach(() => Promise.all(databases.map((one) => one.drop())));

describe('a migration that came to the list in its middle', () => {
  it('is run on a database that has the later ones already, and leads to the same schema', async () => {
    const [late, fresh] = databases as [TestDatabase, TestDatabase];
    const store = await openStore(late.url);
    const { migrations } = store.dataSource;
    const assignments = migrations.findIndex(({ name }) => name === 'Assignments1795380000006');
    expect(migrations.splice(assignments, 1)).toHaveLength(1);
    await store.dataSource.runMigrations({ transaction: 'each' });
    await store.close();

    expect(await migrate(late.url)).toEqual(['Assignments1795380000006']);
    expect(await migrate(late.url)).toEqual([]);
    await migrate(fresh.url);
    // Columns that were added to one table by both stand in another order.
    const lines = async ({ url }: TestDatabase) => (await dumpSchema(url)).split('\n').map((line) => line.replace(/,$/, '')).toSorted();
    expect(await lines(late)).toEqual(await lines(fresh));
  });
});
