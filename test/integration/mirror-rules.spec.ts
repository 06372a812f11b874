import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { describeNeeding } from '#test/support/control-plane/needs.js';
import { PLANE_TIMEOUT_MS } from '#test/support/control-plane/plane.js';
import { until } from '#test/support/mcp-servers/until.js';
import { conditionOf, MirrorWorld } from '#test/support/mirror/world.js';

/** Rows of the table in design section 8 that have no place in the other specs of the mirror. */
describeNeeding('plane', 'rules of the mirror', () => {
  let world: MirrorWorld;
  beforeAll(async () => {
    world = await MirrorWorld.create();
    await world.startOperator();
  }, PLANE_TIMEOUT_MS);
  afterAll(() => world?.close());

  const create = async (team: string, displayName: string) => (await world.api.must('CreateConnectionType', { input: { team, displayName, serverUrl: world.server.url, authMethod: 'NONE' } })).connectionType as { id: string };
  const bind = (team: string, namespace: string) => world.api.must('mutation B($input: BindNamespaceInput!) { bindNamespace(input: $input) { team { namespace { state } } userErrors { code message } } }', { input: { team, namespace } });
  const label = (namespace: string, team: string) => world.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: { 'fairlead.dev/team': team } } });
  const types = (team: string) => world.rows('select t.name, t.origin from connection_types t join teams on teams.id = t.team_id where teams.slug = $1 order by t.name', [team]);

  describe('teams', () => {
    it('a label makes a team and binds it, with the uids of the namespace and of the cluster', async () => {
      const namespace = await world.namespace();
      const { metadata } = await world.admin.send<{ metadata: { uid: string } }>({ method: 'GET', path: `/api/v1/namespaces/${namespace}` });
      const cluster = await world.admin.send<{ metadata: { uid: string } }>({ method: 'GET', path: '/api/v1/namespaces/kube-system' });
      expect(await world.rows('select n.state, n.namespace_uid, n.cluster_uid, t.slug from mirror_namespaces n join teams t on t.id = n.team_id where n.namespace = $1', [namespace]))
        .toEqual([{ state: 'BOUND', namespace_uid: metadata.uid, cluster_uid: cluster.metadata.uid, slug: namespace }]);
    });

    it('one team has one namespace: a second one with its label is told where the first is', async () => {
      const namespace = await world.namespace();
      const second = await world.namespace('PLAIN');
      await label(second, namespace);
      await world.apply(world.type(second, 'late'));
      const object = await world.when('ConnectionType', second, 'late', 'Synced', 'NamespaceNotBound');
      expect(conditionOf(object, 'Synced')!.message).toContain(JSON.stringify(namespace));
      expect(await types(namespace)).toEqual([]);
    });

    it('a team without a namespace is not exported, and all of it is when it has one', async () => {
      const team = await world.namespace('PLAIN');
      await world.api.team(team);
      await create(team, 'Before');
      await world.settled();
      expect(await world.list('ConnectionType', team)).toEqual([]);
      await label(team, team);
      await bind(team, team);
      expect((await world.when('ConnectionType', team, 'before', 'Ready', 'Ready')).spec.origin).toBe('API');
    });

    it('a namespace that was deleted and made again is another one: it is frozen, and nothing of the team is lost by it', async () => {
      const namespace = await world.namespace();
      await create(namespace, 'Kept');
      await world.when('ConnectionType', namespace, 'kept', 'Ready', 'Ready');
      await world.admin.send({ method: 'DELETE', path: `/api/v1/namespaces/${namespace}` });
      await until(async () => (await world.admin.send({ method: 'GET', path: `/api/v1/namespaces/${namespace}` }).catch(() => null)) === null);
      await label(namespace, namespace);
      await until(async () => (await world.rows(`select 1 from mirror_namespaces where namespace = $1 and state = 'FROZEN' and message like '%another namespace of that name%'`, [namespace])).length === 1);
      await world.apply(world.type(namespace, 'declared'));
      await world.when('ConnectionType', namespace, 'declared', 'Synced', 'NamespaceFrozen');
      expect(await types(namespace)).toEqual([{ name: 'kept', origin: 'API' }]);
      await world.api.must('mutation U($input: UnbindNamespaceInput!) { unbindNamespace(input: $input) { userErrors { code } } }', { input: { team: namespace } });
      await bind(namespace, namespace);
      await world.when('ConnectionType', namespace, 'kept', 'Ready', 'Ready');
      await world.when('ConnectionType', namespace, 'declared', 'Ready', 'Ready');
    });
  });

  describe('one owner', () => {
    it('an origin is immutable in SQL too, but for adoption', async () => {
      const namespace = await world.namespace();
      const { id } = await create(namespace, 'Ours');
      await world.api.must('Enroll', { input: { connectionTypeId: id } });
      for (const table of ['connection_types', 'enrollments']) {
        await expect(world.rows(`update ${table} set origin = 'MANIFEST' where team_id = (select id from teams where slug = $1)`, [namespace])).rejects.toThrow('immutable but for its adoption');
      }
    });

    it('a mirror has no finalizer, so that a dead operator blocks nothing; one that somebody deletes is made anew, with an event', async () => {
      const namespace = await world.namespace();
      await create(namespace, 'Mirror');
      const before = await world.when('ConnectionType', namespace, 'mirror', 'Ready', 'Ready');
      expect(before.metadata.finalizers).toBeUndefined();
      await world.settled();
      await world.delete('ConnectionType', namespace, 'mirror');
      await until(async () => { const now = await world.get('ConnectionType', namespace, 'mirror'); return now !== null && now.metadata.uid !== before.metadata.uid; });
      await until(async () => (await world.events(namespace)).some(({ reason, note }) => reason === 'DriftCorrected' && note.includes('made anew')));
    });

    it('of what a manifest owns, check, enroll, confirm, accept and pin stay allowed', async () => {
      const namespace = await world.namespace();
      const declared = (spec: object = {}) => world.apply(world.type(namespace, 'declared', { toolPolicy: { onChange: 'BLOCK' }, ...spec }));
      await declared();
      const { status } = await world.when('ConnectionType', namespace, 'declared', 'Ready', 'Ready');
      await world.api.must('CheckConnectionType', { input: { id: status.id } });
      const { enrollment } = await world.api.must('Enroll', { input: { connectionTypeId: status.id } });

      const { assignment } = await world.api.must('CreateAssignment', { input: { team: namespace, name: 'Automation', slots: [{ connectionTypeId: status.id }] } });
      await world.api.must('PinEnrollment', { input: { assignmentId: assignment.id, enrollmentId: enrollment.id } });

      world.server.tools = [{ name: 'echo', description: 'Does something else now.', inputSchema: { type: 'object' } }];
      await world.api.must('CheckConnectionType', { input: { id: status.id } });
      const { data } = await world.api.gql('query Q($team: String!) { team(slug: $team) { connectionTypes(first: 9) { nodes { tools(first: 9) { nodes { id state definitionHash } } } } } }', { team: namespace });
      const [tool] = data.team.connectionTypes.nodes[0].tools.nodes;
      expect(tool.state).toBe('BLOCKED_BY_CHANGE');
      await world.api.must('AcceptToolChange', { input: { toolId: tool.id, definitionHash: tool.definitionHash } });

      await declared({ serverUrl: `${world.server.url}/moved` });
      await world.when('ConnectionType', namespace, 'declared', 'Ready', 'Ready');
      const confirmed = await world.api.must('ConfirmEnrollment', { input: { id: enrollment.id, serverUrl: `${world.server.url}/moved` } });
      expect(confirmed.enrollment.state).toBe('READY');
    });
  });

  describe('status', () => {
    it('is written when its meaning changes, and not when the server was only looked at again', async () => {
      const namespace = await world.namespace();
      await world.apply(world.type(namespace, 'watched', { health: { interval: '24h' } }));
      await world.when('ConnectionType', namespace, 'watched', 'Ready', 'Ready');
      await world.settled();
      const before = await world.get('ConnectionType', namespace, 'watched');
      for (let times = 0; times < 5; times += 1) await world.api.must('CheckConnectionType', { input: { id: before.status.id } });
      await world.settled();
      expect((await world.get('ConnectionType', namespace, 'watched')).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
      world.server.tools = [...world.server.tools, { name: 'another', inputSchema: { type: 'object' } }];
      await world.api.must('CheckConnectionType', { input: { id: before.status.id } });
      await until(async () => (await world.get('ConnectionType', namespace, 'watched')).status.tools.count === 2);
      expect((await world.get('ConnectionType', namespace, 'watched')).metadata.generation).toBe(1);
    });
  });
});
