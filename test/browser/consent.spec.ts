import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium as playwright, type Browser, type BrowserContext, type Page } from 'playwright-core';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import { chromiumPath } from '#test/support/chromium.js';
import { Person } from '#test/support/consent/person.js';
import { startSignInIssuer, type SignInIssuer } from '#test/support/consent/sign-in-issuer.js';
import { ConsentWorld } from '#test/support/consent/world.js';
import { listen, type TestListener } from '#test/support/mcp-servers/listener.js';
import { startOidcProvider, type OidcProviderServer } from '#test/support/oauth-servers/oidc-provider.js';

/** The package holds a Chromium for this platform only. */
const inChromium = process.platform === 'linux' && process.arch === 'x64' ? describe : describe.skip;

/** Set to a folder, this keeps a picture of every page. */
const PICTURES = process.env['SCREENSHOTS'];

let browser: Browser;
let provider: OidcProviderServer;
let console_: TestListener;
const contexts: BrowserContext[] = [];
let pictures = 0;

/** A browser of its own, without script; whatever it complains about fails the test. */
async function open(options: Parameters<Browser['newContext']>[0] = {}): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 900, height: 800 }, ...options });
  contexts.push(context);
  // Jest's own limit is the one that counts.
  context.setDefaultTimeout(100_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => { if (!message.text().includes('favicon')) complaints.push(message.text()); });
  page.on('pageerror', (error) => complaints.push(error.message));
  return { page, complaints };
}

async function picture(page: Page, name: string): Promise<void> {
  if (PICTURES === undefined) return;
  await mkdir(PICTURES, { recursive: true });
  pictures += 1;
  await page.screenshot({ path: join(PICTURES, `${String(pictures).padStart(2, '0')}-${name}.png`), fullPage: true });
}

inChromium('In Chromium', () => {
  beforeAll(async () => {
    // Not the package's own arguments: they switch web security off, which is what is looked at here.
    const args = ['--no-sandbox', '--disable-setuid-sandbox', '--disable-background-networking', '--use-gl=angle', '--use-angle=swiftshader'];
    browser = await playwright.launch({ executablePath: await chromiumPath(), args, headless: true, timeout: 100_000 });
    provider = await startOidcProvider();
    console_ = await listen((_request, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<title>Console</title><h1>Back in the console</h1>'), '/logins');
  });

  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.close();
    provider.decision = 'approve';
  });

  afterAll(async () => {
    await browser.close();
    await Promise.all([provider.close(), console_.close()]);
  });

  describe('without script', () => {
    let world: ConsentWorld;
    let type: ConnectionType;
    let enrollment: Enrollment;

    beforeAll(async () => {
      // Another site than the provider's, as in real life: SameSite counts.
      world = await ConsentWorld.create({ publicHost: 'localhost' });
      type = await world.type(provider.mcp.url);
    });
    beforeEach(async () => {
      enrollment = await world.enroll(type, await world.member('ada', 'Ada Lovelace'), String(Math.random()));
    });
    afterAll(() => world.close());

    test('consent goes from the link to the provider, and back to the return URL', async () => {
      const { page, complaints } = await open();
      await page.goto(await world.link(enrollment, console_.url));
      await picture(page, 'link');
      expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Connect Warehouse');
      const button = page.getByRole('button');
      expect(await button.textContent()).toBe(`I am Ada Lovelace: continue to ${new URL(provider.issuer).host}`);
      await page.keyboard.press('Tab');
      await picture(page, 'link-focus');
      await page.keyboard.press('Enter');
      await page.getByText('Back in the console').waitFor();
      expect(new URL(page.url()).searchParams.get('fairlead_outcome')).toBe('READY');
      expect(await page.getByRole('heading').textContent()).toBe('Back in the console');
      expect((await world.stored(enrollment)).credential.version).toBe(2);
      expect(complaints).toEqual([]);
    });

    test('consent ends on a page that can be closed, where nobody wanted to return', async () => {
      const { page, complaints } = await open();
      await page.goto(await world.link(enrollment));
      await page.getByRole('button').click();
      await page.getByText('You can close this page').waitFor();
      expect(await page.title()).toBe('Warehouse is connected – Fairlead');
      await picture(page, 'connected');
      expect((await page.context().cookies()).filter((cookie) => cookie.name.includes('consent'))).toEqual([]);
      expect(complaints).toEqual([]);
    });

    test('a denied consent says so', async () => {
      provider.decision = 'deny';
      const { page } = await open();
      await page.goto(await world.link(enrollment));
      await page.getByRole('button').click();
      await page.getByText('Consent was refused').waitFor();
      await picture(page, 'denied');
      expect((await world.stored(enrollment)).credential.sealed).toBeNull();
    });

    test('an answer that is opened in another browser is refused', async () => {
      const one = new Person();
      const sent = await one.press(await one.get(await world.link(enrollment)), 'continue');
      const answer = await one.follow(sent, `${world.url}/oauth/callback`);
      const two = await open();
      await two.page.goto(answer.location!);
      await picture(two.page, 'other-browser');
      expect(await two.page.getByRole('heading', { level: 1 }).textContent()).toBe('This login can\'t be finished here');
      expect((await world.stored(enrollment)).consent.state).toBe('SENT');
      expect((await world.stored(enrollment)).credential.sealed).toBeNull();
    });

    test('a form of another site gets nowhere', async () => {
      const link = await world.link(enrollment);
      const evil = await listen((_request, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end(`<form method="post" action="${link}"><input name="step" value="continue"><button>Win</button></form>`), '/');
      const { page } = await open();
      await page.goto(link);
      await page.goto(evil.url);
      await page.getByRole('button').click();
      await page.getByText('didn\'t come from this page').waitFor();
      await picture(page, 'foreign-form');
      await evil.close();
      expect((await world.stored(enrollment)).consent.state).toBe('LINKED');
    });

    test('no page can be framed', async () => {
      const link = await world.link(enrollment);
      const evil = await listen((_request, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end(`<iframe src="${link}"></iframe>`), '/');
      const { page } = await open();
      await page.goto(evil.url);
      const frame = page.frames()[1]!;
      await frame.waitForLoadState();
      expect(await frame.locator('h1').count()).toBe(0);
      await evil.close();
    });

    test.each(['light', 'dark'] as const)('pages fit a phone and have enough contrast (%s)', async (colorScheme) => {
      const { page } = await open({ colorScheme, viewport: { width: 320, height: 640 }, javaScriptEnabled: true });
      const urls = [await world.link(enrollment), `${world.url}/connect/nothing`, `${world.url}/enroll/logistics/warehouse`];
      for (const url of urls) {
        await page.goto(url);
        await picture(page, `phone-${colorScheme}`);
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(320);
        expect(await page.evaluate(LOWEST_CONTRAST)).toBeGreaterThanOrEqual(4.5);
      }
    });
  });

  describe('with an OIDC issuer', () => {
    let world: ConsentWorld;
    let issuer: SignInIssuer;

    beforeAll(async () => {
      issuer = await startSignInIssuer();
      world = await ConsentWorld.create({ localMode: false, publicHost: 'localhost', returnOrigins: [new URL(console_.url).origin], oidc: { issuer: issuer.issuer, signIn: { clientId: issuer.clientId, clientSecret: issuer.clientSecret } } });
      issuer.redirectUris.push(`${world.url}/signin/callback`);
    });
    afterAll(async () => {
      await Promise.all([world.close(), issuer.close()]);
    });

    test('the owner signs in and goes on; somebody else does not', async () => {
      const type = await world.type(provider.mcp.url);
      const enrollment = await world.enroll(type, await world.member('ada', 'Ada Lovelace', false));
      const link = await world.link(enrollment, console_.url);

      issuer.account = { sub: 'eve', name: 'Eve' };
      const eve = await open();
      await eve.page.goto(link);
      await picture(eve.page, 'sign-in');
      await eve.page.getByRole('button', { name: 'Sign in' }).click();
      await eve.page.getByText('this link belongs to').waitFor();
      await eve.page.waitForLoadState();
      await picture(eve.page, 'wrong-person');
      expect(await eve.page.getByRole('button').count()).toBe(1);

      issuer.account = { sub: 'ada', name: 'Ada Lovelace' };
      const ada = await open();
      await ada.page.goto(link);
      await ada.page.getByRole('button', { name: 'Sign in' }).click();
      await ada.page.getByText('You are signed in as').waitFor();
      await picture(ada.page, 'signed-in');
      await ada.page.getByRole('button', { name: 'Continue' }).click();
      await ada.page.getByText('Back in the console').waitFor();
      expect((await world.stored(enrollment)).credential.version).toBe(2);
      expect([...eve.complaints, ...ada.complaints].filter((text) => !text.includes('403'))).toEqual([]);
    });
  });
});

/** The lowest contrast of text on a page, by WCAG 2.2 (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio). */
const LOWEST_CONTRAST = `(() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = ([red, green, blue]) => [red, green, blue].map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const ratio = (element) => {
    const [a, b] = [luminance(channels(getComputedStyle(element).color)), luminance(ground(element))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  return Math.min(...[...document.querySelectorAll('body *')].filter((one) => one.innerText).map(ratio));
})()`;
