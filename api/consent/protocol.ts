import type { CredentialTarget } from '#core/connection/target.js';

export interface OAuthSetup {
  clientRowId: string;
  client: { clientId: string; clientSecret: string | null; authMethod: 'client_secret_basic' | 'client_secret_post' | 'none' };
  discovery: { issuer: string; resource: string; metadata: Record<string, unknown> };
}
export interface Tokens { accessToken: string; refreshToken: string | null; scopes: string[] | null; expiresInSeconds: number | null }
export interface AuthorizationProtocol {
  begin(setup: OAuthSetup, request: { redirectUri: string; scopes: readonly string[] }): Promise<{ url: string; state: string; verifier: string }>;
  finish(setup: OAuthSetup, request: { parameters: URLSearchParams; redirectUri: string; state: string; verifier: string; scopes: readonly string[] }): Promise<Tokens>;
}
export interface SealedFlow { verifier: string; redirectUri: string; target: CredentialTarget }
