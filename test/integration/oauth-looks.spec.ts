import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import { OAuthCheck } from '#core/upkeep/oauth-check.js';
import { CallWorld } from '#test/support/calls/world.js';
import { challengeOf } from '#test/support/oauth-servers/journey.js';
import { startFaultyAuthorizationServer, type FaultyServer } from '#test/support/oauth-servers/faulty-server.js';
import { login, oauthType } from '#test/support/oauth-tokens/logins.js';

/** Two looks at one type's OAuth at once, as of an operator and of somebody who asks the API to check: one of them waits for an authorization server's metadata while the other one stores what it saw. */

let world: CallWorld;
let first: FaultyServer;
let second: FaultyServer;
let type: ConnectionType;

beforeEach(async () => {
  [world, first, second] = await Promise.all([CallWorld.create(), startFaultyAuthorizationServer(), startFaultyAuthorizationServer()]);
  type = await oauthType(world, first.mcp.url);
  await login(world, type, await world.caller('ada'));
});
afterEach(async () => {
  await world.close();
  await Promise.all([first.close(), second.close()]);
});

/** A look by the parts of a process of its own. */
async function look(): Promise<void> {
  const { oauth, registry } = await world.process();
  const seen = (await world.store.connectionTypes.byId(type.id))!;
  await new OAuthCheck({ store: world.store, oauth, registry, now: () => new Date() }).check(seen, { verdict: 'AUTHENTICATION_REQUIRED', challenge: await challengeOf(seen.spec.serverUrl) });
}
/** Holds the first answer of a server's metadata until it is told to let go; `held` when somebody waits for it. */
function holdMetadata(server: FaultyServer): { held: Promise<void>; letGo: () => void } {
  const [held, letGo] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  server.faults.before = async (path) => {
    if (!path.includes('well-known')) return;
    delete server.faults.before;
    held.resolve();
    await letGo.promise;
  };
  return { held: held.promise, letGo: letGo.resolve };
}
/** What happens while a look waits for a server's metadata. */
async function meanwhile(server: FaultyServer, happens: () => Promise<unknown>): Promise<void> {
  const { held, letGo } = holdMetadata(server);
  const slow = look();
  await Promise.race([held, slow]);
  await happens();
  letGo();
  await slow;
}
const names = (server: FaultyServer) => { first.mcp.guard.authorizationServers = [server.issuer]; };
const discovery = () => world.store.oauthClients.discovery(type.id);
const clients = () => world.query<{ issuer: string; state: string }>('select issuer, state from oauth_clients where connection_type_id = $1 order by created_at', [type.id]);
const registrations = ({ seen }: FaultyServer) => seen.filter(({ method, path }) => method === 'POST' && path === '/register').length;
const conditionOf = async (name: string) => (await world.store.connectionTypes.statuses([type.id]))[0]!.conditions.find((one) => one.type === name);
const suspended = async () => (await world.query<{ conditions: { type: string; reason: string }[] }>('select conditions from enrollment_status order by enrollment_id'))
  .map(({ conditions }) => conditions.some((one) => one.type === 'Authorized' && one.reason === 'IssuerChanged'));

describe('a look that began before another one stored what it saw', () => {
  it('doesn\'t write the old issuer back: the client and the logins of the new one stay as they are', async () => {
    await meanwhile(first, async () => {
      names(second);
      await look();
      await login(world, type, await world.caller('bob'));
    });
    expect(await discovery()).toMatchObject({ issuer: second.issuer });
    expect(await clients()).toEqual([{ issuer: first.issuer, state: 'RETIRED' }, { issuer: second.issuer, state: 'ACTIVE' }]);
    expect(await suspended()).toEqual([true, false]);
    expect([registrations(first), registrations(second)]).toEqual([1, 1]);
    await look();
    expect(await suspended()).toEqual([true, false]);
  });

  it('doesn\'t move the type to an issuer that the server had named only for a while', async () => {
    names(second);
    await meanwhile(second, async () => {
      names(first);
      await look();
    });
    expect(await discovery()).toMatchObject({ issuer: first.issuer });
    expect(await clients()).toEqual([{ issuer: first.issuer, state: 'ACTIVE' }]);
    expect(await suspended()).toEqual([false]);
    expect(registrations(second)).toBe(0);
  });

  it('says nothing of metadata that it couldn\'t make sense of, where the other one could', async () => {
    await meanwhile(first, async () => {
      names(second);
      await look();
      first.faults.issuerInMetadata = 'https://somebody-else.example';
    });
    expect(await conditionOf('Discovered')).toMatchObject({ status: 'TRUE' });
    expect(await discovery()).toMatchObject({ issuer: second.issuer });
  });

  it('is made again, so that who asked is told what is so now', async () => {
    await meanwhile(first, async () => {
      await look();
      names(second);
    });
    expect(await discovery()).toMatchObject({ issuer: second.issuer });
    expect(await suspended()).toEqual([true]);
  });
});

describe('a look at a type that is changed meanwhile', () => {
  it('writes nothing of the address that the type has left', async () => {
    await meanwhile(first, async () => {
      await world.change(type, { serverUrl: second.mcp.url });
      await look();
    });
    expect(await discovery()).toMatchObject({ issuer: second.issuer, serverUrl: second.mcp.url });
    expect(await clients()).toEqual([{ issuer: first.issuer, state: 'RETIRED' }, { issuer: second.issuer, state: 'ACTIVE' }]);
    expect(registrations(first)).toBe(1);
  });

  it('registers no client where a manager has named theirs', async () => {
    await world.query('delete from oauth_clients where connection_type_id = $1', [type.id]);
    await meanwhile(first, () => world.change(type, { oauth: { ...type.spec.oauth!, clientId: 'by-hand' } }));
    expect(await clients()).toEqual([]);
    expect(registrations(first)).toBe(1);
  });
});
