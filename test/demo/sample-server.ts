import { startEverything } from '#test/support/mcp-servers/everything.js';
import { startOidcProvider } from '#test/support/oauth-servers/oidc-provider.js';

// `npm run sample-server`: MCP servers on this machine, for trying Fairlead out. Ctrl-C ends them.
const PORT = 3001;
const LOGIN_PORT = 3002;

try {
  // The one in this process first: it ends with it, should the other not start.
  const guarded = await startOidcProvider({ guard: { port: LOGIN_PORT } });
  const server = await startEverything(PORT);
  process.stdout.write(`The sample MCP server is ready at ${server.url}
  It answers this machine only, without a credential.
Another one is ready at ${guarded.mcp.url}
  It wants a login with OAuth; its provider signs everybody in and says yes for them. Ctrl-C ends both.
`);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => void Promise.all([server.close(), guarded.close()]).then(() => process.exit()));
} catch (error) {
  process.stderr.write(`The sample MCP servers could not start on the ports ${PORT} and ${LOGIN_PORT}; are they running already?\n${(error as Error).message}\n`);
  process.exit(1);
}
