import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A control plane of a test file's own. */
export interface TestPlane {
  /** A kubeconfig of who may be told from others in the audit log. */
  kubeconfig(who: 'admin' | 'operator'): string;
  /** Forgets all history but the newest. */
  compact(): Promise<void>;
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
  /** Goes on where it was. */
  start(): Promise<void>;
  /** Requests so far, as the audit log has them. */
  requests(): { user: string; verb: string; resource: string; subresource: string; namespace: string; name: string }[];
  stop(): Promise<void>;
}

export async function startPlane({ watchCache = true } = {}): Promise<TestPlane> {
  const dir = mkdtempSync(join(tmpdir(), 'fairlead-plane-'));
  let child: ChildProcess | null = null;
  let heard: (event: string) => void = () => undefined;
  const event = (name: string) => new Promise<void>((resolve) => { heard = (one) => { if (one === name) resolve(); }; });
  const start = async (): Promise<void> => {
    const ready = event('ready');
    child = spawn(process.env['PLANE_BINARY']!, ['--data-dir', dir, '--durable=false', `--watch-cache=${watchCache}`, '--until-stdin-ends'], { stdio: ['pipe', 'pipe', 'ignore'] });
    createInterface({ input: child.stdout! }).on('line', (line) => heard((JSON.parse(line) as { event: string }).event));
    await ready;
  };
  const kill = async (): Promise<void> => {
    const ended = new Promise((resolve) => child!.once('exit', resolve));
    child!.kill('SIGKILL');
    await ended;
  };
  await start();
  return {
    kubeconfig(who) {
      const path = join(dir, `kubeconfig-${who}`);
      writeFileSync(path, readFileSync(join(dir, 'kubeconfig'), 'utf8').replace('current-context: admin', `current-context: ${who}`));
      return path;
    },
    async compact() {
      const compacted = event('compacted');
      child!.kill('SIGUSR1');
      await compacted;
    },
    kill, start,
    requests: () => readFileSync(join(dir, 'audit.log'), 'utf8').trim().split('\n').map((line) => {
      const { user, verb, objectRef = {} } = JSON.parse(line) as { user: { username: string }; verb: string; objectRef?: Record<string, string> };
      return { user: user.username, verb, resource: objectRef['resource'] ?? '', subresource: objectRef['subresource'] ?? '', namespace: objectRef['namespace'] ?? '', name: objectRef['name'] ?? '' };
    }),
    async stop() {
      await kill();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
