import { Egress } from '#core/egress/egress.js';
import { discoverOAuth, type Discovery, type DiscoveryReport, type DiscoveryRequest } from '#core/oauth/discovery.js';
import { registerClient } from '#core/oauth/registration.js';
import { startAuthorization, type PendingAuthorization } from '#core/oauth/authorization.js';
import { finishAuthorization } from '#core/oauth/callback.js';
import type { OAuthClientIdentity, RegisteredClient } from '#core/oauth/client-information.js';
import { OAuthFault } from '#core/oauth/fault.js';
import { scopesToRequest } from '#core/oauth/scopes.js';
import type { TokenParties } from '#core/oauth/token-request.js';
import type { TokenSet } from '#core/oauth/token-set.js';
import type { OAuthTransport } from '#core/oauth/transport.js';
import { TestBrowser } from './browser.js';

/** A way out to loopback for a test, and what it started. */
export class TestWay {
  readonly egress = new Egress({ policy: { allow: [], allowLoopback: true, denied: [] } });
  readonly transport: OAuthTransport;
  readonly #running: { close(): Promise<void> }[] = [this.egress];

  constructor(timeoutMs = 10_000) {
    this.transport = { egress: this.egress, timeoutMs };
  }

  /** Is closed with this, however the test ends. */
  async kept<T extends { close(): Promise<void> }>(starting: Promise<T>): Promise<T> {
    const server = await starting;
    this.#running.push(server);
    return server;
  }

  async close(): Promise<void> {
    await Promise.all(this.#running.splice(0).map((server) => server.close()));
  }
}

export const REDIRECT_URI = 'http://127.0.0.1:1/oauth/callback';

/** What a server says to a stranger. */
export async function challengeOf(url: string): Promise<string | null> {
  const response = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' }, body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }) });
  await response.text();
  return response.headers.get('www-authenticate');
}

/** Discovery as the product runs it: with the challenge that the server sends. */
export async function discover(way: Pick<TestWay, 'transport'>, serverUrl: string, options: Partial<DiscoveryRequest> = {}): Promise<DiscoveryReport> {
  return discoverOAuth({ serverUrl, challenge: await challengeOf(serverUrl), transport: way.transport, allowUnadvertisedPkce: false, clock: () => performance.now(), ...options });
}

export async function discovered(way: Pick<TestWay, 'transport'>, serverUrl: string, options: Partial<DiscoveryRequest> = {}): Promise<Discovery> {
  const { found, failure } = await discover(way, serverUrl, options);
  if (!found) throw new Error(`nothing found: ${failure.code} ${failure.message}`);
  return found;
}

export function register(way: Pick<TestWay, 'transport'>, discovery: Discovery, options: { initialAccessToken?: string; redirectUri?: string } = {}): Promise<RegisteredClient> {
  return registerClient({ discovery, transport: way.transport, clientName: 'Fairlead', redirectUri: REDIRECT_URI, now: new Date(), ...options });
}

/** Discovery, registration, consent: what a person goes through, up to the callback's query. */
export async function consented(way: Pick<TestWay, 'transport'>, serverUrl: string, options: { scopes?: string[]; discovery?: Discovery; client?: OAuthClientIdentity } = {}): Promise<Consented> {
  const discovery = options.discovery ?? await discovered(way, serverUrl);
  const client = options.client ?? await register(way, discovery);
  const scopes = options.scopes ?? scopesToRequest(discovery, []);
  const { url, state, pending } = await startAuthorization({ discovery, clientId: client.clientId, redirectUri: REDIRECT_URI, scopes });
  const { searchParams: parameters } = await new TestBrowser().open(url, REDIRECT_URI);
  if (parameters.get('state') !== state) throw new Error('another state came back');
  return { parties: { discovery, client, transport: way.transport, now: () => new Date() }, pending, parameters };
}

export interface Consented {
  parties: TokenParties & { discovery: Discovery };
  pending: PendingAuthorization;
  parameters: URLSearchParams;
}

/** As {@link consented}, and then the code's exchange. */
export async function loggedIn(way: Pick<TestWay, 'transport'>, serverUrl: string, options: Parameters<typeof consented>[2] = {}): Promise<{ parties: Consented['parties']; tokens: TokenSet }> {
  const { parties, pending, parameters } = await consented(way, serverUrl, options);
  return { parties, tokens: await finishAuthorization({ ...parties, pending, parameters }) };
}

/** Whether the MCP server lets a token in: the status of its answer. */
export async function tryToken(serverUrl: string, accessToken: string): Promise<number> {
  const response = await fetch(serverUrl, {
    method: 'POST', headers: { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream', Authorization: `Bearer ${accessToken}` },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } } }),
  });
  await response.text();
  return response.status;
}

/** The fault that something ends in; throws where it ends well. */
export async function faultOf(promise: Promise<unknown>): Promise<OAuthFault> {
  const error = await promise.then(() => { throw new Error('it ended well'); }, (reason: unknown) => reason);
  if (error instanceof OAuthFault) return error;
  throw error;
}
