import { request, type Dispatcher } from 'undici';
import type { Access } from './cluster-access.js';
import { faultOfAnswer, KubeFault } from './kube-fault.js';

/** One request to the API server. */
export interface KubeRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** From the root, without query. */
  path: string;
  query?: Record<string, string>;
  body?: unknown;
  /** Of the body; JSON unless said otherwise. */
  contentType?: string;
  signal?: AbortSignal;
}

/** What {@link KubeClient} is built of. */
export interface KubeClientOptions {
  access: { next(): Promise<Access> };
  userAgent: string;
  /** Counts requests, for `rest_client_requests_total`. */
  counted?: (method: string, code: string) => void;
  timeoutMs?: number;
}

const TIMEOUT_MS = 15_000;
const MAX_BODY_BYTES = 64 * 1024 * 1024;

/**
 * Requests to the API server as JSON, with its faults as {@link KubeFault}. Nothing is retried here, and no body is ever logged.
 * (The generated clients of `@kubernetes/client-node` open a connection for each request, and their errors carry whole bodies: docs/adr/0023.)
 */
export class KubeClient {
  constructor(private readonly options: KubeClientOptions) {}

  /** The answer's body. Throws {@link KubeFault}. */
  async send<T>(sent: KubeRequest): Promise<T> {
    return (await this.sendForStatus<T>(sent)).body;
  }

  /** As {@link send}, with the status: a server-side apply says by it whether the object was there. */
  async sendForStatus<T>(sent: KubeRequest): Promise<{ status: number; body: T }> {
    const timeout = AbortSignal.timeout(this.options.timeoutMs ?? TIMEOUT_MS);
    const signal = sent.signal === undefined ? timeout : AbortSignal.any([sent.signal, timeout]);
    const { statusCode, headers, body } = await this.#open(sent, signal, 'dispatcher');
    const text = await textOf(body, nameOf(sent));
    if (statusCode >= 300) throw faultOfAnswer(nameOf(sent), statusCode, text, headerOf(headers['retry-after']));
    try {
      return { status: statusCode, body: JSON.parse(text) as T };
    } catch {
      // Without the parser's own error, which quotes the body.
      throw new KubeFault('OTHER', nameOf(sent), statusCode, null, null, new Error('the answer is no JSON'));
    }
  }

  /** Opens a watch: one JSON text per line, until it ends or `signal` is aborted. Throws {@link KubeFault} when it can't be opened, or breaks. */
  async *lines(sent: KubeRequest & { signal: AbortSignal }): AsyncGenerator<string> {
    const { statusCode, headers, body } = await this.#open(sent, sent.signal, 'watchers');
    if (statusCode >= 300) throw faultOfAnswer(nameOf(sent), statusCode, await textOf(body, nameOf(sent)), headerOf(headers['retry-after']));
    const decoder = new TextDecoder();
    let rest = '';
    try {
      for await (const chunk of body) {
        rest += decoder.decode(chunk as Buffer, { stream: true });
        const lines = rest.split('\n');
        rest = lines.pop()!;
        for (const line of lines) if (line !== '') yield line;
      }
    } catch (error) {
      throw new KubeFault('UNREACHABLE', nameOf(sent), null, null, null, error);
    } finally {
      body.destroy();
    }
  }

  async #open(sent: KubeRequest, signal: AbortSignal, way: 'dispatcher' | 'watchers'): Promise<Dispatcher.ResponseData> {
    const { access, userAgent, counted } = this.options;
    try {
      const to = await access.next();
      const answer = await request(`${to.server}${sent.path}${queryOf(sent.query)}`, {
        method: sent.method, dispatcher: to[way], signal,
        headers: { accept: 'application/json', 'user-agent': userAgent, ...to.headers, ...(sent.body !== undefined && { 'content-type': sent.contentType ?? 'application/json' }) },
        ...(sent.body !== undefined && { body: JSON.stringify(sent.body) }),
      });
      counted?.(sent.method, String(answer.statusCode));
      return answer;
    } catch (error) {
      counted?.(sent.method, '<error>');
      throw new KubeFault('UNREACHABLE', nameOf(sent), null, null, null, error);
    }
  }
}

function nameOf({ method, path }: KubeRequest): string {
  return `${method} ${path}`;
}

function queryOf(query: Record<string, string> | undefined): string {
  return query === undefined ? '' : `?${new URLSearchParams(query).toString()}`;
}

function headerOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

async function textOf(body: Dispatcher.ResponseData['body'], name: string): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      size += (chunk as Buffer).length;
      if (size > MAX_BODY_BYTES) throw new Error('the answer is too large');
      chunks.push(chunk as Buffer);
    }
  } catch (error) {
    throw new KubeFault('UNREACHABLE', name, null, null, null, error);
  }
  return Buffer.concat(chunks).toString('utf8');
}
