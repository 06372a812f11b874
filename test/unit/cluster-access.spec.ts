import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClusterAccess } from '#operator/kubernetes/cluster-access.js';

test('A configuration that leads to no cluster is told with what to do, and isn\'t a fault of ours', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kubeconfig-'));
  const file = join(folder, 'config');
  const refused = { name: 'StartFault', message: expect.stringContaining('FAIRLEAD_KUBECONFIG') };
  await expect(ClusterAccess.load({ file })).rejects.toMatchObject(refused);
  await writeFile(file, 'apiVersion: v1\nkind: Config\n');
  await expect(ClusterAccess.load({ file })).rejects.toMatchObject(refused);
  await rm(folder, { recursive: true });
});
