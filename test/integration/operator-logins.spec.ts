import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CredentialBox } from '#core/upkeep/credential-box.js';
import { Upkeep } from '#core/upkeep/upkeep.js';
import { Egress } from '#core/egress/egress.js';
import { parseLossless } from '#core/json/lossless.js';
import { probeServer } from '#core/mcp/probe.js';
import { SessionOpener } from '#core/mcp/session-opener.js';
import { SCHEDULED_KINDS, type Claim } from '#core/store/schedule.js';
import { EnrollmentReconciler } from '#operator/kinds/enrollment/enrollment-reconciler.js';
import { CallWorld, type Caller } from '#test/support/calls/world.js';
import { startOidcProvider, type OidcProviderServer } from '#test/support/oauth-servers/oidc-provider.js';
import { expire, login, oauthType, stored } from '#test/support/oauth-tokens/logins.js';
import { randomUUID } from 'node:crypto';

/** Logins at a real authorization server, kept by the reconciler: by the server's own log. */

let world: CallWorld;
let ada: Caller;
let server: OidcProviderServer;
let egress: Egress;
let reconciler: EnrollmentReconciler;
let worker: string;

beforeEach(async () => {
  [world, server] = await Promise.all([CallWorld.create(), startOidcProvider()]);
  ada = await world.caller('ada');
  egress = new Egress({ policy: { allow: [], allowLoopback: true, denied: [] } });
  const opener = new SessionOpener({ egress, clientInfo: { name: 'fairlead-test', version: '0.0.0' }, parse: parseLossless });
  const { store, vault, main: { tokens } } = world;
  const upkeep = new Upkeep({
    store, box: new CredentialBox(vault), now: () => new Date(), tokens, changed: () => undefined,
    probe: (url, headers, timeoutMs) => probeServer({ url, headers, opener, egress, timeoutMs, clock: () => performance.now() }),
  });
  reconciler = new EnrollmentReconciler({ store, upkeep, tokens, random: () => 0 });
  worker = randomUUID();
  await store.processes.beat(worker, 'test', 1);
});
afterEach(async () => {
  await world.close();
  await egress.close();
  await server.close();
});

const refreshes = () => server.presentations.filter(({ grantType }) => grantType === 'refresh_token');

/** Claims the enrollment as a worker does, runs it once, and ends the run; answers what it said. */
async function run(id: string): Promise<number> {
  await world.query('update reconcile_schedule set due = clock_timestamp() where id = $1', [id]);
  const claims = await world.store.schedule.claim({ worker, limit: 100, kinds: SCHEDULED_KINDS, perLane: 100, running: new Map() });
  const claim = claims.find((one) => one.id === id) as Claim;
  const result = await reconciler.reconcile(claim, new AbortController().signal);
  for (const one of claims) await world.store.schedule.finish(one, 3_600_000, 0);
  return result === 'GONE' ? -1 : result.requeueAfterMs;
}

describe('a login', () => {
  it('is renewed when its time has come, not before, once, and the next time is planned', async () => {
    const enrollment = await login(world, await oauthType(world, server.mcp.url), ada);
    await run(enrollment.id);
    expect(refreshes()).toEqual([]);
    await world.query(`update oauth_grants set refresh_at = clock_timestamp() - interval '1 second' where enrollment_id = $1`, [enrollment.id]);
    const before = Date.now();
    const waitMs = await run(enrollment.id);
    expect(refreshes()).toMatchObject([{ status: 200 }]);
    const { grant, credential, conditions } = await stored(world, enrollment);
    expect(credential.version).toBe(2);
    expect(conditions).toMatchObject({ Fresh: { status: 'TRUE', reason: 'Planned' } });
    expect(waitMs).toBeLessThanOrEqual(grant.refreshAt!.getTime() - before);
    await run(enrollment.id);
    expect(refreshes()).toHaveLength(1);
  });

  it('that was renewed by a call is on the schedule with its new time', async () => {
    const enrollment = await login(world, await oauthType(world, server.mcp.url), ada);
    await run(enrollment.id);
    await expire(world, enrollment);
    await ada.call({ tool: 'echo', arguments: { message: 'hello' } });
    const [row] = await world.query<{ due: boolean }>('select due <= clock_timestamp() as due from reconcile_schedule where id = $1', [enrollment.id]);
    expect(row).toEqual({ due: true });
  });

  it('that its provider can\'t renew now is tried again at the time on record, and later renewed', async () => {
    const enrollment = await login(world, await oauthType(world, server.mcp.url), ada);
    await run(enrollment.id);
    await world.query(`update oauth_grants set refresh_at = clock_timestamp() - interval '1 second' where enrollment_id = $1`, [enrollment.id]);
    await world.query('update enrollment_status set tried_at = clock_timestamp(), tools_synced_at = clock_timestamp()');
    server.outage = { path: /token/, status: 503 };
    const before = Date.now();
    const waitMs = await run(enrollment.id);
    const { grant } = await stored(world, enrollment);
    expect(grant.failedRefreshes).toBe(1);
    expect(waitMs).toBeGreaterThan(0);
    expect(waitMs).toBeLessThanOrEqual(grant.nextAttemptAt!.getTime() - before);
    server.outage = null;
    await world.query('update oauth_grants set next_attempt_at = clock_timestamp() where enrollment_id = $1', [enrollment.id]);
    await run(enrollment.id);
    expect((await stored(world, enrollment)).conditions).toMatchObject({ Fresh: { status: 'TRUE' } });
  });

  it('that only its owner can go on with waits for them, and nothing more is presented', async () => {
    const enrollment = await login(world, await oauthType(world, server.mcp.url), ada, { pretend: { refreshable: false, refreshAt: null } });
    await expire(world, enrollment);
    expect(await run(enrollment.id)).toBe(24 * 3_600_000);
    expect((await stored(world, enrollment)).conditions).toMatchObject({ Authorized: { status: 'FALSE', reason: 'ConsentRequired' } });
    expect(refreshes()).toEqual([]);
  });

  it('of an attempt whose process died has that on record when the attempt\'s time is over', async () => {
    const pretend = { attemptId: randomUUID(), attemptVersion: 1, attemptUntil: new Date(Date.now() - 1000) };
    const enrollment = await login(world, await oauthType(world, server.mcp.url), ada, { pretend });
    await run(enrollment.id);
    expect((await stored(world, enrollment)).conditions).toMatchObject({ Fresh: { status: 'FALSE', reason: 'RefreshOutcomeUnknown' } });
    expect(refreshes()).toEqual([]);
  });

  it('that is deleted leaves the schedule', async () => {
    const enrollment = await login(world, await oauthType(world, server.mcp.url), ada);
    await world.store.enrollments.remove(enrollment.id);
    expect(await run(enrollment.id)).toBe(-1);
  });
});
