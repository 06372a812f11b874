import type { FastifyReply, FastifyRequest } from 'fastify';
import { Cookies } from './cookies.js';
import { isSecret, newSecret } from './one-time-secret.js';

/** The life of a page and of its cookies, in seconds: as long as a link is good, and no longer. */
export const VISIT_SECONDS = 600;

/** One request of a browser for one of our pages, with its cookies. */
export class Visit {
  readonly #set: string[] = [];

  constructor(readonly request: FastifyRequest, private readonly reply: FastifyReply, private readonly cookies: Cookies) {}

  get requestId(): string {
    return this.request.id;
  }

  /** As the browser sent them, repeated ones included. */
  get parameters(): URLSearchParams {
    return new URL(this.request.url, 'http://path.invalid').searchParams;
  }

  cookie(...name: Parameters<Cookies['name']>): string | undefined {
    return Cookies.read(this.request.headers.cookie, this.cookies.name(...name));
  }

  /** A cookie of the answer. */
  remember(value: string, ...name: Parameters<Cookies['name']>): void {
    this.#set.push(this.cookies.set(this.cookies.name(...name), value, VISIT_SECONDS));
    this.reply.header('set-cookie', this.#set);
  }

  /** Takes a cookie away with the answer. */
  forget(...name: Parameters<Cookies['name']>): void {
    this.#set.push(this.cookies.clear(this.cookies.name(...name)));
    this.reply.header('set-cookie', this.#set);
  }

  /** The pre-cookie that CSRF tokens are made from; the browser's own if it has one, so that several pages can be open at once. */
  preCookie(): string {
    const known = this.cookie('page');
    const value = isSecret(known) ? known : newSecret();
    this.remember(value, 'page');
    return value;
  }
}
