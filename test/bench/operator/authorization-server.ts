import { startFaultyAuthorizationServer, type FaultyServer } from '#test/support/oauth-servers/faulty-server.js';
import { answerQuestions } from '../child-program.js';

/** Tokens as a consent hands them out. */
export interface HandedOut {
  accessToken: string;
  refreshToken: string;
}

/** What it saw. */
export interface Seen {
  refreshes: number;
  /** Refresh tokens that were presented more than once. */
  reused: number;
  /** Requests to the MCP server with an access token that had expired, or was never handed out. */
  refusedTokens: number;
  calls: number;
}

/** What this program answers. */
export type AuthorizationServerAnswers = { start: (tokenSeconds: number) => Promise<string>; handOut: (about: { clientId: string; count: number }) => HandedOut[]; seen: () => Seen };

let server: FaultyServer | null = null;
let refusedTokens = 0;

// An authorization server that rotates refresh tokens, with the MCP server that it guards.
answerQuestions({
  start: async (tokenSeconds) => {
    const started = await startFaultyAuthorizationServer({
      faults: { expiresIn: tokenSeconds },
      guard: { verify: (token) => {
        const facts = started.verify(token);
        if (facts === null) refusedTokens += 1;
        return Promise.resolve(facts);
      } },
    });
    server = started;
    return started.mcp.url;
  },
  handOut: ({ clientId, count }) => Array.from({ length: count }, () => server!.grant(clientId, 'mcp:tools')),
  seen: () => {
    const { presented, mcp } = server!;
    return { refreshes: presented.length, reused: presented.length - new Set(presented).size, refusedTokens, calls: mcp.calls };
  },
} satisfies AuthorizationServerAnswers);
