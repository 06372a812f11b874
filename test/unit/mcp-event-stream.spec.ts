import { Readable } from 'node:stream';
import fc from 'fast-check';
import { readEvents, type StreamEvent } from '#core/mcp/event-stream.js';

async function events(...chunks: (string | Buffer)[]): Promise<StreamEvent[]> {
  const found: StreamEvent[] = [];
  for await (const event of readEvents(Readable.from(chunks.map((chunk) => Buffer.from(chunk))))) found.push(event);
  return found;
}

it('joins data lines, keeps the id, names the event, skips comments and drops a cut-off event', async () => {
  expect(await events(': hello\nid: 7\nevent: note\ndata: a\ndata:b\nretry: 30\n\ndata: c\n\ndata: cut off')).toEqual([
    { event: 'note', data: 'a\nb', id: '7', retryMs: 30 },
    { event: 'message', data: 'c', id: '7', retryMs: null },
  ]);
});

it('takes LF, CRLF and CR alike', async () => {
  for (const end of ['\n', '\r\n', '\r']) expect((await events(`data: a${end}${end}data: b${end}${end}${end}`)).filter((event) => event.data !== '').map((event) => event.data)).toEqual(['a', 'b']);
});

it('finds the same events however the bytes are cut', async () => {
  const text = 'id: 1\r\ndata: {"text":"Grüße 世界 🚢"}\r\n\r\n: ping\n\nevent: message\ndata: two\ndata\ndata: lines\n\ndata: last\r\r\n';
  const whole = await events(text);
  await fc.assert(fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), async (sizes) => {
    const bytes = Buffer.from(text);
    const chunks: Buffer[] = [];
    for (let at = 0, i = 0; at < bytes.length; i++) {
      const size = sizes[i % sizes.length]!;
      chunks.push(bytes.subarray(at, at + size));
      at += size;
    }
    expect(await events(...chunks)).toEqual(whole);
  }), { numRuns: 100 });
});
