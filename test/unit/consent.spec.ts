import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { buildSchema, parse, validate } from 'graphql';
import { Cookies } from '#api/consent/cookies.js';
import { csrfToken, isCsrfToken, isSameOrigin } from '#api/consent/form-guard.js';
import { foreign, html } from '#api/consent/html.js';
import { hashOf, isSecret, matches, newSecret } from '#api/consent/one-time-secret.js';
import { enrollPage } from '#api/consent/pages.js';
import { proofFor } from '#api/consent/proof.js';
import { ReturnUrls, withOutcome } from '#api/consent/return-urls.js';
import { UserFault } from '#core/errors.js';
import { awaitingConsent, resumed, SUSPENDED } from '#core/upkeep/observations.js';
import { withObservations } from '#core/connection/condition.js';

describe('HTML', () => {
  test('escapes every value, in text and in attributes, and nothing twice', () => {
    const inner = html`<b title="${'"><script>'}">${"Ada & 'Co' <x>"}</b>`;
    expect(html`<p>${inner}${null}${3}${[html`<i></i>`, html`<u></u>`]}</p>`.text).toBe('<p><b title="&quot;&gt;&lt;script&gt;">Ada &amp; &#39;Co&#39; &lt;x&gt;</b>3<i></i><u></u></p>');
  });

  test('keeps text of others on one line, isolated, without characters that turn what is around it', () => {
    expect(foreign('a\u202eb\n\u0000c').text).toBe('<bdi>a b c</bdi>');
    expect(foreign('x'.repeat(300)).text).toBe(`<bdi>${'x'.repeat(200)}…</bdi>`);
    expect(foreign('<b>').text).toBe('<bdi>&lt;b&gt;</bdi>');
  });
});

describe('One-time secrets', () => {
  test('are 256 bits, match their own hash only, and are told by their form', () => {
    const secret = newSecret();
    expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
    expect(matches(secret, hashOf(secret))).toBe(true);
    expect([matches(newSecret(), hashOf(secret)), matches(undefined, hashOf(secret)), matches(secret, null)]).toEqual([false, false, false]);
    expect([isSecret(secret), isSecret(undefined), isSecret(''), isSecret(`${secret}A`), isSecret(`${secret.slice(1)}=`)]).toEqual([true, false, false, false, false]);
  });
});

describe('Return URLs', () => {
  const urls = (localMode: boolean) => new ReturnUrls({ publicUrl: () => 'https://fairlead.example.com', origins: ['https://console.example.com'], localMode });

  test('may go to our own origin and to those that are configured', () => {
    expect(urls(false).check(null)).toBeNull();
    expect(urls(false).check('https://fairlead.example.com')).toBe('https://fairlead.example.com/');
    expect(urls(false).check('https://console.example.com/a?b=c#d')).toBe('https://console.example.com/a?b=c#d');
  });

  test.each([
    'https://evil.example', 'https://console.example.com.evil.example/', 'https://console.example.com:8443/', 'http://console.example.com/', '//console.example.com', '/logins', 'javascript:alert(1)',
    'data:text/html,x', 'https://user:pw@console.example.com/', 'https://console.example.com@evil.example/', '', `https://console.example.com/${'x'.repeat(2_000)}`, 'http://localhost:3000', 'file:///etc/passwd',
  ])('never to %s', (url) => {
    expect(() => urls(false).check(url)).toThrow(UserFault);
    try {
      urls(false).check(url);
    } catch (error) {
      expect(error).toMatchObject({ code: 'INVALID', field: ['input', 'returnUrl'] });
    }
  });

  test('may go anywhere on this machine in local mode, and only on this machine', () => {
    for (const url of ['http://localhost:3000/x', 'http://127.0.0.1/', 'http://[::1]:8080/']) expect(urls(true).check(url)).toBe(url);
    for (const url of ['http://10.0.0.1/', 'http://localhost.evil.example/', 'http://127.0.0.1.evil.example/']) expect(() => urls(true).check(url)).toThrow(UserFault);
  });

  test('get enrollment and outcome as parameters, in place of any that they had', () => {
    const id = '01890000-0000-7000-8000-000000000000';
    const url = new URL(withOutcome('https://console.example.com/a?fairlead_outcome=READY&x=1#y', id, 'DENIED'));
    expect(Object.fromEntries(url.searchParams)).toEqual({ fairlead_outcome: 'DENIED', x: '1', fairlead_enrollment: Buffer.from(`Enrollment:${id}`).toString('base64url') });
    expect(url.hash).toBe('#y');
  });
});

describe('A form', () => {
  const https = 'https://fairlead.example.com';
  test.each([
    [{ 'sec-fetch-site': 'same-origin', origin: 'null' }, true], [{ 'sec-fetch-site': 'same-origin', origin: https }, true], [{ 'sec-fetch-site': 'same-origin' }, true],
    [{ 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' }, false], [{ 'sec-fetch-site': 'cross-site', origin: https }, false], [{ 'sec-fetch-site': 'same-site', origin: 'null' }, false],
    [{ 'sec-fetch-site': 'none' }, false], [{ origin: https }, true], [{ origin: 'null' }, false], [{ origin: 'https://evil.example' }, false], [{}, true],
  ])('with %j is of our page: %s', (headers, verdict) => expect(isSameOrigin(headers, https)).toBe(verdict));

  test('over plain HTTP, where browsers say nothing of its site, is left to the CSRF token', () => {
    expect(isSameOrigin({ origin: 'null' }, 'http://fairlead.internal')).toBe(true);
    expect(isSameOrigin({ origin: 'http://evil.internal' }, 'http://fairlead.internal')).toBe(false);
  });

  test('has a token that is worth nothing for another link or in another browser', () => {
    const token = csrfToken('cookie', 'link');
    expect(isCsrfToken(token, 'cookie', 'link')).toBe(true);
    for (const [given, cookie, link] of [[token, 'cookie', 'other'], [token, 'other', 'link'], [token, undefined, 'link'], [null, 'cookie', 'link'], ['', 'cookie', 'link']] as const) {
      expect(isCsrfToken(given, cookie, link)).toBe(false);
    }
  });
});

describe('Cookies', () => {
  test('that came twice count as none: one of them was planted', () => {
    expect(Cookies.read('a=1; fairlead-page=x; b=2', 'fairlead-page')).toBe('x');
    expect(Cookies.read('fairlead-page=x; fairlead-page=y', 'fairlead-page')).toBeUndefined();
    expect(Cookies.read(undefined, 'fairlead-page')).toBeUndefined();
    expect(Cookies.read('xfairlead-page=x', 'fairlead-page')).toBeUndefined();
  });

  test('have names that tell nothing of what they are for', () => {
    const name = new Cookies(() => 'https://x.example').name('consent', 'the-state');
    expect(name).toMatch(/^__Host-fairlead-consent-[0-9a-f]{16}$/);
    expect(name).not.toBe(new Cookies(() => 'https://x.example').name('consent', 'other-state'));
  });
});

test.each([
  // local member, local mode, issuer, our client there
  [true, true, false, false, 'CONFIRMATION'], [true, true, true, true, 'CONFIRMATION'], [true, false, false, false, 'CONFIRMATION'], [true, false, true, true, 'IMPOSSIBLE'],
  [false, false, true, true, 'SIGN_IN'], [false, true, true, true, 'SIGN_IN'], [false, false, true, false, 'NOT_CONFIGURED'], [false, true, false, false, 'NOT_CONFIGURED'],
] as const)('A member (local: %s; local mode: %s, issuer: %s, client: %s) gives the proof %s', (local, localMode, oidc, signIn, proof) => {
  expect(proofFor({ local }, { localMode, oidc, signIn })).toBe(proof);
});

test('What the enroll page tells people to run is valid', () => {
  const schema = buildSchema(readFileSync('schema/schema.graphql', 'utf8'));
  const page = enrollPage('logistics', 'warehouse', null).body.text;
  const documents = [...page.matchAll(/<pre[^>]*><code>([\s\S]*?)<\/code>/g)].map(([, code]) => code!.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>'));
  expect(documents).toHaveLength(2);
  for (const document of documents) expect(validate(schema, parse(document))).toEqual([]);
});

test('An enrollment that waits for consent still does when its type comes back to where it was', () => {
  const now = new Date();
  const waiting = withObservations([], awaitingConsent('ConsentDenied', 'No.'), 1, now);
  expect(resumed(withObservations(waiting, [SUSPENDED], 2, now))).toMatchObject({ status: 'FALSE', reason: 'AwaitingConsent', message: 'No.' });
});
