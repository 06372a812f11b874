import type { Era } from './session.js';

const MAX_ENTRIES = 10_000;

/**
 * Remembers which era an endpoint speaks, so that opening it again skips the probe. Keyed by origin and path: one origin may host many servers.
 * Forgotten when opening fails. https://modelcontextprotocol.io/specification/2026-07-28/basic/versioning
 */
export class EraCache {
  readonly #eras = new Map<string, Era>();

  get(url: string): Era | null {
    return this.#eras.get(endpoint(url)) ?? null;
  }

  set(url: string, era: Era): void {
    const key = endpoint(url);
    this.#eras.delete(key);
    this.#eras.set(key, era);
    if (this.#eras.size > MAX_ENTRIES) this.#eras.delete(this.#eras.keys().next().value as string);
  }

  forget(url: string): void {
    this.#eras.delete(endpoint(url));
  }
}

function endpoint(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}
