import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createLogger } from '#core/log.js';
import { ClusterAccess } from '#operator/kubernetes/cluster-access.js';
import { EventRecorder } from '#operator/kubernetes/event-recorder.js';
import { KubeClient } from '#operator/kubernetes/kube-client.js';
import { OPERATOR_PLACE, valuesWithMirror } from '#test/support/chart/given-rights.js';
import { compareRights, givenRights, sayRight } from '#test/support/chart/rights.js';
import { CHART_TIMEOUT_MS, render } from '#test/support/chart/tools.js';
import { describeNeeding } from '#test/support/control-plane/needs.js';
import { askedRights } from '#test/support/control-plane/operator-requests.js';
import { PLANE_TIMEOUT_MS } from '#test/support/control-plane/plane.js';
import { until } from '#test/support/mcp-servers/until.js';
import { MirrorWorld } from '#test/support/mirror/world.js';

/** What is asked of the whole suite's requests is in test/support/chart/least-privilege.ts. */

const TOKEN = 'a-token-of-the-robot';
describeNeeding('plane', 'an operator with rights in some namespaces', () => {
  describeNeeding('go', 'and what the chart gives it', () => {
    let world: MirrorWorld;
    let listed: [string, string];
    beforeAll(async () => {
      await render(valuesWithMirror({ enabled: false }));
      world = await MirrorWorld.create({ mirror: { namespaces: ['ns-1', 'ns-2'] } });
      await world.startOperator({ FAIRLEAD_MIRROR_NAMESPACES: 'ns-1,ns-2' });
      listed = [await world.namespace(), await world.namespace()];
    }, Math.max(PLANE_TIMEOUT_MS, CHART_TIMEOUT_MS));
    afterAll(() => world?.close());

    const outside = async (mirror: object, asked = askedRights(world.plane.requests())) =>
      compareRights(asked, givenRights(await render(valuesWithMirror(mirror), { namespace: OPERATOR_PLACE.namespace }), OPERATOR_PLACE)).outside.map(sayRight);

    it('asks for nothing outside them, whatever happens in them and beside them', async () => {
      expect(listed).toEqual(['ns-1', 'ns-2']);
      world.server.credential = { header: 'Authorization', values: [`Bearer ${TOKEN}`] };
      const beside = await world.namespace();
      await world.apply(world.type(beside, 'beside'));
      for (const namespace of listed) {
        await world.apply(world.secret(namespace, 'robot', { token: TOKEN }));
        await world.apply(world.type(namespace, 'guarded', { authMethod: 'ACCESS_TOKEN' }));
        await world.apply(world.enrollment(namespace, 'robot', 'guarded', { serverUrl: world.server.url, accessTokenRef: { name: 'robot', key: 'token' } }));
        await world.when('Enrollment', namespace, 'robot', 'Ready', 'Ready');
        const { connectionType } = await world.api.must('CreateConnectionType', { input: { team: namespace, displayName: 'Made here', serverUrl: world.server.url, authMethod: 'ACCESS_TOKEN' } });
        await world.api.must('Enroll', { input: { connectionTypeId: connectionType.id, accessToken: TOKEN } });
        await until(async () => (await world.list('Enrollment', namespace)).length === 2);
        await world.when('ConnectionType', namespace, 'made-here', 'Ready', 'Ready');
        await world.settled();
        await world.apply(world.type(namespace, 'made-here', { origin: 'API', authMethod: 'ACCESS_TOKEN', displayName: 'Somebody else\'s', description: 'added' }));
        await until(async () => (await world.events(namespace)).some(({ reason }) => reason === 'DriftCorrected'));
        await world.delete('ConnectionType', namespace, 'guarded');
        await world.gone('ConnectionType', namespace, 'guarded');
        await world.api.must('DeleteConnectionType', { input: { id: connectionType.id } });
        await world.gone('ConnectionType', namespace, 'made-here');
      }
      await world.settled();
      expect((await world.get('ConnectionType', beside, 'beside')).status).toEqual({ observedGeneration: -1 });
      const requests = askedRights(world.plane.requests());
      expect(requests.length).toBeGreaterThan(30);
      expect(await outside({ namespaces: listed })).toEqual([]);
      // The comparison sees what is missing: with the rights of one namespace alone, all that was asked of the other is outside.
      const missing = await outside({ namespaces: [listed[0]] });
      expect(missing.length).toBeGreaterThan(10);
      expect(missing.every((right) => right.endsWith(`in ${listed[1]}`))).toBe(true);
    });

    it('counts what it tells again by a patch', async () => {
      const [namespace] = listed;
      const object = await world.apply(world.type(namespace, 'told'));
      let time = Date.now();
      const access = await ClusterAccess.load({ file: world.plane.kubeconfig('operator') });
      const recorder = new EventRecorder({ client: new KubeClient({ access, userAgent: 'fairlead-operator/test' }), logger: createLogger('silent'), now: () => time });
      for (let times = 0; times < 3; times += 1) {
        recorder.record({ ...object, kind: 'ConnectionType' }, 'Normal', 'ToldAgain', 'the same');
        await recorder.stop();
        time += 40_000;
      }
      const told = (await world.events(namespace)).filter(({ reason }) => reason === 'ToldAgain');
      expect(told).toEqual([expect.objectContaining({ series: expect.objectContaining({ count: 3 }) })]);
      await access.close();
      expect(await outside({ namespaces: listed })).toEqual([]);
    });

    it('that only observes asks for no more than looking', async () => {
      await world.stopOperator();
      await world.giveRights({ namespaces: listed, observe: true });
      const before = world.plane.requests().length;
      const lines: string[] = [];
      await world.startOperator({ FAIRLEAD_MIRROR: 'observe', FAIRLEAD_MIRROR_NAMESPACES: 'ns-1,ns-2' }, (line) => lines.push(line));
      const sofar = () => askedRights(world.plane.requests().slice(before));
      await until(() => lines.length > 0 && sofar().some(({ verb }) => verb === 'watch'));
      await world.stopOperator();
      const asked = sofar();
      expect(asked.map(({ verb }) => verb)).toEqual(expect.arrayContaining(['get', 'list', 'watch']));
      expect(await outside({ namespaces: listed, observe: true }, asked)).toEqual([]);
    });
  });
});
