import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePort } from '../free-port.js';

const PORT_LINE = /listening on loopback port (\d+)/;

/** The SDK's demo server and its authorization server, in a process of their own. */
export interface SdkDemo {
  url: string;
  /** With a slash at the end, as it calls itself. */
  issuer: string;
  pid: number;
  close(): Promise<void>;
}

/**
 * Starts the SDK's `simpleStreamableHttp` with `--oauth --oauth-strict` on loopback: approves everybody by itself, `client_secret_post` or public clients,
 * no refresh tokens, no revocation, at most 20 registrations an hour.
 */
export async function startSdkDemo(): Promise<SdkDemo> {
  const sdk = dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/sdk/package.json'));
  const preload = fileURLToPath(new URL('../mcp-servers/loopback-preload.js', import.meta.url));
  const [port, authPort] = [await freePort(), await freePort()];
  const child = spawn(process.execPath, ['--import', preload, join(sdkRoot(sdk), 'dist/esm/examples/server/simpleStreamableHttp.js'), '--oauth', '--oauth-strict'], {
    env: { MCP_PORT: String(port), MCP_AUTH_PORT: String(authPort) }, stdio: ['pipe', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  const close = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  const said: string[] = [];
  const waiting = new Set([String(port), String(authPort)]);
  for await (const line of createInterface({ input: child.stderr })) {
    said.push(line);
    waiting.delete(PORT_LINE.exec(line)?.[1] ?? '');
    if (waiting.size > 0) continue;
    child.stderr.resume();
    return { url: `http://localhost:${port}/mcp`, issuer: `http://localhost:${authPort}/`, pid: child.pid as number, close };
  }
  await close();
  throw new Error(`the SDK's demo did not start: ${said.join('\n')}`);
}

/** `dist/esm` and `dist/cjs` have a package.json of their own. */
function sdkRoot(found: string): string {
  return found.replace(/[\\/]dist[\\/](esm|cjs)$/, '');
}
