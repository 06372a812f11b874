import type { FastifyInstance } from 'fastify';
import type { Config } from '#core/config/config.js';
import { addConsentRoutes } from './consent-routes.js';
import { ConsentService } from './consent-service.js';
import type { ConsentParts } from './parts.js';
import { ReturnUrls } from './return-urls.js';
import { SignIn } from './sign-in.js';

/** What consent is composed of; the rest comes from configuration. */
export interface ConsentOptions extends Omit<ConsentParts, 'signIn' | 'proof' | 'explorer'> {
  config: Pick<Config, 'localMode' | 'oidc' | 'returnOrigins' | 'introspection'>;
  /** For the OIDC issuer, which the operator chose. */
  fetch: typeof globalThis.fetch;
}

/** Starts consents, and the pages on which they go on. */
export interface Consent {
  service: ConsentService;
  addRoutes: (scope: FastifyInstance) => void;
}

/** Composes the consent flow. */
export function createConsent({ config, fetch, ...shared }: ConsentOptions): Consent {
  const { publicUrl, logger } = shared;
  const { localMode, oidc, returnOrigins, introspection } = config;
  const client = oidc?.signIn ?? null;
  const signIn = oidc === null || client === null ? null : new SignIn({ ...oidc, ...client, redirectUri: () => `${publicUrl()}/signin/callback`, fetch, logger });
  const parts: ConsentParts = { ...shared, signIn, proof: { localMode, oidc: oidc !== null }, explorer: introspection };
  return {
    service: new ConsentService(publicUrl, new ReturnUrls({ publicUrl, origins: returnOrigins, localMode })),
    addRoutes: (scope) => addConsentRoutes(scope, parts),
  };
}
