import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { readdir, readFile } from 'node:fs/promises';
import { ClusterAccess } from '#operator/kubernetes/cluster-access.js';
import { KubeClient } from '#operator/kubernetes/kube-client.js';
import { describeNeeding } from '#test/support/control-plane/needs.js';
import { PLANE_TIMEOUT_MS } from '#test/support/control-plane/plane.js';
import { LocalState, type LocalFairlead } from '#test/support/local-fairlead.js';
import { until } from '#test/support/mcp-servers/until.js';

interface Listed { items: { metadata: { name: string }; status?: { conditions?: { type: string; status: string; reason: string }[] } }[] }

const ENVIRONMENT = ['HOME', 'XDG_CACHE_HOME', 'KUBEBUILDER_ASSETS', 'GOPATH', 'GOCACHE', 'GOPROXY', 'GOFLAGS'];
const TYPES = '/apis/fairlead.dev/v1alpha1/namespaces/default/connectiontypes';

describeNeeding('plane', 'fairlead dev --kubernetes', () => {
  let state: LocalState;
  let fairlead: LocalFairlead;
  let access: ClusterAccess;
  let kube: KubeClient;
  const start = async (): Promise<void> => {
    const env = Object.fromEntries(ENVIRONMENT.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
    fairlead = await state.start(env, undefined, ['--kubernetes']);
    await fairlead.child.line(/kubectl get connectiontypes,enrollments/);
    // What it prints is what works.
    access = await ClusterAccess.load({ file: /KUBECONFIG=(.*)$/.exec(await fairlead.child.line(/export KUBECONFIG=/))![1]! });
    kube = new KubeClient({ access, userAgent: 'test' });
  };
  const names = async () => (await kube.send<Listed>({ method: 'GET', path: TYPES })).items.map(({ metadata }) => metadata.name).sort();

  beforeAll(async () => {
    state = await LocalState.create();
    await start();
  }, PLANE_TIMEOUT_MS);
  afterAll(async () => {
    await access?.close();
    await state?.remove();
  });

  it('shows a manifest in GraphQL, as owned by it, and what GraphQL made in the cluster', async () => {
    await kube.send({ method: 'POST', path: TYPES, body: {
      apiVersion: 'fairlead.dev/v1alpha1', kind: 'ConnectionType', metadata: { name: 'warehouse' }, spec: { displayName: 'Warehouse', serverUrl: 'http://127.0.0.1:9/mcp', authMethod: 'NONE' },
    } });
    await fairlead.must('mutation M($input: CreateConnectionTypeInput!) { createConnectionType(input: $input) { userErrors { code } } }', {
      team: 'default', displayName: 'Made here', serverUrl: 'http://127.0.0.1:9/mcp', authMethod: 'NONE', allowUnreachable: true,
    });
    const QUERY = '{ team(slug: "default") { connectionTypes(first: 9) { nodes { name origin manifest { namespace } } } } }';
    await until(async () => (await names()).length === 2 && (await fairlead.gql(QUERY, {})).data.team.connectionTypes.nodes.length === 2);
    const { data } = await fairlead.gql(QUERY, {});
    expect(data.team.connectionTypes.nodes).toEqual(expect.arrayContaining([
      { name: 'warehouse', origin: 'MANIFEST', manifest: { namespace: 'default' } }, expect.objectContaining({ name: 'made-here', origin: 'API' }),
    ]));
  });

  it('goes on where it was after a restart, by the same kubeconfig', async () => {
    await pressCtrlC(fairlead.child.pid);
    expect((await fairlead.child.ended).signal).toBeNull();
    // What it needs to say goodbye is there until it has: the next one needn't wait for its Lease to run out.
    expect(fairlead.child.errors.join('\n')).not.toContain('the lease was not released');
    await expect(names()).rejects.toMatchObject({ code: 'UNREACHABLE' });
    const earlier = access;
    const by = kube;
    await start();
    expect((await by.send<Listed>({ method: 'GET', path: TYPES })).items.map(({ metadata }) => metadata.name).sort()).toEqual(['made-here', 'warehouse']);
    await earlier.close();
  });
});

/** A terminal sends it to the whole process group: to the program and to those that it started in its own. */
async function pressCtrlC(pid: number): Promise<void> {
  const ids = (await readdir('/proc')).map(Number).filter((id) => id > 0);
  const group = (id: number) => readFile(`/proc/${id}/stat`, 'utf8').then((stat) => /^\d+ \(.*\) \S (?<parent>\d+) (?<group>\d+)/s.exec(stat)?.groups, () => undefined);
  const ours = (await group(pid))!['group'];
  const children = await Promise.all(ids.map(async (id) => {
    const found = await group(id);
    return found?.['parent'] === String(pid) && found['group'] === ours ? [id] : [];
  }));
  for (const id of [pid, ...children.flat()]) process.kill(id, 'SIGINT');
}
