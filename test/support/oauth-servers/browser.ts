/** A person's browser, as far as it matters to a redirect: it follows redirects and keeps cookies, per host and port. */
export class TestBrowser {
  readonly #cookies = new Map<string, Map<string, string>>();
  /** Everywhere it went. */
  readonly visited: string[] = [];

  /**
   * Opens a URL and follows redirects until one leads to `stopAt` (a prefix), which isn't opened: the callback, with its parameters.
   * Throws with the page's text where the way ends before.
   */
  async open(url: string, stopAt: string): Promise<URL> {
    let next = url;
    for (let hop = 0; hop < 20; hop += 1) {
      if (next.startsWith(stopAt)) return new URL(next);
      this.visited.push(next);
      const { origin } = new URL(next);
      const jar = this.#cookies.get(origin) ?? new Map<string, string>();
      this.#cookies.set(origin, jar);
      const response = await fetch(next, { redirect: 'manual', headers: { Cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') } });
      for (const line of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        if (name !== undefined && value !== undefined) jar.set(name, value);
      }
      const text = await response.text();
      const location = response.headers.get('location');
      if (location === null) throw new Error(`the browser is left at ${next} with HTTP ${response.status}: ${text.slice(0, 500)}`);
      next = new URL(location, next).href;
    }
    throw new Error(`too many redirects from ${url}`);
  }
}
