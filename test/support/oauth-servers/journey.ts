import { Egress } from '#core/egress/egress.js';
import { discoverOAuth, type Discovery, type DiscoveryReport, type DiscoveryRequest } from '#core/oauth/discovery.js';
import { registerClient } from '#core/oauth/registration.js';
import type { RegisteredClient } from '#core/oauth/client-information.js';
import type { OAuthTransport } from '#core/oauth/transport.js';

/** A way out to loopback, for tests. */
export interface TestWay {
  egress: Egress;
  transport: OAuthTransport;
}

export function testWay(timeoutMs = 10_000): TestWay {
  const egress = new Egress({ policy: { allow: [], allowLoopback: true, denied: [] } });
  return { egress, transport: { egress, timeoutMs } };
}

export const REDIRECT_URI = 'http://127.0.0.1:1/oauth/callback';

/** What a server says to a stranger. */
export async function challengeOf(url: string): Promise<string | null> {
  const response = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' }, body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }) });
  await response.text();
  return response.headers.get('www-authenticate');
}

/** Discovery as the product runs it: with the challenge that the server sends. */
export async function discover(way: TestWay, serverUrl: string, options: Partial<DiscoveryRequest> = {}): Promise<DiscoveryReport> {
  return discoverOAuth({ serverUrl, challenge: await challengeOf(serverUrl), transport: way.transport, allowUnadvertisedPkce: false, clock: () => performance.now(), ...options });
}

export async function discovered(way: TestWay, serverUrl: string, options: Partial<DiscoveryRequest> = {}): Promise<Discovery> {
  const { found, failure } = await discover(way, serverUrl, options);
  if (!found) throw new Error(`nothing found: ${failure.code} ${failure.message}`);
  return found;
}

export function register(way: TestWay, discovery: Discovery, options: { initialAccessToken?: string; redirectUri?: string } = {}): Promise<RegisteredClient> {
  return registerClient({ discovery, transport: way.transport, clientName: 'Fairlead', redirectUri: REDIRECT_URI, now: new Date(), ...options });
}
