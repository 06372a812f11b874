import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { Member } from '#core/store/entities/member.entity.js';
import { enrollmentState } from '#core/connection/state.js';
import { formOf, Person } from '#test/support/consent/person.js';
import { ConsentStage } from '#test/support/consent/stage.js';
import { ConsentWorld } from '#test/support/consent/world.js';
import type { OidcProviderServer } from '#test/support/oauth-servers/oidc-provider.js';
import { startFaultyAuthorizationServer } from '#test/support/oauth-servers/faulty-server.js';
import { OAuthCheck } from '#core/upkeep/oauth-check.js';
import { startSdkDemo } from '#test/support/oauth-servers/sdk-demo.js';

let stage: ConsentStage;
let world: ConsentWorld;
let provider: OidcProviderServer;
let type: ConnectionType;
let ada: Member;
let enrollment: Enrollment;

beforeAll(async () => {
  stage = await ConsentStage.open();
  ({ world, provider, ada } = stage);
});

beforeEach(async () => {
  ({ type, enrollment } = await stage.next());
});

afterAll(() => stage.close());

describe('Consent in local mode', () => {
  test('goes from the link over the page to the provider and back, and the login is stored, tried and READY', async () => {
    const person = new Person();
    const page = await person.get(await world.link(enrollment));
    for (const text of ['Connect Warehouse', 'Ada Lovelace', 'Logistics', provider.mcp.url, new URL(provider.issuer).host, 'mcp:tools']) expect(page.text).toContain(text);
    const sent = await person.press(page, 'continue');
    expect(sent.status).toBe(303);
    const request = new URL(sent.location!);
    expect(Object.fromEntries(request.searchParams)).toMatchObject({
      response_type: 'code', redirect_uri: stage.callback, code_challenge_method: 'S256', resource: provider.mcp.url, scope: expect.stringContaining('mcp:tools'), state: expect.any(String),
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
    expect(await stage.audited()).toMatchObject([{ action: 'finishAuthorization', outcome: 'SUCCEEDED', actorName: 'Ada Lovelace', subjectName: type.name }]);
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
    // One grant may be behind both logins, and to revoke the first would end the second.
    expect(provider.presentations.filter(({ path }) => path === '/token/revocation')).toEqual([]);
    expect(second.grant).toMatchObject({ scopes: ['mcp:tools', 'files:write'], wantedScopes: ['files:write'], failedRefreshes: 0, outcomeUnknownAt: null });
  });

  test('for two servers at once works in one browser', async () => {
    const other = await world.enroll(type, ada, 'second');
    const person = new Person();
    const pages = [await person.get(await world.link(enrollment)), await person.get(await world.link(other))];
    const answers = [];
    for (const page of pages) answers.push((await person.follow(await person.press(page, 'continue'), stage.callback)).location!);
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
    const begun = await stage.answerOf(person, await world.link(enrollment));
    expect((await person.get(first)).status).toBe(410);
    const newest = await world.link(enrollment);
    const end = await person.get(begun);
    expect(end.text).toContain('a newer link replaced it');
    await stage.expectNothingStored();
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
    const serverUrl = `${provider.mcp.url}?tenant=2`;
    await world.store.connectionTypes.updateSpec(type.id, 1, { ...type.spec, serverUrl });
    await world.store.oauthClients.saveDiscovery({ ...(await world.store.oauthClients.discovery(type.id))!, serverUrl });
    const again = await person.press(page, 'continue');
    expect(again.status).toBe(409);
    expect(again.text).toContain('was changed since you opened this page');
    expect(again.text).toContain(`${provider.mcp.url}?tenant=2`);
    expect(again.text).toContain('address changed since');
    expect((await world.stored(enrollment)).consent.state).toBe('LINKED');
    expect((await person.press(again, 'continue')).status).toBe(303);
  });
});

test('A page names the host that its button leads to, also where that isn\'t the issuer\'s, and going on after that has changed is refused', async () => {
  const faulty = await startFaultyAuthorizationServer({});
  try {
    const person = new Person();
    const moving = await world.type(faulty.mcp.url, {}, 'elsewhere');
    const page = await person.get(await world.link(await world.enroll(moving, ada)));
    faulty.faults.metadataMembers = { authorization_endpoint: 'http://localhost:9/login' };
    await new OAuthCheck({ store: world.store, oauth: world.oauth, registry: world.registry, now: () => new Date() }).check(moving, { verdict: 'AUTHENTICATION_REQUIRED', challenge: null });
    const again = await person.press(page, 'continue');
    expect(again.status).toBe(409);
    expect(again.text).toContain(`<code>localhost:9</code>, which signs people in for <code>${new URL(faulty.issuer).host}</code>`);
    expect(again.text).toContain('continue to localhost:9');
    expect((await person.press(again, 'continue')).location).toMatch(/^http:\/\/localhost:9\/login\?/);
  } finally {
    await faulty.close();
  }
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

describe('All pages', () => {
  const pages = async () => [await world.link(enrollment), `${world.url}/connect/nothing`, stage.callback, `${world.url}/signin/callback?state=x`, `${world.url}/enroll/logistics/warehouse`, `${world.url}/enroll/LOGISTICS/x`];

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
    expect(await response.json()).toMatchObject({ client_id: `${world.url}/.well-known/fairlead-client.json`, redirect_uris: [stage.callback], token_endpoint_auth_method: 'none' });
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

test('Consent at the SDK\'s demo server, which gives no refresh token, works alike', async () => {
  const demo = await startSdkDemo();
  try {
    const own = await world.enroll(await world.type(demo.url, {}, 'sdk-demo'), ada);
    const person = new Person();
    const page = await person.get(await world.link(own));
    expect(page.text).toContain(new URL(demo.issuer).host);
    expect((await person.follow(await person.press(page, 'continue'))).text).toContain('is connected');
    const { value, grant, conditions } = await world.stored(own);
    expect(value).toMatchObject({ kind: 'OAUTH', refreshToken: null });
    expect(grant).toMatchObject({ issuer: demo.issuer, refreshable: false, refreshAt: null });
    expect(enrollmentState(conditions, false, [])).toBe('READY');
  } finally {
    await demo.close();
  }
});
