import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { findCanaries } from '#test/support/canaries.js';
import { until } from '#test/support/mcp-servers/until.js';
import { conditionOf, MirrorWorld } from '#test/support/mirror/world.js';
import { describeNeeding } from '#test/support/control-plane/needs.js';
import { PLANE_TIMEOUT_MS } from '#test/support/control-plane/plane.js';

describeNeeding('plane', 'enrollments from manifests', () => {
  const FIRST = 'canary-token-of-the-robot-1';
  const SECOND = 'canary-token-of-the-robot-2';
  const WRONG = 'canary-token-that-is-wrong';

  let world: MirrorWorld;
  beforeAll(async () => {
    world = await MirrorWorld.create();
    await world.startOperator();
  }, PLANE_TIMEOUT_MS);
  afterAll(() => world?.close());
  beforeEach(() => { world.server.credential = { header: 'Authorization', values: [`Bearer ${FIRST}`, `Bearer ${SECOND}`] }; });

  /** Tokens of which a test counts where they went: those of other tests go there too, when their types are looked at again. */
  const counted: Record<string, string> = {};
  const ownToken = () => {
    const token = counted[`OWN_${Object.keys(counted).length}`] = `canary-token-of-one-test-${Object.keys(counted).length}`;
    return token;
  };
  const sentTimes = (token: string) => world.server.logins.filter((login) => login === `Bearer ${token}`).length;
  const serverTakes = (token: string) => { world.server.credential!.values = [`Bearer ${token}`]; };

  const TOKEN_REF = { accessTokenRef: { name: 'robot', key: 'token' } };

  /** A namespace with the type `guarded`. */
  async function guarded(): Promise<string> {
    const namespace = await world.namespace();
    await world.apply(world.type(namespace, 'guarded', { authMethod: 'ACCESS_TOKEN' }));
    return namespace;
  }

  const enroll = (namespace: string, spec: object = {}, name = 'robot') => world.apply(world.enrollment(namespace, name, 'guarded', { serverUrl: world.server.url, ...TOKEN_REF, ...spec }));
  const secret = (namespace: string, token: string, labels?: Record<string, string>) => world.apply(world.secret(namespace, 'robot', { token }, labels));
  const binding = async (namespace: string, name = 'robot') => (await world.rows(`select * from mirror_objects where namespace = $1 and kind = 'Enrollment' and name = $2`, [namespace, name]))[0]!;
  /** Five minutes have passed. */
  const pollNow = async (namespace: string) => {
    await world.settled();
    await world.rows(`update mirror_objects set secrets_read_at = secrets_read_at - interval '1 hour' where namespace = $1`, [namespace]);
    await world.rows(`select mirror_mark(array(select id from mirror_objects where namespace = $1 and kind = 'Enrollment'))`, [namespace]);
  };
  const call = async (namespace: string) => {
    const { data } = await world.api.gql('mutation C($input: CallToolInput!) { callTool(input: $input) { toolCall { status content { ... on TextContent { text } } } userErrors { code message } } }', { input: { team: namespace, connectionType: 'guarded', tool: 'echo', arguments: {} } });
    return data.callTool;
  };

  describe('a machine user\'s credential from a Secret', () => {
    it('is used for calls, and is nobody\'s to read', async () => {
      const namespace = await guarded();
      await secret(namespace, FIRST);
      await enroll(namespace, { shared: true, label: 'robot' });
      const object = await world.when('Enrollment', namespace, 'robot', 'Ready', 'Ready');
      expect(conditionOf(object, 'Authorized')).toMatchObject({ status: 'True' });
      expect(await call(namespace)).toMatchObject({ toolCall: { status: 'SUCCEEDED' }, userErrors: [] });
      expect(world.server.calls.at(-1)).toBe(`Bearer ${FIRST}`);
      const { node } = (await world.api.gql('query N($id: ID!) { node(id: $id) { ... on Enrollment { origin shared label manifest { namespace name } owner { subject local role } } } }', { id: object.status.id })).data;
      expect(node).toEqual({ origin: 'MANIFEST', shared: true, label: 'robot', manifest: { namespace, name: 'robot' }, owner: { subject: 'robot', local: true, role: 'MEMBER' } });
      for (const [operation, input] of [['ShareEnrollment', { id: object.status.id, shared: false }]] as const) {
        const [payload] = Object.values((await world.api.gql(operation, { input })).data) as { userErrors: { code: string }[] }[];
        expect(payload!.userErrors.map((error) => error.code)).toEqual(['MANAGED_BY_MANIFEST']);
      }
    });

    it('may come before its Secret and before its type', async () => {
      const namespace = await world.namespace();
      await enroll(namespace);
      await world.when('Enrollment', namespace, 'robot', 'Synced', 'ConnectionTypeNotFound');
      await world.apply(world.type(namespace, 'guarded', { authMethod: 'ACCESS_TOKEN' }));
      await world.when('Enrollment', namespace, 'robot', 'Synced', 'SecretNotFound');
      await secret(namespace, FIRST);
      await world.when('Enrollment', namespace, 'robot', 'Ready', 'Ready');
    });

    it('is not taken from a Secret without the label', async () => {
      const namespace = await guarded();
      await secret(namespace, FIRST, {});
      await enroll(namespace);
      const object = await world.when('Enrollment', namespace, 'robot', 'Synced', 'SecretNotAllowed');
      expect(conditionOf(object, 'Synced')!.message).toContain('fairlead.dev/credential');
      expect(world.server.logins).not.toContain('Bearer none');
      await secret(namespace, FIRST);
      await world.when('Enrollment', namespace, 'robot', 'Ready', 'Ready');
    });

    it('that the server refuses is stalled, and says so', async () => {
      const namespace = await guarded();
      await secret(namespace, WRONG);
      await enroll(namespace);
      const object = await world.when('Enrollment', namespace, 'robot', 'Ready', 'CredentialRejected');
      expect(conditionOf(object, 'Stalled')).toMatchObject({ status: 'True' });
    });

    it('is replaced when its Secret is rotated, by the polling; a wrong value never replaces a right one, a missing Secret clears nothing', async () => {
      const namespace = await guarded();
      await secret(namespace, FIRST);
      await enroll(namespace, { shared: true });
      await world.when('Enrollment', namespace, 'robot', 'Ready', 'Ready');
      await secret(namespace, SECOND);
      await pollNow(namespace);
      await until(async () => (await call(namespace)).toolCall?.status === 'SUCCEEDED' && world.server.calls.at(-1) === `Bearer ${SECOND}`);

      const wrong = ownToken();
      await secret(namespace, wrong);
      await pollNow(namespace);
      await world.when('Enrollment', namespace, 'robot', 'Synced', 'SecretRefused');
      expect(conditionOf(await world.get('Enrollment', namespace, 'robot'), 'Ready')).toMatchObject({ status: 'True' });
      const tried = sentTimes(wrong);
      await pollNow(namespace);
      await world.settled();
      expect(sentTimes(wrong)).toBe(tried);

      await world.admin.send({ method: 'DELETE', path: `/api/v1/namespaces/${namespace}/secrets/robot` });
      await pollNow(namespace);
      await world.when('Enrollment', namespace, 'robot', 'Synced', 'SecretNotFound');
      expect(await call(namespace)).toMatchObject({ toolCall: { status: 'SUCCEEDED' } });
      expect(world.server.calls.at(-1)).toBe(`Bearer ${SECOND}`);
    });

    it('is read again after a 401, without waiting for the polling', async () => {
      const namespace = await guarded();
      await secret(namespace, FIRST);
      await enroll(namespace, { shared: true });
      await world.when('Enrollment', namespace, 'robot', 'Ready', 'Ready');
      await world.settled();
      world.server.credential!.values = [`Bearer ${SECOND}`];
      await secret(namespace, SECOND);
      // The call finds out, and fails; the Secret is read, and the next one works.
      await call(namespace);
      await until(async () => (await call(namespace)).toolCall?.status === 'SUCCEEDED');
      expect(world.server.calls.at(-1)).toBe(`Bearer ${SECOND}`);
    });

    it('goes to no other place than its manifest names', async () => {
      const namespace = await guarded();
      const token = ownToken();
      serverTakes(token);
      await secret(namespace, token);
      await enroll(namespace, { serverUrl: 'http://127.0.0.1:9/elsewhere' });
      await world.when('Enrollment', namespace, 'robot', 'Synced', 'Suspended');
      expect(sentTimes(token)).toBe(0);
      await enroll(namespace);
      await world.when('Enrollment', namespace, 'robot', 'Ready', 'Ready');
      await world.apply(world.type(namespace, 'guarded', { authMethod: 'ACCESS_TOKEN', serverUrl: `${world.server.url}/moved` }));
      await world.when('Enrollment', namespace, 'robot', 'Synced', 'Suspended');
    });

    it('is not put under the name of a person, or of somebody with more rights', async () => {
      const namespace = await guarded();
      await secret(namespace, FIRST);
      const [admin] = await world.rows(`select m.subject from members m join teams t on t.id = m.team_id where t.slug = $1 and m.role = 'ADMIN'`, [namespace]);
      await enroll(namespace, { owner: admin!['subject'] });
      await world.when('Enrollment', namespace, 'robot', 'Synced', 'OwnerNotAllowed');
    });

    it('in headers, with values that are no secret beside it', async () => {
      const namespace = await world.namespace();
      world.server.credential = { header: 'X-Api-Key', values: [FIRST] };
      await world.apply(world.type(namespace, 'keyed', { authMethod: 'CUSTOM_HEADERS', headers: [{ name: 'X-Api-Key' }, { name: 'X-Tenant', secret: false }] }));
      await secret(namespace, `${FIRST}\n`);
      await world.apply(world.enrollment(namespace, 'robot', 'keyed', { serverUrl: world.server.url, headers: [{ name: 'X-Api-Key', valueRef: { name: 'robot', key: 'token' } }, { name: 'X-Tenant', value: 'logistics' }] }));
      await world.when('Enrollment', namespace, 'robot', 'Ready', 'Ready');
    });
  });

  describe('whose type is gone', () => {
    /** The grace of everything that was deleted in the namespace is over. */
    const graceOver = async (namespace: string, name: string) => {
      await world.rows(
        `with over as (update mirror_objects set grace_until = now() where namespace = $1 and state = 'TOMBSTONE' and grace_until is not null returning id)
         update reconcile_schedule set due = now() where kind = 'Tombstone' and id in (select id from over)`, [namespace]);
      await until(async () => (await world.rows(`select 1 from connection_types t join teams on teams.id = t.team_id where teams.slug = $1 and t.name = $2`, [namespace, name])).length === 0);
    };

    it('binds to a new type of that name suspended: nothing is sent there until its manifest is changed', async () => {
      const namespace = await guarded();
      const token = ownToken();
      serverTakes(token);
      await secret(namespace, token);
      await enroll(namespace, { shared: true });
      const before = await world.when('Enrollment', namespace, 'robot', 'Ready', 'Ready');
      await world.delete('ConnectionType', namespace, 'guarded');
      await world.when('Enrollment', namespace, 'robot', 'Synced', 'ConnectionTypeNotFound');
      await graceOver(namespace, 'guarded');
      await world.settled();
      const sent = sentTimes(token);
      await world.apply(world.type(namespace, 'guarded', { authMethod: 'ACCESS_TOKEN', displayName: 'Another one' }));
      const suspended = await world.when('Enrollment', namespace, 'robot', 'Synced', 'Suspended');
      expect(conditionOf(suspended, 'Synced')!.message).toContain(world.server.url);
      expect(conditionOf(suspended, 'Stalled')).toMatchObject({ status: 'True' });
      await world.when('ConnectionType', namespace, 'guarded', 'Ready', 'Ready');
      await world.settled();
      expect((await call(namespace)).toolCall).toBeNull();
      expect(sentTimes(token)).toBe(sent);

      await enroll(namespace, { shared: true, label: 'confirmed' });
      const after = await world.when('Enrollment', namespace, 'robot', 'Ready', 'Ready');
      expect(after.status.id).not.toBe(before.status.id);
      // The API hears of it by a notification.
      await until(async () => (await call(namespace)).toolCall?.status === 'SUCCEEDED');
    });

    it('waits for its owner\'s consent again, where it is a person\'s', async () => {
      const namespace = await world.namespace();
      const [admin] = await world.rows(`select m.subject from members m join teams t on t.id = m.team_id where t.slug = $1 and m.role = 'ADMIN'`, [namespace]);
      await world.apply(world.type(namespace, 'sso', { authMethod: 'OAUTH' }));
      await world.apply(world.enrollment(namespace, 'login', 'sso', { owner: admin!['subject'] }));
      const before = await world.when('Enrollment', namespace, 'login', 'Ready', 'AwaitingConsent');
      await world.delete('ConnectionType', namespace, 'sso');
      await world.when('Enrollment', namespace, 'login', 'Synced', 'ConnectionTypeNotFound');
      await graceOver(namespace, 'sso');
      await world.apply(world.type(namespace, 'sso', { authMethod: 'OAUTH' }));
      const after = await world.when('Enrollment', namespace, 'login', 'Ready', 'AwaitingConsent');
      expect(after.status.id).not.toBe(before.status.id);
    });
  });

  describe('adoption', () => {
    const offer = async (id: string) => (await world.api.must('mutation O($input: OfferOwnershipInput!) { offerOwnership(input: $input) { annotation userErrors { code message } } }', { input: { id } })).annotation as string;
    const read = async (id: string) => (await world.api.gql('query N($id: ID!) { node(id: $id) { ... on Enrollment { id origin label manifest { namespace name } } } }', { id })).data.node;

    it('hands an enrollment over to the manifest that is annotated with it, with its id and its credential, whichever of both comes first', async () => {
      const namespace = await world.namespace();
      const [admin] = await world.rows(`select m.subject from members m join teams t on t.id = m.team_id where t.slug = $1 and m.role = 'ADMIN'`, [namespace]);
      const { connectionType } = await world.api.must('CreateConnectionType', { input: { team: namespace, displayName: 'Open', serverUrl: world.server.url, authMethod: 'ACCESS_TOKEN' } });
      const { enrollment } = await world.api.must('Enroll', { input: { connectionTypeId: connectionType.id, accessToken: FIRST, label: 'mine' } });
      await until(async () => (await world.list('Enrollment', namespace)).length === 1);
      const mirror = (await world.list('Enrollment', namespace))[0]!.metadata.name;
      await world.when('Enrollment', namespace, mirror, 'Ready', 'Ready');
      const sealed = await world.rows('select enrollment_id, version from credentials where team_id = (select id from teams where slug = $1)', [namespace]);

      const manifest = (spec: object = {}, annotations: Record<string, string> = {}) => world.apply(world.enrollment(namespace, 'mine', 'open', { owner: admin!['subject'], serverUrl: world.server.url, label: 'declared', ...TOKEN_REF, ...spec }, { annotations }));
      // Nobody offered it yet.
      await manifest({}, { 'fairlead.dev/adopt': enrollment.id });
      await world.when('Enrollment', namespace, 'mine', 'Synced', 'NotOffered');
      const [name, value] = (await offer(enrollment.id)).split(': ') as [string, string];
      expect([name, value]).toEqual(['fairlead.dev/adopt', enrollment.id]);
      await world.gone('Enrollment', namespace, mirror);
      await secret(namespace, FIRST);
      await manifest({}, { [name]: value });
      const object = await world.when('Enrollment', namespace, 'mine', 'Ready', 'Ready');
      expect(object.status.id).toBe(enrollment.id);
      expect(await read(enrollment.id)).toEqual({ id: enrollment.id, origin: 'MANIFEST', label: 'declared', manifest: { namespace, name: 'mine' } });
      expect((await world.rows('select enrollment_id from credentials where team_id = (select id from teams where slug = $1)', [namespace])).map((row) => row['enrollment_id'])).toEqual(sealed.map((row) => row['enrollment_id']));
    });

    it('is refused for a manifest that says something else of its owner', async () => {
      const namespace = await world.namespace();
      world.server.credential = null;
      const { connectionType } = await world.api.must('CreateConnectionType', { input: { team: namespace, displayName: 'Open', serverUrl: world.server.url, authMethod: 'NONE' } });
      const { enrollment } = await world.api.must('Enroll', { input: { connectionTypeId: connectionType.id } });
      await until(async () => (await world.list('Enrollment', namespace)).length === 1);
      const value = (await offer(enrollment.id)).split(': ')[1]!;
      await world.apply(world.enrollment(namespace, 'stolen', 'open', { owner: 'somebody-else' }, { annotations: { 'fairlead.dev/adopt': value } }));
      await world.when('Enrollment', namespace, 'stolen', 'Synced', 'AdoptionMismatch');
      expect(await read(enrollment.id)).toMatchObject({ origin: 'API' });
    });
  });

  describe('a person\'s login', () => {
    it('waits for their consent at a link that is no capability, neither reconciling nor stalled, and is shared when they say so too', async () => {
      const namespace = await world.namespace();
      await world.apply(world.type(namespace, 'sso', { authMethod: 'OAUTH' }));
      await world.apply(world.enrollment(namespace, 'stranger', 'sso', { owner: 'nobody-of-this-team' }));
      await world.when('Enrollment', namespace, 'stranger', 'Synced', 'OwnerNotFound');
      const [admin] = await world.rows(`select m.subject from members m join teams t on t.id = m.team_id where t.slug = $1 and m.role = 'ADMIN'`, [namespace]);
      await world.apply(world.enrollment(namespace, 'login', 'sso', { owner: admin!['subject'], shared: true }));
      const object = await world.when('Enrollment', namespace, 'login', 'Ready', 'AwaitingConsent');
      expect([conditionOf(object, 'Reconciling')?.status, conditionOf(object, 'Stalled')?.status]).toEqual(['False', 'False']);
      expect(object.status).toMatchObject({ state: 'PENDING_AUTHORIZATION', action: { url: `${world.api.url}/enroll/${namespace}/sso` } });
      expect(conditionOf(object, 'Synced')).toMatchObject({ status: 'True', reason: 'SharingAwaitsOwner' });
      const { enrollment } = await world.api.must('ShareEnrollment', { input: { id: object.status.id, shared: true } });
      expect(enrollment.shared).toBe(true);
      await world.when('Enrollment', namespace, 'login', 'Synced', 'Synced');
      // A yes can be taken back.
      const back = await world.api.must('ShareEnrollment', { input: { id: object.status.id, shared: false } });
      expect(back.enrollment.shared).toBe(false);
      await world.when('Enrollment', namespace, 'login', 'Synced', 'SharingAwaitsOwner');
    });
  });

  describe('what was enrolled through GraphQL', () => {
    it('is mirrored under a name that tells nothing of its owner, without a credential', async () => {
      const namespace = await world.namespace();
      const { connectionType } = await world.api.must('CreateConnectionType', { input: { team: namespace, displayName: 'Guarded', serverUrl: world.server.url, authMethod: 'ACCESS_TOKEN' } });
      const { enrollment } = await world.api.must('Enroll', { input: { connectionTypeId: connectionType.id, accessToken: FIRST, label: 'mine' } });
      await until(async () => (await world.list('Enrollment', namespace)).length === 1);
      const { metadata } = (await world.list('Enrollment', namespace))[0]!;
      expect(metadata.name).toMatch(/^guarded-[0-9a-f]{10}$/);
      const object = await world.when('Enrollment', namespace, metadata.name, 'Ready', 'Ready');
      expect(object.spec).toMatchObject({ origin: 'API', connectionTypeRef: { name: 'guarded' }, label: 'mine', shared: false });
      expect(Buffer.from(object.spec.owner, 'base64url').toString()).toMatch(/^Member:/);
      await world.api.must('DeleteEnrollment', { input: { id: enrollment.id } });
      await world.gone('Enrollment', namespace, metadata.name);
    });
  });

  it('no credential is in any object, event or log', async () => {
    const seen: unknown[] = [];
    for (const path of ['/apis/fairlead.dev/v1alpha1/connectiontypes', '/apis/fairlead.dev/v1alpha1/enrollments', '/apis/events.k8s.io/v1/events', '/apis/coordination.k8s.io/v1/leases']) seen.push(await world.admin.send({ method: 'GET', path }));
    seen.push(await world.rows('select * from mirror_objects'), await world.rows('select * from audit_events'), await world.rows('select * from enrollment_status'), world.operator!.logs(), world.api.logs(), world.plane.auditLog());
    expect(findCanaries(JSON.stringify(seen), { FIRST, SECOND, WRONG, ...counted })).toEqual([]);
    expect((await binding((await world.rows(`select namespace from mirror_objects where kind = 'Enrollment' and secret_hash is not null limit 1`))[0]!['namespace'] as string))['secret_hash']).toHaveLength(32);
  });
});
