import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { until } from '#test/support/mcp-servers/until.js';
import { conditionOf, MirrorWorld } from '#test/support/mirror/world.js';

let world: MirrorWorld;
beforeAll(async () => {
  world = await MirrorWorld.create();
  await world.startOperator();
});
afterAll(() => world?.close());

const read = async (team: string, name: string) => {
  const { data } = await world.api.gql('query Q($team: String!) { team(slug: $team) { connectionTypes(first: 50) { nodes { id name displayName origin state version manifest { namespace name } conditions { type status reason message } viewerCan { update delete } } } } }', { team });
  return data.team?.connectionTypes.nodes.find((one: { name: string }) => one.name === name) ?? null;
};

describe('a manifest', () => {
  it('is Ready in the cluster and in GraphQL, marked as owned by it', async () => {
    const namespace = await world.namespace();
    await world.apply(world.type(namespace, 'warehouse', { displayName: 'Warehouse API' }));
    const object = await world.when('ConnectionType', namespace, 'warehouse', 'Ready', 'Ready');
    expect(conditionOf(object, 'Synced')).toMatchObject({ status: 'True', reason: 'Synced' });
    expect(object.status).toMatchObject({ state: 'READY', tools: { count: 1 }, server: { name: 'changeable' } });
    const type = await read(namespace, 'warehouse');
    expect(type).toMatchObject({ displayName: 'Warehouse API', origin: 'MANIFEST', state: 'READY' });
    expect(object.status.id).toBe(type.id);
  });

  it('that is changed changes the type, and the status follows', async () => {
    const namespace = await world.namespace();
    await world.apply(world.type(namespace, 'warehouse'));
    await world.when('ConnectionType', namespace, 'warehouse', 'Ready', 'Ready');
    await world.apply(world.type(namespace, 'warehouse', { displayName: 'Another name' }));
    const object = await world.when('ConnectionType', namespace, 'warehouse', 'Ready', 'Ready');
    expect(object.metadata.generation).toBe(2);
    expect(await read(namespace, 'warehouse')).toMatchObject({ displayName: 'Another name', version: 2 });
  });

  it('that is deleted hides the type at once, and brings all of it back when it is applied within its grace', async () => {
    const namespace = await world.namespace();
    await world.apply(world.type(namespace, 'warehouse'));
    const { status } = await world.when('ConnectionType', namespace, 'warehouse', 'Ready', 'Ready');
    await world.delete('ConnectionType', namespace, 'warehouse');
    await world.gone('ConnectionType', namespace, 'warehouse');
    expect(await read(namespace, 'warehouse')).toBeNull();
    await world.apply(world.type(namespace, 'warehouse'));
    const again = await world.when('ConnectionType', namespace, 'warehouse', 'Ready', 'Ready');
    expect(again.status.id).toBe(status.id);
  });
});

describe('what was made through GraphQL', () => {
  it('shows up in the cluster, follows each change, and goes when it is deleted', async () => {
    const namespace = await world.namespace();
    const { connectionType } = await world.api.must('CreateConnectionType', { input: { team: namespace, displayName: 'Made here', serverUrl: world.server.url, authMethod: 'NONE' } });
    const object = await world.when('ConnectionType', namespace, 'made-here', 'Ready', 'Ready');
    expect(object.spec).toMatchObject({ origin: 'API', displayName: 'Made here' });
    await world.api.must('UpdateConnectionType', { input: { id: connectionType.id, expectedVersion: 1, displayName: 'Changed' } });
    await until(async () => (await world.get('ConnectionType', namespace, 'made-here')).spec.displayName === 'Changed');
    await world.api.must('DeleteConnectionType', { input: { id: connectionType.id } });
    await world.gone('ConnectionType', namespace, 'made-here');
  });

  it('is put back, with an event, when somebody changes its mirror', async () => {
    const namespace = await world.namespace();
    await world.api.must('CreateConnectionType', { input: { team: namespace, displayName: 'Mirror', serverUrl: world.server.url, authMethod: 'NONE' } });
    await world.when('ConnectionType', namespace, 'mirror', 'Ready', 'Ready');
    await world.settled();
    await world.apply({ ...world.type(namespace, 'mirror', { origin: 'API', displayName: 'Somebody else\'s', description: 'added' }) });
    await until(async () => (await world.get('ConnectionType', namespace, 'mirror')).spec.displayName === 'Mirror');
    await until(async () => (await world.get('ConnectionType', namespace, 'mirror')).spec.description === undefined);
    await until(async () => (await world.events(namespace)).some((event) => event.reason === 'DriftCorrected' && event.regarding.name === 'mirror'));
  });
});

describe('the contract\'s manifests', () => {
  it('are accepted as they stand', async () => {
    for (const document of parseAllDocuments(readFileSync('test/contract/manifests.yaml', 'utf8'))) {
      const object = document.toJS();
      if (object !== null) await world.apply(object.stringData === undefined ? object : { ...object, stringData: undefined, data: Object.fromEntries(Object.entries(object.stringData as Record<string, string>).map(([key, value]) => [key, Buffer.from(value).toString('base64')])) });
    }
    const object = await world.when('ConnectionType', 'logistics', 'warehouse', 'Ready', 'Unreachable');
    expect(conditionOf(object, 'Synced')).toMatchObject({ status: 'True' });
  });
});
