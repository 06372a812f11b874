import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LEASE_TIMES } from '#operator/kubernetes/leader-election.js';
import { until } from '#test/support/mcp-servers/until.js';
import { MirrorWorld } from '#test/support/mirror/world.js';
import { describeNeeding } from '#test/support/control-plane/needs.js';
import { PLANE_TIMEOUT_MS } from '#test/support/control-plane/plane.js';

describeNeeding('plane', 'the mirror\'s watch', () => {
  /** Without the API server's watch cache, so that a compaction is felt. */
  let world: MirrorWorld;
  beforeAll(async () => {
    world = await MirrorWorld.create({ watchCache: false });
    await world.startOperator();
  }, PLANE_TIMEOUT_MS);
  afterAll(() => world?.close());

  /** The operator's writes to the cluster, without its Lease. */
  const writes = () => world.plane.requests().filter(({ user, verb, resource }) => user.includes('operator') && resource !== 'leases' && ['create', 'update', 'patch', 'delete'].includes(verb));

  describe('the mirror goes on', () => {
    it('when the API server is killed in the middle of a watch, and misses nothing', async () => {
      const namespace = await world.namespace();
      await world.apply(world.type(namespace, 'before'));
      await world.when('ConnectionType', namespace, 'before', 'Ready', 'Ready');
      await world.plane.kill();
      await world.plane.start();
      await until(() => world.apply(world.type(namespace, 'after')).then(() => true, () => false));
      await world.when('ConnectionType', namespace, 'after', 'Ready', 'Ready');
      await world.apply(world.type(namespace, 'before', { displayName: 'Changed since' }));
      expect((await world.when('ConnectionType', namespace, 'before', 'Ready', 'Ready')).metadata.generation).toBe(2);
    });

    it('when history is compacted away under its watch', async () => {
      const namespace = await world.namespace();
      await world.apply(world.type(namespace, 'before'));
      await world.when('ConnectionType', namespace, 'before', 'Ready', 'Ready');
      await world.plane.kill();
      await world.plane.start();
      await until(() => world.apply(world.type(namespace, 'meanwhile')).then(() => true, () => false));
      await world.plane.compact();
      await world.when('ConnectionType', namespace, 'meanwhile', 'Ready', 'Ready');
    });
  });

  describe('an operator', () => {
    const leads = (logs: string[]) => logs.filter((line) => line.includes('leading the mirror"')).length;

    it('that is restarted on objects that are as they should be writes nothing', async () => {
      const namespace = await world.namespace();
      await Promise.all(Array.from({ length: 60 }, (_one, index) => world.apply(world.type(namespace, `type-${index}`))));
      for (let index = 0; index < 60; index += 1) await world.when('ConnectionType', namespace, `type-${index}`, 'Ready', 'Ready');
      await world.settled();
      await world.stopOperator();
      const versions = async () => (await world.list('ConnectionType', namespace)).map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`);
      const [before, count] = [await versions(), writes().length];
      await world.startOperator();
      await until(async () => world.operator!.logs().some((line) => line.includes('the mirror begins')));
      await world.settled();
      expect(await versions()).toEqual(before);
      expect(writes().slice(count)).toEqual([]);
    });

    it('takes over when the one that mirrors stops, and only one does at a time', async () => {
      const namespace = await world.namespace();
      await world.stopOperator();
      // Leases as long as they are shipped, which nobody loses because the machine stood still for a moment.
      const leases = { ...LEASE_TIMES, retryMs: 200 };
      world.operator = await world.anotherOperator({}, undefined, leases);
      await until(async () => leads(world.operator!.logs()) === 1);
      const second = await world.anotherOperator({}, undefined, leases);
      try {
        await world.apply(world.type(namespace, 'first'));
        await world.when('ConnectionType', namespace, 'first', 'Ready', 'Ready');
        expect([leads(world.operator!.logs()), leads(second.logs())]).toEqual([1, 0]);
        await world.stopOperator();
        await world.apply(world.type(namespace, 'second'));
        await world.when('ConnectionType', namespace, 'second', 'Ready', 'Ready');
        expect(leads(second.logs())).toBe(1);
      } finally {
        await second.stop();
      }
      await world.startOperator();
    });
  });
});
