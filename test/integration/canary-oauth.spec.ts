import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi, type GraphqlAnswer, type TestApi } from '#test/support/api.js';
import { findCanaries, type Canaries } from '#test/support/canaries.js';
import { Person } from '#test/support/consent/person.js';
import { startFaultyAuthorizationServer, type FaultyServer } from '#test/support/oauth-servers/faulty-server.js';
import { openStore } from '#test/support/open-store.js';

/**
 * No token, secret, code or verifier of a login is in any log, answer, error or row in clear: every journey of OAuth is run against an authorization server that
 * notes each secret that it gives out or is shown, and everything that came out is searched for them.
 */
const ENTERED = { clientSecret: 'canary-client-secret-7f3b', initialAccessToken: 'canary-initial-access-token-91ce' };
let api: TestApi;
let server: FaultyServer;
const answers: string[] = [];
const pages: string[] = [];
let rows = '';
/** Noted before the types are deleted, since the server forgets their clients then. */
const known: Record<string, string> = {};

beforeAll(async () => {
  [api, server] = await Promise.all([startTestApi(), startFaultyAuthorizationServer()]);
  const ask = async (name: string, input: object): Promise<GraphqlAnswer> => {
    const answer = await api.gql(name, { input });
    answers.push(answer.text);
    return answer;
  };
  // oxlint-disable-next-line typescript/no-explicit-any -- tests reach into answers of any shape
  const field = async (name: string, input: object): Promise<any> => Object.values((await ask(name, input)).data)[0];
  const consent = async (link: string) => {
    const person = new Person();
    const page = await person.get(link);
    const end = await person.follow(await person.press(page, 'continue'));
    pages.push(page.text, end.text);
  };
  const type = (await field('CreateConnectionType', { team: 'default', displayName: 'Dynamic', serverUrl: server.mcp.url, authMethod: 'OAUTH', oauth: { initialAccessToken: ENTERED.initialAccessToken } })).connectionType;
  await ask('CreateConnectionType', { team: 'default', displayName: 'By hand', serverUrl: server.mcp.url, authMethod: 'OAUTH', oauth: { clientId: 'by-hand', clientSecret: ENTERED.clientSecret } });
  const { enrollment, authorization } = await field('Enroll', { connectionTypeId: type.id });
  await consent(authorization.url);
  const call = (tool: string, args: object = {}) => ask('CallTool', { connectionTypeId: type.id, tool, arguments: args });
  await call('echo', { message: 'hello' });
  server.expire();
  await call('echo', { message: 'renewed' });
  await ask('RefreshEnrollment', { id: enrollment.id });
  // Faults in which servers like to repeat what they were sent.
  server.faults = { token: '500' };
  await ask('RefreshEnrollment', { id: enrollment.id });
  server.faults = { token: '400' };
  server.expire();
  await call('echo', { message: 'refused' });
  server.faults = { authorizationError: 'access_denied' };
  await consent((await field('StartAuthorization', { enrollmentId: enrollment.id })).authorization.url);
  server.faults = {};
  await consent((await field('StartAuthorization', { enrollmentId: enrollment.id })).authorization.url);
  await call('echo', { message: 'again' });
  await ask('UpdateConnectionType', { id: type.id, expectedVersion: 1, oauth: { clientId: 'other', clientSecret: ENTERED.clientSecret } });
  answers.push((await api.gql('Catalog', { team: 'default', first: 50 })).text, (await api.gql('ToolCalls', { team: 'default' })).text);
  rows = await dump();
  Object.assign(known, secrets());
  await ask('DeleteEnrollment', { id: enrollment.id });
  await ask('DeleteConnectionType', { id: type.id });
  rows += await dump();
});

afterAll(async () => {
  await Promise.all([api?.stop(), server?.close()]);
});

async function dump(): Promise<string> {
  await using store = await openStore(api.databaseUrl);
  const tables = (await store.manager.query(`select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'public'`)) as { name: string }[];
  expect(tables.length).toBeGreaterThan(15);
  const found = await Promise.all(tables.map(async ({ name }) => (await store.manager.query(`select row_to_json(t)::text as row from ${name} t`)) as { row: string }[]));
  return found.flat().map(({ row }) => row).join('\n');
}

/** Everything secret that the authorization server gave out or was shown. */
function secrets(): Canaries {
  const found: Record<string, string> = { ...ENTERED, ...known };
  server.mcp.tokens.forEach((token, index) => { found[`access token ${index}`] = token; });
  server.tokenRequests.forEach((request, index) => {
    for (const name of ['code', 'code_verifier', 'refresh_token', 'client_secret']) if (request.get(name)) found[`${name} ${index}`] = request.get(name)!;
  });
  for (const client of server.clients.values()) {
    if (client.client_secret !== undefined) found[`secret of ${client.client_id}`] = client.client_secret;
    found[`registration access token of ${client.client_id}`] = client.registration_access_token;
  }
  return found;
}

describe('what came out of the journeys of OAuth', () => {
  it('did happen: tokens were issued, shown, renewed and refused', () => {
    const names = Object.keys(secrets());
    expect(['access token', 'code 0', 'code_verifier', 'refresh_token', 'secret of', 'registration access token'].filter((kind) => !names.some((name) => name.startsWith(kind)))).toEqual([]);
    expect(server.presented.length).toBeGreaterThanOrEqual(2);
    expect(answers.join()).toContain('SUCCEEDED');
  });

  it('would be found if it held a secret', () => {
    const [name, secret] = Object.entries(secrets())[2]!;
    expect(findCanaries(`something ${secret} something`, secrets()).join()).toContain(name);
  });

  it('is no secret in answers and pages', () => {
    expect(findCanaries([...answers, ...pages].join('\n'), secrets())).toEqual([]);
  });

  it('is no secret in the log', () => {
    expect(api.logs().length).toBeGreaterThan(20);
    expect(findCanaries(api.logs().join('\n'), secrets())).toEqual([]);
  });

  it('is no secret in clear in any table', () => {
    expect(rows.length).toBeGreaterThan(10_000);
    expect(findCanaries(rows, secrets())).toEqual([]);
  });
});
