import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { findCanaries } from '#test/support/canaries.js';
import { Person } from '#test/support/consent/person.js';
import { describeNeeding } from '#test/support/control-plane/needs.js';
import { PLANE_TIMEOUT_MS } from '#test/support/control-plane/plane.js';
import { until } from '#test/support/mcp-servers/until.js';
import { conditionOf, MirrorWorld } from '#test/support/mirror/world.js';
import { startFaultyAuthorizationServer } from '#test/support/oauth-servers/faulty-server.js';
import { startOidcProvider, type OidcProviderServer } from '#test/support/oauth-servers/oidc-provider.js';
import { startIssuer, type TestIssuer } from '#test/support/oidc-issuer.js';

describeNeeding('plane', 'a client that a manifest names', () => {
  const FIRST = 'canary-client-secret-of-the-crm-1';
  const SECOND = 'canary-client-secret-of-the-crm-2';
  const WRONG = 'canary-client-secret-that-is-wrong';

  let world: MirrorWorld;
  let provider: OidcProviderServer;
  beforeAll(async () => {
    [world, provider] = await Promise.all([MirrorWorld.create(), startOidcProvider()]);
    await world.startOperator();
  }, PLANE_TIMEOUT_MS);
  afterAll(async () => {
    await world?.close();
    await provider?.close();
  });

  const register = (clientId: string, secret: string) => provider.register({ client_id: clientId, client_secret: secret, redirect_uris: [`${world.api.url}/oauth/callback`] });
  const secret = (namespace: string, value: string, labels?: Record<string, string>, name = 'crm-oauth') => world.apply(world.secret(namespace, name, { 'client-secret': value }, labels));
  const crm = (namespace: string, clientId: string, ref = 'crm-oauth', spec: object = {}) => world.apply(world.type(namespace, 'crm', { serverUrl: provider.mcp.url, authMethod: 'OAUTH', oauth: { clientId, clientSecretRef: { name: ref, key: 'client-secret' } }, ...spec }));
  const pollNow = async (namespace: string) => {
    await world.settled();
    await world.rows(`update mirror_objects set secrets_read_at = secrets_read_at - interval '1 hour' where namespace = $1`, [namespace]);
    await world.rows(`select mirror_mark(array(select id from mirror_objects where namespace = $1 and kind = 'ConnectionType'))`, [namespace]);
  };
  const call = async (team: string) => (await world.api.gql('mutation C($input: CallToolInput!) { callTool(input: $input) { toolCall { status error { code } } userErrors { code message } } }', { input: { team, connectionType: 'crm', tool: 'echo', arguments: { message: 'hello' } } })).data.callTool;
  const refresh = async (id: string) => (await world.api.gql('mutation R($input: RefreshEnrollmentInput!) { refreshEnrollment(input: $input) { enrollment { state } userErrors { code message } } }', { input: { id } })).data.refreshEnrollment;

  /** The local administrator's login, declared by a manifest, consented to. */
  async function loggedIn(namespace: string): Promise<string> {
    const [admin] = await world.rows(`select m.subject from members m join teams t on t.id = m.team_id where t.slug = $1 and m.role = 'ADMIN'`, [namespace]);
    await world.apply(world.enrollment(namespace, 'login', 'crm', { owner: admin!['subject'] }));
    const { status } = await world.when('Enrollment', namespace, 'login', 'Ready', 'AwaitingConsent');
    const { authorization } = await world.api.must('StartAuthorization', { input: { enrollmentId: status.id } });
    const person = new Person();
    const end = await person.follow(await person.press(await person.get(authorization.url), 'continue'));
    expect(end.text).toMatch(/is connected/);
    await world.when('Enrollment', namespace, 'login', 'Ready', 'Ready');
    return status.id as string;
  }

  it('is used for the consent and for the tokens, by its secret from the Secret', async () => {
    const namespace = await world.namespace();
    await register('crm-1', FIRST);
    await secret(namespace, FIRST);
    await crm(namespace, 'crm-1');
    const object = await world.when('ConnectionType', namespace, 'crm', 'Registered', 'Preregistered');
    expect(object.status.oauth).toEqual({ issuer: provider.issuer, registrationMethod: 'PREREGISTERED', clientId: 'crm-1', redirectUri: `${world.api.url}/oauth/callback` });
    await loggedIn(namespace);
    expect(await call(namespace)).toMatchObject({ toolCall: { status: 'SUCCEEDED' }, userErrors: [] });
    expect(provider.presentations.filter(({ path, clientId, status }) => path === '/token' && clientId === 'crm-1' && status === 200)).toHaveLength(1);
  });

  it('may come before its Secret; one without the label is not read; a wrong one is refused by the issuer and said so', async () => {
    const namespace = await world.namespace();
    await register('crm-2', FIRST);
    await crm(namespace, 'crm-2');
    await world.when('ConnectionType', namespace, 'crm', 'Synced', 'SecretNotFound');
    await secret(namespace, FIRST, {});
    const refused = await world.when('ConnectionType', namespace, 'crm', 'Synced', 'SecretNotAllowed');
    expect(conditionOf(refused, 'Synced')!.message).toContain('fairlead.dev/credential');
    expect(conditionOf(refused, 'Ready')).toMatchObject({ status: 'False' });
    await secret(namespace, WRONG);
    const wrong = await world.when('ConnectionType', namespace, 'crm', 'Synced', 'SecretRefused');
    expect([conditionOf(wrong, 'Stalled')?.status, conditionOf(wrong, 'Ready')?.status]).toEqual(['True', 'False']);
    await secret(namespace, FIRST);
    await pollNow(namespace);
    await world.when('ConnectionType', namespace, 'crm', 'Ready', 'Ready');
  });

  it('has its secret rotated by the polling; a wrong one never replaces a right one, and a missing Secret clears nothing', async () => {
    const namespace = await world.namespace();
    await register('crm-3', FIRST);
    await secret(namespace, FIRST);
    await crm(namespace, 'crm-3');
    await world.when('ConnectionType', namespace, 'crm', 'Ready', 'Ready');
    const login = await loggedIn(namespace);

    await secret(namespace, WRONG);
    await pollNow(namespace);
    const kept = await world.when('ConnectionType', namespace, 'crm', 'Synced', 'SecretRefused');
    expect(conditionOf(kept, 'Registered')).toMatchObject({ status: 'True' });
    expect(await refresh(login)).toMatchObject({ enrollment: { state: 'READY' }, userErrors: [] });

    await world.admin.send({ method: 'DELETE', path: `/api/v1/namespaces/${namespace}/secrets/crm-oauth` });
    await pollNow(namespace);
    await world.when('ConnectionType', namespace, 'crm', 'Synced', 'SecretNotFound');
    expect(await refresh(login)).toMatchObject({ enrollment: { state: 'READY' }, userErrors: [] });

    await register('crm-3', SECOND);
    await secret(namespace, SECOND);
    await pollNow(namespace);
    await world.when('ConnectionType', namespace, 'crm', 'Synced', 'Synced');
    expect(await refresh(login)).toMatchObject({ enrollment: { state: 'READY' }, userErrors: [] });
  });

  it('is read again when the issuer refuses it, without waiting for the polling', async () => {
    const namespace = await world.namespace();
    await register('crm-4', FIRST);
    await secret(namespace, FIRST);
    await crm(namespace, 'crm-4');
    await world.when('ConnectionType', namespace, 'crm', 'Ready', 'Ready');
    const login = await loggedIn(namespace);
    await world.settled();
    await register('crm-4', SECOND);
    await secret(namespace, SECOND);
    // The refresh finds out; the Secret is read, and the next one works.
    await refresh(login);
    await until(async () => (await refresh(login)).userErrors.length === 0);
    await world.when('ConnectionType', namespace, 'crm', 'Registered', 'Preregistered');
  });

  it('and its Secret are what the manifest says now: another reference is read at once, no client means that one is registered', async () => {
    const namespace = await world.namespace();
    await register('crm-5', FIRST);
    await secret(namespace, FIRST);
    await crm(namespace, 'crm-5');
    await world.when('ConnectionType', namespace, 'crm', 'Ready', 'Ready');
    await secret(namespace, WRONG, undefined, 'another');
    await crm(namespace, 'crm-5', 'another');
    await world.when('ConnectionType', namespace, 'crm', 'Synced', 'SecretRefused');
    await crm(namespace, 'crm-5', 'crm-oauth', { oauth: {} });
    await world.when('ConnectionType', namespace, 'crm', 'Registered', 'Dynamic');
  });

  it('has its secret sent to no other issuer because the server names one: only after its manifest was changed', async () => {
    const namespace = await world.namespace();
    const other = await startOidcProvider();
    const { mcp } = provider;
    const before = mcp.guard.authorizationServers;
    try {
      await register('crm-6', FIRST);
      await secret(namespace, FIRST);
      await crm(namespace, 'crm-6');
      const { status } = await world.when('ConnectionType', namespace, 'crm', 'Ready', 'Ready');
      mcp.guard.authorizationServers = [other.issuer];
      await world.api.must('CheckConnectionType', { input: { id: status.id } });
      const moved = await world.when('ConnectionType', namespace, 'crm', 'Synced', 'IssuerChanged');
      expect(conditionOf(moved, 'Synced')!.message).toContain(other.issuer);
      expect(conditionOf(moved, 'Stalled')).toMatchObject({ status: 'True' });
      // What has no client any more says so by a run of its own.
      await until(async () => conditionOf(await world.get('ConnectionType', namespace, 'crm'), 'Ready')?.status === 'False');
      await pollNow(namespace);
      await world.settled();
      expect(other.presentations.filter(({ clientId }) => clientId === 'crm-6')).toEqual([]);

      await other.register({ client_id: 'crm-6', client_secret: SECOND, redirect_uris: [`${world.api.url}/oauth/callback`] });
      await secret(namespace, SECOND);
      await crm(namespace, 'crm-6', 'crm-oauth', { description: 'They moved to another provider.' });
      const object = await world.when('ConnectionType', namespace, 'crm', 'Ready', 'Ready');
      expect(object.status.oauth.issuer).toBe(other.issuer);
    } finally {
      mcp.guard.authorizationServers = before;
      await other.close();
    }
  });

  it('is recorded for no issuer that the server has left while its secret was tried there, and the secret follows to no other', async () => {
    const namespace = await world.namespace();
    const [first, second] = await Promise.all([startFaultyAuthorizationServer(), startFaultyAuthorizationServer()]);
    const [tried, letGo] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    first.faults.before = async (path) => {
      if (path !== '/revoke') return;
      tried.resolve();
      await letGo.promise;
    };
    try {
      await secret(namespace, FIRST);
      await crm(namespace, 'crm-7', 'crm-oauth', { serverUrl: first.mcp.url });
      await tried.promise;
      first.mcp.guard.authorizationServers = [second.issuer];
      const [type] = await world.rows('select subject_id as id from mirror_objects where namespace = $1', [namespace]);
      await world.api.must('CheckConnectionType', { input: { id: Buffer.from(`ConnectionType:${String(type!['id'])}`).toString('base64url') } });
      letGo.resolve();
      await world.when('ConnectionType', namespace, 'crm', 'Synced', 'IssuerChanged');
      await world.settled();
      expect(await world.rows('select issuer from oauth_clients where connection_type_id = $1', [type!['id']])).toEqual([]);
      expect(JSON.stringify(second.seen)).not.toContain('crm-7');
    } finally {
      letGo.resolve();
      await Promise.all([first.close(), second.close()]);
    }
  });

  it('leaves its secret in no object, event, log or table', async () => {
    const seen: unknown[] = [];
    for (const path of ['/apis/fairlead.dev/v1alpha1/connectiontypes', '/apis/fairlead.dev/v1alpha1/enrollments', '/apis/events.k8s.io/v1/events']) seen.push(await world.admin.send({ method: 'GET', path }));
    seen.push(await world.rows('select * from mirror_objects'), await world.rows('select * from audit_events'), await world.rows('select * from oauth_clients'), await world.rows('select * from connection_types'), await world.rows('select * from connection_type_status'));
    seen.push(world.operator!.logs(), world.api.logs(), world.plane.auditLog());
    expect(findCanaries(JSON.stringify(seen), { FIRST, SECOND, WRONG })).toEqual([]);
  });
});

describeNeeding('plane', 'owners that sign in', () => {
  let world: MirrorWorld;
  let issuer: TestIssuer;
  beforeAll(async () => {
    // oidc-provider warns of its in-memory adapter, which is what a test wants.
    jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    issuer = await startIssuer(['ada', 'bob', 'cleo', 'root']);
    world = await MirrorWorld.create({ api: { oidc: { issuer: issuer.url, audience: issuer.audience }, env: { FAIRLEAD_OIDC_ADMINS: 'root' } } });
    await world.startOperator();
  }, PLANE_TIMEOUT_MS);
  afterAll(async () => {
    await world?.close();
    await issuer?.close();
    jest.restoreAllMocks();
  });

  /** Lets a person in, who signs in then and is known by what the issuer says. */
  async function joins(team: string, person: string, claims: Record<string, unknown>): Promise<void> {
    await world.api.must('SetMember', { input: { team, subject: person, role: 'MEMBER' } });
    await world.api.must('{ viewer { displayName } }', {}, await issuer.token(person, claims));
  }
  const login = (namespace: string, owner: string, name = 'login') => world.apply(world.enrollment(namespace, name, 'sso', { owner }));

  it('are found by the mail address that their issuer verified, whatever its case, and by no other', async () => {
    const namespace = await world.namespace();
    await world.apply(world.type(namespace, 'sso', { authMethod: 'OAUTH' }));
    await joins(namespace, 'bob', { email: 'ada@example.com', email_verified: false });
    await login(namespace, 'Ada@Example.com');
    const object = await world.when('Enrollment', namespace, 'login', 'Synced', 'OwnerNotFound');
    expect(conditionOf(object, 'Synced')!.message).toContain('issuer verified that mail address');
    await joins(namespace, 'ada', { email: 'ada@example.com', email_verified: true });
    const found = await world.when('Enrollment', namespace, 'login', 'Ready', 'AwaitingConsent');
    const [row] = await world.rows(`select m.subject from enrollments e join members m on m.id = e.owner_id join mirror_objects o on o.subject_id = e.id where o.namespace = $1`, [namespace]);
    expect([row!['subject'], found.spec.owner]).toEqual(['ada', 'Ada@Example.com']);
    // By subject as before.
    await login(namespace, 'bob', 'of-bob');
    await world.when('Enrollment', namespace, 'of-bob', 'Ready', 'AwaitingConsent');
  });

  it('are nobody where two signed in with that address', async () => {
    const namespace = await world.namespace();
    await world.apply(world.type(namespace, 'sso', { authMethod: 'OAUTH' }));
    for (const person of ['bob', 'cleo']) await joins(namespace, person, { email: 'sales@example.com', email_verified: true });
    await login(namespace, 'sales@example.com');
    await world.when('Enrollment', namespace, 'login', 'Synced', 'OwnerAmbiguous');
  });

  it('enter their own credentials: none from a Secret is put under their subject or address', async () => {
    const namespace = await world.namespace();
    await world.apply(world.type(namespace, 'guarded', { authMethod: 'ACCESS_TOKEN' }));
    await world.apply(world.secret(namespace, 'robot', { token: 'key' }));
    await joins(namespace, 'ada', { email: 'ada@example.com', email_verified: true });
    for (const [name, owner] of [['by-subject', 'ada'], ['by-mail', 'ada@example.com']] as const) {
      await world.apply(world.enrollment(namespace, name, 'guarded', { owner, serverUrl: world.server.url, accessTokenRef: { name: 'robot', key: 'token' } }));
      await world.when('Enrollment', namespace, name, 'Synced', 'OwnerIsPerson');
    }
  });

  it('are let into a team that a namespace made by an administrator of the installation, on the team\'s record', async () => {
    const namespace = await world.namespace();
    const root = await issuer.token('root');
    const team = async () => (await world.api.gql('query T($slug: String!) { team(slug: $slug) { slug } }', { slug: namespace }, root)).data.team;
    expect(await team()).toBeNull();
    await world.api.must('SetMember', { input: { team: namespace, subject: 'root', role: 'ADMIN' } }, root);
    expect(await team()).toEqual({ slug: namespace });
    const events = await world.rows(`select a.actor_name, a.action from audit_events a join teams t on t.id = a.team_id where t.slug = $1 and a.action = 'setMember'`, [namespace]);
    expect(events).toContainEqual({ actor_name: 'root', action: 'setMember' });
  });
});
