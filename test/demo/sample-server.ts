import { startEverything } from '#test/support/mcp-servers/everything.js';

// `npm run sample-server`: the MCP project's reference server on this machine, for trying Fairlead out. Ctrl-C ends it.
const PORT = 3001;

try {
  const server = await startEverything(PORT);
  process.stdout.write(`The sample MCP server is ready at ${server.url}\n  It answers this machine only, without a credential. Ctrl-C ends it.\n`);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => void server.close().then(() => process.exit()));
} catch (error) {
  process.stderr.write(`The sample MCP server could not start on port ${PORT}; is it running already?\n${(error as Error).message}\n`);
  process.exitCode = 1;
}
