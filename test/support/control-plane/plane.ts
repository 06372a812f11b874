import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseControlPlane, controlPlaneCache, startControlPlane, type ControlPlane } from '#cli/control-plane/control-plane.js';
import { noteOperatorRequests, refusedToOperators } from './operator-requests.js';
import { readRequests, type LoggedRequest } from './request-log.js';

/** Users of a control plane; the audit log tells them apart. */
export type PlaneUser = 'admin' | 'operator' | 'other';

/** A control plane of a test file's own. It starts in a second or two, once it is built; the first build takes minutes: {@link PLANE_TIMEOUT_MS}. */
export interface TestPlane {
  /** Path of a kubeconfig for one user. */
  kubeconfig(who: PlaneUser): string;
  /** Forgets all history but the newest. */
  compact(): Promise<void>;
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
  /** Goes on where it was, on the same port. */
  start(): Promise<void>;
  /** Freezes the API server until `resume`: connections stay open, nothing is answered. */
  pause(): void;
  resume(): void;
  /** Requests so far, as the audit log has them; watches when they begin. */
  requests(): LoggedRequest[];
  /** The whole audit log, for canaries. */
  auditLog(): string;
  stop(): Promise<void>;
}

/** For the `beforeAll` that starts one: it may have to wait for the first build. */
export const PLANE_TIMEOUT_MS = 15 * 60_000;

/**
 * Starts one in a folder of its own.
 * @param watchCache false: a compaction is felt by watches at once
 * @param rbac true: only what roles give is allowed, on a real kube-apiserver; an operator that was refused anything makes `stop` throw
 */
export async function startPlane({ watchCache = true, rbac = false } = {}): Promise<TestPlane> {
  const choice = await chooseControlPlane(process.env);
  if (choice.kind === 'none') throw new Error(choice.reason);
  const directory = await mkdtemp(join(tmpdir(), 'fairlead-plane-'));
  const logFile = join(directory, 'stderr.log');
  const building = { cacheFolder: controlPlaneCache(process.env), say: (line: string) => void process.stderr.write(`${line}\n`), now: () => new Date() };
  const launch = () => startControlPlane(choice, { directory, durable: false, watchCache, rbac, logFile }, building);
  let plane: ControlPlane = await launch();
  return {
    kubeconfig(who) {
      const path = join(directory, `kubeconfig-${who}`);
      writeFileSync(path, readFileSync(plane.kubeconfig, 'utf8').replace('current-context: admin', `current-context: ${who}`), { mode: 0o600 });
      return path;
    },
    compact: () => plane.compact(),
    kill: () => plane.kill(),
    async start() {
      plane = await launch();
    },
    pause: () => plane.pause(),
    resume: () => plane.resume(),
    requests: () => readRequests(readFileSync(plane.auditLog, 'utf8')),
    auditLog: () => readFileSync(plane.auditLog, 'utf8'),
    async stop() {
      const said = await readFile(logFile, 'utf8');
      const requests = readRequests(readFileSync(plane.auditLog, 'utf8'));
      noteOperatorRequests(requests);
      await plane.kill();
      await rm(directory, { recursive: true, force: true });
      const refused = refusedToOperators(requests);
      if (refused.length > 0) throw new Error(`The operator has no right to:\n${refused.join('\n')}`);
      // Data races and panics of the control plane itself would otherwise pass unseen.
      if (/^(panic|fatal error|WARNING: DATA RACE)/m.test(said)) throw new Error(`The control plane broke:\n${said.slice(-4000)}`);
    },
  };
}
