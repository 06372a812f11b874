import { startMinimal, type MinimalServer } from '#test/support/mcp-servers/minimal.js';
import { answerQuestions } from '../child-program.js';

/** What one server saw. */
export interface SeenProbes {
  requests: number;
  /** Of these, such with the one credential that it takes. */
  withCredential: number;
  /** Such with somebody else's. */
  foreign: number;
}

/** What this program answers. A server is open where its token is null; otherwise it takes that one only. */
export type McpServersAnswers = { start: (tokens: (string | null)[]) => Promise<string[]>; seen: () => SeenProbes[] };

interface Witness {
  server: MinimalServer;
  seen: Omit<SeenProbes, 'requests'>;
}

const witnesses: Witness[] = [];

// Minimal MCP servers, each on a port of its own, all in one process; each notes what it was asked.
answerQuestions({
  start: async (tokens) => {
    for (const token of tokens) witnesses.push(await start(token));
    return witnesses.map(({ server }) => server.url);
  },
  seen: () => witnesses.map(({ server, seen }) => ({ ...seen, requests: server.counts.requests })),
} satisfies McpServersAnswers);

async function start(token: string | null): Promise<Witness> {
  const seen = { withCredential: 0, foreign: 0 };
  const judge = (value: string): boolean => {
    if (value === `Bearer ${token}`) seen.withCredential += 1;
    else if (value !== '') seen.foreign += 1;
    return value === `Bearer ${token}`;
  };
  const credential = token === null ? undefined : { header: 'Authorization', value: judge };
  return { server: await startMinimal({ keepLog: false, stateful: true, credential }), seen };
}
