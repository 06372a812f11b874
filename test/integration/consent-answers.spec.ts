import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { OAuthTokens } from '#core/connection/credential.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { Member } from '#core/store/entities/member.entity.js';
import { enrollmentState } from '#core/connection/state.js';
import { Person } from '#test/support/consent/person.js';
import { ConsentStage } from '#test/support/consent/stage.js';
import type { ConsentWorld } from '#test/support/consent/world.js';
import { until } from '#test/support/mcp-servers/until.js';
import { startFaultyAuthorizationServer } from '#test/support/oauth-servers/faulty-server.js';
import type { OidcProviderServer } from '#test/support/oauth-servers/oidc-provider.js';

let stage: ConsentStage;
let world: ConsentWorld;
let provider: OidcProviderServer;
let type: ConnectionType;
let ada: Member;
let enrollment: Enrollment;
let count: number;

beforeAll(async () => {
  stage = await ConsentStage.open();
  ({ world, provider, ada } = stage);
});

beforeEach(async () => {
  ({ type, enrollment, count } = await stage.next());
});

afterAll(() => stage.close());

describe('An answer', () => {
  test('that comes in another browser stores nothing, and the right browser can still finish', async () => {
    const [ada, eve] = [new Person(), new Person()];
    const answer = await stage.answerOf(ada, await world.link(enrollment));
    const page = await eve.get(answer);
    expect(page.status).toBe(403);
    expect(page.text).toContain('started in another browser');
    await stage.expectNothingStored();
    expect((await world.stored(enrollment)).consent.state).toBe('SENT');
    expect((await ada.get(answer)).text).toContain('Warehouse is connected');
  });

  test('of somebody whom the provider\'s address was sent to binds their login to nobody', async () => {
    const [eve, victim] = [new Person(), new Person()];
    const sent = await eve.press(await eve.get(await world.link(enrollment)), 'continue');
    const end = await victim.follow(await victim.get(sent.location!));
    expect(end.status).toBe(403);
    await stage.expectNothingStored();
  });

  test('with the cookie of another consent is refused', async () => {
    const person = new Person();
    const one = await stage.answerOf(person, await world.link(enrollment));
    const two = await stage.answerOf(person, await world.link(await world.enroll(type, ada, 'second')));
    const jar = person.cookies(world.url);
    const names = [...jar.keys()].filter((name) => name.startsWith('fairlead-consent-'));
    const values = names.map((name) => jar.get(name)!);
    names.forEach((name, index) => jar.set(name, values[1 - index]!));
    for (const answer of [one, two]) expect((await person.get(answer)).status).toBe(403);
    await stage.expectNothingStored();
  });

  test('that was forged, or lacks its state, or has two, is refused', async () => {
    const person = new Person();
    const answer = new URL(await stage.answerOf(person, await world.link(enrollment)));
    const state = answer.searchParams.get('state')!;
    for (const query of ['', '?code=x', '?code=x&state=', `?code=x&state=${'A'.repeat(43)}`, `?code=x&state=${state}&state=${state}`, '?error=access_denied']) {
      expect((await person.get(`${stage.callback}${query}`)).status).toBe(403);
    }
    await stage.expectNothingStored();
    expect((await world.stored(enrollment)).consent.state).toBe('SENT');
  });

  test('is not used up by a HEAD request', async () => {
    const person = new Person();
    const answer = await stage.answerOf(person, await world.link(enrollment));
    const cookie = [...person.cookies(world.url)].map(([name, value]) => `${name}=${value}`).join('; ');
    expect((await fetch(answer, { method: 'HEAD', headers: { cookie } })).status).toBe(404);
    expect((await person.get(answer)).text).toContain('Warehouse is connected');
  });

  test('that is repeated changes nothing', async () => {
    const person = new Person();
    const answer = await stage.answerOf(person, await world.link(enrollment));
    const jar = new Map(person.cookies(world.url));
    expect((await person.get(answer)).status).toBe(200);
    const { credential, consent } = await world.stored(enrollment);
    expect((await person.get(answer)).status).toBe(409);
    for (const [name, value] of jar) person.cookies(world.url).set(name, value);
    const repeated = await person.get(answer);
    expect(repeated.status).toBe(409);
    expect(repeated.text).toContain('it was finished already');
    expect(await world.stored(enrollment)).toMatchObject({ credential, consent });
    expect(provider.presentations.filter((one) => one.grantType === 'authorization_code')).toHaveLength(1);
  });

  test('that comes four times at once is taken once', async () => {
    const person = new Person();
    const answer = await stage.answerOf(person, await world.link(enrollment));
    const statuses = (await Promise.all([1, 2, 3, 4].map(() => person.get(answer)))).map((got) => got.status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect((await world.stored(enrollment)).credential.version).toBe(2);
    expect(provider.presentations.filter((one) => one.grantType === 'authorization_code')).toHaveLength(1);
  });

  test('that comes too late stores nothing, and says so to the return URL', async () => {
    const person = new Person();
    const answer = await stage.answerOf(person, await world.link(enrollment, 'http://127.0.0.1:3999/logins'));
    await world.store.manager.query(`update oauth_authorizations set expires_at = now() - interval '1 second'`);
    expect((await person.get(answer)).location).toContain('fairlead_outcome=EXPIRED');
    await stage.expectNothingStored();
    expect((await world.stored(enrollment)).consent).toMatchObject({ state: 'EXPIRED', sealed: null });
    expect(provider.presentations.filter((one) => one.grantType === 'authorization_code')).toEqual([]);
  });

  test('that says no leaves the enrollment waiting for consent, with the reason, and consent can be given later', async () => {
    provider.decision = 'deny';
    const person = new Person();
    const end = await person.follow(await person.press(await person.get(await world.link(enrollment, 'http://127.0.0.1:3999/logins')), 'continue'), 'http://127.0.0.1:3999');
    expect(end.location).toContain('fairlead_outcome=DENIED');
    await stage.expectNothingStored();
    const { conditions, consent } = await world.stored(enrollment);
    expect(conditions.find((one) => one.type === 'Authorized')).toMatchObject({ status: 'FALSE', reason: 'ConsentDenied', message: expect.stringContaining('the person said no') });
    expect(consent).toMatchObject({ state: 'DENIED', message: expect.stringContaining('the person said no') });
    expect(await stage.audited()).toMatchObject([{ outcome: 'REFUSED', code: 'ACCESS_DENIED' }]);
    provider.decision = 'approve';
    expect((await person.follow(await person.press(await person.get(await world.link(enrollment)), 'continue'))).text).toContain('is connected');
  });

  test('that says no to a second consent leaves the first login as it is', async () => {
    const person = new Person();
    await person.follow(await person.press(await person.get(await world.link(enrollment)), 'continue'));
    const { credential, conditions, grant } = await world.stored(enrollment);
    provider.decision = 'deny';
    const other = new Person();
    const end = await other.follow(await other.press(await other.get(await world.link(enrollment)), 'continue'));
    expect(end.text).toContain('The login at Warehouse was not renewed');
    expect(end.text).toContain('still there, unchanged');
    expect(end.text).not.toContain('is not connected');
    expect(await world.stored(enrollment)).toMatchObject({ credential, conditions, grant });
  });

  test.each(['unauthorized_client', 'invalid_client'])('that was made to say %s by whoever holds the browser leaves the client, and with it everybody\'s logins, as they are', async (error) => {
    const person = new Person();
    const before = await world.oauth.setupOf(type);
    const answer = new URL(await stage.answerOf(person, await world.link(enrollment)));
    answer.searchParams.delete('code');
    answer.searchParams.set('error', error);
    expect((await person.get(answer.href)).text).toContain('could not be connected');
    expect((await world.oauth.setupOf(type)).clientRowId).toBe(before.clientRowId);
    await stage.expectNothingStored();
  });

  test('that comes after the server moved stores nothing', async () => {
    const person = new Person();
    const answer = await stage.answerOf(person, await world.link(enrollment));
    const serverUrl = `${provider.mcp.url}?tenant=2`;
    await world.store.connectionTypes.updateSpec(type.id, 1, { ...type.spec, serverUrl });
    await world.store.oauthClients.saveDiscovery({ ...(await world.store.oauthClients.discovery(type.id))!, serverUrl });
    expect((await person.get(answer)).text).toContain('changed while you were signing in');
    await stage.expectNothingStored();
  });

  test('that comes after the client was replaced stores nothing, and its code goes nowhere', async () => {
    const person = new Person();
    const answer = await stage.answerOf(person, await world.link(enrollment));
    await world.oauth.clientRefused(type, (await world.oauth.setupOf(type)).clientRowId);
    expect((await person.get(answer)).text).toContain('changed while you were signing in');
    await stage.expectNothingStored();
    expect(provider.presentations.filter((one) => one.grantType === 'authorization_code')).toEqual([]);
  });

  test('whose client the provider has forgotten stores nothing, and another client is registered, visibly', async () => {
    const person = new Person();
    const answer = await stage.answerOf(person, await world.link(enrollment));
    const before = await world.oauth.setupOf(type);
    await provider.purge(before.client.clientId);
    expect((await person.get(answer)).text).toContain('could not be connected');
    await stage.expectNothingStored();
    const after = await world.oauth.setupOf(type);
    expect(after.client.clientId).not.toBe(before.client.clientId);
    expect((await world.store.oauthClients.byId(before.clientRowId))!.state).toBe('RETIRED');
    expect((await person.follow(await person.press(await person.get(await world.link(enrollment)), 'continue'))).text).toContain('is connected');
  });

  test('wins over a refresh of the old login that finishes meanwhile', async () => {
    const person = new Person();
    await person.follow(await person.press(await person.get(await world.link(enrollment)), 'continue'));
    const answer = await stage.answerOf(person, await world.link(enrollment));
    const { credential } = await world.stored(enrollment);
    const { seal } = world.box;
    let moved = false;
    // Between reading the credential's version and storing the new tokens.
    world.box.seal = async (...args) => {
      if (!moved) moved = await world.store.enrollments.replaceCredential(enrollment.id, credential.version, { kind: 'OAUTH', sealed: credential.sealed, fields: credential.fields });
      return seal.apply(world.box, args);
    };
    try {
      expect((await person.get(answer)).text).toContain('is connected');
    } finally {
      world.box.seal = seal;
    }
    const { credential: after, value } = await world.stored(enrollment);
    expect(after.version).toBe(credential.version + 2);
    expect(value?.kind === 'OAUTH' && await provider.knows(value.accessToken)).toBe(true);
  });

  test('for an enrollment that was deleted meanwhile is refused', async () => {
    const person = new Person();
    const answer = await stage.answerOf(person, await world.link(enrollment));
    await world.store.enrollments.remove(enrollment.id);
    expect((await person.get(answer)).status).toBe(403);
    expect(provider.presentations.filter((one) => one.grantType === 'authorization_code')).toEqual([]);
  });

  test('for an enrollment that is deleted while its code is redeemed is revoked, since nobody keeps it', async () => {
    const person = new Person();
    const answer = await stage.answerOf(person, await world.link(enrollment));
    const { seal } = world.box;
    let came: OAuthTokens | null = null;
    // After the code was redeemed, before the tokens are stored.
    world.box.seal = async (key, value) => {
      if (value.kind === 'OAUTH') came = value;
      await world.store.enrollments.remove(enrollment.id);
      return seal.call(world.box, key, value);
    };
    try {
      expect((await person.get(answer)).text).toContain('was deleted while you were signing in');
    } finally {
      world.box.seal = seal;
    }
    const { accessToken, refreshToken } = came as unknown as OAuthTokens;
    const revoked = () => provider.presentations.filter(({ path }) => path === '/token/revocation').map(({ token }) => token);
    await until(() => revoked().length === 2);
    expect(revoked()).toEqual([refreshToken, accessToken]);
    expect(await provider.knows(accessToken)).toBe(false);
  });

  test('with a token that the server refuses asks for action', async () => {
    const person = new Person();
    const answer = await stage.answerOf(person, await world.link(enrollment));
    const { verify } = provider.mcp.guard;
    provider.mcp.guard.verify = () => Promise.resolve(null);
    const end = await person.get(answer).finally(() => { provider.mcp.guard.verify = verify; });
    expect(end.text).toContain('could not be connected');
    const { conditions, consent, credential } = await world.stored(enrollment);
    expect(credential.version).toBe(2);
    expect(enrollmentState(conditions, false, [])).toBe('ACTION_REQUIRED');
    expect(consent.state).toBe('FAILED');
  });

  test('leaves no link, state, code, verifier, cookie or token in a log', async () => {
    const person = new Person();
    const link = await world.link(enrollment);
    const page = await person.get(link);
    await person.get(`${link}/`);
    const sent = await person.press(page, 'continue');
    const cookies = [...person.cookies(world.url).values()];
    const answer = new URL((await person.follow(sent, stage.callback)).location!);
    await person.get(answer.href);
    const { value } = await world.stored(enrollment);
    const secrets = [new URL(link).pathname.split('/').at(-1)!, answer.searchParams.get('state')!, answer.searchParams.get('code')!, ...cookies];
    if (value?.kind === 'OAUTH') secrets.push(value.accessToken, value.refreshToken!);
    const log = world.lines.join('');
    expect(log).toContain('/connect/');
    for (const secret of secrets) expect(log).not.toContain(secret);
  });
});

describe('A faulty provider', () => {
  test('whose answer names another issuer is believed nothing, and gets no code', async () => {
    const faulty = await startFaultyAuthorizationServer({ faults: { callbackIss: 'https://evil.example' } });
    try {
      const mixed = await world.enroll(await world.type(faulty.mcp.url, {}, `mixed-up-${count}`), ada);
      const person = new Person();
      const end = await person.follow(await person.press(await person.get(await world.link(mixed)), 'continue'));
      expect(end.text).toContain('could not be connected');
      const { credential, conditions, consent } = await world.stored(mixed);
      expect(credential).toMatchObject({ version: 1, sealed: null });
      expect(enrollmentState(conditions, false, [])).toBe('PENDING_AUTHORIZATION');
      expect(consent.state).toBe('FAILED');
      expect(faulty.tokenRequests).toEqual([]);
    } finally {
      await faulty.close();
    }
  });

  test('whose error names another issuer isn\'t quoted', async () => {
    const faulty = await startFaultyAuthorizationServer({ faults: { callbackIss: 'https://evil.example', authorizationError: 'access_denied' } });
    try {
      const mixed = await world.enroll(await world.type(faulty.mcp.url, {}, `mixed-up-${count}`), ada);
      const person = new Person();
      const end = await person.follow(await person.press(await person.get(await world.link(mixed)), 'continue'));
      expect(end.text).not.toContain('way');
      expect((await world.stored(mixed)).consent.state).toBe('FAILED');
    } finally {
      await faulty.close();
    }
  });

  test('has its words quoted as text', async () => {
    const faulty = await startFaultyAuthorizationServer({ faults: { authorizationError: 'server_error' } });
    try {
      const failing = await world.enroll(await world.type(faulty.mcp.url, {}, `failing-${count}`), ada);
      const person = new Person();
      const end = await person.follow(await person.press(await person.get(await world.link(failing)), 'continue'));
      expect(end.text).toContain('&lt;b&gt;no&lt;/b&gt; way');
      expect(end.text).not.toContain('<b>');
      expect((await world.stored(failing)).consent.state).toBe('FAILED');
    } finally {
      await faulty.close();
    }
  });

  test('that doesn\'t answer leaves the enrollment waiting, and says so', async () => {
    const faulty = await startFaultyAuthorizationServer({ faults: { token: '500' } });
    try {
      const failing = await world.enroll(await world.type(faulty.mcp.url, {}, `failing-${count}`), ada);
      const person = new Person();
      expect((await person.follow(await person.press(await person.get(await world.link(failing)), 'continue'))).text).toContain('could not be connected');
      expect(enrollmentState((await world.stored(failing)).conditions, false, [])).toBe('PENDING_AUTHORIZATION');
    } finally {
      await faulty.close();
    }
  });
});
