import type { Egress, EgressRequest, EgressResponse } from '../egress/egress.js';
import { NotMcpAnswer } from './faults.js';
import { headerOf, mediaType } from './http-answer.js';

/** Those that leave method and body as they are. https://www.rfc-editor.org/rfc/rfc9110#section-15.4 */
const KEEP_METHOD: readonly number[] = [307, 308];
const MAX_REDIRECTS = 3;

/**
 * The way out for the first request to a server: follows redirects within its origin, where the credential may go, and keeps what a handshake
 * has to know of the answer besides its body. Any other redirect is an answer like others.
 */
export class FirstContact implements Pick<Egress, 'request'> {
  #url: string;
  #answer: Pick<EgressResponse, 'status' | 'headers'> | null = null;

  constructor(private readonly egress: Pick<Egress, 'request'>, url: string) {
    this.#url = url;
  }

  /** Where the last answer came from. */
  get url(): string {
    return this.#url;
  }

  /** What the server calls the session that it has begun; null if it keeps none. */
  get sessionId(): string | null {
    return (this.#answer && headerOf(this.#answer, 'mcp-session-id')) || null;
  }

  /** Sends it, whatever it says of redirects. */
  async request(request: EgressRequest): Promise<EgressResponse> {
    for (let redirects = 0; ; redirects++) {
      const answer = await this.egress.request({ ...request, url: this.#url, redirect: 'manual' });
      this.#answer = answer;
      const target = redirects < MAX_REDIRECTS ? targetWithinOrigin(answer, this.#url) : null;
      if (target === null) return answer;
      await answer.discard();
      this.#url = target;
    }
  }

  /** The fault of a server whose answer isn't MCP's. */
  notMcp(): NotMcpAnswer {
    return new NotMcpAnswer(this.#answer && mediaType(this.#answer), 'The server answered, but not in the Model Context Protocol.', { status: this.#answer?.status });
  }
}

function targetWithinOrigin(answer: EgressResponse, from: string): string | null {
  const location = KEEP_METHOD.includes(answer.status) ? headerOf(answer, 'location') : null;
  const target = location === null ? null : URL.parse(location, from);
  return target !== null && target.origin === new URL(from).origin && target.username === '' && target.password === '' ? target.href : null;
}
