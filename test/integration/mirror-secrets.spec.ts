import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { CREDENTIAL_SERVERS_ANNOTATION } from '#operator/manifest/resources.js';
import { Cluster } from '#operator/mirror/cluster.js';
import { ObjectCache } from '#operator/mirror/object-cache.js';
import { secretValues } from '#operator/mirror/secret-values.js';
import { KubeClient } from '#operator/kubernetes/kube-client.js';
import { FaultyDoor } from '#test/support/control-plane/faulty-door.js';
import { describeNeeding } from '#test/support/control-plane/needs.js';
import { PLANE_TIMEOUT_MS } from '#test/support/control-plane/plane.js';
import { ChangeableServer } from '#test/support/mcp-servers/changeable.js';
import { conditionOf, MirrorWorld } from '#test/support/mirror/world.js';

/** Somebody who writes manifests in a namespace and may read no Secret there, and wants to have what is in one. */
describeNeeding('plane', 'an author of manifests who may not read Secrets', () => {
  const TOKEN = 'canary-token-that-the-author-wants';
  let world: MirrorWorld;
  let theirs: ChangeableServer;
  beforeAll(async () => {
    [world, theirs] = await Promise.all([MirrorWorld.create(), ChangeableServer.start()]);
    await world.startOperator();
  }, PLANE_TIMEOUT_MS);
  afterAll(async () => {
    await theirs?.stop();
    await world?.close();
  });
  beforeEach(() => {
    world.server.credential = { header: 'Authorization', values: [`Bearer ${TOKEN}`] };
    theirs.credential = null;
    theirs.logins.length = 0;
  });

  const REF = { accessTokenRef: { name: 'robot', key: 'token' } };
  const seen = () => JSON.stringify(theirs.logins);
  /** They note whatever comes in that header, and take everybody. */
  const theyNote = (header: string) => { theirs.credential = { header, values: [`Bearer ${TOKEN}`, TOKEN, 'undefined', 'null'] }; };
  const enrollment = (namespace: string, spec: object = {}, name = 'robot') => world.apply(world.enrollment(namespace, name, 'guarded', { serverUrl: world.server.url, ...REF, ...spec }));

  describe('and changes where a type goes', () => {
    const SITUATIONS = [
      { method: 'ACCESS_TOKEN', header: 'Authorization', value: `Bearer ${TOKEN}`, type: {}, enroll: { accessToken: TOKEN }, manifest: REF },
      { method: 'CUSTOM_HEADERS', header: 'X-Api-Key', value: TOKEN, type: { headers: [{ name: 'X-Api-Key' }] }, enroll: { headers: [{ name: 'X-Api-Key', value: TOKEN }] }, manifest: { headers: [{ name: 'X-Api-Key', valueRef: { name: 'robot', key: 'token' } }] } },
    ];
    for (const { method, header, value, type, enroll, manifest } of SITUATIONS) {
      it(`gets nothing of ${method}: neither what a Secret holds nor what a person entered, shared or not, looked at or called`, async () => {
        const namespace = await world.namespace();
        world.server.credential = { header, values: [value] };
        theyNote(header);
        await world.apply(world.secret(namespace, 'robot', { token: TOKEN }));
        const declared = (spec: object = {}) => world.apply(world.type(namespace, 'guarded', { authMethod: method, ...type, ...spec }));
        await declared();
        await world.apply(world.enrollment(namespace, 'robot', 'guarded', { serverUrl: world.server.url, shared: true, label: 'declared', ...manifest }));
        const { status } = await world.when('ConnectionType', namespace, 'guarded', 'Ready', 'Ready');
        await world.when('Enrollment', namespace, 'robot', 'Ready', 'Ready');
        const { enrollment: own } = await world.api.must('Enroll', { input: { connectionTypeId: status.id, label: 'own', ...enroll } });
        await world.api.must('ShareEnrollment', { input: { id: own.id, shared: true } });

        await declared({ serverUrl: theirs.url });
        await world.when('Enrollment', namespace, 'robot', 'Synced', 'Suspended');
        await world.settled();
        await world.api.gql('CheckConnectionType', { input: { id: status.id } });
        for (const tool of ['echo', 'other']) {
          const { data } = await world.api.gql('mutation C($input: CallToolInput!) { callTool(input: $input) { toolCall { status } userErrors { code } } }', { input: { team: namespace, connectionType: 'guarded', tool, arguments: {}, enrollmentId: own.id } });
          expect(data.callTool).toMatchObject({ toolCall: null, userErrors: [{ code: 'ENROLLMENT_SUSPENDED' }] });
        }
        await world.settled();
        expect(theirs.requests).toBeGreaterThan(0);
        expect(seen()).not.toContain(TOKEN);
      });
    }
  });

  it('gets nothing by another header', async () => {
    const namespace = await world.namespace();
    await world.apply(world.secret(namespace, 'robot', { token: TOKEN }));
    await world.apply(world.type(namespace, 'guarded', { authMethod: 'ACCESS_TOKEN' }));
    await enrollment(namespace, { shared: true });
    await world.when('Enrollment', namespace, 'robot', 'Ready', 'Ready');
    await world.apply(world.type(namespace, 'guarded', { authMethod: 'ACCESS_TOKEN', accessToken: { header: 'X-Logged', prefix: '' } }));
    await world.when('Enrollment', namespace, 'robot', 'Synced', 'Suspended');
    await world.settled();
    const { data } = await world.api.gql('mutation C($input: CallToolInput!) { callTool(input: $input) { toolCall { status } userErrors { code } } }', { input: { team: namespace, connectionType: 'guarded', tool: 'echo', arguments: {} } });
    expect(data.callTool.toolCall).toBeNull();
  });

  it('has the token of no service account sent anywhere, whoever labelled it', async () => {
    const namespace = await world.namespace();
    theyNote('Authorization');
    const secret = world.secret(namespace, 'robot', { token: TOKEN });
    await world.apply({ ...secret, type: 'kubernetes.io/service-account-token', metadata: { ...secret.metadata, annotations: { 'kubernetes.io/service-account.name': 'default' } } });
    await world.apply(world.type(namespace, 'guarded', { authMethod: 'ACCESS_TOKEN', serverUrl: theirs.url }));
    await enrollment(namespace, { serverUrl: theirs.url });
    const object = await world.when('Enrollment', namespace, 'robot', 'Synced', 'SecretNotAllowed');
    expect(conditionOf(object, 'Synced')!.message).toContain('service account');
    await world.settled();
    expect(seen()).not.toContain(TOKEN);
  });

  it('has a Secret sent to no other server than those that it names itself', async () => {
    const namespace = await world.namespace();
    theyNote('Authorization');
    const secret = world.secret(namespace, 'robot', { token: TOKEN });
    const named = (servers: string) => world.apply({ ...secret, metadata: { ...secret.metadata, annotations: { [CREDENTIAL_SERVERS_ANNOTATION]: servers } } });
    await named(`https://mcp.example.com/mcp ${world.server.url}/`);
    await world.apply(world.type(namespace, 'guarded', { authMethod: 'ACCESS_TOKEN', serverUrl: theirs.url }));
    await enrollment(namespace, { serverUrl: theirs.url });
    const object = await world.when('Enrollment', namespace, 'robot', 'Synced', 'SecretNotAllowed');
    expect(conditionOf(object, 'Synced')!.message).toContain(CREDENTIAL_SERVERS_ANNOTATION);
    await world.settled();
    expect(seen()).not.toContain(TOKEN);

    await world.apply(world.type(namespace, 'right', { authMethod: 'ACCESS_TOKEN' }));
    await world.apply(world.enrollment(namespace, 'right', 'right', { serverUrl: world.server.url, ...REF }));
    await world.when('Enrollment', namespace, 'right', 'Ready', 'Ready');
  });

  describe('and names what is no credential', () => {
    const REASONS: [string, Record<string, string>, object, string][] = [
      ['a value with a line break', { token: 'one\r\nX-Admin: yes' }, {}, 'CredentialInvalid'],
      ['a value that is no text', { token: '\u0000\u0001\ufffd' }, {}, 'CredentialInvalid'],
      ['a value that is huge', { token: 'x'.repeat(500_000) }, {}, 'CredentialInvalid'],
      ['an empty value', { token: '' }, {}, 'SecretKeyNotFound'],
      ['the Secret ".."', { token: TOKEN }, { accessTokenRef: { name: '..', key: 'token' } }, 'SecretNotFound'],
      ['the Secret "."', { token: TOKEN }, { accessTokenRef: { name: '.', key: 'token' } }, 'SecretNotFound'],
      ['a Secret by a path', { token: TOKEN }, { accessTokenRef: { name: '../../kube-system/secrets/robot', key: 'token' } }, 'SecretNotFound'],
      ['a key of the prototype', { token: TOKEN }, { accessTokenRef: { name: 'robot', key: '__proto__' } }, 'SecretKeyNotFound'],
    ];
    for (const [what, data, spec, reason] of REASONS) {
      it(`is told so, without the value: ${what}`, async () => {
        const namespace = await world.namespace();
        await world.apply(world.secret(namespace, 'robot', data));
        await world.apply(world.type(namespace, 'guarded', { authMethod: 'ACCESS_TOKEN' }));
        await enrollment(namespace, spec);
        const object = await world.when('Enrollment', namespace, 'robot', 'Synced', reason);
        expect(conditionOf(object, 'Synced')!.message).not.toMatch(/X-Admin|xxx/);
      });
    }

    it('is told that a secret header\'s value belongs into a Secret, not into a manifest', async () => {
      const namespace = await world.namespace();
      await world.apply(world.type(namespace, 'guarded', { authMethod: 'CUSTOM_HEADERS', headers: [{ name: 'X-Api-Key' }, { name: 'X-Tenant', secret: false }] }));
      await world.apply(world.enrollment(namespace, 'robot', 'guarded', { serverUrl: world.server.url, headers: [{ name: 'x-api-key', value: 'for-all-to-read' }] }));
      const object = await world.when('Enrollment', namespace, 'robot', 'Synced', 'SecretInManifest');
      expect(conditionOf(object, 'Synced')!.message).toContain('valueRef');
      expect(conditionOf(object, 'Synced')!.message).not.toContain('for-all-to-read');
    });
  });

  it('is told which right is missing where Secrets can\'t be read', async () => {
    const door = await FaultyDoor.open(world.plane.kubeconfig('operator'));
    try {
      door.fault = ({ path }) => (path.includes('/secrets/') ? { status: 403 } : null);
      const cluster = new Cluster(new KubeClient({ access: door, userAgent: 'test' }), new ObjectCache(null));
      const read = await secretValues(cluster, { namespace: 'default', serverUrl: 'https://mcp.example.com/mcp' }, [{ name: 'robot', key: 'token' }]);
      expect(read).toMatchObject({ verdict: { synced: false, reason: 'SecretForbidden', message: expect.stringContaining('"robot"') } });
    } finally {
      await door.close();
    }
  });
});
