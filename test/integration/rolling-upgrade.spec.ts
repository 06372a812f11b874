import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { resolve } from 'node:path';
import { KeyRing } from '#core/vault/key-ring.js';
import { checkSchema, migrate } from '#core/store/migrate.js';
import { MIGRATED, startTestApi, type TestApi } from '#test/support/api.js';
import { startChild } from '#test/support/child.js';
import { createDatabase, type TestDatabase } from '#test/support/database.js';
import { startMinimal, type MinimalServer } from '#test/support/mcp-servers/minimal.js';
import { until } from '#test/support/mcp-servers/until.js';
import { expandSchema } from '#test/support/next-schema.js';
import { startOperatorProcess, type OperatorProcess } from '#test/support/operator-process.js';

describe('on the schema of the next version, which only adds to this one\'s', () => {
  let database: TestDatabase;
  let server: MinimalServer;
  let api: TestApi;
  let operator: OperatorProcess;

  beforeAll(async () => {
    database = await createDatabase(MIGRATED);
    await expandSchema(database.url);
    server = await startMinimal();
    api = await startTestApi({ database });
    operator = await startOperatorProcess({ databaseUrl: database.url, keys: api.keys });
  });
  afterAll(async () => {
    operator?.process.kill('SIGTERM');
    await operator?.ended;
    await api?.stop();
    await server?.close();
    await database?.drop();
  });

  it('migrating does nothing, and starting without it is allowed', async () => {
    expect(await migrate(database.url)).toEqual([]);
    await expect(checkSchema(database.url)).resolves.toBeUndefined();
  });

  it('people, types, enrollments, assignments and calls are made, read, changed and deleted', async () => {
    const ann = await api.member('MANAGER');
    const { connectionType: type } = await ann.must('CreateConnectionType', { input: { team: 'default', displayName: 'Stock', serverUrl: server.url, authMethod: 'ACCESS_TOKEN' } });
    const { enrollment } = await ann.must('Enroll', { input: { connectionTypeId: type.id, accessToken: 'a-token-of-ann' } });
    const tool = server.tools[0]!.name;
    const call = async (more: object = {}, token?: string) => (await api.must('CallTool', { input: { connectionType: type.name, tool, arguments: {}, ...more } }, token ?? ann.token)).toolCall;
    expect(await call()).toMatchObject({ status: 'SUCCEEDED' });
    const kept = await call({ idempotencyKey: 'once' });
    expect(await call({ idempotencyKey: 'once' })).toMatchObject({ id: kept.id, status: 'SUCCEEDED' });

    const { assignment } = await ann.must('CreateAssignment', { input: { team: 'default', name: 'Nightly', slots: [{ connectionTypeId: type.id, requireApproval: ['*'] }] } });
    await ann.must('PinEnrollment', { input: { assignmentId: assignment.id, enrollmentId: enrollment.id } });
    const { secret } = await ann.must('CreateToken', { input: { team: 'default', name: 'job', assignmentId: assignment.id, onBehalfOf: true } });
    const pending = await call({ wait: false }, secret);
    expect(pending).toMatchObject({ status: 'PENDING_APPROVAL' });
    await api.must('ApproveToolCall', { input: { id: pending.id } });
    await until(async () => (await ann.gql('ToolCall', { id: pending.id })).data.toolCall.status === 'SUCCEEDED');

    await ann.must('UpdateConnectionType', { input: { id: type.id, expectedVersion: type.version, displayName: 'Stocks' } });
    expect((await ann.gql('Catalog', { team: 'default' })).data.team.connectionTypes.nodes).toMatchObject([{ displayName: 'Stocks' }]);
    expect((await ann.gql('ToolCalls', { team: 'default' })).data.team.toolCalls.totalCount).toBe(3);
    const asked = server.counts.requests;
    await ann.must('CheckConnectionType', { input: { id: type.id } });
    await until(() => server.counts.requests > asked);
    await ann.must('DeleteEnrollment', { input: { id: enrollment.id } });
    await ann.must('DeleteConnectionType', { input: { id: type.id } });
    expect((await ann.gql('Catalog', { team: 'default' })).data.team.connectionTypes.nodes).toEqual([]);
  });

  it('the operator looks at what is due, and no part of either fails', async () => {
    const { connectionType } = await api.must('CreateConnectionType', { input: { team: 'default', displayName: 'Watched', serverUrl: server.url, authMethod: 'NONE' } });
    const client = new Client({ connectionString: database.url });
    await client.connect();
    try {
      await client.query('update reconcile_schedule set due = now(), dirty = dirty + 1');
      await until(async () => (await client.query('select from reconcile_schedule where due <= now()')).rowCount === 0);
    } finally {
      await client.end();
    }
    expect((await api.must('CheckConnectionType', { input: { id: connectionType.id } })).connectionType.state).toBe('READY');
    const failures = [...api.logs(), ...operator.output.filter((line) => line.startsWith('{'))].filter((line) => (JSON.parse(line) as { level: number }).level >= 50);
    expect(failures).toEqual([]);
  });
});

describe('a program doesn\'t start on a schema that it can\'t work with', () => {
  const DOOR = resolve('bin/fairlead.js');
  const start = async (command: string, database: TestDatabase) => {
    const child = startChild([process.execPath, DOOR, command], {
      env: {
        PATH: process.env['PATH'], DATABASE_URL: database.url, FAIRLEAD_KEYS: KeyRing.generateEntry(), FAIRLEAD_MIGRATE: 'off', PORT: '0', FAIRLEAD_METRICS_PORT: '0', FAIRLEAD_PUBLIC_URL: 'http://127.0.0.1:9',
        FAIRLEAD_OIDC_ISSUER: 'https://issuer.example.com', FAIRLEAD_OIDC_AUDIENCE: 'fairlead',
      },
    });
    const { code } = await child.ended;
    return { code, said: child.errors.join('\n') };
  };

  it.each(['api', 'operator'])('%s: one that lacks its migrations', async (command) => {
    const database = await createDatabase();
    try {
      const { code, said } = await start(command, database);
      expect(code).toBe(1);
      expect(said).toMatch(/lacks \d+ migration\(s\) of this program, from Foundation\d+ on.*Run "fairlead migrate" first/);
    } finally {
      await database.drop();
    }
  });

  it.each(['api', 'operator'])('%s: one that needs a newer program', async (command) => {
    const database = await createDatabase(MIGRATED);
    try {
      const client = new Client({ connectionString: database.url });
      await client.connect();
      await client.query('update schema_level set needs = needs + 1');
      await client.end();
      const { code, said } = await start(command, database);
      expect(code).toBe(1);
      expect(said).toMatch(/needs a newer Fairlead \(level 2, this program knows 1\)/);
    } finally {
      await database.drop();
    }
  });
});
