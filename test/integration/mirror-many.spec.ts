import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { CustomResource } from '#operator/manifest/resources.js';
import { describeNeeding } from '#test/support/control-plane/needs.js';
import { PLANE_TIMEOUT_MS } from '#test/support/control-plane/plane.js';
import { until } from '#test/support/mcp-servers/until.js';
import { conditionOf, MirrorWorld } from '#test/support/mirror/world.js';

/** How many manifests; 1,000 is what is asked for (`npm run test:mirror-many`), fewer keep the whole suite short. */
const MANY = Number(process.env['FAIRLEAD_TEST_MANIFESTS'] ?? '250');
const TIMEOUT_MS = 300_000;
const AT_ONCE = 32;

describeNeeding('plane', `${MANY} manifests`, () => {
  let world: MirrorWorld;
  let namespace: string;
  const names = Array.from({ length: MANY }, (_one, index) => `type-${index}`);
  /** By name. */
  let ids: Map<string, string>;
  beforeAll(async () => {
    world = await MirrorWorld.create();
    await world.startOperator();
    namespace = await world.namespace();
  }, PLANE_TIMEOUT_MS);
  afterAll(() => world?.close());

  async function applyAll(): Promise<void> {
    for (let from = 0; from < MANY; from += AT_ONCE) await Promise.all(names.slice(from, from + AT_ONCE).map((name) => world.apply(world.type(namespace, name, { health: { interval: '24h' } }))));
  }
  const objects = async () => new Map((await world.list('ConnectionType', namespace)).map((object) => [object.metadata.name, object]));
  /** Looks now and then only: a look is a list of all. */
  const untilThey = (hold: (all: CustomResource[]) => boolean) => until(async () => {
    const held = hold([...(await objects()).values()]);
    if (!held) await new Promise((resolve) => { setTimeout(resolve, 250); });
    return held;
  });
  const allReady = () => untilThey((all) => all.length === MANY && all.every((object) => conditionOf(object, 'Ready')?.status === 'True' && object.status!['observedGeneration'] === object.metadata.generation));
  const idsNow = async () => new Map([...(await objects())].map(([name, object]) => [name, String(object.status!['id'])]));
  const inGraphql = async () => Number((await world.api.gql('query Q($team: String!) { team(slug: $team) { connectionTypes(first: 1) { totalCount } } }', { team: namespace })).data.team.connectionTypes.totalCount);
  const writes = () => world.plane.requests().filter(({ user, verb, resource }) => user.includes('operator') && resource !== 'leases' && ['create', 'update', 'patch', 'delete'].includes(verb)).length;

  it('that are applied at once are all Ready, in the cluster and in GraphQL', async () => {
    await applyAll();
    await allReady();
    ids = await idsNow();
    expect([new Set(ids.values()).size, await inGraphql()]).toEqual([MANY, MANY]);
  }, TIMEOUT_MS);

  it('are left alone by an operator that is started on them: it writes nothing', async () => {
    await world.settled();
    await world.stopOperator();
    const versions = async () => [...(await objects()).values()].map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`);
    const [before, count] = [await versions(), writes()];
    await world.startOperator();
    await until(() => world.operator!.logs().some((line) => line.includes('the mirror begins')));
    await world.settled();
    expect(await versions()).toEqual(before);
    expect(writes()).toBe(count);
  }, TIMEOUT_MS);

  it('that are deleted with --all wait for an administrator; applied again, all are there as they were', async () => {
    await world.deleteAll('ConnectionType', namespace);
    await untilThey((all) => all.length === 0);
    await world.settled();
    expect(await inGraphql()).toBe(0);
    const held = async () => (await world.api.gql('query T($team: String!) { team(slug: $team) { namespace { heldSince heldDeletions } } }', { team: namespace })).data.team.namespace;
    expect(await held()).toEqual({ heldSince: expect.any(String), heldDeletions: MANY });
    await applyAll();
    await allReady();
    expect(await idsNow()).toEqual(ids);
    await until(async () => (await held()).heldSince === null);
  }, TIMEOUT_MS);
});
