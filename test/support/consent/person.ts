/** A page or redirect as a browser got it. */
export interface Got {
  url: string;
  status: number;
  location: string | null;
  headers: Headers;
  text: string;
}

/** A person's browser without script: keeps cookies by origin, sends forms as pages have them, and what browsers send by themselves. */
export class Person {
  readonly #cookies = new Map<string, Map<string, string>>();

  /** One request; redirects are not followed. */
  async get(url: string): Promise<Got> {
    return this.#send(url, 'GET', {}, null);
  }

  /** Presses the button of that name on a page, as Chromium would: form fields, `Origin: null` because of our referrer policy, fetch metadata. */
  async press(page: Got, step: string, headers: Record<string, string> = {}): Promise<Got> {
    const { body } = formOf(page, step);
    return this.#send(page.url, 'POST', { origin: 'null', 'sec-fetch-site': 'same-origin', 'content-type': 'application/x-www-form-urlencoded', ...headers }, body);
  }

  /** Follows redirects from an answer until there is none, or one leads to `stopAt` (a prefix), which isn't opened. */
  async follow(from: Got, stopAt?: string): Promise<Got> {
    let page = from;
    for (let hop = 0; hop < 20; hop += 1) {
      if (page.location === null) return page;
      const next = new URL(page.location, page.url).href;
      if (stopAt !== undefined && next.startsWith(stopAt)) return { ...page, location: next };
      page = await this.get(next);
    }
    throw new Error(`too many redirects from ${from.url}`);
  }

  cookies(origin: string): Map<string, string> {
    return this.#cookies.get(origin) ?? new Map<string, string>();
  }

  async #send(url: string, method: string, headers: Record<string, string>, body: string | null): Promise<Got> {
    const { origin } = new URL(url);
    const jar = this.cookies(origin);
    this.#cookies.set(origin, jar);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { method, redirect: 'manual', headers: { ...headers, ...(cookie === '' ? {} : { cookie }) }, body });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      if (/max-age=0\b/i.test(line) || /expires=thu, 01 jan 1970/i.test(line)) jar.delete(name!);
      else jar.set(name!, value!);
    }
    return { url, status: response.status, location: response.headers.get('location'), headers: response.headers, text: await response.text() };
  }
}

/** The fields of a page's form with that button. Throws when there is no such button. */
export function formOf(page: Got, step: string): { body: string } {
  const form = [...page.text.matchAll(/<form[^>]*>([\s\S]*?)<\/form>/g)].map(([, inside]) => inside!).find((inside) => inside.includes(`value="${step}"`));
  if (form === undefined) throw new Error(`no button "${step}" on ${page.url} (HTTP ${page.status}): ${page.text.slice(0, 2_000)}`);
  const fields = new URLSearchParams([...form.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g)].map(([, name, value]): [string, string] => [name!, value!]));
  fields.set('step', step);
  return { body: fields.toString() };
}
