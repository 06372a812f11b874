import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { resolve } from 'node:path';
import { migrate } from '#core/store/migrate.js';
import { KeyRing } from '#core/vault/key-ring.js';
import { startChild, type Child } from '#test/support/child.js';
import { Person } from '#test/support/consent/person.js';
import { AUDIENCE, startSignInIssuer, type SignInIssuer } from '#test/support/consent/sign-in-issuer.js';
import { contractDocument } from '#test/support/contract.js';
import { createDatabase, type TestDatabase } from '#test/support/database.js';
import { startOidcProvider, type OidcProviderServer } from '#test/support/oauth-servers/oidc-provider.js';

let issuer: SignInIssuer;
let provider: OidcProviderServer;
let database: TestDatabase;
let fairlead: Child;
let url: string;

beforeAll(async () => {
  [issuer, provider, database] = await Promise.all([
    startSignInIssuer({ people: ['root', 'ada'], clientAuthMethods: ['client_secret_basic'] }), startOidcProvider(), createDatabase({ name: 'migrated', fill: async (at) => { await migrate(at); } }),
  ]);
  fairlead = startChild([process.execPath, resolve('bin/fairlead.js'), 'api'], { env: {
    PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: '0', FAIRLEAD_EGRESS_ALLOW: [provider.mcp.url, provider.issuer].map((at) => new URL(at).host).join(), DATABASE_URL: database.url, FAIRLEAD_KEYS: KeyRing.generateEntry(), FAIRLEAD_LOG_LEVEL: 'debug', FAIRLEAD_METRICS_PORT: '0',
    FAIRLEAD_OIDC_ISSUER: issuer.issuer, FAIRLEAD_OIDC_AUDIENCE: AUDIENCE, FAIRLEAD_OIDC_ADMINS: 'root', FAIRLEAD_OIDC_CLIENT_ID: issuer.clientId, FAIRLEAD_OIDC_CLIENT_SECRET: issuer.clientSecret,
  } });
  url = /http:\S+/.exec(await fairlead.line(/^Fairlead is ready at /))![0];
  issuer.redirectUris.push(`${url}/signin/callback`);
});

afterAll(async () => {
  fairlead.process.kill('SIGTERM');
  await fairlead.ended;
  await Promise.all([database.drop(), provider.close(), issuer.close()]);
});

/** The value of the contract operation's only root field. */
async function ask(operation: string, input: object, token: string) {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` }, body: JSON.stringify({ query: contractDocument(operation), variables: { input } }),
  });
  const { data, errors } = await response.json() as { data?: Record<string, { userErrors: object[] }>; errors?: object[] };
  const value = Object.values(data ?? {})[0];
  if (value === undefined || value.userErrors.length > 0) throw new Error(`${operation}: ${JSON.stringify(errors ?? value?.userErrors)}`);
  // eslint-disable-next-line typescript/no-explicit-any -- answers of any shape
  return value as any;
}

test('An installation, configured by its environment alone, signs the owner of a link in, lets nobody else go on, and keeps the login', async () => {
  const [root, ada] = await Promise.all([issuer.token('root'), issuer.token('ada')]);
  await ask('CreateTeam', { slug: 'payments', displayName: 'Payments' }, root);
  await ask('SetMember', { team: 'payments', subject: 'ada', displayName: 'Ada Lovelace', role: 'MEMBER' }, root);
  const { connectionType } = await ask('CreateConnectionType', { team: 'payments', displayName: 'Warehouse', serverUrl: provider.mcp.url, authMethod: 'OAUTH' }, root);
  const { authorization } = await ask('Enroll', { connectionTypeId: connectionType.id }, ada);
  const [eve, person] = [new Person(), new Person()];

  issuer.account = { sub: 'eve', name: 'Eve' };
  const first = await eve.get(authorization.url);
  expect(first.text).toContain('First sign in');
  const asEve = await eve.follow(await eve.press(first, 'sign-in'));
  expect([asEve.status, asEve.url]).toEqual([403, authorization.url]);
  expect(asEve.text).toContain('this link belongs to');

  issuer.account = { sub: 'ada', name: 'Ada Lovelace' };
  const asAda = await person.follow(await person.press(await person.get(authorization.url), 'sign-in'));
  expect(asAda.text).toContain('You are signed in as <bdi>Ada Lovelace</bdi>');
  const end = await person.follow(await person.press(asAda, 'continue'));
  expect(end.text).toContain('Warehouse is connected');

  const { toolCall } = await ask('CallTool', { team: 'payments', connectionType: 'warehouse', tool: 'echo', arguments: { message: 'as Ada' } }, ada);
  expect(toolCall).toMatchObject({ status: 'SUCCEEDED' });
  const said = [...fairlead.output, ...fairlead.errors].join('\n');
  const secrets = [issuer.clientSecret, root, ada, ...provider.mcp.tokens, new URL(authorization.url).pathname.split('/').at(-1)!, ...person.cookies(url).values()];
  expect(said).toContain('/connect/');
  for (const secret of secrets) expect(said).not.toContain(secret);
});
