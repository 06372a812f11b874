import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { OAuthClient } from '#core/store/entities/oauth-client.entity.js';
import { ConsentWorld } from '#test/support/consent/world.js';
import { startFaultyAuthorizationServer, type FaultyServer } from '#test/support/oauth-servers/faulty-server.js';

let world: ConsentWorld;
let server: FaultyServer;
let type: ConnectionType;
let client: OAuthClient;
let count = 0;

beforeAll(async () => {
  [world, server] = await Promise.all([ConsentWorld.create(), startFaultyAuthorizationServer({ faults: { secretExpiresAt: 3_600 } })]);
});

/** A client whose secret ends in ten of its sixty minutes. */
beforeEach(async () => {
  count += 1;
  type = await world.type(server.mcp.url, {}, `renewal-${count}`);
  client = (await world.store.oauthClients.current(type.id))!;
  await world.store.manager.query(`update oauth_clients set client_secret_expires_at = now() + interval '10 minutes', updated_at = now() - interval '50 minutes' where id = $1`, [client.id]);
  server.seen.length = 0;
});

afterAll(async () => {
  await Promise.all([world.close(), server.close()]);
});

const renewals = () => server.seen.filter(({ method }) => method === 'PUT').length;
const now = async () => (await world.store.oauthClients.current(type.id))!;

test('A secret that ends is renewed once when many need it at the same time, since the token for it is good once; the client stays', async () => {
  await Promise.all(Array.from({ length: 6 }, () => world.oauth.setupOf(type)));
  expect(renewals()).toBe(1);
  expect(await now()).toMatchObject({ id: client.id, clientId: client.clientId, state: 'ACTIVE', version: client.version + 1, attemptedAt: null });
  expect((await world.oauth.setupOf(type)).client.clientSecret).toBe(server.clients.get(client.clientId!)!.client_secret);
});

test('A client that is refused while its secret is replaced is kept', async () => {
  expect(await world.store.oauthClients.claimRenewal(client.id, client.version, 60_000)).toBe(true);
  await world.oauth.clientRefused(type, client.id);
  expect(await now()).toMatchObject({ id: client.id, state: 'ACTIVE' });
  await world.store.oauthClients.releaseRenewal(client.id, client.version);
  await world.oauth.setupOf(type);
  await world.oauth.clientRefused(type, client.id);
  expect(await now()).toMatchObject({ id: client.id, version: client.version + 1, state: 'ACTIVE' });
});

test('A client that the provider has forgotten when its secret is to be renewed is replaced', async () => {
  server.clients.delete(client.clientId!);
  expect((await world.oauth.setupOf(type)).client.clientId).not.toBe(client.clientId);
  expect((await world.store.oauthClients.byId(client.id))!.state).toBe('RETIRED');
});
