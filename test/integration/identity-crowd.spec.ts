import { Client } from 'pg';
import { startTestApi, type TestApi } from '#test/support/api.js';
import { until } from '#test/support/mcp-servers/until.js';

let api: TestApi;
const statements: string[] = [];
beforeAll(async () => { api = await startTestApi({ onStatement: (sql) => void statements.push(sql) }); });
afterAll(() => api.stop());

/** Costs no statement but those that tell who asks. */
const ASK = '{ __typename }';

it('a crowd with one token that isn\'t remembered costs one look-up', async () => {
  const member = await api.member('MEMBER');
  // Changes are heard of by now, so that answers are remembered: only the one who is new is looked up.
  await until(async () => {
    await api.gql(ASK);
    const before = statements.length;
    await api.gql(ASK);
    return statements.length === before;
  });
  const database = new Client({ connectionString: api.databaseUrl });
  await database.connect();
  try {
    await database.query('begin');
    await database.query('lock table tokens in access exclusive mode');
    statements.length = 0;
    const crowd = Array.from({ length: 40 }, () => member.gql(ASK));
    await until(() => statements.length > 0);
    // Whoever would look it up is on the way to the database before this is answered.
    await api.gql(ASK);
    expect(statements.filter((sql) => sql.includes('"tokens"'))).toHaveLength(1);
    await database.query('commit');
    expect(new Set((await Promise.all(crowd)).map(({ status }) => status))).toEqual(new Set([200]));
    expect(statements.filter((sql) => sql.includes('"tokens"'))).toHaveLength(1);
  } finally {
    await database.end();
  }
});

it('a token that is unknown is refused to everybody who comes with it, and is asked for again by the next', async () => {
  const unknown = `flt_${'x'.repeat(43)}`;
  const answers = await Promise.all(Array.from({ length: 10 }, () => api.gql(ASK, {}, unknown)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
  statements.length = 0;
  expect((await api.gql(ASK, {}, unknown)).status).toBe(401);
});
