import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair } from 'jose';
import { Provider, type Configuration } from 'oidc-provider';

/** A real OIDC issuer on loopback whose people are clients of their own: `sub` is the person's name, and what else the token says can be set. */
export interface TestIssuer {
  url: string;
  audience: string;
  /** An access token (RFC 9068) of that person, as the issuer hands it out, with these claims besides. */
  token(person: string, claims?: Record<string, unknown>): Promise<string>;
  close(): Promise<void>;
}

/** Starts one for these people. */
export async function startIssuer(people: readonly string[]): Promise<TestIssuer> {
  const audience = 'https://fairlead.example/';
  const claims = new Map<string, Record<string, unknown>>();
  const provider: { answer?: RequestListener } = {};
  const server = createServer((request, response) => provider.answer?.(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const configuration: Configuration = {
    clients: people.map((person) => ({ client_id: person, client_secret: 'secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] })),
    jwks: { keys: [{ ...await exportJWK(privateKey), kid: 'first', use: 'sig', alg: 'RS256' } as never] },
    cookies: { keys: ['k'] },
    ttl: { ClientCredentials: 600 },
    extraTokenClaims: (_context, token) => claims.get((token as { clientId?: string }).clientId ?? '') as Record<string, string>,
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: { enabled: true, getResourceServerInfo: (_context, resource) => ({ scope: '', audience: resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } }) },
    },
  };
  provider.answer = new Provider(url, configuration).callback();
  return {
    url, audience,
    async token(person, said = {}) {
      claims.set(person, said);
      const response = await fetch(`${url}/token`, {
        method: 'POST', headers: { authorization: `Basic ${Buffer.from(`${person}:secret`).toString('base64')}` }, body: new URLSearchParams({ grant_type: 'client_credentials', resource: audience }),
      });
      return ((await response.json()) as { access_token: string }).access_token;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
