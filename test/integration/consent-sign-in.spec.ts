import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Member } from '#core/store/entities/member.entity.js';
import { Person, type Got } from '#test/support/consent/person.js';
import { startSignInIssuer, type SignInIssuer } from '#test/support/consent/sign-in-issuer.js';
import { ConsentWorld, type ConsentWorldOptions } from '#test/support/consent/world.js';
import { startOidcProvider, type OidcProviderServer } from '#test/support/oauth-servers/oidc-provider.js';

let issuer: SignInIssuer;
let provider: OidcProviderServer;
let world: ConsentWorld;
let type: ConnectionType;
let ada: Member;
let enrollment: Enrollment;
let count = 0;

const ADA = { sub: 'ada', name: 'Ada Lovelace' };
const EVE = { sub: 'eve', name: 'Eve <Mallory>' };

function oidc(values: Partial<NonNullable<ConsentWorldOptions['oidc']>> = {}): NonNullable<ConsentWorldOptions['oidc']> {
  return { issuer: issuer.issuer, signIn: { clientId: issuer.clientId, clientSecret: issuer.clientSecret }, ...values };
}

beforeAll(async () => {
  // The issuer asks where we are when the first person signs in.
  issuer = await startSignInIssuer();
  [provider, world] = await Promise.all([startOidcProvider(), ConsentWorld.create({ localMode: false, oidc: oidc() })]);
  issuer.redirectUris.push(`${world.url}/signin/callback`);
  ada = await world.member('ada', 'Ada Lovelace', false);
});

beforeEach(async () => {
  count += 1;
  type = await world.type(provider.mcp.url, {}, `warehouse-${count}`);
  enrollment = await world.enroll(type, ada);
  Object.assign(issuer, { account: ADA, prompts: [] });
  provider.mcp.tokens.length = 0;
  world.lines.length = 0;
});

afterAll(async () => {
  await Promise.all([world.close(), provider.close(), issuer.close()]);
});

const step = (got: Got) => /<button[^>]*value="([^"]+)"/.exec(got.text)?.[1] ?? null;

/** Presses "Sign in" on the page of a link, and follows to where the way ends: that page again. */
async function signIn(person: Person, link: string): Promise<Got> {
  return person.follow(await person.press(await person.get(link), 'sign-in'));
}

async function expectNothingStored(): Promise<void> {
  const { credential, consent, grant } = await world.stored(enrollment);
  expect(credential).toMatchObject({ version: 1, sealed: null });
  expect(grant).toMatchObject({ clientId: null, expiresAt: null });
  expect(consent.state).toBe('LINKED');
  expect(provider.mcp.tokens).toEqual([]);
}

describe('With an OIDC issuer, the page of a link', () => {
  test('signs its owner in, and goes on for them', async () => {
    const person = new Person();
    const link = await world.link(enrollment, world.url);
    const first = await person.get(link);
    expect(step(first)).toBe('sign-in');
    expect(first.text).toContain('Ada Lovelace');
    const begun = await person.press(first, 'sign-in');
    expect(begun.status).toBe(303);
    expect(Object.fromEntries(new URL(begun.location!).searchParams)).toMatchObject({
      response_type: 'code', client_id: 'fairlead', redirect_uri: `${world.url}/signin/callback`, scope: 'openid profile email', code_challenge_method: 'S256',
      state: expect.any(String), nonce: expect.any(String), code_challenge: expect.any(String),
    });
    const page = await person.follow(begun);
    expect(page.url).toBe(link);
    expect(page.text).toContain('You are signed in as <bdi>Ada Lovelace</bdi>');
    const end = await person.follow(await person.press(page, 'continue'), `${world.url}/?`);
    expect(end.location).toContain('fairlead_outcome=READY');
    expect((await world.stored(enrollment)).value).toMatchObject({ kind: 'OAUTH' });
  });

  test('goes on for nobody who has not signed in', async () => {
    const person = new Person();
    const page = await person.get(await world.link(enrollment));
    const forced = await person.press({ ...page, text: page.text.replace('value="sign-in"', 'value="continue"') }, 'continue');
    expect(forced.location).toBeNull();
    expect(step(forced)).toBe('sign-in');
    await expectNothingStored();
  });

  test('opened and finished by another person stores nothing', async () => {
    issuer.account = EVE;
    const eve = new Person();
    const page = await signIn(eve, await world.link(enrollment));
    expect(page.status).toBe(403);
    expect(page.text).toContain('You are signed in as <bdi>Eve &lt;Mallory&gt;</bdi>, and this link belongs to <bdi>Ada Lovelace</bdi>');
    const forced = await eve.press({ ...page, text: page.text.replace('value="sign-in-again"', 'value="continue"') }, 'continue');
    expect(forced.status).toBe(403);
    expect(forced.location).toBeNull();
    await expectNothingStored();

    // Somebody who made a link for themselves and sent it to Ada gains nothing either: the page tells her whose it is.
    const eves = await world.enroll(type, await world.member('eve', 'Eve', false));
    issuer.account = ADA;
    const seen = await signIn(new Person(), await world.link(eves));
    expect(seen.status).toBe(403);
    expect(seen.text).toContain('this link belongs to <bdi>Eve</bdi>');
    expect((await world.stored(eves)).credential.sealed).toBeNull();
  });

  test('lets the right person sign in after the wrong one, and the issuer asks again', async () => {
    issuer.account = EVE;
    const person = new Person();
    const wrong = await signIn(person, await world.link(enrollment));
    issuer.account = ADA;
    person.cookies(issuer.issuer).clear();
    const right = await person.follow(await person.press(wrong, 'sign-in-again'));
    expect(right.text).toContain('You are signed in as <bdi>Ada Lovelace</bdi>');
    expect(issuer.prompts).toContain('login');
    expect((await person.press(right, 'continue')).status).toBe(303);
  });

  test('does not take a sign-in for one link as one for another, nor a made-up one', async () => {
    const person = new Person();
    await signIn(person, await world.link(enrollment));
    const jar = person.cookies(world.url);
    const [name, sealed] = [...jar].find(([key]) => key.startsWith('fairlead-person-'))!;
    const other = await world.enroll(type, ada, 'other');
    const link = await world.link(other);
    expect(step(await person.get(link))).toBe('sign-in');
    const before = new Set(jar.keys());
    await signIn(person, link);
    const [otherName] = [...jar.keys()].filter((key) => key.startsWith('fairlead-person-') && !before.has(key));
    expect(otherName).not.toBe(name);
    expect(step(await person.get(link))).toBe('continue');
    for (const forged of [sealed, 'x', Buffer.from(JSON.stringify({ until: 9e15, value: { subject: 'ada', displayName: 'Ada' } })).toString('base64url')]) {
      jar.set(otherName!, forged);
      expect(step(await person.get(link))).toBe('sign-in');
    }
  });

  test('takes an issuer\'s answer only in the browser that asked, and only once', async () => {
    const person = new Person();
    const begun = await person.press(await person.get(await world.link(enrollment)), 'sign-in');
    const answer = (await person.follow(begun, `${world.url}/signin/callback`)).location!;
    const stranger = await new Person().get(answer);
    expect(stranger.status).toBe(403);
    expect(stranger.headers.getSetCookie()).toEqual([]);
    const forged = new URL(answer);
    forged.searchParams.set('state', 'A'.repeat(43));
    expect((await person.get(forged.href)).status).toBe(403);
    const jar = new Map(person.cookies(world.url));
    expect((await person.get(answer)).status).toBe(303);
    expect((await person.get(answer)).status).toBe(403);
    for (const [name, value] of jar) person.cookies(world.url).set(name, value);
    const again = await person.get(answer);
    expect(again.status).toBe(403);
    expect(again.text).toContain('You are not signed in');
  });

  test('refuses an answer in another issuer\'s name, and one without its nonce', async () => {
    const person = new Person();
    const begun = await person.press(await person.get(await world.link(enrollment)), 'sign-in');
    const answer = new URL((await person.follow(begun, `${world.url}/signin/callback`)).location!);
    answer.searchParams.set('iss', 'https://evil.example');
    expect((await person.get(answer.href)).text).toContain('could not be checked');

    const other = new Person();
    const started = await other.press(await other.get(await world.link(enrollment)), 'sign-in');
    const tampered = new URL(started.location!);
    tampered.searchParams.set('nonce', 'another');
    const end = await other.follow({ ...started, location: tampered.href });
    expect(end.status).toBe(403);
    expect(end.text).toContain('could not be checked');
    expect(step(await other.get((await world.link(enrollment))))).toBe('sign-in');
  });

  test('says in words when the issuer signs nobody in, and offers to try again', async () => {
    issuer.account = null;
    const person = new Person();
    const link = await world.link(enrollment);
    const end = await signIn(person, link);
    expect(end.status).toBe(403);
    expect(end.text).toContain('&lt;b&gt;nobody&lt;/b&gt; is here');
    expect(end.text).toContain(`href="${link}"`);
    issuer.account = ADA;
    expect(step(await signIn(person, link))).toBe('continue');
  });

  test('consents for no local member, as whom nobody can sign in', async () => {
    const robot = await world.enroll(type, await world.member('robot', 'Robot', true));
    const person = new Person();
    const page = await person.get(await world.link(robot));
    expect(page.status).toBe(403);
    expect(page.text).toContain('<bdi>Robot</bdi> is a local member');
    expect(step(page)).toBeNull();
    // A person of the issuer with the subject of a local member is somebody else.
    const own = await person.get(await world.link(enrollment));
    const forged = await person.press({ ...own, url: page.url }, 'sign-in');
    expect(forged.status).toBe(403);
  });

  test('keeps codes, tokens, names of cookies\' contents and links out of the log', async () => {
    const person = new Person();
    const link = await world.link(enrollment);
    const begun = await person.press(await person.get(link), 'sign-in');
    const secrets = [...person.cookies(world.url).values()];
    const answer = new URL((await person.follow(begun, `${world.url}/signin/callback`)).location!);
    await person.get(answer.href);
    secrets.push(...person.cookies(world.url).values(), answer.searchParams.get('code')!, answer.searchParams.get('state')!, new URL(link).pathname.split('/').at(-1)!, issuer.clientSecret);
    for (const secret of secrets) expect(world.lines.join('')).not.toContain(secret);
  });
});

describe('How a person is known', () => {
  async function withWorld(values: Parameters<typeof oidc>[0], work: (own: ConsentWorld, link: string) => Promise<void>): Promise<void> {
    const own = await ConsentWorld.create({ localMode: false, oidc: oidc(values) });
    try {
      issuer.redirectUris.push(`${own.url}/signin/callback`);
      const member = await own.member('ada@example.com', 'Ada', false);
      await work(own, await own.link(await own.enroll(await own.type(provider.mcp.url), member)));
    } finally {
      await own.close();
    }
  }

  test('by mail address: it comes from userinfo, and must be verified', async () => {
    await withWorld({ subjectClaim: 'email' }, async (_own, link) => {
      issuer.account = { ...ADA, email: 'ada@example.com', email_verified: false };
      const refused = await signIn(new Person(), link);
      expect(refused.status).toBe(403);
      expect(refused.text).toContain('has not verified your mail address');
      issuer.account = { ...ADA, email: 'ada@example.com', email_verified: true };
      expect(step(await signIn(new Person(), link))).toBe('continue');
      issuer.account = { ...ADA, email: 'Ada@example.com', email_verified: true };
      expect(step(await signIn(new Person(), link))).toBe('sign-in-again');
    });
  });

  test('not at all without a client at the issuer, and the page says what is missing', async () => {
    await withWorld({ signIn: null }, async (_own, link) => {
      const person = new Person();
      const page = await person.get(link);
      expect(page.status).toBe(403);
      expect(page.text).toContain('FAIRLEAD_OIDC_CLIENT_ID');
      expect(step(page)).toBeNull();
    });
  });

  test('not while the issuer is down, which is no refusal', async () => {
    await withWorld({ issuer: 'http://127.0.0.1:9' }, async (_own, link) => {
      const person = new Person();
      const end = await person.press(await person.get(link), 'sign-in');
      expect(end.status).toBe(502);
      expect(end.text).toContain(`href="${link}"`);
    });
  });
});
