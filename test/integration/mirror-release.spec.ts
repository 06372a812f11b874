import { Writable } from 'node:stream';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { runCommandLine } from '#cli/command-line.js';
import { releaseManifests } from '#operator/mirror/release.js';
import { FINALIZER } from '#operator/manifest/resources.js';
import { describeNeeding } from '#test/support/control-plane/needs.js';
import { PLANE_TIMEOUT_MS } from '#test/support/control-plane/plane.js';
import { until } from '#test/support/mcp-servers/until.js';
import { MirrorWorld, QUICK_LEASE } from '#test/support/mirror/world.js';

describeNeeding('plane', 'before the operator is removed for good', () => {
  let world: MirrorWorld;
  beforeAll(async () => { world = await MirrorWorld.create(); }, PLANE_TIMEOUT_MS);
  afterAll(() => world?.close());

  const held = async (namespace: string) => [...await world.list('ConnectionType', namespace), ...await world.list('Enrollment', namespace)].filter(({ metadata }) => metadata.finalizers?.includes(FINALIZER)).length;
  const mirror = () => ({ kubeconfig: world.plane.kubeconfig('operator'), namespaces: null, leaseNamespace: null });

  it('a command lets go of what is left behind, where nobody leads any more', async () => {
    const out: string[] = [];
    const sink = new Writable({ write(chunk: Buffer, _encoding, done) { out.push(chunk.toString()); done(); } });
    const run = () => runCommandLine(['mirror', 'release'], {
      env: { FAIRLEAD_KUBECONFIG: world.plane.kubeconfig('operator'), FAIRLEAD_MIRROR: 'off' },
      startApi: () => Promise.reject(new Error('not asked for')), startOperator: () => Promise.reject(new Error('not asked for')), listenForStop: () => new AbortController().signal, out: sink, err: sink, now: () => new Date(),
    });
    const namespace = 'default';
    await world.apply(world.type(namespace, 'left-behind', {}, { finalizers: [FINALIZER] }));
    expect([await run(), out.join('')]).toEqual([0, '1 object(s) released.\n']);
    expect(await held(namespace)).toBe(0);
  });

  it('its manifests are released while it still runs, stay so, and can be deleted when it is gone', async () => {
    await world.startOperator();
    const namespace = await world.namespace();
    await world.apply(world.type(namespace, 'one'));
    await world.apply(world.type(namespace, 'two', {}, { finalizers: ['example.com/other'] }));
    await world.apply(world.enrollment(namespace, 'login', 'one'));
    await until(async () => (await held(namespace)) === 3);
    await world.settled();
    const lines: string[] = [];
    expect(await releaseManifests({ mirror: mirror(), version: '0.0.0-test', print: (line) => lines.push(line), signal: new AbortController().signal, leaseTimes: QUICK_LEASE })).toEqual({ released: 3, complete: true });
    expect(lines).toEqual([]);
    // An operator that led would take this for its business.
    await world.apply(world.type(namespace, 'one', { displayName: 'Changed since' }));
    expect(await held(namespace)).toBe(0);
    expect((await world.get('ConnectionType', namespace, 'two')).metadata.finalizers).toEqual(['example.com/other']);
    await world.stopOperator();
    expect(await held(namespace)).toBe(0);
    await world.delete('ConnectionType', namespace, 'one');
    await world.delete('Enrollment', namespace, 'login');
    expect([await world.get('ConnectionType', namespace, 'one'), await world.get('Enrollment', namespace, 'login')]).toEqual([null, null]);
    expect(await world.rows(`select name from connection_types where team_id = (select id from teams where slug = $1) and deleted_at is null order by name`, [namespace])).toEqual([{ name: 'one' }, { name: 'two' }]);
  });
});
