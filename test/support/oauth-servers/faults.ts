/** How an endpoint fails as a whole. `hang`: never answers; `reset`: cuts the connection; `redirect`: 307 elsewhere. */
export type Trouble = 'hang' | 'reset' | 'html' | 'redirect' | '400' | '404' | '429' | '500' | '502' | '503';

/** What real authorization servers get wrong. All absent: correct. */
export interface Faults {
  metadataAt?: 'oauth' | 'oidc' | 'oidc-appended' | 'nowhere';
  metadata?: Trouble;
  issuerInMetadata?: string;
  /** Replaces members of the metadata. */
  metadataMembers?: Record<string, unknown>;
  redirectMetadataTo?: string;
  /** null: the member is missing. */
  pkceMethods?: string[] | null;
  authMethods?: string[];
  /** Takes any https:// URL for the client ID of a public client, without reading the document there. */
  acceptsDocuments?: boolean;
  advertiseIss?: boolean;
  /** null: the parameter is missing. */
  callbackIss?: string | null;
  /** The authorization endpoint answers with this error. */
  authorizationError?: string;
  registration?: Trouble | 'refuse' | 'unauthorized' | 'absent';
  /** 201 by default. */
  registrationStatus?: number;
  registrationMembers?: Record<string, unknown>;
  /** The client is made, and the answer is lost. */
  loseRegistrationAnswer?: boolean;
  /** A number: seconds from now. */
  secretExpiresAt?: 'missing' | 'zero' | 'past' | 'null' | number;
  clientSecret?: string;
  /** `none`: the server takes Basic credentials as they are, without decoding %XX. */
  basicDecoding?: 'form' | 'none';
  token?: Trouble;
  /** Refuses, and quotes everything that it was sent. */
  tokenQuotes?: boolean;
  expiresIn?: number | string | null | 'missing';
  /** null: the member is missing. */
  tokenType?: string | null;
  tokenMembers?: Record<string, unknown>;
  /** Optional members are null. */
  nullFields?: boolean;
  refreshTokenOnRefresh?: 'missing';
  /** The refresh token is consumed, and the answer is lost. */
  loseRefreshAnswer?: boolean;
  /** Errors come with status 200, in GitHub's words. */
  errorsWith200?: boolean;
  revocation?: Trouble | 'absent' | 'unsupported';
  /** How far its clock is ahead. */
  clockSkewSeconds?: number;
  /** Waited for before the request to this path is answered. */
  before?: (path: string) => Promise<void>;
}

/** Takes HTTP Basic credentials apart, form-decoding them (RFC 6749, section 2.3.1) or not. */
export function decodeBasic(header: string | null, decode: boolean): { user: string; password: string } | null {
  const encoded = /^Basic (.+)$/.exec(header ?? '')?.[1];
  if (encoded === undefined) return null;
  const pair = Buffer.from(encoded, 'base64').toString();
  const [user, password] = [pair.slice(0, pair.indexOf(':')), pair.slice(pair.indexOf(':') + 1)];
  const form = (text: string): string => (decode ? decodeURIComponent(text.replaceAll('+', ' ')) : text);
  return { user: form(user), password: form(password) };
}
