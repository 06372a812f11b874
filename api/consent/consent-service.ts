import type { Repositories } from '#core/store/store.js';
import { hashOf, newSecret } from './one-time-secret.js';
import type { ReturnUrls } from './return-urls.js';

/** Whose consent to which enrollment is started. */
export interface ConsentStart {
  teamId: string;
  /** The enrollment's owner. */
  memberId: string;
  enrollmentId: string;
  /** Where they want to return to; null for a page that says that it can be closed. */
  returnUrl: string | null;
}

/** A link to a page of ours: single-use, and good until then. */
export interface ConsentLink {
  url: string;
  expiresAt: Date;
}

/** How long a link is good for. */
export const LINK_LIFETIME_MS = 10 * 60_000;

/** Starts consents; the rest happens in the person's browser. */
export class ConsentService {
  constructor(private readonly publicUrl: () => string, private readonly returnUrls: ReturnUrls) {}

  /** Checks a return URL before anything is done for it. Throws `UserFault` INVALID. */
  checkReturnUrl(returnUrl: string | null): void {
    this.returnUrls.check(returnUrl);
  }

  /**
   * Makes the link, in the caller's transaction; earlier links of the enrollment, and logins that were begun with them, are worth nothing from then on.
   * Throws `UserFault` INVALID for a return URL that isn't allowed.
   */
  async start(repositories: Repositories, { teamId, memberId, enrollmentId, returnUrl }: ConsentStart): Promise<ConsentLink> {
    const allowed = this.returnUrls.check(returnUrl);
    const link = newSecret();
    await repositories.oauthGrants.insert(enrollmentId, teamId);
    await repositories.oauthAuthorizations.expire(enrollmentId);
    const { expiresAt } = await repositories.oauthAuthorizations.insert({ teamId, enrollmentId, memberId, linkHash: hashOf(link), returnUrl: allowed }, LINK_LIFETIME_MS);
    return { url: `${this.publicUrl()}/connect/${link}`, expiresAt };
  }
}
