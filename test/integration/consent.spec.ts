import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { Member } from '#core/store/entities/member.entity.js';
import { enrollmentState } from '#core/connection/state.js';
import { formOf, Person } from '#test/support/consent/person.js';
import { ConsentWorld } from '#test/support/consent/world.js';
import { startFaultyAuthorizationServer } from '#test/support/oauth-servers/faulty-server.js';
import { startOidcProvider, type OidcProviderServer } from '#test/support/oauth-servers/oidc-provider.js';

let world: ConsentWorld;
let provider: OidcProviderServer;
let type: ConnectionType;
let ada: Member;
let enrollment: Enrollment;

let count = 0;

beforeAll(async () => {
  [world, provider] = await Promise.all([ConsentWorld.create(), startOidcProvider()]);
  ada = await world.member('ada', 'Ada Lovelace');
});

beforeEach(async () => {
  count += 1;
  type = await world.type(provider.mcp.url, {}, `warehouse-${count}`);
  enrollment = await world.enroll(type, ada);
  provider.decision = 'approve';
  provider.mcp.tokens.length = 0;
  provider.presentations.length = 0;
  world.lines.length = 0;
});

afterAll(async () => {
  await Promise.all([world.close(), provider.close()]);
});

const callback = () => `${world.url}/oauth/callback`;

/** Up to the provider's answer, which isn't opened. */
async function answerOf(person: Person, link: string): Promise<string> {
  const sent = await person.press(await person.get(link), 'continue');
  return (await person.follow(sent, callback())).location!;
}

/** What must be as it was: nothing was stored, and the enrollment waits for consent. */
async function expectNothingStored(): Promise<void> {
  const { credential, conditions, grant } = await world.stored(enrollment);
  expect(credential).toMatchObject({ version: 1, sealed: null, fields: [] });
  expect(grant).toMatchObject({ clientId: null, issuer: null, expiresAt: null, refreshable: false });
  expect(enrollmentState(conditions, false, [])).toBe('PENDING_AUTHORIZATION');
  expect(provider.mcp.tokens).toEqual([]);
}

async function audited() {
  const { rows } = await world.store.audit.page(world.team.id, { first: 100, after: null });
  return rows.filter((row) => row.subjectId === enrollment.id);
}

describe('Consent in local mode', () => {
  test('goes from the link over the page to the provider and back, and the login is stored, tried and READY', async () => {
    const person = new Person();
    const page = await person.get(await world.link(enrollment));
    for (const text of ['Connect Warehouse', 'Ada Lovelace', 'Logistics', provider.mcp.url, new URL(provider.issuer).host, 'mcp:tools']) expect(page.text).toContain(text);
    const sent = await person.press(page, 'continue');
    expect(sent.status).toBe(303);
    const request = new URL(sent.location!);
    expect(Object.fromEntries(request.searchParams)).toMatchObject({
      response_type: 'code', redirect_uri: callback(), code_challenge_method: 'S256', resource: provider.mcp.url, scope: expect.stringContaining('mcp:tools'), state: expect.any(String),
    });
    const end = await person.follow(sent);
    expect(end.status).toBe(200);
    expect(end.text).toContain('Warehouse is connected');
    expect(end.text).toContain('You can close this page');

    const { value, credential, grant, conditions, consent } = await world.stored(enrollment);
    expect(value).toEqual({ kind: 'OAUTH', accessToken: expect.any(String), refreshToken: expect.any(String) });
    expect(credential).toMatchObject({ version: 2, kind: 'OAUTH' });
    expect(credential.fields.map(({ name, isSet }) => [name, isSet])).toEqual([['accessToken', true], ['refreshToken', true]]);
    expect(grant).toMatchObject({ issuer: provider.issuer, clientId: (await world.oauth.setupOf(type)).clientRowId, scopes: ['mcp:tools'], refreshable: true, failedRefreshes: 0, refreshAt: new Date(grant!.expiresAt!.getTime() - 1_200_000) });
    expect(grant!.expiresAt!.getTime() - grant!.obtainedAt!.getTime()).toBe(3_600_000);
    expect(enrollmentState(conditions, false, [])).toBe('READY');
    expect(conditions.find((one) => one.type === 'Authorized')).toMatchObject({ status: 'TRUE', reason: 'Accepted' });
    expect(consent).toMatchObject({ state: 'READY', sealed: null });
    expect(provider.mcp.tokens.length).toBeGreaterThan(0);
    expect(await audited()).toMatchObject([{ action: 'finishAuthorization', outcome: 'SUCCEEDED', actorName: 'Ada Lovelace', subjectName: type.name }]);
  });

  test('returns to the return URL with the enrollment and its outcome', async () => {
    const person = new Person();
    const link = await world.link(enrollment, 'http://localhost:3999/settings?tab=2#logins');
    const end = await person.follow(await person.press(await person.get(link), 'continue'), 'http://localhost:3999');
    const id = Buffer.from(`Enrollment:${enrollment.id}`).toString('base64url');
    expect(end.location).toBe(`http://localhost:3999/settings?tab=2&fairlead_enrollment=${id}&fairlead_outcome=READY#logins`);
    expect((await world.stored(enrollment)).consent.state).toBe('READY');
  });

  test('again keeps the enrollment\'s id, and replaces the login', async () => {
    const person = new Person();
    await person.follow(await person.press(await person.get(await world.link(enrollment)), 'continue'));
    const first = await world.stored(enrollment);
    await world.store.oauthGrants.update(enrollment.id, { wantedScopes: ['files:write'], failedRefreshes: 3, outcomeUnknownAt: new Date() });
    const page = await person.get(await world.link(enrollment));
    expect(page.text).toContain('files:write');
    await person.follow(await person.press(page, 'continue'));
    const second = await world.stored(enrollment);
    expect(second.enrollment.id).toBe(first.enrollment.id);
    expect(second.credential.version).toBe(3);
    expect(second.value).not.toEqual(first.value);
    expect(second.grant).toMatchObject({ scopes: ['mcp:tools', 'files:write'], wantedScopes: ['files:write'], failedRefreshes: 0, outcomeUnknownAt: null });
  });

  test('for two servers at once works in one browser', async () => {
    const other = await world.enroll(type, ada, 'second');
    const person = new Person();
    const pages = [await person.get(await world.link(enrollment)), await person.get(await world.link(other))];
    const answers = [];
    for (const page of pages) answers.push((await person.follow(await person.press(page, 'continue'), callback())).location!);
    for (const answer of answers) expect((await person.get(answer)).text).toContain('Warehouse is connected');
    expect((await world.stored(other)).credential.version).toBe(2);
  });

  test('says so when the login is shared with the team', async () => {
    await world.store.enrollments.update(enrollment.id, { shared: true });
    expect((await new Person().get(await world.link(enrollment))).text).toContain('everybody in the team <bdi>Logistics</bdi> can use it');
  });
});

describe('A link', () => {
  test('that is opened, previewed or scanned changes nothing, and works afterwards', async () => {
    const link = await world.link(enrollment);
    const before = await world.stored(enrollment);
    for (const method of ['GET', 'HEAD', 'GET']) {
      const response = await fetch(link, { method, headers: { 'sec-purpose': 'prefetch' } });
      expect(response.status).toBe(200);
      await response.text();
    }
    expect(await world.stored(enrollment)).toEqual(before);
    const person = new Person();
    expect((await person.follow(await person.press(await person.get(link), 'continue'))).text).toContain('is connected');
  });

  test('is good once', async () => {
    const link = await world.link(enrollment);
    const [one, two] = [new Person(), new Person()];
    const [pageOne, pageTwo] = [await one.get(link), await two.get(link)];
    const sent = await one.press(pageOne, 'continue');
    expect(sent.status).toBe(303);
    expect((await two.press(pageTwo, 'continue')).status).toBe(410);
    expect((await one.get(link)).status).toBe(410);
    expect((await one.follow(sent)).text).toContain('is connected');
    expect((await one.get(link)).status).toBe(410);
  });

  test('of two that race through the same form, one goes on', async () => {
    const person = new Person();
    const page = await person.get(await world.link(enrollment));
    const statuses = (await Promise.all([1, 2, 3, 4].map(() => person.press(page, 'continue')))).map((got) => got.status);
    expect(statuses.sort((a, b) => a - b)).toEqual([303, 410, 410, 410]);
  });

  test('is worth nothing once there is a newer one, and so is a login that was begun with it', async () => {
    const person = new Person();
    const first = await world.link(enrollment);
    const begun = await answerOf(person, await world.link(enrollment));
    expect((await person.get(first)).status).toBe(410);
    const newest = await world.link(enrollment);
    const end = await person.get(begun);
    expect(end.text).toContain('a newer link replaced it');
    await expectNothingStored();
    expect((await person.follow(await person.press(await person.get(newest), 'continue'))).text).toContain('is connected');
  });

  test('that is too old leads nowhere but back', async () => {
    const link = await world.link(enrollment, 'http://127.0.0.1:3999/logins');
    await world.store.manager.query(`update oauth_authorizations set expires_at = now() - interval '1 second'`);
    const person = new Person();
    const page = await person.get(link);
    expect(page.status).toBe(410);
    expect(page.text).toMatch(/href="http:\/\/127\.0\.0\.1:3999\/logins\?fairlead_enrollment=\w+&amp;fairlead_outcome=EXPIRED"/);
  });

  test('that nobody was given, or that was changed on its way, is refused alike', async () => {
    for (const path of ['x', 'A'.repeat(43), '%00', 'A'.repeat(90)]) expect((await fetch(`${world.url}/connect/${path}`)).status).toBe(410);
  });

  test('of a type that was moved shows where it goes now, and going on without having seen that is refused', async () => {
    const person = new Person();
    const page = await person.get(await world.link(enrollment));
    await world.store.connectionTypes.updateSpec(type.id, 1, { ...type.spec, serverUrl: `${provider.mcp.url}?tenant=2` });
    const again = await person.press(page, 'continue');
    expect(again.status).toBe(409);
    expect(again.text).toContain('was changed since you opened this page');
    expect(again.text).toContain(`${provider.mcp.url}?tenant=2`);
    expect(again.text).toContain('address changed since');
    expect((await world.stored(enrollment)).consent.state).toBe('LINKED');
    expect((await person.press(again, 'continue')).status).toBe(303);
  });
});

describe('The form', () => {
  async function refused(headers: Record<string, string>, change: (body: string) => string = (body) => body): Promise<number> {
    const link = await world.link(enrollment);
    const person = new Person();
    const page = await person.get(link);
    const cookie = [...person.cookies(world.url)].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(link, { method: 'POST', redirect: 'manual', headers: { cookie, 'content-type': 'application/x-www-form-urlencoded', ...headers }, body: change(formOf(page, 'continue').body) });
    await response.text();
    expect((await world.stored(enrollment)).consent.state).toBe(response.status === 303 ? 'SENT' : 'LINKED');
    return response.status;
  }

  test('of another site is refused', async () => {
    expect(await refused({ 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' })).toBe(403);
    expect(await refused({ 'sec-fetch-site': 'same-site', origin: 'null' })).toBe(403);
    expect(await refused({ origin: 'https://evil.example' })).toBe(403);
    expect(await refused({ origin: 'https://console.example.com' })).toBe(403);
    expect(await refused({ 'sec-fetch-site': 'same-origin', origin: world.url })).toBe(303);
  });

  test('without the page\'s token, or without the browser\'s cookie, is refused', async () => {
    const own = { 'sec-fetch-site': 'same-origin', origin: 'null' };
    expect(await refused(own, (body) => body.replace(/csrf=[^&]*/, 'csrf='))).toBe(403);
    expect(await refused(own, (body) => body.replace(/csrf=[^&]*&/, ''))).toBe(403);
    expect(await refused({ ...own, cookie: '' })).toBe(403);
    expect(await refused({ ...own, cookie: `fairlead-page=${'A'.repeat(43)}` })).toBe(403);
  });

  test('in another form than a form is refused with a page', async () => {
    expect(await refused({ 'content-type': 'application/json' })).toBe(415);
    expect(await refused({ 'content-type': 'text/plain' })).toBe(415);
    expect(await refused({}, (body) => `${body}&${'x'.repeat(5_000)}`)).toBe(413);
  });
});

describe('An answer', () => {
  test('that comes in another browser stores nothing, and the right browser can still finish', async () => {
    const [ada, eve] = [new Person(), new Person()];
    const answer = await answerOf(ada, await world.link(enrollment));
    const page = await eve.get(answer);
    expect(page.status).toBe(403);
    expect(page.text).toContain('started in another browser');
    await expectNothingStored();
    expect((await world.stored(enrollment)).consent.state).toBe('SENT');
    expect((await ada.get(answer)).text).toContain('Warehouse is connected');
  });

  test('of somebody whom the provider\'s address was sent to binds their login to nobody', async () => {
    const [eve, victim] = [new Person(), new Person()];
    const sent = await eve.press(await eve.get(await world.link(enrollment)), 'continue');
    const end = await victim.follow(await victim.get(sent.location!));
    expect(end.status).toBe(403);
    await expectNothingStored();
  });

  test('with the cookie of another consent is refused', async () => {
    const person = new Person();
    const one = await answerOf(person, await world.link(enrollment));
    const two = await answerOf(person, await world.link(await world.enroll(type, ada, 'second')));
    const jar = person.cookies(world.url);
    const names = [...jar.keys()].filter((name) => name.startsWith('fairlead-consent-'));
    const values = names.map((name) => jar.get(name)!);
    names.forEach((name, index) => jar.set(name, values[1 - index]!));
    for (const answer of [one, two]) expect((await person.get(answer)).status).toBe(403);
    await expectNothingStored();
  });

  test('that was forged, or lacks its state, or has two, is refused', async () => {
    const person = new Person();
    const answer = new URL(await answerOf(person, await world.link(enrollment)));
    const state = answer.searchParams.get('state')!;
    for (const query of ['', '?code=x', '?code=x&state=', `?code=x&state=${'A'.repeat(43)}`, `?code=x&state=${state}&state=${state}`, '?error=access_denied']) {
      expect((await person.get(`${callback()}${query}`)).status).toBe(403);
    }
    await expectNothingStored();
    expect((await world.stored(enrollment)).consent.state).toBe('SENT');
  });

  test('that is repeated changes nothing', async () => {
    const person = new Person();
    const answer = await answerOf(person, await world.link(enrollment));
    const jar = new Map(person.cookies(world.url));
    expect((await person.get(answer)).status).toBe(200);
    const { credential, consent } = await world.stored(enrollment);
    expect((await person.get(answer)).status).toBe(403);
    for (const [name, value] of jar) person.cookies(world.url).set(name, value);
    const repeated = await person.get(answer);
    expect(repeated.status).toBe(409);
    expect(repeated.text).toContain('finished already');
    expect(await world.stored(enrollment)).toMatchObject({ credential, consent });
    expect(provider.presentations.filter((one) => one.grantType === 'authorization_code')).toHaveLength(1);
  });

  test('that comes four times at once is taken once', async () => {
    const person = new Person();
    const answer = await answerOf(person, await world.link(enrollment));
    const statuses = (await Promise.all([1, 2, 3, 4].map(() => person.get(answer)))).map((got) => got.status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect((await world.stored(enrollment)).credential.version).toBe(2);
    expect(provider.presentations.filter((one) => one.grantType === 'authorization_code')).toHaveLength(1);
  });

  test('that comes too late stores nothing, and says so to the return URL', async () => {
    const person = new Person();
    const answer = await answerOf(person, await world.link(enrollment, 'http://127.0.0.1:3999/logins'));
    await world.store.manager.query(`update oauth_authorizations set expires_at = now() - interval '1 second'`);
    expect((await person.get(answer)).location).toContain('fairlead_outcome=EXPIRED');
    await expectNothingStored();
    expect((await world.stored(enrollment)).consent).toMatchObject({ state: 'EXPIRED', sealed: null });
    expect(provider.presentations.filter((one) => one.grantType === 'authorization_code')).toEqual([]);
  });

  test('that says no leaves the enrollment waiting for consent, with the reason, and consent can be given later', async () => {
    provider.decision = 'deny';
    const person = new Person();
    const end = await person.follow(await person.press(await person.get(await world.link(enrollment, 'http://127.0.0.1:3999/logins')), 'continue'), 'http://127.0.0.1:3999');
    expect(end.location).toContain('fairlead_outcome=DENIED');
    await expectNothingStored();
    const { conditions, consent } = await world.stored(enrollment);
    expect(conditions.find((one) => one.type === 'Authorized')).toMatchObject({ status: 'FALSE', reason: 'ConsentDenied', message: expect.stringContaining('the person said no') });
    expect(consent).toMatchObject({ state: 'DENIED', message: expect.stringContaining('the person said no') });
    expect(await audited()).toMatchObject([{ outcome: 'REFUSED', code: 'ACCESS_DENIED' }]);
    provider.decision = 'approve';
    expect((await person.follow(await person.press(await person.get(await world.link(enrollment)), 'continue'))).text).toContain('is connected');
  });

  test('that says no to a second consent leaves the first login as it is', async () => {
    const person = new Person();
    await person.follow(await person.press(await person.get(await world.link(enrollment)), 'continue'));
    const { credential, conditions, grant } = await world.stored(enrollment);
    provider.decision = 'deny';
    const other = new Person();
    expect((await other.follow(await other.press(await other.get(await world.link(enrollment)), 'continue'))).text).toContain('Warehouse is not connected');
    expect(await world.stored(enrollment)).toMatchObject({ credential, conditions, grant });
  });

  test('that comes after the server moved stores nothing', async () => {
    const person = new Person();
    const answer = await answerOf(person, await world.link(enrollment));
    await world.store.connectionTypes.updateSpec(type.id, 1, { ...type.spec, serverUrl: `${provider.mcp.url}?tenant=2` });
    expect((await person.get(answer)).text).toContain('changed while you were signing in');
    await expectNothingStored();
  });

  test('that comes after the client was replaced stores nothing, and its code goes nowhere', async () => {
    const person = new Person();
    const answer = await answerOf(person, await world.link(enrollment));
    await world.oauth.clientRefused(type, (await world.oauth.setupOf(type)).clientRowId);
    expect((await person.get(answer)).text).toContain('changed while you were signing in');
    await expectNothingStored();
    expect(provider.presentations.filter((one) => one.grantType === 'authorization_code')).toEqual([]);
  });

  test('with a token that the server refuses asks for action', async () => {
    const person = new Person();
    const answer = await answerOf(person, await world.link(enrollment));
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
    const answer = new URL((await person.follow(sent, callback())).location!);
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

describe('All pages', () => {
  const pages = async () => [await world.link(enrollment), `${world.url}/connect/nothing`, callback(), `${world.url}/signin/callback?state=x`, `${world.url}/enroll/logistics/warehouse`, `${world.url}/enroll/LOGISTICS/x`];

  test('forbid scripts, frames, caching and referrers, and are whole documents with a language and one heading', async () => {
    for (const url of await pages()) {
      const page = await new Person().get(url);
      const policy = page.headers.get('content-security-policy')!;
      expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/=]+'; base-uri 'none'; frame-ancestors 'none'$/);
      expect(page.headers.get('referrer-policy')).toBe('no-referrer');
      expect(page.headers.get('cache-control')).toBe('no-store');
      expect(page.headers.get('x-content-type-options')).toBe('nosniff');
      expect(page.text).toMatch(/^<!doctype html>\n<html lang="en">/);
      expect(page.text.match(/<h1>/g)).toHaveLength(1);
      expect(page.text).not.toMatch(/<script|<iframe|<img|\son\w+=|javascript:/i);
    }
  });

  test('are never answered across origins', async () => {
    for (const url of await pages()) {
      const response = await fetch(url, { headers: { origin: 'https://console.example.com' } });
      expect(response.headers.get('access-control-allow-origin')).toBeNull();
      await response.text();
    }
  });

  test('set cookies for this host only, out of reach of scripts', async () => {
    const response = await fetch(await world.link(enrollment));
    await response.text();
    expect(response.headers.getSetCookie()).toEqual([expect.stringMatching(/^fairlead-page=[\w-]{43}; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax$/)]);
  });

  test('show what people chose as text', async () => {
    const spec = { displayName: '<img src=x> & "Co"' };
    const odd = await world.enroll(await world.type(provider.mcp.url, spec, 'odd'), await world.member('eve\u202e', '<b>Eve</b>'), '"><script>');
    const page = await new Person().get(await world.link(odd));
    expect(page.text).toContain('&lt;img src=x&gt; &amp; &quot;Co&quot;');
    expect(page.text).toContain('&lt;b&gt;Eve&lt;/b&gt;');
    expect(page.text).toContain('&quot;&gt;&lt;script&gt;');
    expect(page.text).not.toContain('\u202e');
  });

  test('that tell how to enroll take names of teams and types only', async () => {
    const page = await new Person().get(`${world.url}/enroll/logistics/warehouse`);
    expect(page.status).toBe(200);
    expect(page.text).toContain('team(slug: &quot;logistics&quot;)');
    expect(page.text).toContain(`href="${world.url}/explorer"`);
    for (const path of ['logistics/%3Cb%3E', '-x/y', 'x/y%22']) expect((await fetch(`${world.url}/enroll/${path}`)).status).toBe(404);
  });

  test('but for the client metadata document, which authorization servers read', async () => {
    const response = await fetch(`${world.url}/.well-known/fairlead-client.json`);
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    expect(await response.json()).toMatchObject({ client_id: `${world.url}/.well-known/fairlead-client.json`, redirect_uris: [callback()], token_endpoint_auth_method: 'none' });
  });
});

test('Under an HTTPS public URL cookies are Secure and bound to the host by their prefix', async () => {
  const installation = await ConsentWorld.create({ localMode: false, publicUrl: 'https://fairlead.example.com' });
  try {
    const own = await installation.enroll(await installation.type(provider.mcp.url), await installation.member('ada', 'Ada Lovelace'));
    const link = await installation.link(own);
    expect(link).toMatch(/^https:\/\/fairlead\.example\.com\/connect\/[\w-]{43}$/);
    const response = await fetch(`${installation.listening}${new URL(link).pathname}`);
    expect(response.status).toBe(200);
    await response.text();
    expect(response.headers.getSetCookie()).toEqual([expect.stringMatching(/^__Host-fairlead-page=[\w-]{43}; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax; Secure$/)]);
  } finally {
    await installation.close();
  }
});
