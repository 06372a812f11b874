import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PORT_LINE = /listening on loopback port (\d+)/;

/** The reference server in a process of its own: legacy era, stateful, SSE answers, no authentication, 13 tools. */
export interface EverythingServer {
  url: string;
  port: number;
  pid: number;
  close(): Promise<void>;
}

/** Starts `@modelcontextprotocol/server-everything` on a free port of 127.0.0.1. Its environment is empty, since a tool of it shows it. */
export async function startEverything(port = 0): Promise<EverythingServer> {
  const server = join(dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/package.json')), 'dist/index.js');
  const preload = fileURLToPath(new URL('./loopback-preload.js', import.meta.url));
  const child = spawn(process.execPath, ['--import', preload, server, 'streamableHttp'], { env: { PORT: String(port) }, stdio: ['pipe', 'ignore', 'pipe'] });
  const exited = once(child, 'exit');
  const close = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    const found = PORT_LINE.exec(line)?.[1];
    if (found !== undefined) {
      child.stderr.resume();
      return { url: `http://127.0.0.1:${found}/mcp`, port: Number(found), pid: child.pid as number, close };
    }
    said.push(line);
  }
  await close();
  throw new Error(`server-everything did not start: ${said.join('\n')}`);
}
