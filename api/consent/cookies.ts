import { hashOf } from './one-time-secret.js';

/** What a cookie of ours is for: the CSRF pre-cookie of a page, a sign-in under way, who signed in, a consent under way. */
export type CookiePurpose = 'page' | 'signin' | 'person' | 'consent';

/**
 * Our cookies: host-only, HttpOnly, SameSite=Lax (the provider sends people back by a top-level GET), for the whole host and for minutes only. Where the public URL is HTTPS they are
 * Secure and carry the `__Host-` prefix, so that no sibling host can plant one. https://httpwg.org/http-extensions/draft-ietf-httpbis-rfc6265bis.html#name-the-__host-prefix
 */
export class Cookies {
  constructor(private readonly publicUrl: () => string) {}

  /** The name; `of` tells several consents in one browser apart, and doesn't show in it. */
  name(purpose: CookiePurpose, of: string | null = null): string {
    const suffix = of === null ? '' : `-${hashOf(`${purpose}:${of}`).toString('hex').slice(0, 16)}`;
    return `${this.#secure ? '__Host-' : ''}fairlead-${purpose}${suffix}`;
  }

  /** A `Set-Cookie` value. */
  set(name: string, value: string, maxAgeSeconds: number): string {
    return `${name}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Lax${this.#secure ? '; Secure' : ''}`;
  }

  /** A `Set-Cookie` value that takes the cookie away. */
  clear(name: string): string {
    return this.set(name, '', 0);
  }

  /** The value in a `Cookie` header; undefined where there is none, or several, of which one would be somebody else's. */
  static read(header: string | undefined, name: string): string | undefined {
    const values = (header ?? '').split(';').map((pair) => pair.trim()).filter((pair) => pair.startsWith(`${name}=`)).map((pair) => pair.slice(name.length + 1));
    return values.length === 1 ? values[0] : undefined;
  }

  get #secure(): boolean {
    return this.publicUrl().startsWith('https:');
  }
}
