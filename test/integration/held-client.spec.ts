import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { HeldClient } from '#core/store/held-client.js';
import { createDatabase, type TestDatabase } from '#test/support/database.js';
import { until } from '#test/support/mcp-servers/until.js';

/** A network between us and PostgreSQL, which can keep to itself what we say, and that a connection has ended. */
let network: Server;
let deaf: boolean;
let late: boolean;
let url: string;
let database: TestDatabase;
const ends = new Set<Socket>();

beforeEach(async () => {
  database = await createDatabase();
  const { hostname, port } = new URL(database.url);
  deaf = late = false;
  network = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect(Number(port), hostname);
    for (const end of [near, far]) ends.add(end.on('error', () => undefined));
    near.on('data', (data) => { if (!deaf) far.write(data); }).on('close', () => void far.destroy());
    far.on('data', (data) => void near.write(data)).on('close', () => { if (!late) near.destroy(); });
  });
  await new Promise<void>((resolve) => network.listen(0, '127.0.0.1', resolve));
  const through = new URL(database.url);
  through.host = `127.0.0.1:${(network.address() as AddressInfo).port}`;
  url = through.href;
});
afterEach(async () => {
  for (const end of ends) end.destroy();
  ends.clear();
  await new Promise((resolve) => network.close(resolve));
  await database.drop();
});

const pid = async (held: HeldClient) => (await held.query<{ pid: number }>({ text: 'select pg_backend_pid() as pid' })).rows[0]!.pid;
/** As a server does that is told to stop. */
const endBackend = async (backend: number) => {
  const other = new HeldClient({ url: database.url, name: 'test' });
  await other.query({ text: 'select pg_terminate_backend($1)', values: [backend] });
  await other.close();
};

it('is closed in peace where the server ends the connection before it hears of that', async () => {
  const held = new HeldClient({ url, name: 'test' });
  const backend = await pid(held);
  deaf = true;
  const closed = held.close();
  await endBackend(backend);
  await closed;
  await until(async () => [...ends].every((end) => end.destroyed));
});

it('connects anew after the server ended its connection', async () => {
  const held = new HeldClient({ url, name: 'test', setUp: 'select 1' });
  const backend = await pid(held);
  await endBackend(backend);
  await until(async () => [...ends].some((end) => end.destroyed));
  // A statement may meet the end before it is told of it; the one after it doesn't.
  expect(await pid(held).catch(() => pid(held))).not.toBe(backend);
  await held.close();
});

it('connects anew after a connection\'s last word, although its end is still on its way', async () => {
  const held = new HeldClient({ url, name: 'test' });
  const backend = await pid(held);
  late = true;
  await Promise.all([expect(held.query({ text: 'select pg_sleep(60)' })).rejects.toMatchObject({ code: '57P01' }), endBackend(backend)]);
  expect(await pid(held)).not.toBe(backend);
  await held.close();
});

it('can be asked again after its first statement failed', async () => {
  const held = new HeldClient({ url, name: 'test', setUp: `do $$ begin if to_regclass('wanted') is null then raise exception 'not yet'; end if; end $$` });
  await expect(pid(held)).rejects.toThrow('not yet');
  const other = new HeldClient({ url, name: 'test' });
  await other.query({ text: 'create table wanted ()' });
  await other.close();
  expect(await pid(held)).toBeGreaterThan(0);
  await held.close();
});
