import { setTimeout as sleep } from 'node:timers/promises';

/** An integer that a `number` can't hold. */
export const BIG_INTEGER = '9007199254740993';
/** A one-pixel PNG. */
export const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
/** A block of a type that nobody knows yet. */
export const HOLOGRAM = { type: 'hologram', depth: 3, nested: { kept: true } };

const BIG_MARKER = '@@big-integer@@';
const HOLOGRAM_MARKER = '@@hologram@@';
const ANY = { type: 'object' };

/** What the servers on the SDK offer. The definition `bad-header` is invalid in the modern era. */
export const TEST_TOOLS = [
  { name: 'echo', description: 'Gives its message back.', inputSchema: { type: 'object', properties: { message: { type: 'string' } }, required: ['message'] }, annotations: { readOnlyHint: true } },
  { name: 'sum', description: 'Adds two numbers.', inputSchema: { type: 'object', properties: { a: { type: 'number' }, b: { type: 'number' } }, required: ['a', 'b'] } },
  { name: 'structured', inputSchema: ANY, outputSchema: { type: 'object', properties: { answer: { type: 'integer' } }, required: ['answer'] } },
  { name: 'image', inputSchema: ANY },
  { name: 'audio', inputSchema: ANY },
  { name: 'link', inputSchema: ANY },
  { name: 'embedded', inputSchema: ANY },
  { name: 'unknown-block', inputSchema: ANY },
  { name: 'big-integers', inputSchema: ANY },
  { name: 'slow', description: 'Works for `ms`, telling its progress.', inputSchema: { type: 'object', properties: { ms: { type: 'integer' } } } },
  { name: 'failing', inputSchema: ANY },
  { name: 'regional', description: 'Wants its region as a header too.', inputSchema: { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' }, where: { type: 'object', properties: { zone: { type: 'integer', 'x-mcp-header': 'Zone' } } } } } },
  { name: 'bad-header', inputSchema: { type: 'object', properties: { list: { type: 'array', items: { type: 'string', 'x-mcp-header': 'List' } } } } },
];

/** What a tool may use while it works. */
export interface ToolWork {
  signal: AbortSignal;
  progress(progress: number, total: number): Promise<void>;
}

/** The tools' work. */
export async function callTestTool(name: string, args: Record<string, unknown>, work: ToolWork): Promise<object> {
  switch (name) {
    case 'echo': return { content: [{ type: 'text', text: String(args['message']) }] };
    case 'sum': return { content: [{ type: 'text', text: String(Number(args['a']) + Number(args['b'])) }] };
    case 'structured': return { content: [{ type: 'text', text: '{"answer":42}' }], structuredContent: { answer: 42 } };
    case 'image': return { content: [{ type: 'image', data: PIXEL, mimeType: 'image/png' }] };
    case 'audio': return { content: [{ type: 'audio', data: 'UklGRg==', mimeType: 'audio/wav' }] };
    case 'link': return { content: [{ type: 'resource_link', uri: 'test://stock', name: 'stock', mimeType: 'text/csv' }] };
    case 'embedded': return { content: [
      { type: 'resource', resource: { uri: 'test://note', mimeType: 'text/plain', text: 'note' } },
      { type: 'resource', resource: { uri: 'test://blob', mimeType: 'application/octet-stream', blob: 'AAEC' } },
    ] };
    case 'unknown-block': return { content: [{ type: 'text', text: HOLOGRAM_MARKER }] };
    case 'big-integers': return { content: [{ type: 'text', text: 'see structuredContent' }], structuredContent: { id: BIG_MARKER, list: [1, BIG_MARKER] } };
    case 'slow': return slowly(Number(args['ms'] ?? 50), work);
    case 'failing': return { content: [{ type: 'text', text: 'the shelf is empty' }], isError: true };
    case 'regional': return { content: [{ type: 'text', text: JSON.stringify(args) }] };
    default: throw Object.assign(new Error(`Unknown tool: ${name}`), { code: -32602 });
  }
}

async function slowly(ms: number, { signal, progress }: ToolWork): Promise<object> {
  for (let part = 1; part <= 5; part++) {
    await sleep(ms / 5, undefined, { signal });
    await progress(part, 5);
  }
  return { content: [{ type: 'text', text: 'done' }] };
}

/** Puts into the wire form what the server's SDK wouldn't let through: unknown blocks and integers beyond 2^53. */
export function wireForm(response: Response): Response {
  if (response.body === null) return response;
  const decoder = new TextDecoder();
  const rewritten = response.body.pipeThrough(new TransformStream<Uint8Array, Uint8Array>({
    transform: (chunk, controller) => controller.enqueue(Buffer.from(decoder.decode(chunk, { stream: true })
      .replaceAll(`{"type":"text","text":"${HOLOGRAM_MARKER}"}`, JSON.stringify(HOLOGRAM)).replaceAll(`"${BIG_MARKER}"`, BIG_INTEGER))),
  }));
  const headers = new Headers(response.headers);
  headers.delete('content-length');
  return new Response(rewritten, { status: response.status, headers });
}
