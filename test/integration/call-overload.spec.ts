import { Client } from 'pg';
import { startTestApi, type TestApi, type TestMember } from '#test/support/api.js';
import { startMinimal, type MinimalServer } from '#test/support/mcp-servers/minimal.js';

/** More calls than a process can do, through its HTTP side. */

let api: TestApi;
let server: MinimalServer;
let ada: TestMember;
let bob: TestMember;

const CALL = `mutation Mine($input: CallToolInput!) { made: callTool(input: $input) { ...Payload } }
fragment Payload on CallToolPayload { __typename toolCall { id status } why: userErrors { code message field retryable retryAfterMs action { label } } }`;
const input = (nonce: number) => ({ input: { connectionType: 'stock', tool: 'echo', arguments: { nonce: String(nonce) } } });

/** Sends, and lets no call be recorded until one of the answers is there: the calls that are worked on keep their slots, so that it is a flood on a machine of any speed. */
async function flooded<T>(send: () => Promise<T>[]): Promise<T[]> {
  const database = new Client({ connectionString: api.databaseUrl });
  await database.connect();
  try {
    await database.query('begin');
    await database.query('lock table tool_calls in access exclusive mode');
    const answers = send();
    await Promise.race(answers);
    await database.query('commit');
    return await Promise.all(answers);
  } finally {
    await database.end();
  }
}

beforeAll(async () => {
  server = await startMinimal();
  // In a flood as many wait as work: of four places two are each caller's share, and bob makes two calls.
  api = await startTestApi({ env: { FAIRLEAD_CALLS_AT_ONCE: '4', FAIRLEAD_CALLS_BURST: '4' } });
  const { connectionType } = await api.must('CreateConnectionType', { input: { team: 'default', displayName: 'Stock', name: 'stock', serverUrl: server.url, authMethod: 'NONE' } });
  [ada, bob] = [await api.member('MEMBER'), await api.member('MEMBER')];
  for (const member of [ada, bob]) await member.must('Enroll', { input: { connectionTypeId: connectionType.id } });
});
afterAll(async () => {
  await api.stop();
  await server.close();
});

it('a flood is refused with OVERLOADED in the very shape that the document asks for, others get through, and the next call is made at once', async () => {
  // The first of its kind makes the document known.
  expect((await ada.gql(CALL, input(0))).data.made.toolCall.status).toBe('SUCCEEDED');
  let others: Promise<Awaited<ReturnType<TestMember['gql']>>[]> = Promise.resolve([]);
  let reads: Promise<unknown[]> = Promise.resolve([]);
  const flood = await flooded(() => {
    const calls = Array.from({ length: 200 }, (_, index) => ada.gql(CALL, input(index + 1)));
    others = Promise.all(Array.from({ length: 2 }, (_, index) => bob.gql(CALL, input(index + 1000))));
    reads = Promise.all(Array.from({ length: 10 }, () => ada.must('{ viewer { displayName } }')));
    return calls;
  });
  const answers = flood.map(({ status, data, errors }) => ({ status, made: data.made, errors }));
  const refused = answers.filter(({ made }) => made.toolCall === null);
  const made = answers.filter(({ made: one }) => one.toolCall?.status === 'SUCCEEDED');
  expect(made.length + refused.length).toBe(200);
  expect(refused.length).toBeGreaterThan(0);
  expect(made.length).toBeGreaterThan(0);
  for (const { status, errors, made: payload } of refused) {
    expect([status, errors]).toEqual([200, []]);
    expect(payload).toEqual({ __typename: 'CallToolPayload', toolCall: null, why: [{ code: 'OVERLOADED', message: expect.stringContaining('Try again'), field: null, retryable: true, retryAfterMs: expect.any(Number), action: null }] });
    expect(payload.why[0].retryAfterMs).toBeGreaterThanOrEqual(500);
  }
  expect((await others).map(({ data }) => data.made.toolCall?.status)).toEqual(['SUCCEEDED', 'SUCCEEDED']);
  expect(await reads).toHaveLength(10);
  // What was refused reached no server and is no call; what was made is on record.
  expect(server.counts.calls).toBe(1 + made.length + 2);
  expect((await api.must('ToolCalls', { team: 'default', first: 1 })).toolCalls.totalCount).toBe(1 + made.length + 2);
  expect((await ada.gql(CALL, input(5000))).data.made.toolCall.status).toBe('SUCCEEDED');
  // Once for each flood: on a slow machine the calls may come in several, a second apart.
  const told = api.logs().filter((line) => line.includes('more calls come in')).map((line) => Date.parse((JSON.parse(line) as { time: string }).time));
  expect(told.length).toBeGreaterThan(0);
  for (const [index, time] of told.slice(1).entries()) expect(time - told[index]!).toBeGreaterThan(900);
});

it('clients that negotiate go through the same door', async () => {
  const accept = 'application/graphql-response+json, application/json;q=0.9';
  const answers = await flooded(() => Array.from({ length: 100 }, async (_, index) => {
    const response = await fetch(`${api.url}/graphql`, {
      method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${ada.token}`, accept }, body: JSON.stringify({ query: CALL, variables: input(index + 7000) }),
    });
    return { type: response.headers.get('content-type'), made: (await response.json() as { data: { made: { toolCall: object | null } } }).data.made };
  }));
  expect(new Set(answers.map(({ type }) => type?.split(';')[0]))).toEqual(new Set(['application/graphql-response+json']));
  expect(new Set(answers.map(({ made }) => made.toolCall === null))).toEqual(new Set([true, false]));
});

it('a document with directives is refused by what its variables say', async () => {
  const document = `mutation ($input: CallToolInput!, $code: Boolean!) { callTool(input: $input) { toolCall { status } userErrors { code @include(if: $code) message @skip(if: $code) } } }`;
  const ask = (nonce: number, code: boolean) => ada.gql(document, { ...input(nonce), code });
  await ask(0, true);
  const answers = await flooded(() => Array.from({ length: 100 }, (_, index) => ask(index + 6000, index % 2 === 0)));
  const refusals = answers.flatMap(({ data }) => data.callTool.userErrors as object[]);
  expect(new Set(refusals.flatMap(Object.keys))).toEqual(new Set(['code', 'message']));
  expect(refusals.every((one) => Object.keys(one).length === 1)).toBe(true);
});
