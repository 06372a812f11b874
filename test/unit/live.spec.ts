import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Worker } from 'node:worker_threads';
import { describe, expect, it, jest } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import { changesFor, reading } from '#api/live/changes.js';
import { Feeds } from '#api/live/feed.js';
import { LIVE_LIMITS, type LiveLimits } from '#api/live/limits.js';
import { LiveSocket } from '#api/live/live-socket.js';
import { stoppable } from '#api/live/stoppable.js';
import { createLogger } from '#core/log.js';

const own = { id: 'a', ownerId: 'me', shared: false, digest: '1' };
const theirs = { ...own, ownerId: 'them' };
const shared = { ...theirs, shared: true };
const everybodys = { ...own, ownerId: null };

describe('between two readings a member is told', () => {
  it.each([
    ['of their own that is new', [], [own], ['ADDED']], ['of their own that changed', [own], [{ ...own, digest: '2' }], ['UPDATED']], ['of their own that is gone', [own], [], ['DELETED']],
    ['nothing of what is as it was', [own], [{ ...own }], []], ['of what belongs to nobody', [everybodys], [{ ...everybodys, digest: '2' }], ['UPDATED']],
    ['nothing of others\' that came', [], [theirs], []], ['nothing of others\' that changed', [theirs], [{ ...theirs, digest: '2' }], []], ['nothing of others\' that went', [theirs], [], []],
    ['of what was shared as new', [theirs], [shared], ['ADDED']], ['of what is shared no more as gone', [shared], [theirs], ['DELETED']],
  ])('%s', (_what, before, after, kinds) => {
    expect(changesFor('me', reading(before), reading(after)).map((change) => change.kind)).toEqual(kinds);
  });
});

const logger = createLogger('silent');

describe('a feed', () => {
  it('reads once for many wake-ups and watchers, gives late watchers the latest, and never a reading that began before it was asked for', async () => {
    let reads = 0;
    const gates: (() => void)[] = [];
    const feeds = new Feeds({ gapMs: 5, pollMs: 60_000, logger, read: async () => {
      const number = ++reads;
      await new Promise<void>((resolve) => { gates.push(resolve); });
      return number;
    } });
    const feed = feeds.join('team');
    const first = feed.fresh();
    await Promise.resolve();
    const [second, third] = [feed.fresh(), feed.fresh()];
    while (gates.length < 1) await new Promise(setImmediate);
    gates[0]!();
    expect(await first).toBe(1);
    while (gates.length < 2) await new Promise(setImmediate);
    gates[1]!();
    expect(await Promise.all([second, third])).toEqual([2, 2]);
    expect(await feed.after(0, new AbortController().signal)).toBe(2);
    for (let wakes = 0; wakes < 100; wakes++) feed.wake();
    const watchers = [feed.after(2, new AbortController().signal), feed.after(2, new AbortController().signal)];
    while (gates.length < 3) await new Promise(setImmediate);
    gates[2]!();
    expect(await Promise.all(watchers)).toEqual([3, 3]);
    feeds.leave('team');
    expect(reads).toBe(3);
  });

  it('goes on after a reading that failed, and lets a watcher go who leaves', async () => {
    let reads = 0;
    const feeds = new Feeds({ gapMs: 1, pollMs: 1, logger, read: async () => {
      if (++reads === 1) throw new Error('no database');
      return reads;
    } });
    const feed = feeds.join('team');
    await expect(feed.fresh()).rejects.toThrow('no database');
    expect(await feed.after(0, new AbortController().signal)).toBeGreaterThan(1);
    const leaving = new AbortController();
    const waiting = feed.after(1_000_000, leaving.signal);
    leaving.abort();
    expect(await waiting).toBeNull();
    feeds.leave('team');
  });
});

it('a stream that waits ends at once when it is returned, and cleans up', async () => {
  let cleaned = false;
  const stream = stoppable(new AbortController().signal, async function* work(signal) {
    try {
      yield 1;
      await once(signal, 'abort');
    } finally {
      cleaned = true;
    }
  });
  expect(await stream.next()).toEqual({ value: 1, done: false });
  const waiting = stream.next();
  await stream.return!();
  expect(await waiting).toMatchObject({ done: true });
  expect(cleaned).toBe(true);
});

describe('a client is dropped', () => {
  async function pair(limits: Partial<LiveLimits>, autoPong = true): Promise<{ socket: LiveSocket; client: WebSocket; end: () => void }> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    const opened = once(server, 'connection');
    const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, { autoPong });
    const [ws] = (await opened) as [WebSocket];
    await once(client, 'open');
    return { socket: new LiveSocket(ws, { ...LIVE_LIMITS, ...limits }, 'test'), client, end: () => { client.terminate(); server.close(); } };
  }

  it('that answers no ping', async () => {
    const { socket, end } = await pair({ pingMs: 20 }, false);
    if (!socket.signal.aborted) await once(socket.signal, 'abort');
    end();
  });

  it.each([['leaves too much lying', { bufferedBytes: 1000 }], ['takes too long for a message', { sendTimeoutMs: 20 }]])('that %s', async (_what, limits) => {
    const { socket, client, end } = await pair(limits);
    client.pause();
    void socket.send('x'.repeat(16 * 1024 * 1024));
    if (!socket.signal.aborted) await once(socket.signal, 'abort');
    await socket.send('into the void');
    end();
  });

  it('but not one whose answer lay there unread while this process stood still', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    const opened = once(server, 'connection');
    const pongs = new Int32Array(new SharedArrayBuffer(8));
    const client = new Worker(`
      const { workerData: { url, pongs } } = require('node:worker_threads');
      new (require('ws').WebSocket)(url).on('ping', () => { Atomics.add(pongs, 0, 1); Atomics.notify(pongs, 0); });
    `, { eval: true, workerData: { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, pongs } });
    const [ws] = (await opened) as [WebSocket];
    const pingMs = 200;
    const socket = new LiveSocket(ws, { ...LIVE_LIMITS, pingMs }, 'test');
    const answered = once(ws, 'pong');
    const ping = jest.spyOn(ws, 'ping').mockImplementationOnce((...args) => {
      ws.ping(...args);
      setImmediate(() => {
        Atomics.wait(pongs, 0, 0);
        Atomics.wait(pongs, 1, 0, 2 * pingMs);
      });
    });
    await Promise.race([answered, once(ws, 'close')]);
    expect([socket.open, ping.mock.calls.length]).toEqual([true, 2]);
    await client.terminate();
    server.close();
  });

  it('but not one that keeps up', async () => {
    // So long, since both ends are in this process: what holds it up for that time looks like a client that doesn't answer.
    const { socket, client, end } = await pair({ pingMs: 1000 });
    const received = once(client, 'message');
    await once(client, 'ping');
    await once(client, 'ping');
    await socket.send('hello');
    expect(String((await received)[0])).toBe('hello');
    expect(socket.open).toBe(true);
    end();
  });
});
