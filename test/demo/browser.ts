import chromium from '@sparticuz/chromium';
import { chromium as playwright, type Browser as Chrome, type BrowserContext } from 'playwright-core';
import { chromiumPath } from '#test/support/chromium.js';
import { Person } from '#test/support/consent/person.js';

/** What a person saw of our page, and where the way ended. */
export interface Visit {
  heading: string;
  /** The list of whom, where and what for. */
  facts: string[];
  /** The button that was pressed. */
  button: string;
  /** Where they came out. */
  landed: URL;
}

/** A person's browser. */
export interface Browser {
  /** What it is, for people. */
  name: string;
  /** Opens a link to our consent page, presses its button, and goes wherever that leads until it is back at `returnUrl` (a prefix). */
  consent(link: string, returnUrl: string): Promise<Visit>;
  close(): Promise<void>;
}

const START_MS = 40_000;
const STEP_MS = 20_000;

/** Chromium without a window and without script; where it doesn't start, plain HTTP requests in its place, and why. */
export async function openBrowser(): Promise<{ browser: Browser; trouble: string | null }> {
  try {
    const chrome = await playwright.launch({
      executablePath: await chromiumPath(), args: [...chromium.args, '--no-sandbox', '--disable-background-networking'], headless: true, timeout: START_MS,
      handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false,
    });
    return { browser: new Chromium(chrome), trouble: null };
  } catch (error) {
    const [first = ''] = (error as Error).message.split('\n');
    return { browser: new PlainHttp(), trouble: first };
  }
}

class Chromium implements Browser {
  readonly name: string;
  #context: Promise<BrowserContext> | null = null;

  constructor(private readonly chrome: Chrome) {
    this.name = `Chromium ${chrome.version()}`;
  }

  async consent(link: string, returnUrl: string): Promise<Visit> {
    // This build of Chromium is one process, and ends with its first context: that one stays open.
    this.#context ??= this.chrome.newContext({ javaScriptEnabled: false });
    const page = await (await this.#context).newPage();
    page.setDefaultTimeout(STEP_MS);
    await page.goto(link);
    const seen = seenOn(await page.content());
    await page.getByRole('button').click();
    await page.waitForURL(`${returnUrl}?**`);
    return { ...seen, landed: new URL(page.url()) };
  }

  close(): Promise<void> {
    return this.chrome.close();
  }
}

/** The same pages and forms, without a browser. */
class PlainHttp implements Browser {
  readonly name = 'plain HTTP requests';

  async consent(link: string, returnUrl: string): Promise<Visit> {
    const person = new Person();
    const page = await person.get(link);
    const { location } = await person.follow(await person.press(page, 'continue'), returnUrl);
    if (location === null) throw new Error(`The way ended before ${returnUrl}.`);
    return { ...seenOn(page.text), landed: new URL(location) };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function seenOn(html: string): Omit<Visit, 'landed'> {
  const inside = (tag: string): string => new RegExp(`<${tag}(?: [^>]*)?>([\\s\\S]*?)</${tag}>`).exec(html)?.[1] ?? '';
  const facts = inside('dl').split('<dt>').slice(1).map((item) => item.split('</dt>').map(text).join(': '));
  return { heading: text(inside('h1')), facts, button: text(inside('button')) };
}

function text(html: string): string {
  return html.replace(/<\/?(bdi|code|strong)\b[^>]*>/g, '').replace(/<[^>]+>/g, ' ').replace(/&amp;/g, '&').replace(/\s+/g, ' ').trim();
}
