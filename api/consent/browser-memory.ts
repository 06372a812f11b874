import type { SealContext } from '#core/vault/context.js';
import { VaultError } from '#core/vault/vault-error.js';
import type { Vault } from '#core/vault/vault.js';
import type { SignedIn, SignInMemory } from './sign-in.js';

/** What one browser remembers for us during one consent, sealed, so that it can neither be read nor made up; it opens for that consent only. */
interface Remembered {
  /** A sign-in under way, and the link to come back to. */
  signin: SignInMemory & { link: string };
  /** Who signed in. */
  person: SignedIn;
}

/** Seals and opens what browsers remember for minutes. Nothing of it is stored here. */
export class BrowserMemory {
  constructor(private readonly vault: Vault, private readonly clock: () => Date) {}

  /** A cookie's value; `lifetimeMs` is part of it, since a browser may keep a cookie for as long as it likes. */
  async seal<P extends keyof Remembered>(purpose: P, consent: { id: string; teamId: string }, value: Remembered[P], lifetimeMs: number): Promise<string> {
    const until = this.clock().getTime() + lifetimeMs;
    return (await this.vault.seal(consent.teamId, context(purpose, consent.id), JSON.stringify({ until, value }))).toString('base64url');
  }

  /** What was sealed for this consent; null for anything else, and when its time is over. */
  async open<P extends keyof Remembered>(purpose: P, consent: { id: string; teamId: string }, cookie: string | undefined): Promise<Remembered[P] | null> {
    if (cookie === undefined) return null;
    try {
      const opened = await this.vault.open(consent.teamId, context(purpose, consent.id), Buffer.from(cookie, 'base64url'));
      const { until, value } = JSON.parse(opened.toString('utf8')) as { until: number; value: Remembered[P] };
      return until > this.clock().getTime() ? value : null;
    } catch (error) {
      if (error instanceof VaultError) return null;
      throw error;
    }
  }
}

function context(purpose: keyof Remembered, consentId: string): SealContext {
  return { table: 'browser', column: purpose, rowId: consentId, version: 0 };
}
