import { homedir } from 'node:os';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../package-root.js';
import { buildGoProgram, goVersion, userCacheFolder, type BuildOptions, type GoProgram } from './go-program.js';
import { startKubeApiserver } from './kube-apiserver.js';
import { startLibraryServer } from './library-server.js';

/** What there is to start: binaries of Kubernetes, our own program of its libraries, or nothing, with what to do about it. */
export type ControlPlaneChoice = { kind: 'kube-apiserver'; assets: string } | { kind: 'library' } | { kind: 'none'; reason: string };

/** How a control plane is started. */
export interface ControlPlaneOptions {
  /** A private folder: a second start in it goes on with the same objects, users and port. */
  directory: string;
  /** False never flushes to disk. Right for tests only. */
  durable: boolean;
  /** False makes each watch read etcd, so that {@link ControlPlane.compact} is felt at once. */
  watchCache?: boolean;
  /** True: only what roles give is allowed. Our own program, and others without it, allow everything. */
  rbac?: boolean;
  /** Takes what the processes say on stderr. */
  logFile: string;
}

/** A running control plane. Its users are the contexts of its kubeconfig: `admin` (the current one), `operator`, `other`. */
export interface ControlPlane {
  url: string;
  /** Path of the kubeconfig. */
  kubeconfig: string;
  /** Path of the API server's audit log at level Metadata: https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/ */
  auditLog: string;
  /** Settles when the API server is gone, however it went. */
  ended: Promise<void>;
  /** Makes etcd forget all history but the newest. */
  compact(): Promise<void>;
  /** Freezes the API server, as SIGSTOP does, until {@link resume}. */
  pause(): void;
  resume(): void;
  /** Ends it without a chance to say goodbye. */
  kill(): Promise<void>;
  /** Ends it; what was acknowledged is there at the next start. */
  stop(): Promise<void>;
}

/** The source of our own control plane. It stands with the tests, and ships with a clone, not with the image. */
export const CONTROL_PLANE_PROGRAM: GoProgram = {
  name: 'control-plane', folder: join(PACKAGE_ROOT, 'test', 'control-plane'), target: '.',
  linkerFlags: '-s -w -X k8s.io/component-base/version.gitVersion=v1.36.4 -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36',
};

/** Chooses as envtest does: binaries that `KUBEBUILDER_ASSETS` names come first. */
export async function chooseControlPlane(env: Readonly<Record<string, string | undefined>>): Promise<ControlPlaneChoice> {
  const assets = env['KUBEBUILDER_ASSETS'];
  if (assets !== undefined && assets !== '') return { kind: 'kube-apiserver', assets };
  if (await goVersion() !== null) return { kind: 'library' };
  return { kind: 'none', reason: 'There is no control plane: install Go 1.26 or newer (https://go.dev/dl), or set KUBEBUILDER_ASSETS to a folder with the binaries kube-apiserver and etcd.' };
}

/** Where its binary is kept. */
export function controlPlaneCache(env: Readonly<Record<string, string | undefined>>): string {
  return userCacheFolder(env, process.platform, homedir());
}

/** Starts what was chosen, having built it if need be, and resolves when requests are answered and the namespace `default` is there. Throws StartFault. */
export async function startControlPlane(choice: Exclude<ControlPlaneChoice, { kind: 'none' }>, options: ControlPlaneOptions, building: BuildOptions): Promise<ControlPlane> {
  if (choice.kind === 'kube-apiserver') return startKubeApiserver(choice.assets, options);
  return startLibraryServer(await buildGoProgram(CONTROL_PLANE_PROGRAM, building), options);
}
