import { mkdir } from 'node:fs/promises';
import type { ControlPlane, ControlPlaneOptions } from './control-plane.js';
import { PlaneProcess } from './plane-process.js';

/** Starts our own program (test/control-plane). Throws StartFault. */
export async function startLibraryServer(binary: string, { directory, durable, watchCache = true, logFile }: ControlPlaneOptions): Promise<ControlPlane> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const child = new PlaneProcess('The control plane', binary, ['--data-dir', directory, `--durable=${durable}`, `--watch-cache=${watchCache}`, '--until-stdin-ends'], logFile);
  const { url, kubeconfig, auditLog } = await child.hear(factsOf('ready'));
  return {
    url: url!, kubeconfig: kubeconfig!, auditLog: auditLog!, ended: child.ended,
    async compact() {
      const compacted = child.hear(factsOf('compacted'));
      child.signal('SIGUSR1');
      await compacted;
    },
    pause: () => child.signal('SIGSTOP'),
    resume: () => child.signal('SIGCONT'),
    kill: () => child.end('SIGKILL'),
    // Etcd is durable and clients aren't told anything: there is nothing that a slow stop would do better.
    stop: () => child.end('SIGKILL'),
  };
}

function factsOf(event: string): (line: string) => Record<string, string> | undefined {
  return (line) => {
    const facts = JSON.parse(line) as Record<string, string>;
    return facts['event'] === event ? facts : undefined;
  };
}
