import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { describeNeeding } from '#test/support/control-plane/needs.js';
import { PLANE_TIMEOUT_MS, type PlaneUser } from '#test/support/control-plane/plane.js';
import { until } from '#test/support/mcp-servers/until.js';
import { conditionOf, MirrorWorld } from '#test/support/mirror/world.js';
import { startOperatorProcess, type OperatorProcess } from '#test/support/operator-process.js';

/** With the Lease's times as they are shipped, a takeover takes fifteen seconds. */
const TIMEOUT_MS = 300_000;

describeNeeding('plane', 'operators as processes, of which one mirrors', () => {
  let world: MirrorWorld;
  const operators: OperatorProcess[] = [];
  beforeAll(async () => {
    world = await MirrorWorld.create();
  }, PLANE_TIMEOUT_MS);
  afterEach(async () => {
    for (const one of operators.splice(0)) {
      one.process.kill('SIGCONT');
      one.process.kill('SIGTERM');
      await one.ended;
    }
  });
  afterAll(() => world?.close());

  /** Who it is to the API server tells them apart in its log. */
  async function operator(user: PlaneUser): Promise<OperatorProcess> {
    const { databaseUrl, keys } = world.api;
    const env = { FAIRLEAD_MIRROR: 'on', FAIRLEAD_KUBECONFIG: world.plane.kubeconfig(user), FAIRLEAD_OPERATOR_HEARTBEAT_MS: '500', FAIRLEAD_LEASE_NAMESPACE: 'default' };
    const started = await startOperatorProcess({ databaseUrl, keys, env });
    operators.push(started);
    return started;
  }
  const leads = (one: OperatorProcess) => one.logged('leading the mirror').length;
  const holder = async () => (await world.admin.send<{ spec: { holderIdentity: string } }>({ method: 'GET', path: '/apis/coordination.k8s.io/v1/namespaces/default/leases/fairlead-mirror' })).spec.holderIdentity;
  const names = Array.from({ length: 40 }, (_one, index) => `type-${index}`);
  const readyOf = async (namespace: string) => (await world.list('ConnectionType', namespace)).filter((object) => conditionOf(object, 'Ready')?.status === 'True').length;
  const versions = async (namespace: string) => (await world.list('ConnectionType', namespace)).map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`);
  const rowsOf = (namespace: string) => world.rows('select t.id, t.name from connection_types t join teams on teams.id = t.team_id where teams.slug = $1 order by t.name', [namespace]);
  /** Requests that change something, without Leases, and what became of them. */
  const writesBy = (user: string) => world.plane.requests().filter((one) => one.user.includes(user) && one.resource !== 'leases' && ['create', 'update', 'patch', 'delete'].includes(one.verb));

  /** Two operators, the first of which is in the middle of its work. */
  async function inTheMiddle(): Promise<{ namespace: string; first: OperatorProcess; second: OperatorProcess }> {
    const first = await operator('operator');
    const namespace = await world.namespace();
    await until(() => leads(first) === 1);
    const second = await operator('other');
    await Promise.all(names.map((name) => world.apply(world.type(namespace, name))));
    await until(async () => (await readyOf(namespace)) > 0);
    return { namespace, first, second };
  }

  it('the one that is killed in the middle of its work is followed by the other, which finishes it: nothing twice, nothing forgotten', async () => {
    const { namespace, first, second } = await inTheMiddle();
    first.process.kill('SIGKILL');
    expect(await first.ended).toMatchObject({ signal: 'SIGKILL' });
    await until(async () => (await readyOf(namespace)) === names.length);
    await world.apply(world.type(namespace, 'after'));
    await world.when('ConnectionType', namespace, 'after', 'Ready', 'Ready');
    expect(leads(second)).toBe(1);
    expect((await rowsOf(namespace)).map((row) => row['name'])).toEqual([...names, 'after'].sort());
  }, TIMEOUT_MS);

  it('the one that stood still and goes on finds that it leads no more, and writes nothing', async () => {
    const { namespace, first, second } = await inTheMiddle();
    first.process.kill('SIGSTOP');
    await until(() => leads(second) === 1);
    await until(async () => (await readyOf(namespace)) === names.length);
    await world.settled();
    const [before, rows, written] = [await versions(namespace), await rowsOf(namespace), writesBy('operator').length];
    first.process.kill('SIGCONT');
    await until(() => first.logged('the lease could not be renewed in time: no longer leading').length === 1);
    // What it still had in its hands it gives up, or is refused: by its epoch in PostgreSQL, by the object's version at the API server.
    await world.apply(world.type(namespace, 'after'));
    await world.when('ConnectionType', namespace, 'after', 'Ready', 'Ready');
    await world.settled();
    expect([leads(first), leads(second)]).toEqual([1, 1]);
    expect((await versions(namespace)).filter((one) => !one.startsWith('after '))).toEqual(before);
    expect((await rowsOf(namespace)).filter((row) => row['name'] !== 'after')).toEqual(rows);
    expect(writesBy('operator').slice(written).filter(({ status }) => status < 300)).toEqual([]);

    // It stands by, and mirrors again when the other one goes.
    operators.splice(operators.indexOf(second), 1);
    second.process.kill('SIGTERM');
    expect(await second.ended).toEqual({ code: 0, signal: null });
    await until(() => leads(first) === 2);
  }, TIMEOUT_MS);

  it('the one that is told to stop lets its Lease go, and the other one need not wait', async () => {
    const { namespace, first, second } = await inTheMiddle();
    const before = await holder();
    expect(before).not.toBe('');
    first.process.kill('SIGTERM');
    expect(await first.ended).toEqual({ code: 0, signal: null });
    await until(() => leads(second) === 1);
    await until(async () => (await readyOf(namespace)) === names.length);
    // And nobody holds it when nobody is left.
    operators.splice(0);
    second.process.kill('SIGTERM');
    await second.ended;
    expect(await holder()).toBe('');
  }, TIMEOUT_MS);
});
