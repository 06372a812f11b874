import { quotePeer } from '../errors.js';
import { oauthChallenge } from './challenge.js';
import { LookupLog } from './lookup.js';
import { readResourceMetadata, resourceMetadataUrls, type ResourceMetadata } from './resource-metadata.js';
import { isMetadataFault, readServerMetadata, serverMetadataUrls, type MetadataFault, type ServerMetadata } from './server-metadata.js';
import type { OAuthStep } from './step.js';
import type { OAuthTransport } from './transport.js';

/** What is known of a server's OAuth: everything that registration, consent, refresh and revocation go by. Plain data, and no secret. */
export interface Discovery {
  /** The RFC 8707 resource, as published; goes into every request. */
  resource: string;
  /** Compared character by character, everywhere. */
  issuer: string;
  /** Host and port of the token endpoint: pinned together with the issuer. */
  tokenHost: string;
  metadata: ServerMetadata;
  /** Of the resource; the authorization server's own are in its metadata. */
  scopesSupported: string[];
  challengeScopes: string[];
  /** False only where `allowUnadvertisedPkce` admitted the server. */
  pkceAdvertised: boolean;
  /** Rules of older revisions that had to be used, a sentence each. */
  fallbacks: string[];
}

/**
 * Why nothing usable was found.
 *
 * | code | |
 * |---|---|
 * | `ABSENT` | the server publishes no OAuth metadata: it doesn't do OAuth, or only by hand |
 * | `UNREACHABLE` | somebody who has to be asked didn't answer: try again, conclude nothing |
 * | `REFUSED_BY_POLICY` | somebody who has to be asked is at an address that our policy refuses |
 * | `INCONSISTENT` | metadata contradict each other, or the rules |
 * | `PKCE_NOT_ADVERTISED` | all is well, but S256 isn't advertised; `allowUnadvertisedPkce` would admit it |
 * | `UNSUPPORTED` | the server wants something that we don't do |
 */
export type DiscoveryFailureCode = 'ABSENT' | 'UNREACHABLE' | 'REFUSED_BY_POLICY' | 'INCONSISTENT' | 'PKCE_NOT_ADVERTISED' | 'UNSUPPORTED';
export interface DiscoveryFailure {
  code: DiscoveryFailureCode;
  /** For people: what was wrong, and where. */
  message: string;
}

/** The answer of {@link discoverOAuth}: exactly one of `found` and `failure` is set. */
export type DiscoveryReport = { steps: OAuthStep[] } & ({ found: Discovery; failure: null } | { found: null; failure: DiscoveryFailure });

/** Whose OAuth to discover, and how. */
export interface DiscoveryRequest {
  serverUrl: string;
  /** `WWW-Authenticate` of the server's 401, if there was one. */
  challenge: string | null;
  /** Whether the server answered 401 at all; `challenge !== null` where it isn't given. */
  challenged?: boolean;
  transport: OAuthTransport;
  /** Admits authorization servers that support S256 without advertising it (Entra ID, Cognito), and those of 2025-03-26 that publish nothing. */
  allowUnadvertisedPkce: boolean;
  /** The issuer that is pinned: where the server still names it, no other is looked at, so that an outage can't move logins to another issuer. */
  pinnedIssuer?: string | null;
  /** Over everything; 20 s by default. */
  timeoutMs?: number;
  /** Monotonic milliseconds. */
  clock: () => number;
}

type Found = Discovery | DiscoveryFailure;

/**
 * Finds out by whom a server's logins are issued. Never throws for what servers do; asks only with GET, and sends no credential.
 * https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization/authorization-server-discovery
 */
export async function discoverOAuth(request: DiscoveryRequest): Promise<DiscoveryReport> {
  const log = new LookupLog(request.transport, request.clock, request.timeoutMs ?? 20_000);
  const found = await new Search(request, log).run();
  return 'issuer' in found ? { steps: log.steps, found, failure: null } : { steps: log.steps, found: null, failure: found };
}

class Search {
  readonly #serverUrl: URL;
  readonly #challengeScopes: string[];
  readonly #metadataUrl: string | null;
  readonly #fallbacks: string[] = [];

  constructor(private readonly request: DiscoveryRequest, private readonly log: LookupLog) {
    this.#serverUrl = new URL(request.serverUrl);
    const challenge = oauthChallenge(request.challenge);
    this.#challengeScopes = challenge?.scopes ?? [];
    this.#metadataUrl = challenge?.resourceMetadata ?? null;
    if (request.challenge === null) log.note('challenge', 'SKIPPED', 'the server sent no WWW-Authenticate');
    else if (challenge === null) log.note('challenge', 'FAILED', 'WWW-Authenticate holds no Bearer challenge');
    else log.note('challenge', 'OK', this.#metadataUrl === null ? 'a Bearer challenge without resource_metadata' : `names resource metadata at ${quotePeer(this.#metadataUrl)}`);
  }

  async run(): Promise<Found> {
    const resource = await this.#resource();
    if (resource === null) return this.#withoutResourceMetadata();
    if ('code' in resource) return resource;
    if (resource.authorizationServers.length === 0) {
      this.#fallbacks.push('The resource metadata names no authorization server; the server\'s own origin was asked (2025-03-26).');
      return this.#origin(resource);
    }
    return this.#firstUsable(resource);
  }

  /** RFC 9728; null where none is published. */
  async #resource(): Promise<ResourceMetadata | DiscoveryFailure | null> {
    const named = this.#metadataUrl;
    let unreachable: DiscoveryFailure | null = null;
    for (const url of new Set([...(named === null ? [] : [named]), ...resourceMetadataUrls(this.#serverUrl)])) {
      const lookup = await this.log.find('resource metadata', url, (json) => readResourceMetadata(json, this.#serverUrl));
      if (lookup.kind === 'FOUND') {
        if (named !== null && url !== named) this.#fallbacks.push(`The challenge names resource metadata at ${quotePeer(named)}, where there is none; the well-known place was used.`);
        return lookup.value;
      }
      if (lookup.kind === 'UNUSABLE') return { code: 'INCONSISTENT', message: lookup.message };
      if (lookup.kind === 'REFUSED_BY_POLICY') return { code: 'REFUSED_BY_POLICY', message: `The place of the resource metadata: ${lookup.message}.` };
      if (lookup.kind === 'UNREACHABLE') unreachable ??= { code: 'UNREACHABLE', message: `The resource metadata could not be read: ${lookup.message}. Try again later.` };
    }
    return unreachable;
  }

  async #firstUsable(resource: ResourceMetadata): Promise<Found> {
    const { pinnedIssuer } = this.request;
    const issuers = pinnedIssuer && resource.authorizationServers.includes(pinnedIssuer) ? [pinnedIssuer] : resource.authorizationServers;
    let first: DiscoveryFailure | null = null;
    for (const issuer of issuers) {
      const found = await this.#server([issuer], serverMetadataUrls(issuer));
      if ('metadata' in found) return this.#discovery(resource, found.metadata);
      first ??= found;
    }
    // Named, and not to be found: half a configuration, and no reason to think that there is no OAuth.
    return first!.code === 'ABSENT' ? { code: 'INCONSISTENT', message: `The resource metadata names an authorization server that can't be found. ${first!.message}` } : first!;
  }

  /** The origin as issuer: our own guess and nobody's word, so a document there may write itself with a final slash or without. */
  async #origin(resource: ResourceMetadata): Promise<Found> {
    const { origin } = this.#serverUrl;
    const found = await this.#server([origin, `${origin}/`], serverMetadataUrls(origin));
    return 'metadata' in found ? this.#discovery(resource, found.metadata) : found;
  }

  /** https://modelcontextprotocol.io/specification/2025-03-26/basic/authorization#2-3-server-metadata-discovery */
  async #withoutResourceMetadata(): Promise<Found> {
    const resource: ResourceMetadata = { resource: canonical(this.#serverUrl), authorizationServers: [], scopesSupported: [] };
    const found = await this.#origin(resource);
    if (!('code' in found)) {
      found.fallbacks.push('The server publishes no resource metadata; its own origin was taken for the authorization server (2025-03-26).');
      return found;
    }
    if (found.code !== 'ABSENT' || !this.request.allowUnadvertisedPkce || !(this.request.challenged ?? this.request.challenge !== null)) return found;
    return (await this.#defaultEndpoints(resource)) ?? found;
  }

  /** https://modelcontextprotocol.io/specification/2025-03-26/basic/authorization#2-3-3-fallbacks-for-servers-without-metadata-discovery */
  async #defaultEndpoints(resource: ResourceMetadata): Promise<Discovery | null> {
    const { origin } = this.#serverUrl;
    const metadata: ServerMetadata = { issuer: origin, authorization_endpoint: `${origin}/authorize`, token_endpoint: `${origin}/token`, registration_endpoint: `${origin}/register` };
    if (!(await this.log.answers(metadata.authorization_endpoint))) {
      this.log.note('authorization server', 'FAILED', `nothing answers at ${metadata.authorization_endpoint}, the default of 2025-03-26`);
      return null;
    }
    this.log.note('authorization server', 'OK', `${metadata.authorization_endpoint} answers`);
    this.#fallbacks.push('The server publishes no OAuth metadata at all; the default endpoints of 2025-03-26 are used.');
    return this.#discovery(resource, metadata);
  }

  async #server(issuers: readonly string[], urls: string[] | string): Promise<{ metadata: ServerMetadata } | DiscoveryFailure> {
    if (typeof urls === 'string') {
      this.log.note('authorization server', 'FAILED', urls);
      return { code: 'INCONSISTENT', message: urls };
    }
    const failures: DiscoveryFailure[] = [];
    for (const url of urls) {
      let fault: MetadataFault | null = null;
      const lookup = await this.log.find('authorization server', url, (json) => {
        const read = readServerMetadata(json, issuers, this.request.allowUnadvertisedPkce);
        if (read === null || !isMetadataFault(read)) return read;
        fault = read;
        return read.message;
      });
      if (lookup.kind === 'FOUND') return this.#admitted(lookup.value);
      if (lookup.kind === 'UNUSABLE') failures.push(failureOf(fault!));
      else if (lookup.kind === 'REFUSED_BY_POLICY') failures.push({ code: 'REFUSED_BY_POLICY', message: `The authorization server ${quotePeer(issuers[0]!)}: ${lookup.message}.` });
      else if (lookup.kind === 'UNREACHABLE') failures.push({ code: 'UNREACHABLE', message: `The authorization server ${quotePeer(issuers[0]!)} could not be asked: ${lookup.message}. Try again later.` });
    }
    return failures.sort((a, b) => WEIGHT.indexOf(a.code) - WEIGHT.indexOf(b.code))[0]
      ?? { code: 'ABSENT', message: `No authorization-server metadata is published for ${quotePeer(issuers[0]!)}.` };
  }

  /** Endpoints that will be asked with secrets must be where our policy lets us go: said now, and not at the first consent. Without a token endpoint nothing goes; another one counts as not offered. */
  #admitted(metadata: ServerMetadata): { metadata: ServerMetadata } | DiscoveryFailure {
    const kept = { ...metadata };
    for (const name of ['token_endpoint', 'registration_endpoint', 'revocation_endpoint'] as const) {
      const url = metadata[name];
      if (url === undefined || admits(this.request.transport, url)) continue;
      const message = `The authorization server's "${name}" is refused by policy: not a public HTTPS address; an administrator may allow it with FAIRLEAD_EGRESS_ALLOW.`;
      this.log.note('authorization server', 'FAILED', message);
      if (name === 'token_endpoint') return { code: 'REFUSED_BY_POLICY', message };
      delete kept[name];
    }
    return { metadata: kept };
  }

  #discovery({ resource, scopesSupported }: ResourceMetadata, metadata: ServerMetadata): Discovery {
    return {
      resource, issuer: metadata.issuer, tokenHost: new URL(metadata.token_endpoint).host, metadata, scopesSupported, challengeScopes: this.#challengeScopes,
      pkceAdvertised: metadata.code_challenge_methods_supported?.includes('S256') ?? false, fallbacks: this.#fallbacks,
    };
  }
}

/** What to tell when several places failed: what a person can fix first, and absence only if nothing else is to be said. */
const WEIGHT: readonly DiscoveryFailureCode[] = ['REFUSED_BY_POLICY', 'PKCE_NOT_ADVERTISED', 'UNSUPPORTED', 'INCONSISTENT', 'UNREACHABLE', 'ABSENT'];

function failureOf({ kind, message }: MetadataFault): DiscoveryFailure {
  return { code: kind === 'PKCE' ? 'PKCE_NOT_ADVERTISED' : kind, message };
}

function admits({ egress }: OAuthTransport, url: string): boolean {
  try {
    egress.check(url);
    return true;
  } catch {
    return false;
  }
}

/** The canonical URI of a server that publishes none. https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization#canonical-server-uri */
function canonical(serverUrl: URL): string {
  return serverUrl.pathname === '/' && serverUrl.search === '' ? serverUrl.origin : serverUrl.href;
}
