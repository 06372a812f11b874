import * as oauth from 'oauth4webapi';
import type { Egress } from '../egress/egress.js';
import { EgressError } from '../egress/errors.js';
import { OAuthFault, transportFault } from './fault.js';

/** The way to authorization servers: everything here goes through the egress guard, never follows a redirect with a body, and is bounded. */
export interface OAuthTransport {
  egress: Pick<Egress, 'check' | 'fetchWith'>;
  /** Of one request, body included. */
  timeoutMs: number;
  /** Requests reject with its reason, which says nothing about what was sent: not for a refresh, whose outcome must be known. */
  signal?: AbortSignal;
}

/** Metadata, registrations and token answers are small; what is larger is an attack or a web page. */
const MAX_BYTES = 256 * 1024;

/** What oauth4webapi's requests take. */
export interface RequestOptions {
  [oauth.customFetch]: (url: string, init: RequestInit) => Promise<Response>;
  [oauth.allowInsecureRequests]: boolean;
  signal?: AbortSignal;
}

/**
 * Options of a request to this URL. Plain HTTP is admitted exactly where the installation's egress policy admits that address (development, in-cluster servers).
 * @throws {OAuthFault} `REFUSED_BY_POLICY`
 */
export function requestOptions({ egress, timeoutMs, signal }: OAuthTransport, url: string, peer: string): RequestOptions {
  try {
    egress.check(url);
  } catch (error) {
    throw transportFault(error, peer);
  }
  return {
    [oauth.customFetch]: egress.fetchWith({ timeoutMs, maxBytes: MAX_BYTES }),
    [oauth.allowInsecureRequests]: url.startsWith('http:'),
    signal,
  };
}

/** An answer, read whole and taken apart once; nothing of it is trusted. */
export interface PeerAnswer {
  status: number;
  /** The body, where it was a JSON object. */
  json: Record<string, unknown> | null;
  contentType: string | null;
  challenge: string | null;
  retryAfterMs: number | null;
  /** Where it came from, after redirects. */
  url: string;
}

/**
 * Sends a request and reads the answer whole.
 * @param peer who is asked, for messages: begins a sentence
 * @throws {OAuthFault} `TEMPORARY` where provably nothing was sent, `OUTCOME_UNKNOWN` where something may have been, `REFUSED_BY_POLICY`
 */
export async function ask(request: () => Promise<Response>, peer: string): Promise<PeerAnswer> {
  try {
    return await readAnswer(await request());
  } catch (error) {
    throw transportFault(error, peer);
  }
}

/**
 * Fetches a metadata document: a GET without any credential, which is why redirects are followed, each checked by the egress guard; never from HTTPS to plain HTTP.
 * @throws {EgressError}
 */
export async function fetchDocument({ egress, timeoutMs, signal }: OAuthTransport, url: string): Promise<PeerAnswer> {
  const fetch = egress.fetchWith({ timeoutMs, maxBytes: MAX_BYTES });
  const answer = await readAnswer(await fetch(url, { headers: { Accept: 'application/json' }, redirect: 'follow', signal }));
  if (url.startsWith('https:') && !answer.url.startsWith('https:')) {
    throw new EgressError('REDIRECT', 'from HTTPS to plain HTTP', { sent: 'MAYBE', publicMessage: 'the server redirects from HTTPS to plain HTTP' });
  }
  return answer;
}

async function readAnswer(response: Response): Promise<PeerAnswer> {
  const text = await response.text();
  return {
    status: response.status, json: jsonObject(text), contentType: response.headers.get('content-type')?.split(';')[0]!.trim().toLowerCase() ?? null,
    challenge: response.headers.get('www-authenticate'), retryAfterMs: retryAfterMs(response.headers.get('retry-after')), url: response.url,
  };
}

function jsonObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** Seconds of `Retry-After` in milliseconds; a date or nonsense counts as absent. https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3 */
function retryAfterMs(value: string | null): number | null {
  return value !== null && /^\d{1,6}$/.test(value.trim()) ? Number(value) * 1000 : null;
}

/** Puts a repaired answer back into the form that oauth4webapi processes. */
export function asResponse(status: number, json: Record<string, unknown>): Response {
  return Response.json(json, { status });
}

/**
 * Lets oauth4webapi validate a repaired answer. Its errors carry the body in their cause, so they are replaced.
 * @throws {OAuthFault} `INVALID_ANSWER`
 */
export async function validated<T>(process: () => Promise<T>, peer: string, status: number): Promise<T> {
  try {
    return await process();
  } catch (error) {
    if (!(error instanceof oauth.OperationProcessingError) && !(error instanceof oauth.UnsupportedOperationError)) throw error;
    throw new OAuthFault('INVALID_ANSWER', `${peer} answered in a form that can't be used: ${error.message}.`, { status });
  }
}
