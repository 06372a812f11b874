import { REDIRECT_URI } from '#test/support/oauth-servers/journey.js';

/** Settings of the whole fleet. The consents' redirect URI is the public URL's, and nobody goes there. */
export function fleetSettings(databaseUrl: string, ring: string): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl, FAIRLEAD_KEYS: ring, FAIRLEAD_PUBLIC_URL: new URL(REDIRECT_URI).origin, FAIRLEAD_EGRESS_ALLOW: '127.0.0.1', FAIRLEAD_METRICS_PORT: 'off',
    FAIRLEAD_OIDC_ISSUER: 'http://127.0.0.1:1', FAIRLEAD_OIDC_AUDIENCE: 'nobody', FAIRLEAD_LOG_LEVEL: 'warn', FAIRLEAD_SHUTDOWN_TIMEOUT_MS: '5000',
  };
}
