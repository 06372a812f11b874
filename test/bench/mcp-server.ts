import { startMinimal } from '#test/support/mcp-servers/minimal.js';
import { answerQuestions } from './child-program.js';
import { credentialOf, loginOf, resultOf } from './nonces.js';

/** What the server saw of calls. */
export interface SeenCalls {
  calls: number;
  /** Calls that didn't come with the credential of the login whose nonce they carry. */
  wrongCredential: number;
  /** Calls whose nonce had been seen before. */
  repeated: number;
  byLogin: Map<string, number>;
}

/** What this program answers. */
export type ServerAnswers = { url: () => string; seen: () => SeenCalls };

// A minimal MCP server in a process of its own: answers JSON, wants a credential, and looks at each call's.
const seen: SeenCalls = { calls: 0, wrongCredential: 0, repeated: 0, byLogin: new Map() };
const nonces = new Set<string>();
const credentials = new Map<string, string>();

const server = await startMinimal({
  keepLog: false,
  text: (args) => resultOf(args as { nonce: string }),
  credential: { header: 'Authorization', value: (value) => value.startsWith('Bearer bench-') },
  onCall: ({ nonce }, { authorization }) => {
    const login = loginOf(String(nonce));
    let expected = credentials.get(login);
    if (expected === undefined) credentials.set(login, expected = `Bearer ${credentialOf(login)}`);
    seen.calls++;
    if (authorization !== expected) seen.wrongCredential++;
    if (nonces.has(String(nonce))) seen.repeated++;
    nonces.add(String(nonce));
    seen.byLogin.set(login, (seen.byLogin.get(login) ?? 0) + 1);
  },
});
answerQuestions({ url: () => server.url, seen: () => seen } satisfies ServerAnswers);
