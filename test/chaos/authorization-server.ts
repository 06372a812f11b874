import { startOidcProvider, type OidcProviderServer } from '#test/support/oauth-servers/oidc-provider.js';
import { answerQuestions } from '#test/bench/child-program.js';
import { Chance } from './chance.js';
import { Sightings, type Sighting } from './sightings.js';

/** One presentation of a refresh token, by the provider's own log. Times are of the machine's clock, in milliseconds. */
export interface Presented {
  token: string;
  /** The consent that the token comes from; null for a token that was never handed out. */
  grantId: string | null;
  began: number;
  ended: number;
  status: number;
  error: string | null;
}

/** How the authorization server is started. */
export interface AuthorizationServerSetting {
  accessTokenTtl: number;
  /** The longest that its token endpoint takes, between its work and its answer, in milliseconds. */
  takesMs: number;
  seed: number;
}

/** What this program answers. */
export type AuthorizationServerAnswers = {
  start: (setting: AuthorizationServerSetting) => Promise<{ mcpUrl: string }>;
  grantOf: (refreshToken: string) => string | null;
  log: () => { presented: Presented[]; sightings: Sighting[] };
};

let server: OidcProviderServer | null = null;
const sightings = new Sightings();

// A real oidc-provider that rotates refresh tokens and takes reuse for theft, with the MCP server that it guards, in a process that nobody kills.
answerQuestions({
  start: async ({ accessTokenTtl, takesMs, seed }) => {
    const chance = new Chance(seed);
    server = await startOidcProvider({
      accessTokenTtl, takesMs: () => chance.between(0, takesMs),
      guard: { onCall: ({ grantId }, args) => sightings.note(String(grantId), args) },
    });
    return { mcpUrl: server.mcp.url };
  },
  grantOf: (refreshToken) => server!.grantOf(refreshToken),
  log: () => ({
    sightings: sightings.all,
    presented: server!.presentations.filter(({ grantType }) => grantType === 'refresh_token').map(({ refreshToken, grantId, began, ended, status, error }): Presented => ({
      token: refreshToken ?? '', grantId, began: performance.timeOrigin + began, ended: performance.timeOrigin + ended, status, error,
    })),
  }),
} satisfies AuthorizationServerAnswers);
