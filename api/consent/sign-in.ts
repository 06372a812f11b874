import * as oauth from 'oauth4webapi';
import { quotePeer } from '#core/errors.js';
import type { Logger } from '#core/log.js';
import { clientAuthentication } from '#core/oauth/client-authentication.js';
import { claimText, subjectOf, verifiedEmail } from '../identity/claims.js';
import { IdentityFault } from '../identity/identity-fault.js';
import { isTrustworthyUrl } from '../identity/trustworthy-url.js';

/** Our client at the OIDC issuer that people sign in with. */
export interface SignInOptions {
  /** Exactly as it stands in the issuer's metadata; HTTPS, or HTTP on loopback. */
  issuer: string;
  clientId: string;
  /** Null for a public client. */
  clientSecret: string | null;
  subjectClaim: string;
  nameClaim: string;
  redirectUri: () => string;
  /** The operator chose the issuer, so this is the plain `fetch`. */
  fetch: typeof globalThis.fetch;
  logger: Logger;
}

/** What must be remembered of a sign-in under way, in the browser that began it and nowhere else. */
export interface SignInMemory {
  state: string;
  nonce: string;
  verifier: string;
}

/** Who signed in. */
export interface SignedIn {
  subject: string;
  displayName: string | null;
}

const SCOPES = ['openid', 'profile', 'email'];
const TIMEOUT_MS = 10_000;

/**
 * Signs a person in at the OIDC issuer: authorization code flow with PKCE, `state` and `nonce`; the ID token is validated with its signature. No token is kept.
 * https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth
 */
export class SignIn {
  constructor(private readonly options: SignInOptions) {}

  /**
   * The URL to send the browser to, and what it must remember.
   * @param again asks the issuer for a sign-in even if somebody is signed in there
   * @throws {IdentityFault} IDENTITY_UNAVAILABLE
   */
  async begin(again: boolean): Promise<{ url: string; memory: SignInMemory }> {
    const as = await this.#discover();
    const endpoint = as.authorization_endpoint;
    if (endpoint === undefined || !isTrustworthyUrl(endpoint)) throw unavailable('no usable authorization_endpoint');
    const memory = { state: oauth.generateRandomState(), nonce: oauth.generateRandomNonce(), verifier: oauth.generateRandomCodeVerifier() };
    const url = new URL(endpoint);
    const scopes = SCOPES.filter((scope) => scope === 'openid' || as.scopes_supported === undefined || as.scopes_supported.includes(scope));
    const parameters = {
      response_type: 'code', client_id: this.options.clientId, redirect_uri: this.options.redirectUri(), scope: scopes.join(' '), state: memory.state, nonce: memory.nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(memory.verifier), code_challenge_method: 'S256', ...(again ? { prompt: 'login' } : {}),
    };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return { url: url.href, memory };
  }

  /**
   * Who the issuer's answer speaks for; the mail address only if the issuer says that it verified it.
   * @throws {IdentityFault} UNAUTHENTICATED with words for people, or IDENTITY_UNAVAILABLE
   */
  async finish(parameters: URLSearchParams, memory: SignInMemory): Promise<SignedIn & { email: string | null }> {
    const as = await this.#discover();
    try {
      return await this.#redeem(as, parameters, memory);
    } catch (error) {
      throw faultOf(error);
    }
  }

  async #redeem(as: oauth.AuthorizationServer, parameters: URLSearchParams, memory: SignInMemory): Promise<SignedIn & { email: string | null }> {
    const client: oauth.Client = { client_id: this.options.clientId };
    const http = this.#http();
    const valid = oauth.validateAuthResponse(as, client, parameters, memory.state);
    const response = await oauth.authorizationCodeGrantRequest(as, client, this.#clientAuth(as), valid, this.options.redirectUri(), memory.verifier, http);
    const answer = await oauth.processAuthorizationCodeResponse(as, client, response, { expectedNonce: memory.nonce, requireIdToken: true });
    await oauth.validateApplicationLevelSignature(as, response, http);
    const idToken = oauth.getValidatedIdTokenClaims(answer)!;
    const { nameClaim, subjectClaim } = this.options;
    const whole = idToken[subjectClaim] !== undefined && idToken[nameClaim] !== undefined;
    const claims = whole ? idToken : await this.#userInfo(as, client, answer.access_token, idToken);
    return { subject: subjectOf(claims, subjectClaim), displayName: claimText(claims[nameClaim], 200), email: verifiedEmail(claims) };
  }

  /** Some issuers put the claims of scopes there only. https://openid.net/specs/openid-connect-core-1_0.html#ScopeClaims */
  async #userInfo(as: oauth.AuthorizationServer, client: oauth.Client, accessToken: string, idToken: oauth.IDToken): Promise<Record<string, unknown>> {
    if (as.userinfo_endpoint === undefined) return idToken;
    const response = await oauth.userInfoRequest(as, client, accessToken, this.#http());
    return { ...idToken, ...await oauth.processUserInfoResponse(as, client, idToken.sub, response) };
  }

  async #discover(): Promise<oauth.AuthorizationServer> {
    try {
      const issuer = new URL(this.options.issuer);
      const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oidc', ...this.#http() }));
      if (as.issuer !== this.options.issuer) throw new Error('the issuer spells itself otherwise: configure FAIRLEAD_OIDC_ISSUER exactly as it is there');
      return as;
    } catch (error) {
      this.options.logger.warn({ err: error, issuer: this.options.issuer }, 'the OIDC issuer could not be asked for its metadata');
      throw unavailable('discovery failed', error);
    }
  }

  #clientAuth(as: oauth.AuthorizationServer): oauth.ClientAuth {
    const { clientId, clientSecret } = this.options;
    const posts = as.token_endpoint_auth_methods_supported?.includes('client_secret_post') ?? false;
    return clientAuthentication({ clientId, clientSecret, authMethod: clientSecret === null ? 'none' : posts ? 'client_secret_post' : 'client_secret_basic' });
  }

  #http() {
    return {
      [oauth.customFetch]: (url: string, init: object) => this.options.fetch(url, init),
      // Configuration admits plain HTTP on loopback only.
      [oauth.allowInsecureRequests]: this.options.issuer.startsWith('http:'),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    };
  }
}

function faultOf(error: unknown): unknown {
  if (error instanceof IdentityFault) return error;
  if (error instanceof oauth.AuthorizationResponseError) {
    const said = [error.error, error.error_description].filter((text) => text !== undefined).join(': ');
    return new IdentityFault('UNAUTHENTICATED', `The identity provider did not sign you in. It said ${quotePeer(said)}.`, { internal: error.error });
  }
  const ours = error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError || error instanceof oauth.ResponseBodyError || error instanceof oauth.WWWAuthenticateChallengeError;
  // Their causes hold parameters and bodies, so only the message goes on.
  if (ours) return new IdentityFault('UNAUTHENTICATED', 'The sign-in could not be checked. Try again; if it fails again, tell your administrator.', { internal: `${error.code}: ${error.message}` });
  return unavailable(error instanceof Error ? error.name : 'unknown', error);
}

function unavailable(internal: string, cause?: unknown): IdentityFault {
  return new IdentityFault('IDENTITY_UNAVAILABLE', 'The identity provider doesn\'t answer as it should. Try again in a few minutes; if it lasts, tell your administrator.', { internal, cause });
}
