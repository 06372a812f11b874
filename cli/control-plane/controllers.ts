import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PlaneProcess } from './plane-process.js';

/** By which the controllers call; each takes a service account of its own from there, as in a cluster. */
export const CONTROLLERS_USER = 'system:kube-controller-manager';

/** Those that objects of ours meet in a cluster without nodes: what empties namespaces, follows owners, makes pods' objects and accounts, joins roles, and checks the types of admission policies. */
const CONTROLLERS = [
  'namespace-controller', 'garbage-collector-controller', 'serviceaccount-controller', 'clusterrole-aggregation-controller', 'validatingadmissionpolicy-status-controller',
  'deployment-controller', 'replicaset-controller', 'job-controller', 'disruption-controller',
];

/** Starts kube-controller-manager beside an API server that answers. @param kubeconfig of {@link CONTROLLERS_USER}, which is written to `file` */
export async function startControllers(binary: string, { kubeconfig, directory, logFile }: { kubeconfig: string; directory: string; logFile: string }): Promise<PlaneProcess> {
  const file = join(directory, 'identity', 'kubeconfig-controllers');
  await writeFile(file, kubeconfig, { mode: 0o600 });
  return new PlaneProcess('kube-controller-manager', binary, [
    '--kubeconfig', file, '--use-service-account-credentials', '--service-account-private-key-file', join(directory, 'identity', 'accounts.key'),
    '--leader-elect=false', '--secure-port', '0', '--controllers', CONTROLLERS.join(','), '--v', '0',
  ], logFile);
}
