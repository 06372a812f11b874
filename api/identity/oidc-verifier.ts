import { errors, jwtVerify, type JWTPayload, type ProtectedHeaderParameters } from 'jose';
import { InvariantBroken } from '#core/errors.js';
import type { Logger } from '#core/log.js';
import { claimText, subjectOf, verifiedEmail } from './claims.js';
import { grantsOf, type Grant, type GroupRole } from './group-roles.js';
import { IdentityFault } from './identity-fault.js';
import { IssuerKeys } from './issuer-keys.js';
import { isTrustworthyUrl } from './trustworthy-url.js';

/** How access tokens of an OIDC issuer are checked and read. */
export interface OidcOptions {
  /** Compared exactly with `iss` and with the issuer's metadata; HTTPS, or HTTP on loopback. */
  issuer: string;
  /** One of the token's `aud` must be this. */
  audience: string;
  /** Claim that identifies a person for good, `sub` by default. With `email`, the address must be verified. */
  subjectClaim: string;
  /** Claim that holds the display name. */
  nameClaim: string;
  /** Claim that holds the names of groups; null when roles aren't managed by the issuer. */
  groupsClaim: string | null;
  groups: readonly GroupRole[];
  /** Subjects that administer the installation. */
  admins: readonly string[];
  clockToleranceSeconds: number;
  fetch: typeof globalThis.fetch;
  logger: Logger;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** Who a valid token speaks for. */
export interface OidcIdentity {
  subject: string;
  displayName: string | null;
  /** Only if the issuer says that it verified the address. */
  email: string | null;
  installationAdmin: boolean;
  /** Roles by groups; null when no groups claim is configured, so that roles are managed here. */
  grants: Grant[] | null;
  expiresAt: Date;
}

/** Never `none`, and no HMAC: a public key must not be taken for a shared secret (RFC 8725, section 2.1). */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
/** RFC 9068 asks for `at+jwt`; Keycloak and Entra ID say `JWT`, Okta says nothing. */
const ACCESS_TOKEN_TYPES: ReadonlySet<string | undefined> = new Set([undefined, 'jwt', 'at+jwt', 'application/at+jwt']);

/**
 * Checks JWT access tokens of one issuer: signature, algorithm, type, `iss`, `aud`, `exp`, `nbf`, `iat`. ID tokens are refused although
 * the same keys sign them (RFC 8725, section 3.11), and so are tokens that are bound to a key (`cnf`, RFC 9449), since a bearer can't prove it.
 */
export class OidcVerifier {
  readonly #keys: IssuerKeys;

  /** Throws {@link InvariantBroken} for an issuer that is neither HTTPS nor on loopback: configuration must not let it get here. */
  constructor(private readonly options: OidcOptions) {
    if (!isTrustworthyUrl(options.issuer)) throw new InvariantBroken('the OIDC issuer must be an https URL, or http on loopback');
    this.#keys = new IssuerKeys(options);
  }

  /** Who the token speaks for. Throws {@link IdentityFault}: UNAUTHENTICATED with the next step, or IDENTITY_UNAVAILABLE. */
  async verify(token: string): Promise<OidcIdentity> {
    const { payload, protectedHeader } = await this.#verifySignature(token);
    this.#refuseOtherTypes(payload, protectedHeader);
    const now = this.options.now() / 1000;
    if (payload.iat !== undefined && payload.iat > now + this.options.clockToleranceSeconds) throw refused('iat is in the future');
    return this.#read(payload);
  }

  async #verifySignature(token: string): Promise<{ payload: JWTPayload; protectedHeader: ProtectedHeaderParameters }> {
    const { issuer, audience, clockToleranceSeconds, now } = this.options;
    try {
      return await jwtVerify(token, (header, jws) => this.#keys.keyFor(header, jws), {
        issuer, audience, algorithms: ALGORITHMS, clockTolerance: clockToleranceSeconds, currentDate: new Date(now()), requiredClaims: ['exp'],
      });
    } catch (error) {
      if (error instanceof IdentityFault) throw error;
      if (error instanceof errors.JWTExpired) throw refused('expired', 'The sign-in has expired. Sign in again.', error);
      if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud') {
        throw refused('other audience', 'The token was issued for another service. Get one whose audience is this API.', error);
      }
      // Also what isn't of jose: a key that can't be imported, a token that is no base64.
      throw refused(error instanceof Error ? error.message : 'not verifiable', undefined, error);
    }
  }

  #refuseOtherTypes(payload: JWTPayload, header: ProtectedHeaderParameters): void {
    const type = header.typ?.toLowerCase();
    if (!ACCESS_TOKEN_TYPES.has(type)) throw refused(`typ ${JSON.stringify(type)} is no access token`);
    // Keycloak signs all its tokens as `JWT`, and says in a claim which kind it is.
    const isIdToken = 'at_hash' in payload || 'c_hash' in payload || ['ID', 'Refresh', 'Logout'].includes(String(payload.typ));
    if (isIdToken && type !== 'at+jwt') throw refused('an ID or refresh token', 'That is an ID token. Send the access token instead.');
    if (payload.cnf !== undefined) {
      throw refused('sender-constrained', 'The token is bound to a key of its client, which Fairlead can\'t check. Get a plain bearer token.');
    }
  }

  #read(payload: JWTPayload): OidcIdentity {
    const { subjectClaim, nameClaim, groupsClaim, groups, admins } = this.options;
    const subject = subjectOf(payload, subjectClaim);
    return {
      subject,
      displayName: claimText(payload[nameClaim], 200),
      email: verifiedEmail(payload),
      installationAdmin: admins.includes(subject),
      grants: groupsClaim === null ? null : grantsOf(groups, names(payload[groupsClaim])),
      expiresAt: new Date(payload.exp! * 1000),
    };
  }
}

function names(claim: unknown): string[] {
  const list: unknown[] = Array.isArray(claim) ? claim : [claim];
  return list.filter((name) => typeof name === 'string');
}

function refused(internal: string, publicMessage = 'The token is not valid. Sign in again.', cause?: unknown): IdentityFault {
  return new IdentityFault('UNAUTHENTICATED', publicMessage, { internal, cause });
}
