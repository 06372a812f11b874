import { MIGRATED } from '#test/support/api.js';
import { createDatabase, type TestDatabase } from '#test/support/database.js';
import { Store, type Repositories } from '#core/store/store.js';

let database: TestDatabase;
let store: Store;

beforeAll(async () => {
  database = await createDatabase(MIGRATED);
  store = await Store.open({ url: database.url, poolSize: 4 });
  await store.dataSource.query(`insert into teams (id, slug, display_name) values (gen_random_uuid(), 'one', '0'), (gen_random_uuid(), 'two', '0')`);
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

const increment = (repositories: Repositories, slug: string) => repositories.manager.query('update teams set display_name = display_name::int + 1 where slug = $1', [slug]);

it('the victim of a deadlock runs again, and both transactions count once', async () => {
  let runs = 0;
  let locked = 0;
  let everybody!: () => void;
  const bothLocked = new Promise<void>((resolve) => { everybody = resolve; });
  const through = (first: string, second: string) => store.transaction(async (repositories) => {
    runs += 1;
    await increment(repositories, first);
    if (++locked === 2) everybody();
    await bothLocked;
    await increment(repositories, second);
  });
  await Promise.all([through('one', 'two'), through('two', 'one')]);
  expect(runs).toBeGreaterThan(2);
  expect(await store.dataSource.query('select display_name from teams where slug = any($1)', [['one', 'two']])).toEqual([{ display_name: '2' }, { display_name: '2' }]);
});

it('other failures are no reason to run it again', async () => {
  let runs = 0;
  await expect(store.transaction(async (repositories) => {
    runs += 1;
    await increment(repositories, 'one');
    throw new Error('no');
  })).rejects.toThrow('no');
  expect(runs).toBe(1);
  expect(await store.dataSource.query(`select display_name from teams where slug = 'one'`)).toEqual([{ display_name: '2' }]);
});

it('what a process that stands still has locked is given to those who wait, before their own time is over', async () => {
  const [limits] = (await store.dataSource.query(`select current_setting('idle_in_transaction_session_timeout')::interval as standing, current_setting('statement_timeout')::interval as waiting,
    current_setting('idle_in_transaction_session_timeout')::interval * 2 < current_setting('statement_timeout')::interval as shorter`)) as { shorter: boolean }[];
  expect(limits).toMatchObject({ shorter: true });
});
