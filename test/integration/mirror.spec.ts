import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { until } from '#test/support/mcp-servers/until.js';
import { conditionOf, MirrorWorld } from '#test/support/mirror/world.js';
import { describeNeeding } from '#test/support/control-plane/needs.js';
import { PLANE_TIMEOUT_MS } from '#test/support/control-plane/plane.js';

describeNeeding('plane', 'the mirror of manifests and of what was made through GraphQL', () => {
  let world: MirrorWorld;
  beforeAll(async () => {
    world = await MirrorWorld.create();
    await world.startOperator();
  }, PLANE_TIMEOUT_MS);
  afterAll(() => world?.close());

  const read = async (team: string, name: string) => {
    const { data } = await world.api.gql('query Q($team: String!) { team(slug: $team) { connectionTypes(first: 50) { nodes { id name displayName origin state version manifest { namespace name } conditions { type status reason message } viewerCan { update delete } } } } }', { team });
    return data.team?.connectionTypes.nodes.find((one: { name: string }) => one.name === name) ?? null;
  };

  describe('a manifest', () => {
    it('is Ready in the cluster and in GraphQL, marked as owned by it', async () => {
      const namespace = await world.namespace();
      await world.apply(world.type(namespace, 'warehouse', { displayName: 'Warehouse API' }));
      const object = await world.when('ConnectionType', namespace, 'warehouse', 'Ready', 'Ready');
      expect(conditionOf(object, 'Synced')).toMatchObject({ status: 'True', reason: 'Synced' });
      expect(object.status).toMatchObject({ state: 'READY', tools: { count: 1 }, server: { name: 'changeable' } });
      const type = await read(namespace, 'warehouse');
      expect(type).toMatchObject({ displayName: 'Warehouse API', origin: 'MANIFEST', state: 'READY' });
      expect(object.status.id).toBe(type.id);
    });

    it('that is changed changes the type, and the status follows', async () => {
      const namespace = await world.namespace();
      await world.apply(world.type(namespace, 'warehouse'));
      await world.when('ConnectionType', namespace, 'warehouse', 'Ready', 'Ready');
      await world.apply(world.type(namespace, 'warehouse', { displayName: 'Another name' }));
      const object = await world.when('ConnectionType', namespace, 'warehouse', 'Ready', 'Ready');
      expect(object.metadata.generation).toBe(2);
      expect(await read(namespace, 'warehouse')).toMatchObject({ displayName: 'Another name', version: 2 });
    });

    it('that is deleted hides the type at once, and brings all of it back when it is applied within its grace', async () => {
      const namespace = await world.namespace();
      await world.apply(world.type(namespace, 'warehouse'));
      const { status } = await world.when('ConnectionType', namespace, 'warehouse', 'Ready', 'Ready');
      await world.delete('ConnectionType', namespace, 'warehouse');
      await world.gone('ConnectionType', namespace, 'warehouse');
      expect(await read(namespace, 'warehouse')).toBeNull();
      await world.apply(world.type(namespace, 'warehouse'));
      const again = await world.when('ConnectionType', namespace, 'warehouse', 'Ready', 'Ready');
      expect(again.status.id).toBe(status.id);
    });
  });

  describe('what was made through GraphQL', () => {
    it('shows up in the cluster, follows each change, and goes when it is deleted', async () => {
      const namespace = await world.namespace();
      const { connectionType } = await world.api.must('CreateConnectionType', { input: { team: namespace, displayName: 'Made here', serverUrl: world.server.url, authMethod: 'NONE' } });
      const object = await world.when('ConnectionType', namespace, 'made-here', 'Ready', 'Ready');
      expect(object.spec).toMatchObject({ origin: 'API', displayName: 'Made here' });
      await world.api.must('UpdateConnectionType', { input: { id: connectionType.id, expectedVersion: 1, displayName: 'Changed' } });
      await until(async () => (await world.get('ConnectionType', namespace, 'made-here')).spec.displayName === 'Changed');
      await world.api.must('DeleteConnectionType', { input: { id: connectionType.id } });
      await world.gone('ConnectionType', namespace, 'made-here');
    });

    it('is put back, with an event, when somebody changes its mirror', async () => {
      const namespace = await world.namespace();
      await world.api.must('CreateConnectionType', { input: { team: namespace, displayName: 'Mirror', serverUrl: world.server.url, authMethod: 'NONE' } });
      await world.when('ConnectionType', namespace, 'mirror', 'Ready', 'Ready');
      await world.settled();
      await world.apply({ ...world.type(namespace, 'mirror', { origin: 'API', displayName: 'Somebody else\'s', description: 'added' }) });
      await until(async () => (await world.get('ConnectionType', namespace, 'mirror')).spec.displayName === 'Mirror');
      await until(async () => (await world.get('ConnectionType', namespace, 'mirror')).spec.description === undefined);
      await until(async () => (await world.events(namespace)).some((event) => event.reason === 'DriftCorrected' && event.regarding.name === 'mirror'));
    });
  });

  describe('the contract\'s manifests', () => {
    it('are accepted as they stand', async () => {
      for (const document of parseAllDocuments(readFileSync('test/contract/manifests.yaml', 'utf8'))) {
        const object = document.toJS();
        if (object !== null) await world.apply(object.stringData === undefined ? object : { ...object, stringData: undefined, data: Object.fromEntries(Object.entries(object.stringData as Record<string, string>).map(([key, value]) => [key, Buffer.from(value).toString('base64')])) });
      }
      const object = await world.when('ConnectionType', 'logistics', 'warehouse', 'Ready', 'Unreachable');
      expect(conditionOf(object, 'Synced')).toMatchObject({ status: 'True' });
    });
  });

  describe('nonsense is refused by the API server, in words', () => {
    it.each([
      ['a name that is no DNS label', { name: 'a.b' }, {}, /A name is a DNS label/],
      ['an address that is none', {}, { serverUrl: 'not a url' }, /Enter an absolute https:\/\/ URL/],
      ['credentials in the address', {}, { serverUrl: 'https://me:pass@example.com/mcp' }, /Leave credentials out of the URL/],
      ['an unknown method', {}, { authMethod: 'MAGIC' }, /Unsupported value: "MAGIC"/],
      ['settings of another method', {}, { authMethod: 'NONE', oauth: { scopes: ['a'] } }, /Only the auth method OAUTH has oauth/],
      ['a header that belongs to HTTP', {}, { authMethod: 'ACCESS_TOKEN', accessToken: { header: 'Host' } }, /belongs to HTTP/],
      ['a header twice', {}, { authMethod: 'CUSTOM_HEADERS', headers: [{ name: 'X-Key' }, { name: 'x-key' }] }, /declared twice/],
      ['a span that is none', {}, { health: { interval: 'soon' } }, /One number with its unit/],
      ['a span out of bounds', {}, { health: { interval: '1s' } }, /from 5s to 24h/],
      ['a client secret without its client', {}, { authMethod: 'OAUTH', oauth: { clientSecretRef: { name: 'a', key: 'b' } } }, /needs its clientId/],
      ['a name of two lines', {}, { displayName: 'a\nb' }, /on one line/],
    ])('%s', async (_what, metadata, spec, words) => {
      const namespace = 'default';
      const manifest = world.type(namespace, 'nonsense', spec);
      await expect(world.apply({ ...manifest, metadata: { ...manifest.metadata, ...metadata } })).rejects.toThrow(words);
    });

    it.each([
      ['two kinds of credential', { serverUrl: 'https://example.com/', accessTokenRef: { name: 'a', key: 'b' }, headers: [] }, /either accessTokenRef or headers/],
      ['a credential that may go anywhere', { accessTokenRef: { name: 'a', key: 'b' } }, /Name the server's address/],
      ['a header with value and valueRef', { serverUrl: 'https://example.com/', headers: [{ name: 'X-Key', value: 'a', valueRef: { name: 'a', key: 'b' } }] }, /either a value or a valueRef/],
    ])('%s', async (_what, spec, words) => {
      await expect(world.apply(world.enrollment('default', 'nonsense', 'none', spec))).rejects.toThrow(words);
    });

    it('and so is a change of what can\'t be changed', async () => {
      const namespace = await world.namespace();
      await world.apply(world.type(namespace, 'fixed'));
      await expect(world.apply(world.type(namespace, 'fixed', { origin: 'API' }))).rejects.toThrow(/spec.origin can't be changed/);
      await world.apply(world.enrollment(namespace, 'fixed', 'fixed'));
      await expect(world.apply(world.enrollment(namespace, 'fixed', 'fixed', { owner: 'another' }))).rejects.toThrow(/spec.owner can't be changed/);
      await expect(world.apply(world.enrollment(namespace, 'fixed', 'another'))).rejects.toThrow(/spec.connectionTypeRef can't be changed/);
    });
  });

  describe('teams and namespaces', () => {
    it('a team that was made through the API has its namespace only after bindNamespace, and manifests say what is missing', async () => {
      const namespace = await world.namespace('PLAIN');
      await world.api.team(namespace);
      await world.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: { 'fairlead.dev/team': namespace } } });
      await world.apply(world.type(namespace, 'early'));
      const object = await world.when('ConnectionType', namespace, 'early', 'Synced', 'NamespaceNotBound');
      expect(conditionOf(object, 'Synced')!.message).toContain('bindNamespace');
      expect(conditionOf(object, 'Stalled')).toMatchObject({ status: 'True' });
      await world.api.must('mutation B($input: BindNamespaceInput!) { bindNamespace(input: $input) { team { namespace { state } } userErrors { code message } } }', { input: { team: namespace, namespace } });
      await world.when('ConnectionType', namespace, 'early', 'Ready', 'Ready');
      const { team } = (await world.api.gql('query T($slug: String!) { team(slug: $slug) { namespace { name state heldDeletions } } }', { slug: namespace })).data;
      expect(team.namespace).toEqual({ name: namespace, state: 'BOUND', heldDeletions: 0 });
    });

    it('a label that is taken away freezes the namespace and deletes nothing', async () => {
      const namespace = await world.namespace();
      await world.apply(world.type(namespace, 'kept'));
      await world.when('ConnectionType', namespace, 'kept', 'Ready', 'Ready');
      await world.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
      await world.when('ConnectionType', namespace, 'kept', 'Synced', 'NamespaceFrozen');
      await world.delete('ConnectionType', namespace, 'kept');
      await world.gone('ConnectionType', namespace, 'kept');
      await world.settled();
      expect(await read(namespace, 'kept')).toMatchObject({ origin: 'MANIFEST' });
      await world.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: { 'fairlead.dev/team': namespace } } });
      await world.apply(world.type(namespace, 'kept'));
      await world.when('ConnectionType', namespace, 'kept', 'Synced', 'Synced');
    });
  });

  describe('one owner', () => {
    it('edits and deletion through GraphQL are refused with the manifest\'s place; a check is not', async () => {
      const namespace = await world.namespace();
      await world.apply(world.type(namespace, 'declared'));
      const { status } = await world.when('ConnectionType', namespace, 'declared', 'Ready', 'Ready');
      const type = await read(namespace, 'declared');
      expect(type).toMatchObject({ manifest: { namespace, name: 'declared' }, viewerCan: { update: false, delete: false } });
      for (const [operation, input] of [['UpdateConnectionType', { id: status.id, expectedVersion: 1, displayName: 'Mine' }], ['DeleteConnectionType', { id: status.id }]] as const) {
        const [payload] = Object.values((await world.api.gql(operation, { input })).data) as { userErrors: { code: string; message: string }[] }[];
        expect(payload!.userErrors).toEqual([expect.objectContaining({ code: 'MANAGED_BY_MANIFEST', message: expect.stringContaining(`${namespace}/declared`) })]);
      }
      await world.api.must('CheckConnectionType', { input: { id: status.id } });
    });

    it('a name that is taken is NameConflict on the manifest, and the row stays as it was', async () => {
      const namespace = await world.namespace();
      const { connectionType } = await world.api.must('CreateConnectionType', { input: { team: namespace, displayName: 'Taken', serverUrl: world.server.url, authMethod: 'NONE' } });
      await world.when('ConnectionType', namespace, 'taken', 'Ready', 'Ready');
      // The mirror's place is free for a moment, and a manifest is quicker.
      await world.stopOperator();
      await world.delete('ConnectionType', namespace, 'taken');
      await world.apply(world.type(namespace, 'taken', { displayName: 'Mine' }));
      await world.startOperator();
      const object = await world.when('ConnectionType', namespace, 'taken', 'Synced', 'NameConflict');
      expect(conditionOf(object, 'Stalled')).toMatchObject({ status: 'True' });
      await until(async () => (await read(namespace, 'taken')).conditions.some((one: { type: string; reason: string }) => one.type === 'Synced' && one.reason === 'NameConflict'));
      expect(await read(namespace, 'taken')).toMatchObject({ id: connectionType.id, displayName: 'Taken', origin: 'API' });
    });

    it('an object that says it mirrors something, and of which nothing is known, is left alone', async () => {
      const namespace = await world.namespace();
      await world.apply(world.type(namespace, 'stray', { origin: 'API' }));
      await world.when('ConnectionType', namespace, 'stray', 'Synced', 'UnknownMirror');
      expect(await read(namespace, 'stray')).toBeNull();
    });

    it('offerOwnership and the annotation hand a type over to a manifest, with its id and its enrollments', async () => {
      const namespace = await world.namespace();
      const { connectionType } = await world.api.must('CreateConnectionType', { input: { team: namespace, displayName: 'Handed', serverUrl: world.server.url, authMethod: 'NONE' } });
      const { enrollment } = await world.api.must('Enroll', { input: { connectionTypeId: connectionType.id } });
      await world.when('ConnectionType', namespace, 'handed', 'Ready', 'Ready');
      const { annotation } = await world.api.must('mutation O($input: OfferOwnershipInput!) { offerOwnership(input: $input) { annotation userErrors { code message } } }', { input: { id: connectionType.id } });
      await world.gone('ConnectionType', namespace, 'handed');
      await world.apply(world.type(namespace, 'handed', { displayName: 'Now a manifest' }));
      await world.when('ConnectionType', namespace, 'handed', 'Synced', 'NameConflict');
      const [name, value] = (annotation as string).split(': ') as [string, string];
      await world.apply(world.type(namespace, 'handed', { displayName: 'Now a manifest' }, { annotations: { [name]: value } }));
      await world.when('ConnectionType', namespace, 'handed', 'Ready', 'Ready');
      expect(await read(namespace, 'handed')).toMatchObject({ id: connectionType.id, origin: 'MANIFEST', displayName: 'Now a manifest' });
      expect((await world.api.gql('query N($id: ID!) { node(id: $id) { id } }', { id: enrollment.id })).data.node).toEqual({ id: enrollment.id });
    });

    it('takeOwnership takes what its manifest left behind (deletionPolicy Retain), and mirrors it', async () => {
      const namespace = await world.namespace();
      await world.apply(world.type(namespace, 'left', { deletionPolicy: 'Retain' }));
      const { status } = await world.when('ConnectionType', namespace, 'left', 'Ready', 'Ready');
      await world.delete('ConnectionType', namespace, 'left');
      await world.gone('ConnectionType', namespace, 'left');
      await world.settled();
      expect(await read(namespace, 'left')).toMatchObject({ id: status.id, origin: 'MANIFEST', manifest: null });
      await world.api.must('mutation T($input: TakeOwnershipInput!) { takeOwnership(input: $input) { takenId userErrors { code message } } }', { input: { id: status.id } });
      const object = await world.when('ConnectionType', namespace, 'left', 'Ready', 'Ready');
      expect(object.spec.origin).toBe('API');
      expect(await read(namespace, 'left')).toMatchObject({ id: status.id, origin: 'API' });
    });

    it('an annotation stops the mirror for one object', async () => {
      const namespace = await world.namespace();
      await world.apply(world.type(namespace, 'paused'));
      await world.when('ConnectionType', namespace, 'paused', 'Ready', 'Ready');
      await world.apply(world.type(namespace, 'paused', { displayName: 'Not yet' }, { annotations: { 'fairlead.dev/paused': 'true' } }));
      await world.apply(world.type(namespace, 'other'));
      await world.when('ConnectionType', namespace, 'other', 'Ready', 'Ready');
      await world.settled();
      expect(await read(namespace, 'paused')).toMatchObject({ displayName: 'paused' });
      await world.apply(world.type(namespace, 'paused', { displayName: 'Not yet' }));
      await until(async () => (await read(namespace, 'paused')).displayName === 'Not yet');
    });
  });

  it('what only observes says what it would do, and does nothing', async () => {
    const namespace = await world.namespace();
    await world.stopOperator();
    await world.apply(world.type(namespace, 'planned'));
    const lines: string[] = [];
    const observer = await world.anotherOperator({ FAIRLEAD_MIRROR: 'observe' }, (line) => lines.push(line));
    await until(() => lines.some((line) => line.includes(`ConnectionType ${namespace}/planned would be imported.`)));
    await observer.stop();
    expect((await world.get('ConnectionType', namespace, 'planned')).metadata.finalizers).toBeUndefined();
    expect(await world.rows('select 1 from mirror_objects where namespace = $1', [namespace])).toEqual([]);
    await world.startOperator();
    await world.when('ConnectionType', namespace, 'planned', 'Ready', 'Ready');
  });
});
