import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { runCallers, type Bounds, type Run } from './callers.js';
import { answerQuestions } from './child-program.js';
import { credentialOf, nextNonce, resultOf } from './nonces.js';

/** The SDK's client calls the server. */
export interface DirectRun extends Bounds {
  url: string;
  login: string;
  /** Results of a mebibyte. */
  large?: boolean;
}

/** What this program answers. */
export type DirectAnswers = { run: (run: DirectRun) => Promise<Run> };

// The SDK's own client, as shipped, in a process of its own. Each run has a new client: it leaks a listener with each call, and must not look slower for it.
async function run({ url, login, large, ...bounds }: DirectRun): Promise<Run> {
  const client = new Client({ name: 'bench', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { Authorization: `Bearer ${credentialOf(login)}` } } }));
  try {
    return await runCallers(bounds, async () => {
      const nonce = nextNonce(login);
      const args = { nonce, ...(large === true && { large }) };
      const { content, isError } = await client.callTool({ name: 'echo', arguments: args });
      const [block] = content as { type: string; text: string }[];
      return isError !== true && block?.type === 'text' && block.text === resultOf(args) ? null : `the nonce ${nonce} didn't come back: ${JSON.stringify(content).slice(0, 200)}`;
    });
  } finally {
    await client.close();
  }
}

answerQuestions({ run } satisfies DirectAnswers);
