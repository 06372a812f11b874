import { startMinimal, type MinimalServer } from '#test/support/mcp-servers/minimal.js';
import { answerQuestions } from '../child-program.js';

/** What this program answers. */
export type McpServersAnswers = { start: (count: number) => Promise<string[]>; requests: () => number };

const servers: MinimalServer[] = [];

// Minimal MCP servers, each on a port of its own, all in one process: hosts are told apart by their ports.
answerQuestions({
  start: async (count) => {
    for (let index = 0; index < count; index += 1) servers.push(await startMinimal({ keepLog: false, stateful: true }));
    return servers.map(({ url }) => url);
  },
  requests: () => servers.reduce((sum, { counts }) => sum + counts.requests, 0),
} satisfies McpServersAnswers);
