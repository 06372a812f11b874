import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FINALIZER } from '#operator/manifest/resources.js';
import { collectionOf } from '#operator/mirror/cluster.js';
import type { MirroredKind } from '#operator/manifest/resources.js';
import { describeNeeding } from '#test/support/control-plane/needs.js';
import { PLANE_TIMEOUT_MS } from '#test/support/control-plane/plane.js';
import { until } from '#test/support/mcp-servers/until.js';
import { conditionOf, MirrorWorld } from '#test/support/mirror/world.js';

const OFFER = 'mutation O($input: OfferOwnershipInput!) { offerOwnership(input: $input) { annotation userErrors { code message } } }';

/** Somebody who may write manifests, or who is a manager in GraphQL, and wants what isn't theirs, or that nothing can be deleted any more. */
describeNeeding('plane', 'against somebody who', () => {
  let world: MirrorWorld;
  beforeAll(async () => {
    world = await MirrorWorld.create();
    await world.startOperator();
  }, PLANE_TIMEOUT_MS);
  afterAll(() => world?.close());

  const patch = (kind: MirroredKind, namespace: string, name: string, body: object, subresource = '') =>
    world.raw('PATCH', `${collectionOf(kind, namespace)}/${name}${subresource}`, body, {}, 'application/merge-patch+json');
  const types = async (team: string) => (await world.api.gql('{ team(slug: "' + team + '") { connectionTypes { nodes { id name } } } }')).data.team.connectionTypes.nodes as { id: string; name: string }[];
  const removed = (namespace: string, name: string) => until(async () => (await types(namespace)).every((type) => type.name !== name));

  describe('forges and keeps objects', () => {
    it('an object that claims to be a mirror and carries our finalizer can be deleted', async () => {
      const namespace = await world.namespace();
      await world.apply(world.type(namespace, 'forged', { origin: 'API' }, { finalizers: [FINALIZER], annotations: { 'fairlead.dev/id': 'Q29ubmVjdGlvblR5cGU6MQ' } }));
      await world.when('ConnectionType', namespace, 'forged', 'Synced', 'UnknownMirror');
      await world.delete('ConnectionType', namespace, 'forged');
      await world.gone('ConnectionType', namespace, 'forged');
      expect(await types(namespace)).toEqual([]);
    });

    it('a mirror that was given our finalizer can be deleted, and is made anew', async () => {
      const namespace = await world.namespace();
      await world.api.must('CreateConnectionType', { input: { team: namespace, displayName: 'Mine', serverUrl: world.server.url, authMethod: 'NONE' } });
      const { metadata } = await world.when('ConnectionType', namespace, 'mine', 'Ready', 'Ready');
      await patch('ConnectionType', namespace, 'mine', { metadata: { finalizers: [FINALIZER] } });
      await world.delete('ConnectionType', namespace, 'mine');
      await until(async () => ![undefined, metadata.uid].includes((await world.get('ConnectionType', namespace, 'mine'))?.metadata.uid));
      const [type] = await types(namespace);
      await patch('ConnectionType', namespace, 'mine', { metadata: { finalizers: [FINALIZER] } });
      await world.api.must('DeleteConnectionType', { input: { id: type!.id } });
      await world.gone('ConnectionType', namespace, 'mine');
    });

    it('pausing an object keeps neither it nor its login alive', async () => {
      const namespace = await world.namespace();
      await world.apply(world.type(namespace, 'kept'));
      await world.apply(world.enrollment(namespace, 'robot', 'kept'));
      await world.when('Enrollment', namespace, 'robot', 'Ready', 'Ready');
      for (const [kind, name] of [['ConnectionType', 'kept'], ['Enrollment', 'robot']] as const) await patch(kind, namespace, name, { metadata: { annotations: { 'fairlead.dev/paused': 'true' } } });
      for (const [kind, name] of [['ConnectionType', 'kept'], ['Enrollment', 'robot']] as const) {
        await world.delete(kind, namespace, name);
        await world.gone(kind, namespace, name);
      }
      await removed(namespace, 'kept');
    });

    it('a finalizer of somebody else\'s keeps the object, and not what it declared', async () => {
      const namespace = await world.namespace();
      await world.apply(world.type(namespace, 'held', {}, { finalizers: ['example.com/mine'] }));
      await world.when('ConnectionType', namespace, 'held', 'Ready', 'Ready');
      await world.delete('ConnectionType', namespace, 'held');
      await removed(namespace, 'held');
      await until(async () => (await world.get('ConnectionType', namespace, 'held'))?.metadata.finalizers.join() === 'example.com/mine');
      // Nothing that is changed on it now brings it back.
      await patch('ConnectionType', namespace, 'held', { spec: { displayName: 'Back again' } });
      await world.settled();
      expect(await types(namespace)).toEqual([]);
      await patch('ConnectionType', namespace, 'held', { metadata: { finalizers: [] } });
      await world.gone('ConnectionType', namespace, 'held');
    });

    it('a status that somebody else writes is put right', async () => {
      const namespace = await world.namespace();
      await world.apply(world.type(namespace, 'true', { serverUrl: 'http://127.0.0.1:9/mcp' }));
      const { status } = await world.when('ConnectionType', namespace, 'true', 'Ready', 'Unreachable');
      await patch('ConnectionType', namespace, 'true', { status: { observedGeneration: 99, id: 'forged', conditions: [{ type: 'Ready', status: 'True', reason: 'Ready', message: 'forged', lastTransitionTime: '2020-01-01T00:00:00Z' }], action: { label: 'Sign in', url: 'https://evil.example.com' } } }, '/status');
      await until(async () => JSON.stringify((await world.get('ConnectionType', namespace, 'true')).status) === JSON.stringify(status));
    });
  });

  describe('changes their mind in one breath', () => {
    it('what was set to Retain and deleted at once is retained', async () => {
      const namespace = await world.namespace();
      await world.apply(world.type(namespace, 'retained'));
      await world.when('ConnectionType', namespace, 'retained', 'Ready', 'Ready');
      await world.settled();
      // Nobody looks between the two.
      await world.stopOperator();
      await world.apply(world.type(namespace, 'retained', { deletionPolicy: 'Retain' }));
      await world.delete('ConnectionType', namespace, 'retained');
      await world.startOperator();
      await world.gone('ConnectionType', namespace, 'retained');
      await world.settled();
      expect((await types(namespace)).map((type) => type.name)).toEqual(['retained']);
    });
  });

  describe('takes what is somebody else\'s', () => {
    /** A member with an access token of their own in a type of origin API. */
    async function person(namespace: string, shared = false) {
      world.server.credential = { header: 'Authorization', values: ['Bearer of-the-person-1'] };
      const { connectionType } = await world.api.must('CreateConnectionType', { input: { team: namespace, displayName: 'Guarded', serverUrl: world.server.url, authMethod: 'ACCESS_TOKEN' } });
      const member = await world.api.member('MANAGER', { team: namespace });
      const { enrollment } = await member.must('Enroll', { input: { connectionTypeId: connectionType.id, accessToken: 'of-the-person-1' } });
      if (shared) await member.must('ShareEnrollment', { input: { id: enrollment.id, shared: true } });
      await until(async () => (await world.list('Enrollment', namespace)).length === 1);
      return { member, id: enrollment.id as string };
    }
    const adopt = (namespace: string, owner: string, id: string, spec: object = {}) => world.apply(world.enrollment(namespace, 'taken', 'guarded', {
      owner, serverUrl: world.server.url, shared: true, accessTokenRef: { name: 'none-such', key: 'token' }, ...spec,
    }, { annotations: { 'fairlead.dev/adopt': id } }));
    const origin = async (member: { gql: MirrorWorld['api']['gql'] }, id: string) => (await member.gql('query N($id: ID!) { node(id: $id) { ... on Enrollment { origin shared } } }', { id })).data.node;

    it('a manager offers nobody else\'s enrollment', async () => {
      const namespace = await world.namespace();
      const { member, id } = await person(namespace);
      const { data } = await world.api.gql(OFFER, { input: { id } });
      expect(data.offerOwnership).toMatchObject({ annotation: null, userErrors: [{ code: expect.stringMatching(/NOT_FOUND|FORBIDDEN/) }] });
      await adopt(namespace, member.subject, id);
      await world.when('Enrollment', namespace, 'taken', 'Synced', 'NotOffered');
      expect(await origin(member, id)).toEqual({ origin: 'API', shared: false });
    });

    it('a shared one is no other manager\'s to offer either', async () => {
      const namespace = await world.namespace();
      const { id } = await person(namespace, true);
      const { data } = await world.api.gql(OFFER, { input: { id } });
      expect(data.offerOwnership.userErrors).toMatchObject([{ code: 'FORBIDDEN' }]);
    });

    it('one that its owner offered is shared only when they say so, too', async () => {
      const namespace = await world.namespace();
      const { member, id } = await person(namespace);
      await member.must(OFFER, { input: { id } });
      await adopt(namespace, member.subject, id);
      await until(async () => (await origin(member, id)).origin === 'MANIFEST');
      await world.settled();
      expect(await origin(member, id)).toEqual({ origin: 'MANIFEST', shared: false });
      await adopt(namespace, member.subject, id, { label: 'again' });
      await world.settled();
      expect(await origin(member, id)).toEqual({ origin: 'MANIFEST', shared: false });
      await member.must('ShareEnrollment', { input: { id, shared: true } });
      await world.settled();
      expect(await origin(member, id)).toEqual({ origin: 'MANIFEST', shared: true });
    });

    it('whose machine user an administrator removed doesn\'t get them back by leaving a manifest there', async () => {
      const namespace = await world.namespace();
      world.server.credential = null;
      await world.apply(world.type(namespace, 'open'));
      await world.apply(world.enrollment(namespace, 'robot', 'open'));
      await world.when('Enrollment', namespace, 'robot', 'Ready', 'Ready');
      const members = async () => (await world.api.gql('{ team(slug: "' + namespace + '") { members { nodes { id subject } } } }')).data.team.members.nodes as { id: string; subject: string }[];
      const robot = (await members()).find((member) => member.subject === 'robot')!;
      await world.api.must('mutation R($input: RemoveMemberInput!) { removeMember(input: $input) { removedId userErrors { code message } } }', { input: { team: namespace, memberId: robot.id } });
      const object = await world.when('Enrollment', namespace, 'robot', 'Synced', 'Suspended');
      expect(conditionOf(object, 'Synced')!.message).toContain('removed');
      await world.settled();
      expect((await members()).map((member) => member.subject)).not.toContain('robot');
      // Whoever changes the manifest after that means it.
      await world.apply(world.enrollment(namespace, 'robot', 'open', { label: 'again' }));
      await world.when('Enrollment', namespace, 'robot', 'Ready', 'Ready');
    });
  });

  it('deletes everything, manifests that never meant anything raise no bound of the breaker', async () => {
    const namespace = await world.namespace();
    world.server.credential = null;
    for (let index = 0; index < 120; index += 1) await world.apply(world.enrollment(namespace, `chaff-${index}`, 'none-such'));
    for (let index = 0; index < 8; index += 1) await world.apply(world.type(namespace, `wheat-${index}`));
    for (let index = 0; index < 8; index += 1) await world.when('ConnectionType', namespace, `wheat-${index}`, 'Ready', 'Ready');
    await world.deleteAll('ConnectionType', namespace);
    await until(async () => (await types(namespace)).length === 0);
    await world.settled();
    const { data } = await world.api.gql('{ team(slug: "' + namespace + '") { namespace { heldDeletions } } }');
    expect(data.team.namespace.heldDeletions).toBe(8);
  });

  it('calls their server by odd names: the status is written once, and read as it was written', async () => {
    const namespace = await world.namespace();
    world.server.credential = null;
    world.server.name = `${'n'.repeat(999)}\u{1f4a3}\u001b[31mred\u0007`;
    await world.apply(world.type(namespace, 'odd'));
    await world.when('ConnectionType', namespace, 'odd', 'Ready', 'Ready');
    await world.settled();
    const { metadata, status } = await world.get('ConnectionType', namespace, 'odd');
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    expect(status.server.name).not.toMatch(/[\u0000-\u001f\u007f-\u009f\ufffd]/);
    const writes = () => world.plane.requests().filter((one) => one.subresource === 'status' && one.namespace === namespace).length;
    const before = writes();
    await world.rows(`select mirror_mark(array(select id from mirror_objects where namespace = $1))`, [namespace]);
    await world.settled();
    expect(writes()).toBe(before);
    expect((await world.get('ConnectionType', namespace, 'odd')).metadata.resourceVersion).toBe(metadata.resourceVersion);
    world.server.name = 'changeable';
  });
});
