import { properScopes } from './scopes.js';

/** One challenge of a `WWW-Authenticate` header. */
export interface Challenge {
  /** Lower case. */
  scheme: string;
  /** By lower-case name; the first of a name counts. */
  parameters: Readonly<Record<string, string>>;
}

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const TOKEN68 = /[A-Za-z0-9\-._~+/]+=*(?=\s*(?:,|$))/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/sy;
/** Real servers leave the quotes off a URL. */
const BARE = /[^\s,"]+/y;
const SEPARATORS = /[\s,]*/y;
const SPACE = /\s*/y;
/** A header longer than this isn't worth reading. */
const MAX_LENGTH = 8_192;

/**
 * Takes a `WWW-Authenticate` value apart: several challenges, also of several header fields joined by commas, with quoted strings, tokens and token68.
 * What can't be read ends the list; what was read before it counts. Linear in the header's length.
 * https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1
 */
export function parseChallenges(header: string | null): Challenge[] {
  if (header === null || header.length > MAX_LENGTH) return [];
  const reader = new Reader(header);
  const challenges: Challenge[] = [];
  for (;;) {
    reader.take(SEPARATORS);
    const scheme = reader.take(TOKEN);
    if (scheme === null) return challenges;
    challenges.push({ scheme: scheme.toLowerCase(), parameters: readParameters(reader) });
  }
}

/** What a challenge of an MCP server says about OAuth. https://www.rfc-editor.org/rfc/rfc6750#section-3 , https://www.rfc-editor.org/rfc/rfc9728#section-5.1 */
export interface OAuthChallenge {
  resourceMetadata: string | null;
  /** Empty where none are named. */
  scopes: string[];
  /** `invalid_token`, `insufficient_scope`, … */
  error: string | null;
}

/** The OAuth part of a `WWW-Authenticate` value: of the first Bearer or DPoP challenge that names resource metadata, else of the first of them; null where there is none. */
export function oauthChallenge(header: string | null): OAuthChallenge | null {
  const candidates = parseChallenges(header).filter(({ scheme }) => scheme === 'bearer' || scheme === 'dpop');
  const chosen = candidates.find(({ parameters }) => parameters.resource_metadata !== undefined) ?? candidates[0];
  if (!chosen) return null;
  const { resource_metadata: resourceMetadata, scope, error } = chosen.parameters;
  return { resourceMetadata: resourceMetadata ?? null, scopes: properScopes((scope ?? '').split(/\s+/)), error: error ?? null };
}

/** The scopes that a 403 with `insufficient_scope` asks for, none if it doesn't say; null if it isn't such a challenge. https://www.rfc-editor.org/rfc/rfc6750#section-3.1 */
export function insufficientScope(header: string | null): string[] | null {
  const challenge = oauthChallenge(header);
  return challenge?.error === 'insufficient_scope' ? challenge.scopes : null;
}

function readParameters(reader: Reader): Record<string, string> {
  const parameters: Record<string, string> = Object.create(null) as Record<string, string>;
  reader.take(SPACE);
  if (reader.take(TOKEN68) !== null) return parameters;
  for (;;) {
    const start = reader.position;
    reader.take(SEPARATORS);
    const name = reader.take(TOKEN);
    reader.take(SPACE);
    // A token without "=" is the next challenge's scheme.
    if (name === null || !reader.skip('=')) {
      reader.position = start;
      return parameters;
    }
    reader.take(SPACE);
    parameters[name.toLowerCase()] ??= reader.takeQuoted() ?? reader.take(BARE) ?? '';
  }
}

class Reader {
  position = 0;
  constructor(private readonly text: string) {}

  take(pattern: RegExp): string | null {
    const match = this.#match(pattern);
    return match === null ? null : match[0];
  }

  takeQuoted(): string | null {
    const match = this.#match(QUOTED);
    return match === null ? null : match[1]!.replace(/\\(.)/gs, '$1');
  }

  skip(character: string): boolean {
    if (this.text[this.position] !== character) return false;
    this.position += 1;
    return true;
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.position;
    const match = pattern.exec(this.text);
    if (match) this.position = pattern.lastIndex;
    return match;
  }
}
