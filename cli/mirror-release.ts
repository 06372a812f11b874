import type { Config } from '#core/config/config.js';
import { StartFault } from '#core/postgres/start-fault.js';
import { isKubeFault } from '#operator/kubernetes/kube-fault.js';
import { releaseManifests } from '#operator/mirror/release.js';
import { version } from './version.js';

/** `fairlead mirror release`: takes our finalizer off all manifests of the cluster, before the operator is removed for good. Throws StartFault where it can't be done. */
export async function runMirrorRelease(config: Config, print: (line: string) => void, signal: AbortSignal): Promise<void> {
  try {
    const { released, complete } = await releaseManifests({ mirror: config.mirror!, version: version(), print, signal });
    print(`${released} object(s) released.`);
    if (!complete) throw new StartFault('FAILED', 'Some objects are not released: they change all the time, or this was ended before. Stop all operators, and try again.');
  } catch (error) {
    if (!isKubeFault(error)) throw error;
    throw new StartFault('FAILED', `The cluster doesn't let the manifests be released: ${error.message}. Nothing is lost by trying again.`);
  }
}
