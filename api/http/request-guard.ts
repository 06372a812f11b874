/** What the guard has to know about the address that this server is reached under. */
export interface GuardOptions {
  /** The URL that people and frontends use. */
  publicUrl: string;
  /** The port that is really listened on. */
  port: number;
  /** True in local mode: pages on any loopback origin may call. */
  localMode: boolean;
  /** Exact origins of browser frontends elsewhere. */
  corsOrigins: string[];
}

/** The verdict on an `Origin` header: ours (or none), a foreign one that may call (CORS), or one that may not. */
export type OriginVerdict = 'SAME' | 'ALLOWED' | 'REFUSED';

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];
const LOOPBACK_ORIGIN = /^https?:\/\/(?:(?:[a-z0-9-]+\.)*localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;

/** Whether an origin is of this machine. */
export function isLoopbackOrigin(origin: string): boolean {
  return LOOPBACK_ORIGIN.test(origin);
}

/**
 * Decides by `Host` and `Origin` whether a request may be answered at all. A page that rebinds its own DNS name to our address
 * is told by its `Host`; a foreign page that calls us across origins is told by its `Origin`.
 * https://www.rfc-editor.org/rfc/rfc9110#section-7.4 , https://fetch.spec.whatwg.org/#origin-header
 */
export class RequestGuard {
  readonly #hosts = new Set<string>();
  readonly #ownOrigins = new Set<string>();
  readonly #corsOrigins: Set<string>;
  readonly #localMode: boolean;

  constructor(options: GuardOptions) {
    const url = new URL(options.publicUrl);
    this.#localMode = options.localMode;
    this.#corsOrigins = new Set(options.corsOrigins.map((origin) => origin.toLowerCase()));
    this.#hosts.add(url.host);
    if (url.port === '') this.#hosts.add(`${url.hostname}:${url.protocol === 'https:' ? 443 : 80}`);
    this.#ownOrigins.add(url.origin);
    for (const name of LOOPBACK_NAMES) {
      const host = options.port === 80 ? name : `${name}:${options.port}`;
      this.#hosts.add(host);
      this.#ownOrigins.add(`http://${host}`);
    }
  }

  /** True when the request was meant for us: the public URL's host, or a loopback name with our port. */
  acceptsHost(host: string | undefined): boolean {
    return host !== undefined && this.#hosts.has(host.toLowerCase());
  }

  /** What the `Origin` header means; no header at all (programs, same-origin navigation) is `SAME`. */
  judgeOrigin(origin: string | undefined): OriginVerdict {
    if (origin === undefined) return 'SAME';
    const exact = origin.toLowerCase();
    if (this.#ownOrigins.has(exact)) return 'SAME';
    if (this.#corsOrigins.has(exact) || (this.#localMode && isLoopbackOrigin(exact))) return 'ALLOWED';
    return 'REFUSED';
  }
}
