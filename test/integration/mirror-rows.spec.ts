import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connectionTypeSpec } from '#core/connection/spec.js';
import { currentTarget } from '#core/connection/target.js';
import { newId } from '#core/store/ids.js';
import { Store } from '#core/store/store.js';
import { RowsReader } from '#operator/mirror/rows-reader.js';
import { MIGRATED } from '#test/support/api.js';
import { createDatabase, type TestDatabase } from '#test/support/database.js';

/** What a run of the mirror starts from is read by one statement of its own: it must be what the repositories read. */
describe('the rows of the mirror', () => {
  let database: TestDatabase;
  let store: Store;
  let statements: string[];
  let ids: { type: string; enrollment: string; typeBinding: string; enrollmentBinding: string };

  beforeAll(async () => {
    statements = [];
    database = await createDatabase(MIGRATED);
    store = await Store.open({ url: database.url, poolSize: 2, onStatement: (sql) => statements.push(sql) });
    const team = await store.teams.insert('crew', 'Crew');
    await store.mirrorNamespaces.insert({ teamId: team.id, namespace: 'crew', state: 'BOUND', clusterUid: 'c', namespaceUid: 'n' });
    const type = await store.connectionTypes.insert(team.id, 'wms', connectionTypeSpec.parse({ displayName: 'WMS', serverUrl: 'https://wms.example/mcp', authMethod: 'NONE' }));
    const owner = await store.members.upsert({ teamId: team.id, subject: 'robot', local: true, displayName: null, role: 'MEMBER', source: 'API' });
    const id = newId();
    await store.enrollments.insert(
      { id, teamId: team.id, connectionTypeId: type.id, ownerId: owner.id, label: '', shared: true, origin: 'API', confirmedTarget: currentTarget(type.spec) },
      { enrollmentId: id, teamId: team.id, kind: 'NONE', version: 1, sealed: null, fields: [] }, { enrollmentId: id, conditions: [], toolsSyncedAt: null },
    );
    for (const name of ['pick', 'pack']) await store.tools.insert({ teamId: team.id, connectionTypeId: type.id, enrollmentId: null }, { name, definition: '{}', hash: name }, null);
    const [bindingOfType, bindingOfEnrollment] = await Promise.all([store.mirrorObjects.bySubject(type.id), store.mirrorObjects.bySubject(id)]);
    await store.mirrorObjects.update(bindingOfEnrollment!.id, { generation: '7', secretHash: Buffer.from('hash'), secretsReadAt: new Date() });
    ids = { type: type.id, enrollment: id, typeBinding: bindingOfType!.id, enrollmentBinding: bindingOfEnrollment!.id };
  });
  afterAll(async () => {
    await store?.close();
    await database?.drop();
  });

  const plain = (value: object | null | undefined) => (value === null || value === undefined ? null : { ...value });

  it('are those that the repositories read, to the value, of several bindings by one statement', async () => {
    statements.length = 0;
    const [ofType, ofEnrollment, none] = await store.mirrorLooks.rows([ids.typeBinding, ids.enrollmentBinding, newId()]);
    expect(statements).toHaveLength(1);
    expect(none).toBeNull();
    const type = await store.connectionTypes.byId(ids.type);
    const [typeStatus] = await store.connectionTypes.statuses([ids.type]);
    const namespace = plain(await store.mirrorNamespaces.byName('crew'));
    const shared = { namespace, type: plain(type), typeStatus: plain(typeStatus), toolCount: 2, teamSlug: 'crew' };
    expect(ofType).toEqual({ ...shared, binding: plain(await store.mirrorObjects.byId(ids.typeBinding)), enrollment: null, enrollmentStatus: null });
    const [enrollmentStatus] = await store.enrollments.statuses([ids.enrollment]);
    expect(ofEnrollment).toEqual({ ...shared, binding: plain(await store.mirrorObjects.byId(ids.enrollmentBinding)), enrollment: plain(await store.enrollments.byId(ids.enrollment)), enrollmentStatus: plain(enrollmentStatus) });
  });

  it('are there while they are hidden, and each who asks meanwhile gets what stood after they had asked', async () => {
    const reader = new RowsReader(store);
    const [before, together] = [reader.read(ids.typeBinding), reader.read(ids.enrollmentBinding)];
    await Promise.all([before, together]);
    expect((await together)?.type?.deletedAt).toBeNull();
    await store.transaction((repositories) => repositories.connectionTypes.hide(ids.type));
    statements.length = 0;
    const read = await Promise.all([ids.typeBinding, ids.enrollmentBinding, ids.enrollmentBinding].map((id) => reader.read(id)));
    expect(read.map((rows) => rows?.type?.deletedAt instanceof Date)).toEqual([true, true, true]);
    expect(read[1]?.enrollment?.deletedAt).toEqual(read[1]?.type?.deletedAt);
    expect(statements.length).toBeLessThanOrEqual(2);
  });
});
