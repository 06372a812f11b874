import { createLocalJWKSet, errors, type FlattenedJWSInput, type JSONWebKeySet, type JWSHeaderParameters } from 'jose';
import type { Logger } from '#core/log.js';
import { IdentityFault } from './identity-fault.js';
import { isTrustworthyUrl } from './trustworthy-url.js';

/** How the keys of an issuer are fetched. */
export interface IssuerKeysOptions {
  /** Exactly as it stands in tokens and in the issuer's metadata. */
  issuer: string;
  fetch: typeof globalThis.fetch;
  logger: Logger;
  /** Milliseconds since the epoch. */
  now: () => number;
}

type KeySet = ReturnType<typeof createLocalJWKSet>;

const MAX_AGE_MS = 10 * 60_000;
/** After an unknown key id, or a failure of the issuer, it is asked again after this at the earliest: nobody makes us hammer the issuer. */
const COOL_DOWN_MS = 5_000;
const TIMEOUT_MS = 5_000;
const MAX_BYTES = 512 * 1024;

/**
 * The public keys of one OIDC issuer: discovered, cached, and fetched anew when they are old or a token names an unknown one (rotation).
 * While the issuer is down the keys that are known go on working.
 * https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig , https://www.rfc-editor.org/rfc/rfc7517
 */
export class IssuerKeys {
  #keys: KeySet | null = null;
  #loadedAt = Number.NEGATIVE_INFINITY;
  #failedAt = Number.NEGATIVE_INFINITY;
  #unknownKeyAt = Number.NEGATIVE_INFINITY;
  #loading: Promise<void> | null = null;

  constructor(private readonly options: IssuerKeysOptions) {}

  /**
   * The key for a token's header, as jose asks for it. Throws jose's `JWKSNoMatchingKey` when the issuer has none such, and
   * {@link IdentityFault} IDENTITY_UNAVAILABLE when that can't be known because the issuer doesn't answer.
   */
  async keyFor(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<Awaited<ReturnType<KeySet>>> {
    if (this.#keys === null) await this.#load();
    else if (this.options.now() - this.#loadedAt > MAX_AGE_MS && !this.#coolingDown(this.#failedAt)) void this.#load().catch(() => undefined);
    try {
      return await this.#keys!(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || (this.#coolingDown(this.#unknownKeyAt) && !this.#loading)) throw error;
    }
    this.#unknownKeyAt = this.options.now();
    await this.#load();
    return await this.#keys!(header, token);
  }

  #coolingDown(since: number): boolean {
    return this.options.now() - since < COOL_DOWN_MS;
  }

  /** One fetch at a time, whoever waits. Throws IDENTITY_UNAVAILABLE. */
  #load(): Promise<void> {
    if (this.#loading) return this.#loading;
    if (this.#coolingDown(this.#failedAt)) return Promise.reject(unavailable('the issuer failed a moment ago'));
    this.#loading = this.#fetchKeys().then(
      (keys) => {
        this.#keys = keys;
        this.#loadedAt = this.options.now();
      },
      (error: unknown) => {
        this.#failedAt = this.options.now();
        this.options.logger.warn({ err: error, issuer: this.options.issuer, cached: this.#keys !== null }, 'the keys of the OIDC issuer could not be fetched');
        throw unavailable('fetching keys failed', error);
      },
    ).finally(() => { this.#loading = null; });
    return this.#loading;
  }

  async #fetchKeys(): Promise<KeySet> {
    const { issuer } = this.options;
    const metadata = await this.#getJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`) as { issuer?: unknown; jwks_uri?: unknown };
    if (metadata.issuer !== issuer) throw new Error(`the metadata of ${issuer} names another issuer: configure FAIRLEAD_OIDC_ISSUER exactly as it is spelled there`);
    if (typeof metadata.jwks_uri !== 'string' || !isTrustworthyUrl(metadata.jwks_uri)) throw new Error('jwks_uri is missing, or neither HTTPS nor on loopback');
    return createLocalJWKSet(await this.#getJson(metadata.jwks_uri) as JSONWebKeySet);
  }

  async #getJson(url: string): Promise<unknown> {
    const response = await this.options.fetch(url, { headers: { accept: 'application/json' }, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`${url} answered ${response.status}`);
    }
    let text = '';
    for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
      text += part;
      if (text.length > MAX_BYTES) throw new Error(`${url} answered more than ${MAX_BYTES} characters`);
    }
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) throw new Error(`${url} answered no JSON object`);
    return value;
  }
}

function unavailable(internal: string, cause?: unknown): IdentityFault {
  const next = 'Sign-ins can\'t be checked at the moment, because the identity provider doesn\'t answer. Try again in a few seconds.';
  return new IdentityFault('IDENTITY_UNAVAILABLE', next, { internal, cause });
}
