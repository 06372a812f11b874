import { EgressError } from '../egress/errors.js';
import { quotePeer } from '../errors.js';
import type { OAuthStep } from './step.js';
import { fetchDocument, type OAuthTransport, type PeerAnswer } from './transport.js';

/**
 * What looking for a document came to.
 *
 * | kind | |
 * |---|---|
 * | `ABSENT` | the server answered, and has none there; also a web page, or other JSON, in its place |
 * | `UNUSABLE` | it is there, and can't be used |
 * | `UNREACHABLE` | it may be there, but nobody could be asked now, so that nothing may be concluded |
 * | `REFUSED_BY_POLICY` | our policy doesn't let us look |
 */
export interface Miss {
  kind: 'ABSENT' | 'UNUSABLE' | 'UNREACHABLE' | 'REFUSED_BY_POLICY';
  message: string;
}

/** Notes what discovery tries, in order and with its time, within one deadline over all of it. */
export class LookupLog {
  readonly steps: OAuthStep[] = [];
  readonly #deadline: number;

  /** @param clock monotonic milliseconds */
  constructor(private readonly transport: OAuthTransport, private readonly clock: () => number, timeoutMs: number) {
    this.#deadline = clock() + timeoutMs;
  }

  note(name: OAuthStep['name'], outcome: OAuthStep['outcome'], message: string, durationMs: number | null = null): void {
    this.steps.push({ name, outcome, message, durationMs });
  }

  /**
   * Looks for a JSON document and notes what came of it.
   * @param read turns it into something usable, says in a sentence why it can't be used, or null where it isn't such a document at all
   */
  async find<T extends object>(name: OAuthStep['name'], url: string, read: (json: Record<string, unknown>) => T | string | null): Promise<{ kind: 'FOUND'; value: T } | Miss> {
    const started = this.clock();
    const looked = await this.#look(url, this.#deadline - started);
    const took = Math.round(this.clock() - started);
    const value = 'json' in looked ? read(looked.json) : null;
    if (typeof value === 'object' && value !== null) {
      this.note(name, 'OK', quotePeer(url), took);
      return { kind: 'FOUND', value };
    }
    const miss: Miss = typeof value === 'string' ? { kind: 'UNUSABLE', message: value } : 'json' in looked ? { kind: 'ABSENT', message: 'JSON, but no such metadata' } : looked;
    this.note(name, 'FAILED', `${quotePeer(url)}: ${miss.message}`, miss.kind === 'REFUSED_BY_POLICY' ? null : took);
    return miss;
  }

  /** Whether something of OAuth's answers at a URL: anything but "not found", "not allowed" and "who are you". */
  async answers(url: string): Promise<boolean> {
    try {
      const fetch = this.transport.egress.fetchWith({ timeoutMs: Math.max(1, Math.min(this.transport.timeoutMs, this.#deadline - this.clock())), maxBytes: 256 * 1024 });
      const response = await fetch(url, { redirect: 'manual', signal: this.transport.signal });
      await response.body?.cancel();
      return response.status < 500 && ![401, 403, 404, 405, 410, 429].includes(response.status);
    } catch (error) {
      if (error instanceof EgressError) return false;
      throw error;
    }
  }

  async #look(url: string, leftMs: number): Promise<Miss | { json: Record<string, unknown> }> {
    if (leftMs <= 0) return { kind: 'UNREACHABLE', message: 'not tried: the time for discovery was used up' };
    try {
      return verdict(await fetchDocument({ ...this.transport, timeoutMs: Math.min(this.transport.timeoutMs, leftMs) }, url));
    } catch (error) {
      if (!(error instanceof EgressError)) throw error;
      return { kind: error.code === 'REFUSED' ? 'REFUSED_BY_POLICY' : 'UNREACHABLE', message: error.publicMessage };
    }
  }
}

function verdict({ status, json, contentType }: PeerAnswer): Miss | { json: Record<string, unknown> } {
  if (status === 429 || status >= 500 && status !== 501) return { kind: 'UNREACHABLE', message: `HTTP ${status}` };
  if (status !== 200) return { kind: 'ABSENT', message: `HTTP ${status}` };
  if (json === null) return { kind: 'ABSENT', message: contentType === 'text/html' ? 'a web page, not JSON' : 'not a JSON object' };
  return { json };
}
