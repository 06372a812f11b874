import type { Member } from '#core/store/entities/member.entity.js';

/**
 * How the page finds out that the enrollment's owner is in front of it.
 *
 * | | |
 * |---|---|
 * | `CONFIRMATION` | a button that says so: local members, where there is no issuer or only this machine |
 * | `SIGN_IN` | they sign in at the OIDC issuer |
 * | `NOT_CONFIGURED` | they would have to sign in, and no client is configured for that |
 * | `IMPOSSIBLE` | a local member of an installation with an issuer: nobody can sign in as them |
 */
export type Proof = 'CONFIRMATION' | 'SIGN_IN' | 'NOT_CONFIGURED' | 'IMPOSSIBLE';

/** What an installation has for it. */
export interface ProofOptions {
  localMode: boolean;
  /** Whether people are known through an OIDC issuer. */
  oidc: boolean;
  /** Whether our own client there is configured. */
  signIn: boolean;
}

/** The proof that this member has to give. */
export function proofFor(owner: Pick<Member, 'local'>, { localMode, oidc, signIn }: ProofOptions): Proof {
  if (!owner.local) return signIn ? 'SIGN_IN' : 'NOT_CONFIGURED';
  return localMode || !oidc ? 'CONFIRMATION' : 'IMPOSSIBLE';
}
