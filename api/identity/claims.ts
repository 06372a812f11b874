import { oneLine } from '#core/connection/text.js';
import { IdentityFault } from './identity-fault.js';

/** A claim's text, trimmed, if it is one that can be shown and stored; null otherwise. */
export function claimText(claim: unknown, max: number): string | null {
  if (typeof claim !== 'string') return null;
  const trimmed = claim.trim();
  return trimmed === '' || trimmed.length > max || !oneLine(trimmed) ? null : trimmed;
}

/** The mail address, if the issuer says that it verified it. */
export function verifiedEmail(claims: Readonly<Record<string, unknown>>): string | null {
  return claims['email_verified'] === true ? claimText(claims['email'], 320) : null;
}

/**
 * Who the claims speak for: the configured claim, exactly as the issuer says it, since two subjects must not become one by trimming; with `email`, only a verified address.
 * Throws {@link IdentityFault} UNAUTHENTICATED.
 */
export function subjectOf(claims: Readonly<Record<string, unknown>>, subjectClaim: string): string {
  const subject = claimText(claims[subjectClaim], 255);
  if (subject === null || subject !== claims[subjectClaim]) {
    throw new IdentityFault('UNAUTHENTICATED', 'The token is not valid. Sign in again.', { internal: `claim ${subjectClaim} is missing or no plain text` });
  }
  if (subjectClaim === 'email' && claims['email_verified'] !== true) {
    throw new IdentityFault('UNAUTHENTICATED', 'The identity provider has not verified your mail address. Verify it there, then sign in again.', { internal: 'email not verified' });
  }
  return subject;
}
