import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '#test/support/mcp-servers/until.js';
import { MirrorWorld } from '#test/support/mirror/world.js';
import { describeNeeding } from '#test/support/control-plane/needs.js';
import { PLANE_TIMEOUT_MS } from '#test/support/control-plane/plane.js';

describeNeeding('plane', 'deletions of manifests', () => {
  let world: MirrorWorld;
  beforeAll(async () => {
    world = await MirrorWorld.create();
    await world.startOperator();
  }, PLANE_TIMEOUT_MS);
  afterAll(() => world?.close());

  const names = async (team: string): Promise<string[]> => {
    const { data } = await world.api.gql('query Q($team: String!) { team(slug: $team) { connectionTypes(first: 50) { nodes { name } } } }', { team });
    return data.team.connectionTypes.nodes.map((one: { name: string }) => one.name);
  };
  const namespaceOf = async (team: string) => (await world.api.gql('query T($team: String!) { team(slug: $team) { namespace { heldSince heldDeletions } } }', { team })).data.team.namespace;
  const graceOver = (namespace: string) => world.rows(
    `with over as (update mirror_objects set grace_until = now() where namespace = $1 and state = 'TOMBSTONE' and grace_until is not null returning id)
     update reconcile_schedule set due = now() where kind = 'Tombstone' and id in (select id from over)`, [namespace]);

  /** A namespace with so many types that are Ready. */
  async function withTypes(count: number): Promise<string> {
    const namespace = await world.namespace();
    const all = Array.from({ length: count }, (_one, index) => `type-${index}`);
    await Promise.all(all.map((name) => world.apply(world.type(namespace, name))));
    for (const name of all) await world.when('ConnectionType', namespace, name, 'Ready', 'Ready');
    await world.settled();
    return namespace;
  }

  describe('a deleted manifest', () => {
    it('ends what it declared when its grace is over, and not before', async () => {
      const namespace = await withTypes(1);
      await world.delete('ConnectionType', namespace, 'type-0');
      await world.gone('ConnectionType', namespace, 'type-0');
      expect(await names(namespace)).toEqual([]);
      expect(await world.rows('select 1 from connection_types t join teams on teams.id = t.team_id where slug = $1', [namespace])).toHaveLength(1);
      await graceOver(namespace);
      await until(async () => (await world.rows('select 1 from connection_types t join teams on teams.id = t.team_id where slug = $1', [namespace])).length === 0);
      expect(await world.rows('select 1 from mirror_objects where namespace = $1', [namespace])).toEqual([]);
    });

    it('that is applied again within its grace brings back the type, its enrollments and their credentials', async () => {
      world.server.credential = { header: 'Authorization', values: ['Bearer key-1'] };
      const namespace = await world.namespace();
      const manifests = [
        world.type(namespace, 'guarded', { authMethod: 'ACCESS_TOKEN' }),
        world.enrollment(namespace, 'robot', 'guarded', { serverUrl: world.server.url, accessTokenRef: { name: 'robot', key: 'token' }, shared: true }),
      ];
      await world.apply(world.secret(namespace, 'robot', { token: 'key-1' }));
      for (const manifest of manifests) await world.apply(manifest);
      const before = await world.when('Enrollment', namespace, 'robot', 'Ready', 'Ready');
      const { enrollment } = await world.api.must('Enroll', { input: { connectionTypeId: (await world.get('ConnectionType', namespace, 'guarded')).status.id, accessToken: 'key-1', label: 'a person\'s' } });
      const sealed = await world.rows('select enrollment_id, sealed from credentials order by 1');

      for (const kind of ['Enrollment', 'ConnectionType'] as const) await world.deleteAll(kind, namespace);
      await until(async () => (await world.list('Enrollment', namespace)).length + (await world.list('ConnectionType', namespace)).length === 0);
      const call = async () => (await world.api.gql('mutation C($input: CallToolInput!) { callTool(input: $input) { toolCall { status } userErrors { code } } }', { input: { team: namespace, connectionType: 'guarded', tool: 'echo', arguments: {} } })).data.callTool;
      expect((await call()).toolCall).toBeNull();

      for (const manifest of manifests) await world.apply(manifest);
      const after = await world.when('Enrollment', namespace, 'robot', 'Ready', 'Ready');
      expect(after.status.id).toBe(before.status.id);
      expect((await world.api.gql('query N($id: ID!) { node(id: $id) { id } }', { id: enrollment.id })).data.node).toEqual({ id: enrollment.id });
      expect(await world.rows('select enrollment_id, sealed from credentials order by 1')).toEqual(sealed);
      world.server.credential = null;
    });

    it('that was deleted and made again while nobody watched is the same type', async () => {
      const namespace = await withTypes(1);
      const { metadata, status } = await world.get('ConnectionType', namespace, 'type-0');
      await world.stopOperator();
      const deletion = world.delete('ConnectionType', namespace, 'type-0');
      // Its finalizer holds it; a person who is in a hurry takes that off by hand.
      await world.raw('PATCH', `/apis/fairlead.dev/v1alpha1/namespaces/${namespace}/connectiontypes/type-0`, { metadata: { finalizers: null } }, {}, 'application/merge-patch+json');
      await deletion;
      await world.gone('ConnectionType', namespace, 'type-0');
      await world.apply(world.type(namespace, 'type-0', { displayName: 'Made again' }));
      await world.startOperator();
      const again = await world.when('ConnectionType', namespace, 'type-0', 'Ready', 'Ready');
      expect(again.metadata.uid).not.toBe(metadata.uid);
      expect(again.status.id).toBe(status.id);
    });

    it('that vanished while nobody watched is found by the complete list', async () => {
      const namespace = await withTypes(1);
      await world.stopOperator();
      await world.delete('ConnectionType', namespace, 'type-0');
      await world.raw('PATCH', `/apis/fairlead.dev/v1alpha1/namespaces/${namespace}/connectiontypes/type-0`, { metadata: { finalizers: null } }, {}, 'application/merge-patch+json');
      await world.gone('ConnectionType', namespace, 'type-0');
      await world.startOperator();
      await until(async () => (await names(namespace)).length === 0);
    });
  });

  describe('the breaker', () => {
    it('holds back everything when more is deleted at once than anybody means, until an administrator confirms', async () => {
      const namespace = await withTypes(7);
      await world.deleteAll('ConnectionType', namespace);
      await until(async () => (await world.list('ConnectionType', namespace)).length === 0);
      await world.settled();
      expect(await names(namespace)).toEqual([]);
      expect(await namespaceOf(namespace)).toEqual({ heldSince: expect.any(String), heldDeletions: 7 });
      await graceOver(namespace);
      await world.settled();
      expect(await world.rows('select 1 from connection_types t join teams on teams.id = t.team_id where slug = $1', [namespace])).toHaveLength(7);

      // One comes back, the others are confirmed.
      await world.apply(world.type(namespace, 'type-3'));
      await world.when('ConnectionType', namespace, 'type-3', 'Ready', 'Ready');
      const { confirmed } = await world.api.must('mutation C($input: ConfirmDeletionsInput!) { confirmDeletions(input: $input) { confirmed userErrors { code } } }', { input: { team: namespace } });
      expect(confirmed).toBe(6);
      await graceOver(namespace);
      await until(async () => (await world.rows('select 1 from connection_types t join teams on teams.id = t.team_id where slug = $1', [namespace])).length === 1);
      expect(await names(namespace)).toEqual(['type-3']);
      expect(await namespaceOf(namespace)).toEqual({ heldSince: null, heldDeletions: 0 });
    });
  });

  describe('a namespace that is deleted with all that is in it', () => {
    it('deletes nothing that an administrator doesn\'t confirm, and comes back whole when it is bound again within the grace', async () => {
      const namespace = await withTypes(7);
      const ids = await Promise.all(Array.from({ length: 7 }, async (_one, index) => (await world.get('ConnectionType', namespace, `type-${index}`)).status.id));
      await world.admin.send({ method: 'DELETE', path: `/api/v1/namespaces/${namespace}` });
      await until(async () => (await world.admin.send({ method: 'GET', path: `/api/v1/namespaces/${namespace}` }).catch(() => null)) === null);
      await world.settled();
      await graceOver(namespace);
      await world.settled();
      expect(await world.rows('select 1 from connection_types t join teams on teams.id = t.team_id where slug = $1', [namespace])).toHaveLength(7);

      await world.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: { 'fairlead.dev/team': namespace } } });
      await world.api.must('mutation U($input: UnbindNamespaceInput!) { unbindNamespace(input: $input) { userErrors { code } } }', { input: { team: namespace } });
      await world.api.must('mutation B($input: BindNamespaceInput!) { bindNamespace(input: $input) { userErrors { code } } }', { input: { team: namespace, namespace } });
      for (let index = 0; index < 7; index += 1) await world.apply(world.type(namespace, `type-${index}`));
      const after = await Promise.all(Array.from({ length: 7 }, async (_one, index) => (await world.when('ConnectionType', namespace, `type-${index}`, 'Ready', 'Ready')).status.id));
      expect(after).toEqual(ids);
    });
  });

  describe('a CRD that is removed', () => {
    it('leaves everything as it was, without owners; brought back, the same manifests own it again', async () => {
      const namespace = await withTypes(2);
      const ids = await Promise.all(['type-0', 'type-1'].map(async (name) => (await world.get('ConnectionType', namespace, name)).status.id));
      await world.admin.send({ method: 'DELETE', path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/connectiontypes.fairlead.dev' });
      await until(async () => (await world.admin.send({ method: 'GET', path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/connectiontypes.fairlead.dev' }).catch(() => null)) === null);
      await until(async () => (await world.rows(`select 1 from mirror_objects where namespace = $1 and state = 'ORPHANED'`, [namespace])).length === 2);
      expect(await names(namespace)).toEqual(['type-0', 'type-1']);

      await world.applyCrds();
      for (const name of ['type-0', 'type-1']) await world.apply(world.type(namespace, name));
      const after = await Promise.all(['type-0', 'type-1'].map(async (name) => (await world.when('ConnectionType', namespace, name, 'Ready', 'Ready')).status.id));
      expect(after).toEqual(ids);
    });
  });
});
