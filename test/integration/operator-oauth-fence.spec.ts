import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Egress } from '#core/egress/egress.js';
import { parseLossless } from '#core/json/lossless.js';
import { probeServer } from '#core/mcp/probe.js';
import { SessionOpener } from '#core/mcp/session-opener.js';
import { SCHEDULED_KINDS, type Claim } from '#core/store/schedule.js';
import { CredentialBox } from '#core/upkeep/credential-box.js';
import { OAuthCheck } from '#core/upkeep/oauth-check.js';
import { RunOver } from '#core/upkeep/run.js';
import { Upkeep } from '#core/upkeep/upkeep.js';
import { ConnectionTypeReconciler } from '#operator/kinds/connection-type/connection-type-reconciler.js';
import { CallWorld } from '#test/support/calls/world.js';
import { startFaultyAuthorizationServer, type FaultyServer } from '#test/support/oauth-servers/faulty-server.js';
import { login, oauthType } from '#test/support/oauth-tokens/logins.js';

/** A run loses its object to another worker while an authorization server takes its time: what it wanted to write of the type's OAuth. */

let world: CallWorld;
let egress: Egress;
let reconciler: ConnectionTypeReconciler;
let server: FaultyServer;
let other: FaultyServer;

beforeEach(async () => {
  [world, server, other] = await Promise.all([CallWorld.create(), startFaultyAuthorizationServer(), startFaultyAuthorizationServer()]);
  egress = new Egress({ policy: { allow: [], allowLoopback: true, denied: [] } });
  const opener = new SessionOpener({ egress, clientInfo: { name: 'fairlead-test', version: '0.0.0' }, parse: parseLossless });
  const { store, vault, main: { oauth, registry, tokens } } = world;
  const now = () => new Date();
  const upkeep = new Upkeep({
    store, box: new CredentialBox(vault), now, tokens, changed: () => undefined, oauth: new OAuthCheck({ store, oauth, registry, now }),
    probe: (url, headers, timeoutMs) => probeServer({ url, headers, opener, egress, timeoutMs, clock: () => performance.now() }),
  });
  reconciler = new ConnectionTypeReconciler({ store, upkeep, random: () => 0 });
});
afterEach(async () => {
  await world.close();
  await egress.close();
  await Promise.all([server.close(), other.close()]);
});

/** Claims the type as a new worker does, whoever has it. */
async function claim(id: string): Promise<Claim> {
  const worker = randomUUID();
  await world.store.processes.beat(worker, 'test', 1);
  await world.query(`update reconcile_schedule set due = clock_timestamp(), claimed_at = case when worker is null then null else clock_timestamp() - interval '1 hour' end where id = $1`, [id]);
  const claims = await world.store.schedule.claim({ worker, limit: 100, kinds: SCHEDULED_KINDS, perLane: 100, running: new Map() });
  return claims.find((one) => one.id === id)!;
}
const run = async (id: string) => reconciler.reconcile(await claim(id), new AbortController().signal);
/** Everything of the type's OAuth that is kept, times of reading apart. */
const kept = async (id: string) => ({
  discovery: await world.query('select issuer, token_host from oauth_discoveries where connection_type_id = $1', [id]),
  clients: await world.query('select id, issuer, state, client_id from oauth_clients where connection_type_id = $1 order by created_at', [id]),
  logins: await world.query('select conditions from enrollment_status'),
});
const registrations = ({ seen }: FaultyServer) => seen.filter(({ method, path }) => method === 'POST' && path === '/register').length;
/** Somebody else claims the type while the server hasn't answered yet. */
const losesItsObject = (id: string, at: string) => async (path: string): Promise<void> => {
  if (path.includes(at)) await claim(id);
};

describe('a run that has lost its object', () => {
  it('while it read metadata: no issuer, no client, no suspension is written, and nothing is registered', async () => {
    const type = await oauthType(world, server.mcp.url);
    await login(world, type, await world.caller('ada'));
    await run(type.id);
    const before = await kept(type.id);
    server.mcp.guard.authorizationServers = [other.issuer];
    await world.query(`update oauth_discoveries set discovered_at = discovered_at - interval '1 hour'`);
    other.faults.before = losesItsObject(type.id, 'well-known');
    await expect(run(type.id)).rejects.toThrow(RunOver);
    expect(await kept(type.id)).toEqual(before);
    expect(registrations(other)).toBe(0);

    delete other.faults.before;
    await run(type.id);
    expect(await kept(type.id)).toMatchObject({ discovery: [{ issuer: other.issuer }], clients: [{ state: 'RETIRED' }, { state: 'ACTIVE', issuer: other.issuer }] });
    expect(registrations(other)).toBe(1);
  });

  it('while it registered: the client that was received is kept, no condition is written, and the next run sends nothing again', async () => {
    const type = await oauthType(world, server.mcp.url);
    await run(type.id);
    await world.query('delete from oauth_clients where connection_type_id = $1', [type.id]);
    const conditions = () => world.query('select conditions from connection_type_status where connection_type_id = $1', [type.id]);
    const before = await conditions();
    await world.query(`update oauth_discoveries set discovered_at = discovered_at - interval '1 hour'`);
    let recorded: unknown[] = [];
    server.faults.before = async (path) => {
      if (path !== '/register') return;
      recorded = (await kept(type.id)).clients;
      await claim(type.id);
    };
    await expect(run(type.id)).rejects.toThrow(RunOver);
    expect(recorded).toMatchObject([{ state: 'PENDING', client_id: null }]);
    expect((await kept(type.id)).clients).toMatchObject([{ state: 'ACTIVE', client_id: expect.any(String) }]);
    expect(await conditions()).toEqual(before);

    delete server.faults.before;
    await run(type.id);
    expect(registrations(server)).toBe(2);
    expect((await kept(type.id)).clients).toHaveLength(1);
  });
});
