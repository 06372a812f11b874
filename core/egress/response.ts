import type { Readable } from 'node:stream';
import type { Answer } from './exchange.js';

/**
 * The answer; its body must be read, or given up with `discard`, else its connection stays taken until the deadline. A class and no literal: an object with getters of its own has a hidden class of its own,
 * which V8 keeps, with all that the getters reach, until the next full collection of garbage.
 */
export class EgressResponse {
  readonly #answer: Answer;
  readonly #url: URL;
  readonly status: number;
  /** By lower-case name; without `content-encoding` and `content-length` if the body was decompressed. */
  readonly headers: Record<string, string | string[] | undefined>;

  constructor(answer: Answer, url: URL) {
    this.#answer = answer;
    this.#url = url;
    this.status = answer.status;
    const encoded = answer.headers['content-encoding'] !== undefined;
    this.headers = encoded ? { ...answer.headers, 'content-encoding': undefined, 'content-length': undefined } : answer.headers;
  }

  /** Where the answer came from, after redirects. */
  get url(): URL {
    return new URL(this.#url);
  }

  /** Capped and under the deadline; its errors are `EgressError`s. Destroying it closes the connection. */
  get body(): Readable {
    return this.#answer.body.stream();
  }

  /** The whole body, decoded as UTF-8. Cheaper than reading `body`. */
  text(): Promise<string> {
    return this.#answer.body.text();
  }

  /** Gives the body up; never rejects. */
  discard(): Promise<void> {
    const length = this.#answer.headers['content-length'];
    return this.#answer.body.discard(typeof length === 'string' ? Number(length) : null);
  }
}
