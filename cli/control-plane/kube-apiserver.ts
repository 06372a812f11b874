import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { access, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { ControlPlane, ControlPlaneOptions } from './control-plane.js';
import { CONTROLLERS_USER, startControllers } from './controllers.js';
import { PlaneProcess } from './plane-process.js';

/** Who may call and is a context of the kubeconfig, as in test/control-plane/identity.go. */
const USERS = [
  { context: 'admin', name: 'admin', groups: 'system:masters' },
  { context: 'operator', name: 'system:serviceaccount:fairlead:fairlead-operator', groups: 'system:serviceaccounts,system:serviceaccounts:fairlead' },
  { context: 'other', name: 'other', groups: '' },
];

/** Who else may call. */
const CONTROLLERS = { context: 'controllers', name: CONTROLLERS_USER, groups: '' };

const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, users: ["system:apiserver", "system:kube-controller-manager"]}
- {level: None, userGroups: ["system:serviceaccounts:kube-system"], verbs: [get, list, watch]}
- level: Metadata
`;

/**
 * Starts etcd and kube-apiserver of the folder `assets`, with the least that envtest has shown to be enough, and kube-controller-manager if it is there too. Authorization allows everything, as in our own
 * control plane, unless `rbac` is set. Throws StartFault.
 */
export async function startKubeApiserver(assets: string, { directory, durable, watchCache = true, rbac = false, logFile }: ControlPlaneOptions): Promise<ControlPlane> {
  await mkdir(join(directory, 'identity'), { recursive: true, mode: 0o700 });
  const { port, etcdPort, tokens } = await prepare(directory);
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const etcd = new PlaneProcess('etcd', join(assets, 'etcd'), [
    '--data-dir', join(directory, 'etcd'), '--listen-client-urls', etcdUrl, '--advertise-client-urls', etcdUrl, '--listen-peer-urls', 'http://127.0.0.1:0', '--log-level', 'error',
    ...(durable ? [] : ['--unsafe-no-fsync']),
  ], logFile);
  const identity = (name: string) => join(directory, 'identity', name);
  const auditLog = join(directory, 'audit.log');
  const server = new PlaneProcess('kube-apiserver', join(assets, 'kube-apiserver'), [
    '--etcd-servers', etcdUrl, '--bind-address', '127.0.0.1', '--secure-port', String(port), '--cert-dir', join(directory, 'identity'), '--token-auth-file', join(directory, 'tokens.csv'),
    '--authorization-mode', rbac ? 'RBAC' : 'AlwaysAllow', '--anonymous-auth=false', '--disable-admission-plugins', 'ServiceAccount', '--service-cluster-ip-range', '10.0.0.0/24',
    '--service-account-issuer', `https://127.0.0.1:${port}`, '--service-account-key-file', identity('accounts.pub'), '--service-account-signing-key-file', identity('accounts.key'),
    '--audit-policy-file', identity('audit-policy.yaml'), '--audit-log-path', auditLog, `--watch-cache=${watchCache}`, '--v', '0',
  ], logFile);
  const processes = [etcd, server];
  const kill = async (): Promise<void> => {
    // Its own farewell takes half a minute while watches are open.
    await Promise.all(processes.map((one) => one.end('SIGKILL')));
  };
  try {
    await untilReady(port, tokens.get('admin')!, processes);
    const authority = await readFile(identity('apiserver.crt'));
    await writeFile(join(directory, 'kubeconfig'), kubeconfig(port, authority, USERS, tokens), { mode: 0o600 });
    const controllers = join(assets, 'kube-controller-manager');
    if (await access(controllers).then(() => true, () => false)) {
      processes.push(await startControllers(controllers, { kubeconfig: kubeconfig(port, authority, [CONTROLLERS], tokens), directory, logFile }));
    }
  } catch (error) {
    await kill();
    throw error;
  }
  return {
    url: `https://127.0.0.1:${port}`, kubeconfig: join(directory, 'kubeconfig'), auditLog, ended: server.ended,
    compact: () => compact(etcdUrl),
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    kill, stop: kill,
  };
}

/** What the folder has, or gets now: ports, keys of the service accounts, users, the audit policy. */
async function prepare(directory: string): Promise<{ port: number; etcdPort: number; tokens: Map<string, string> }> {
  const known = join(directory, 'ports-and-tokens.json');
  if (!(await stat(known).then(() => true, () => false))) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await writeFile(join(directory, 'identity', 'accounts.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    await writeFile(join(directory, 'identity', 'accounts.pub'), publicKey.export({ type: 'spki', format: 'pem' }), { mode: 0o600 });
    await writeFile(join(directory, 'identity', 'audit-policy.yaml'), AUDIT_POLICY, { mode: 0o600 });
    const users = [...USERS, CONTROLLERS];
    const tokens = users.map(({ context }) => [context, randomBytes(32).toString('hex')] as const);
    const rows = users.map(({ context, name, groups }, index) => `${tokens[index]![1]},"${name}",${context},"${groups}"`);
    await writeFile(join(directory, 'tokens.csv'), `${rows.join('\n')}\n`, { mode: 0o600 });
    await writeFile(known, JSON.stringify({ port: await freePort(), etcdPort: await freePort(), tokens }), { mode: 0o600 });
  }
  const { port, etcdPort, tokens } = JSON.parse(await readFile(known, 'utf8')) as { port: number; etcdPort: number; tokens: [string, string][] };
  return { port, etcdPort, tokens: new Map(tokens) };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function untilReady(port: number, token: string, processes: readonly PlaneProcess[]): Promise<void> {
  const status = (path: string) => new Promise<number>((resolve) => {
    // Its certificate is made at its first start: who answers on this port of ours is who we started.
    request({ host: '127.0.0.1', port, path, headers: { authorization: `Bearer ${token}` }, rejectUnauthorized: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    }).on('error', () => resolve(0)).end();
  });
  while (await status('/readyz') !== 200 || await status('/api/v1/namespaces/default') !== 200) {
    for (const process of processes) await process.mustRun();
    await delay(100);
  }
}

/** The first of the users is the current one. */
function kubeconfig(port: number, authority: Buffer, users: readonly { context: string }[], tokens: ReadonlyMap<string, string>): string {
  const names = users.map(({ context }) => context);
  return stringify({
    apiVersion: 'v1', kind: 'Config', 'current-context': names[0],
    clusters: [{ name: 'fairlead', cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority-data': authority.toString('base64') } }],
    users: names.map((name) => ({ name, user: { token: tokens.get(name) } })),
    contexts: names.map((name) => ({ name, context: { cluster: 'fairlead', user: name, namespace: 'default' } })),
  });
}

/** etcd's JSON gateway: https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/ */
async function compact(etcdUrl: string): Promise<void> {
  const post = async (path: string, body: unknown): Promise<{ header: { revision: string } }> => {
    const answer = await fetch(`${etcdUrl}/v3/kv/${path}`, { method: 'POST', body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`etcd refused to ${path}: ${answer.status}`);
    return await answer.json() as { header: { revision: string } };
  };
  const { header } = await post('range', { key: 'AA==' });
  await post('compaction', { revision: header.revision, physical: true });
}
