import { quotePeer } from '../errors.js';
import { Scrubber } from '../tool/scrub.js';
import { OAuthFault, type OAuthFaultCode } from './fault.js';
import type { PeerAnswer } from './transport.js';

/** The codes of RFC 6749 and RFC 7591, and what real servers say in their place. */
const CODES: Readonly<Record<string, OAuthFaultCode>> = {
  invalid_grant: 'INVALID_GRANT',
  bad_refresh_token: 'INVALID_GRANT', // GitHub
  bad_verification_code: 'INVALID_GRANT', // GitHub
  invalid_refresh_token: 'INVALID_GRANT', // Slack
  invalid_token: 'INVALID_GRANT', // of the token that was presented
  invalid_client: 'INVALID_CLIENT',
  invalid_client_id: 'INVALID_CLIENT', // Slack
  bad_client_secret: 'INVALID_CLIENT', // Slack
  incorrect_client_credentials: 'INVALID_CLIENT', // GitHub
  access_denied: 'ACCESS_DENIED',
  temporarily_unavailable: 'TEMPORARY',
  slow_down: 'TEMPORARY',
};

/** Texts that were sent and must not come back in a message. */
export type Secrets = readonly (string | null | undefined)[];

/**
 * The peer's words for an error, quoted, cut and without our secrets; empty where it had none.
 * `error_uri` is left out: links of a peer are never passed on.
 */
export function peerWords(error: unknown, description: unknown, secrets: Secrets): string {
  const said = [error, description].filter((text): text is string => typeof text === 'string' && text.trim() !== '').join(': ');
  return said === '' ? '' : quotePeer(new Scrubber(secrets.filter((secret): secret is string => typeof secret === 'string' && secret !== '')).text(said));
}

/** What an `error` parameter means, wherever it came. */
export function errorCode(error: string): OAuthFaultCode {
  return Object.hasOwn(CODES, error) ? CODES[error]! : 'REFUSED';
}

/** Whether a body is an error, whatever its status: some servers send theirs with 200. https://www.rfc-editor.org/rfc/rfc6749#section-5.2 */
export function isErrorBody(json: Record<string, unknown> | null): json is Record<string, unknown> & { error: string } {
  return json !== null && typeof json.error === 'string' && json.error !== '';
}

/**
 * The fault in an answer that is no success.
 * A 4xx refuses before anything is issued; 429 and 503 promise that nothing was done; every other answer proves nothing.
 * @param peer who answered, for messages: begins a sentence
 */
export function refusal(answer: PeerAnswer, peer: string, secrets: Secrets): OAuthFault {
  const { status, json, retryAfterMs } = answer;
  const error = isErrorBody(json) ? json.error : null;
  const words = error === null ? peerWords(json?.message, null, secrets) : peerWords(error, json?.error_description, secrets);
  const said = words === '' ? `HTTP ${status}` : `${words} (HTTP ${status})`;
  const options = { status, error: error ?? undefined, retryAfterMs };
  if (status === 429 || status === 503) return new OAuthFault('TEMPORARY', `${peer} is not available now: ${said}.`, options);
  // A body that says "server_error" with 500 says no more than the 500 does.
  if (status < 200 || status >= 300 && status < 400 || status >= 500 && status !== 501) {
    return new OAuthFault('OUTCOME_UNKNOWN', `${peer} answered without a result: ${said}.`, options);
  }
  if (error !== null) return new OAuthFault(errorCode(error), `${peer} refused: ${said}.`, options);
  if (status === 401) return new OAuthFault('INVALID_CLIENT', `${peer} refused the client: ${said}.`, options);
  if (status === 408) return new OAuthFault('OUTCOME_UNKNOWN', `${peer} answered without a result: ${said}.`, options);
  if (status >= 400) return new OAuthFault('REFUSED', `${peer} refused: ${said}.`, options);
  return new OAuthFault('OUTCOME_UNKNOWN', `${peer} answered with HTTP ${status} and ${answer.contentType === 'text/html' ? 'a web page' : 'something that is not JSON'}.`, options);
}
