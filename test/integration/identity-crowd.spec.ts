import { Client } from 'pg';
import { MIGRATED, startTestApi, type TestApi, type TestMember } from '#test/support/api.js';
import { createDatabase, type TestDatabase } from '#test/support/database.js';
import { until } from '#test/support/mcp-servers/until.js';

let database: TestDatabase;
let api: TestApi;
let member: TestMember;
const statements: string[] = [];
beforeAll(async () => {
  database = await createDatabase(MIGRATED);
  const earlier = await startTestApi({ database });
  member = await earlier.member('MEMBER');
  await earlier.stop();
  // Begins to hear of changes when that one is made: none is told later, which would end what it remembers.
  api = await startTestApi({ database, keys: earlier.keys, onStatement: (sql) => void statements.push(sql) });
});
afterAll(async () => {
  await api?.stop();
  await database?.drop();
});

/** Costs no statement but those that tell who asks. */
const ASK = '{ __typename }';

it('a crowd with one token that isn\'t remembered costs one look-up', async () => {
  // Changes are heard of by now, so that answers are remembered: only the one who is new is looked up.
  await until(async () => {
    await api.gql(ASK);
    const before = statements.length;
    await api.gql(ASK);
    return statements.length === before;
  });
  const client = new Client({ connectionString: api.databaseUrl });
  await client.connect();
  try {
    await client.query('begin');
    await client.query('lock table tokens in access exclusive mode');
    statements.length = 0;
    const lookUps = () => statements.filter((sql) => sql.includes('"tokens"')).length;
    const crowd = Array.from({ length: 40 }, () => api.gql(ASK, {}, member.token));
    await until(() => lookUps() > 0);
    // Whoever would look it up is on the way to the database before this is answered.
    await api.gql(ASK);
    expect(lookUps()).toBe(1);
    await client.query('commit');
    expect(new Set((await Promise.all(crowd)).map(({ status }) => status))).toEqual(new Set([200]));
    expect(lookUps()).toBe(1);
  } finally {
    await client.end();
  }
});

it('a token that is unknown is refused to everybody who comes with it, and is asked for again by the next', async () => {
  const unknown = `flt_${'x'.repeat(43)}`;
  const answers = await Promise.all(Array.from({ length: 10 }, () => api.gql(ASK, {}, unknown)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
  statements.length = 0;
  expect((await api.gql(ASK, {}, unknown)).status).toBe(401);
});
