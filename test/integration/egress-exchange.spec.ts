import { jest } from '@jest/globals';
import { getEventListeners, once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { Egress, type EgressOptions, type EgressRequest } from '#core/egress/egress.js';
import type { EgressResponse } from '#core/egress/response.js';
import { EgressError } from '#core/egress/errors.js';
import { HostileServer } from '#test/support/hostile-server.js';

const MIB = 1024 * 1024;
let server: HostileServer;
let egress: Egress;

function open(options: Partial<EgressOptions> = {}): Egress {
  return new Egress({ policy: { allow: [], allowLoopback: true, denied: [] }, ...options });
}

function get(url: string, more: Partial<EgressRequest> = {}): Promise<EgressResponse> {
  return egress.request({ url, method: 'GET', timeoutMs: 20_000, maxBytes: MIB, ...more });
}

async function read(url: string, more: Partial<EgressRequest> = {}): Promise<string> {
  return (await get(url, more)).text();
}

/** What went wrong, whether it showed in the head or in the body. */
async function fault(url: string, more: Partial<EgressRequest> = {}): Promise<EgressError> {
  const error: unknown = await read(url, more).then((text) => new Error(`answered ${text.slice(0, 100)}`), (reason: unknown) => reason);
  if (!(error instanceof EgressError)) throw error;
  return error;
}

beforeEach(async () => {
  server = await HostileServer.start();
  egress = open();
});

afterEach(async () => {
  await egress.close();
  await server.drained();
  await server.close();
});

describe('a well-behaved server', () => {
  it('gets the request as it was given and asks for no compression', async () => {
    const answer = await get(server.url('/echo?a=b%20c'), { method: 'POST', headers: { 'content-type': 'text/plain', 'X-One': 'ü' }, body: 'Grüße' });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json');
    expect(JSON.parse(await answer.text())).toMatchObject({
      method: 'POST', url: '/echo?a=b%20c', body: 'Grüße',
      headers: { 'accept-encoding': 'identity', 'user-agent': 'fairlead', 'content-length': '7', 'x-one': 'ü' },
    });
  });

  it('serves one call after another on one connection', async () => {
    for (let i = 0; i < 20; i += 1) await read(server.url(), { method: 'POST', body: '{}' });
    for (const method of ['PUT', 'DELETE', 'GET'] as const) await read(server.url(), { method });
    expect(server.accepted).toBe(1);
  });

  it('is asked over a new connection when the only one there is has been idle for too long', async () => {
    await read(server.url(), { method: 'POST', body: '{}' });
    const real = performance.now.bind(performance);
    const later = jest.spyOn(performance, 'now').mockImplementation(() => real() + 3_600_000);
    try {
      for (let i = 0; i < 3; i += 1) await read(server.url(), { method: 'POST', body: '{}' });
    } finally {
      later.mockRestore();
    }
    expect(server.accepted).toBe(2);
  });

  it('serves a body as a stream or as text, and text again', async () => {
    const parts: Buffer[] = [];
    for await (const part of (await get(server.url('/sized?bytes=300000'))).body) parts.push(part as Buffer);
    expect(Buffer.concat(parts)).toHaveLength(300_000);
    const answer = await get(server.url('/sized?bytes=300000'));
    expect(await answer.text()).toHaveLength(300_000);
    expect(await answer.text()).toHaveLength(300_000);
  });

  it('keeps its connection when a short body is discarded, and loses it when the rest is long or unknown', async () => {
    await (await get(server.url('/sized?bytes=1000'))).discard();
    await (await get(server.url('/status?status=202'))).discard();
    await read(server.url());
    expect(server.accepted).toBe(1);
    await (await get(server.url('/open-events'))).discard();
    await server.drained();
    await (await get(server.url('/endless'))).discard();
    await server.drained();
  });

  it.each(['gzip', 'deflate', 'raw-deflate', 'br'])('may answer in %s all the same', async (encoding) => {
    const answer = await get(server.url(`/compressed?encoding=${encoding}`));
    expect(answer.headers['content-encoding']).toBeUndefined();
    expect(await answer.text()).toBe('{"compressed":true}');
    const again = await get(server.url(`/compressed?encoding=${encoding}`));
    const parts: Buffer[] = [];
    for await (const part of again.body) parts.push(part as Buffer);
    expect(Buffer.concat(parts).toString()).toBe('{"compressed":true}');
  });
});

describe('too many bytes', () => {
  it.each(['/endless', '/endless-events', '/sized?bytes=1048577'])('of %s end at the cap and close the connection', async (path) => {
    expect(await fault(server.url(path))).toMatchObject({ code: 'TOO_LARGE', sent: 'MAYBE' });
    await server.drained();
  });

  it.each(['gzip', 'deflate', 'raw-deflate', 'br'])('of a %s bomb are counted after decompression', async (encoding) => {
    expect(await fault(server.url(`/bomb?encoding=${encoding}&mib=16`))).toMatchObject({ code: 'TOO_LARGE' });
    const answer = await get(server.url(`/bomb?encoding=${encoding}&mib=16`));
    let seen = 0;
    await expect((async () => { for await (const part of answer.body) seen += (part as Buffer).length; })()).rejects.toMatchObject({ code: 'TOO_LARGE' });
    expect(seen).toBeLessThanOrEqual(MIB);
    await server.drained();
  });

  it('in the head are too large as well', async () => {
    expect(await fault(server.url('/huge-head'))).toMatchObject({ code: 'TOO_LARGE', sent: 'MAYBE' });
  });

  it('fit if they are exactly the cap', async () => {
    expect(await read(server.url('/sized?bytes=1048576'))).toHaveLength(MIB);
  });

  it('wait on the wire while nobody reads', async () => {
    const answer = await get(server.url('/endless'), { maxBytes: 2 * MIB });
    // Long enough for loopback to deliver a hundred times the cap, if it were read.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { value } = await answer.body.iterator({ destroyOnReturn: true }).next();
    expect((value as Buffer).length).toBeGreaterThan(0);
    answer.body.destroy();
  });
});

describe('damaged answers', () => {
  it.each([
    ['/garbage', 'PROTOCOL'], ['/miscoded?encoding=gzip', 'PROTOCOL'], ['/miscoded?encoding=br', 'PROTOCOL'], ['/miscoded?encoding=zstd', 'PROTOCOL'], ['/miscoded?encoding=gzip,gzip', 'PROTOCOL'],
    ['/cut-gzip', 'PROTOCOL'], ['/reset', 'RESET'], ['/hang-up', 'RESET'], ['/reset-in-body', 'RESET'], ['/status?status=999', 'PROTOCOL'],
  ])('%s is a %s, and the server may have acted', async (path, code) => {
    expect(await fault(server.url(path))).toMatchObject({ code, sent: 'MAYBE' });
    expect(server.requests).toHaveLength(1);
  });
});

describe('the deadline', () => {
  // With a connection that is there, so that the time is the server's.
  beforeEach(() => read(server.url()));

  it.each(['/silent', '/slow-head', '/trickle', '/informational', '/open-events', '/endless?slowly'])('ends %s', async (path) => {
    expect(await fault(server.url(path), { timeoutMs: 500, maxBytes: Number.MAX_SAFE_INTEGER })).toMatchObject({ code: 'TIMEOUT', sent: 'MAYBE' });
    await server.drained();
  });

  it('ends a body that nobody reads', async () => {
    const answer = await get(server.url('/trickle'), { timeoutMs: 1000 });
    await server.drained();
    await expect(answer.text()).rejects.toMatchObject({ code: 'TIMEOUT' });
    await expect(answer.discard()).resolves.toBeUndefined();
  });

  it('ends a stream in the middle', async () => {
    const { body } = await get(server.url('/open-events'), { timeoutMs: 1000 });
    const parts: string[] = [];
    await expect((async () => { for await (const part of body) parts.push(String(part)); })()).rejects.toMatchObject({ code: 'TIMEOUT' });
    expect(parts.join('')).toBe('data: one\n\n');
  });

  it('ends a look-up that hangs, and nothing was sent', async () => {
    await egress.close();
    egress = open({ resolve: () => new Promise(() => undefined) });
    expect(await fault('https://slow.example.com/', { timeoutMs: 100 })).toMatchObject({ code: 'TIMEOUT', sent: 'NOTHING' });
  });

  it('ends a TLS handshake that hangs, and nothing was sent', async () => {
    const mute = createServer((socket) => socket.on('error', () => undefined).resume()).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const { port } = mute.address() as AddressInfo;
    expect(await fault(`https://127.0.0.1:${port}/`, { timeoutMs: 100 })).toMatchObject({ code: 'TIMEOUT', sent: 'NOTHING' });
    await egress.close();
    mute.close();
    await once(mute, 'close');
  });

  it('covers all hops of a redirect together', async () => {
    const url = server.url(`/redirect?to=${encodeURIComponent('/delayed?ms=5000')}`);
    expect(await fault(url, { timeoutMs: 500, redirect: 'follow' })).toMatchObject({ code: 'TIMEOUT', sent: 'MAYBE' });
  });
});

describe('the caller\'s signal', () => {
  it('ends a request before, during and after the head, and says what was sent', async () => {
    expect(await fault(server.url(), { signal: AbortSignal.abort() })).toMatchObject({ code: 'ABORTED', sent: 'NOTHING' });
    expect([server.accepted, egress.origins]).toEqual([0, 0]);
    const head = new AbortController();
    const waiting = fault(server.url('/silent'), { signal: head.signal });
    while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    head.abort();
    expect(await waiting).toMatchObject({ code: 'ABORTED', sent: 'MAYBE' });
    const body = new AbortController();
    const answer = await get(server.url('/trickle'), { signal: body.signal });
    const text = answer.text();
    body.abort();
    await expect(text).rejects.toMatchObject({ code: 'ABORTED', sent: 'MAYBE' });
    await server.drained();
  });

  it('is let go of when the answer is complete', async () => {
    const { signal } = new AbortController();
    for (let i = 0; i < 20; i += 1) await read(server.url(), { signal });
    await fault(server.url('/reset'), { signal });
    await fault(server.url('/garbage'), { signal });
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });
});

describe('connections', () => {
  it('are at most so many per host, and the next requests wait for them', async () => {
    await egress.close();
    egress = open({ maxConnectionsPerHost: 3, maxQueuePerHost: 100 });
    const texts = await Promise.all(Array.from({ length: 30 }, () => read(server.url('/delayed?ms=5'))));
    expect(texts).toHaveLength(30);
    expect(server.peak).toBe(3);
  });

  it('that all are taken, with the queue full, mean BUSY; a waiting request can leave; nothing of them was sent', async () => {
    await egress.close();
    egress = open({ maxConnectionsPerHost: 1, maxQueuePerHost: 2 });
    const first = new AbortController();
    const second = new AbortController();
    const running = fault(server.url('/silent'), { signal: first.signal });
    const queued = [fault(server.url('/silent?queued'), { signal: second.signal }), fault(server.url('/silent?queued'), { timeoutMs: 100 })];
    expect(await fault(server.url())).toMatchObject({ code: 'BUSY', sent: 'NOTHING' });
    second.abort();
    expect(await queued[0]).toMatchObject({ code: 'ABORTED', sent: 'NOTHING' });
    expect(await queued[1]).toMatchObject({ code: 'TIMEOUT', sent: 'NOTHING' });
    const next = read(server.url());
    while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    first.abort();
    expect(await running).toMatchObject({ code: 'ABORTED', sent: 'MAYBE' });
    expect(JSON.parse(await next)).toMatchObject({ url: '/echo' });
    expect(server.requests.map((request) => request.url)).toEqual(['/silent', '/echo']);
  });

  it('of one host do not hold up another', async () => {
    await egress.close();
    egress = open({ maxConnectionsPerHost: 1, maxQueuePerHost: 0 });
    await using other = await HostileServer.start();
    const silent = fault(server.url('/silent'), { timeoutMs: 500 });
    expect(JSON.parse(await read(other.url()))).toMatchObject({ url: '/echo' });
    expect(await silent).toMatchObject({ code: 'TIMEOUT' });
  });

  it('that are refused mean CONNECT, and nothing was sent', async () => {
    const gone = await HostileServer.start();
    await gone.close();
    expect(await fault(gone.url())).toMatchObject({ code: 'CONNECT', sent: 'NOTHING' });
  });

  it('leave nothing behind when the last one of an origin is gone', async () => {
    await read(server.url());
    expect(egress.origins).toBe(1);
    await fault(server.url('/reset'));
    await (await get(server.url('/open-events'))).discard();
    await read(server.url());
    expect(egress.origins).toBe(1);
    server.dropConnections();
    while (egress.origins > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(JSON.parse(await read(server.url()))).toMatchObject({ url: '/echo' });
  });

  it('end with close, and so does what runs on them', async () => {
    const silent = fault(server.url('/silent'));
    while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await egress.close();
    expect(await silent).toMatchObject({ code: 'ABORTED', sent: 'MAYBE' });
    expect(await fault(server.url())).toMatchObject({ code: 'ABORTED', sent: 'NOTHING' });
  });
});

describe('headers that are not HTTP', () => {
  it.each<Record<string, string>>([{ 'x-a': 'b\r\nx-injected: 1' }, { 'x a': 'b' }, { 'x-a': 'b\0' }, { 'x-a\r\nx-injected': 'b' }, { 'transfer-encoding': 'chunked' }, { connection: 'close\r\nx: y' }, { expect: '100-continue' }, { 'content-length': '5' }])(
    '%j are refused, and nothing is sent', async (headers) => {
      expect(await fault(server.url(), { method: 'POST', body: 'x', headers })).toMatchObject({
        code: 'REFUSED', sent: 'NOTHING', publicMessage: 'a header or the path is not valid HTTP',
      });
      expect(server.requests).toHaveLength(0);
    },
  );
});

describe('a server that closes its connections at any moment', () => {
  it('sees every request at most once, and none of which it is said that nothing was sent', async () => {
    const seen = new Map<string, number>();
    const moody = createServer((socket) => {
      let text = '';
      socket.on('error', () => undefined).on('data', (chunk) => {
        text += String(chunk);
        for (const [, nonce] of text.matchAll(/nonce=(\d+) HTTP[^]*?\r\n\r\n/g)) {
          seen.set(nonce!, (seen.get(nonce!) ?? 0) + 1);
          const mood = Math.random();
          if (mood < 0.1) socket.resetAndDestroy();
          else if (mood < 0.2) socket.end();
          else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
          if (mood > 0.6) setTimeout(() => socket.destroy(), Math.random() * 3);
        }
        text = text.slice(text.lastIndexOf('\r\n\r\n') + 4);
      });
    }).listen(0, '127.0.0.1');
    await once(moody, 'listening');
    const { port } = moody.address() as AddressInfo;
    let next = 0;
    const outcomes: Record<string, number> = {};
    await Promise.all(Array.from({ length: 8 }, async () => {
      while (next < 1_000) {
        const nonce = String(next++);
        const method = Number(nonce) % 2 ? 'GET' : 'POST';
        const url = `http://127.0.0.1:${port}/?nonce=${nonce}`;
        const error = await read(url, { method, body: method === 'POST' ? '' : undefined }).then(() => null, (reason: unknown) => reason as EgressError);
        const outcome = error ? `${error.code} ${error.sent}` : 'ok';
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
        const times = seen.get(nonce) ?? 0;
        if (error?.sent === 'NOTHING') expect(times).toBe(0);
        if (!error) expect(times).toBe(1);
      }
    }));
    expect(Math.max(...seen.values())).toBe(1);
    expect(outcomes['ok']).toBeGreaterThan(0);
    expect(outcomes['RESET MAYBE']).toBeGreaterThan(0);
    await egress.close();
    moody.close();
    await once(moody, 'close');
  });
});
