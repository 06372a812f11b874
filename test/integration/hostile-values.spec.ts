import { startTestApi, type TestApi, type TestMember } from '#test/support/api.js';
import { startScripted, type ScriptedServer } from '#test/support/mcp-servers/scripted.js';

/** Results as they are on the wire: each must come through with its values unchanged, at once, by its key, and read again later. */
const RESULTS: Record<string, string> = {
  'integers beyond 2^53': '{"content":[],"structuredContent":{"id":9007199254740993,"negative":-9007199254740993,"list":[123456789012345678901234567890,1]}}',
  'decimals that doubles round': '{"content":[],"structuredContent":{"price":12345678901234567.89,"tiny":1e-400,"huge":1e400,"zero":0}}',
  'NUL in text': '{"content":[{"type":"text","text":"a\\u0000b"}],"structuredContent":{"\\u0000":"\\u0000"}}',
  'halves of characters': '{"content":[{"type":"text","text":"a\\ud800b\\udc00"}],"structuredContent":{"\\ud800":1}}',
  'names of prototypes': '{"content":[],"structuredContent":{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"toString":1,"rawJSON":"1"}}',
  'control characters and markup': '{"content":[{"type":"text","text":"\\u001b[2J\\u202e<script>alert(1)</script>\\u2028"}]}',
  'kinds of blocks that nobody knows': '{"content":[{"type":"hologram","depth":3,"nested":{"kept":[9007199254740993,null]}},{"type":7},{"type":null},{},null,5,"text",[1,[2]],true]}',
  'known kinds that lack a part': '{"content":[{"type":"text"},{"type":"image","data":"AA=="},{"type":"resource","resource":{}},{"type":"resource_link","uri":7}]}',
  'structured content that is no object': '{"content":[],"structuredContent":[1,"two",{"three":3}]}',
  'deep structured content': `{"content":[],"structuredContent":${'{"a":['.repeat(60)}1${']}'.repeat(60)}}`,
};

let api: TestApi;
let server: ScriptedServer;
let ada: TestMember;

beforeAll(async () => {
  api = await startTestApi();
  server = await startScripted({ tools: {
    ...Object.fromEntries(Object.entries(RESULTS).map(([name, json]) => [name, ({ resultText }) => resultText(json)])),
    echo: ({ result, message }) => result({ content: [], structuredContent: message.params?.['arguments'] }),
    'not UTF-8': ({ response, message }) => void response.writeHead(200, { 'content-type': 'application/json' })
      .end(Buffer.concat([Buffer.from(`{"jsonrpc":"2.0","id":${message.id},"result":{"content":[{"type":"text","text":"a`), Buffer.from([0xff, 0xc3, 0x28]), Buffer.from('b"}]}}')])),
  } });
  ada = await api.member('MANAGER');
  const { connectionType } = await ada.must('CreateConnectionType', { input: { team: 'default', displayName: 'Values', serverUrl: server.url, authMethod: 'NONE' } });
  await ada.must('Enroll', { input: { connectionTypeId: connectionType.id } });
});
afterAll(async () => {
  await api.stop();
  await server.close();
});

const CALL = `mutation C($input: CallToolInput!) { callTool(input: $input) { toolCall { id status structuredContent
  content { __typename ... on TextContent { text } ... on ImageContent { data mimeType } ... on AudioContent { data mimeType } ... on ResourceLink { uri name linkMimeType: mimeType } ... on EmbeddedResource { uri resourceText: text blob } ... on UnknownContent { type json } }
  } userErrors { code message field } } }`;
const ask = (input: object) => ada.gql(CALL, { input: { connectionType: 'values', ...input } });

/** A member's value as it stands in a JSON text, to its last bracket. */
function sourceOf(json: string, member: string): string {
  const start = json.indexOf(`"${member}":`) + member.length + 3;
  let depth = 0;
  let quoted = false;
  for (let at = start; at < json.length; at++) {
    const character = json[at]!;
    if (quoted) {
      if (character === '\\') at++;
      else if (character === '"') quoted = false;
    } else if (character === '"') {
      quoted = true;
    } else if ('[{'.includes(character)) {
      depth++;
    } else if (']}'.includes(character)) {
      if (--depth === 0) return json.slice(start, at + 1);
    }
  }
  throw new Error(`${member} isn't whole`);
}

it.each(Object.keys(RESULTS))('%s come through unchanged, at once and from the record', async (tool) => {
  const wire = RESULTS[tool]!;
  const once = await ask({ tool });
  const keyed = await ask({ tool, idempotencyKey: tool });
  const again = await ask({ tool, idempotencyKey: tool });
  for (const { data, text, errors } of [once, keyed, again]) {
    expect(errors).toEqual([]);
    expect(data.callTool.toolCall.status).toBe('SUCCEEDED');
    if (wire.includes('structuredContent')) expect(sourceOf(text, 'structuredContent')).toBe(sourceOf(wire, 'structuredContent'));
    const blocks = (JSON.parse(wire) as { content: unknown[] }).content;
    expect(data.callTool.toolCall.content).toHaveLength(blocks.length);
    data.callTool.toolCall.content.forEach((shown: { __typename: string; json?: unknown; text?: string }, index: number) => {
      if (shown.__typename === 'UnknownContent') expect(shown.json).toEqual(blocks[index]);
      else expect(shown.text).toBe((blocks[index] as { text: string }).text);
    });
  }
  expect(again.text).toBe(keyed.text);
});

it('bytes that are no UTF-8 are replaced, not passed on', async () => {
  const { data } = await ask({ tool: 'not UTF-8', idempotencyKey: 'utf-8' });
  expect(data.callTool.toolCall).toMatchObject({ status: 'SUCCEEDED', content: [{ text: 'a\ufffd\ufffd(b' }] });
});

it.each(['{"a":"\\u0000","\\u0000":"\\ud800"}', '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"hasOwnProperty":1}', '{"n":9007199254740991,"f":0.1,"e":1.5e+300,"z":0}', '{"deep":[[[[[{}]]]]],"empty":"","null":null}'])(
  'the arguments %s reach the tool as they were sent, with a key and without', async (json) => {
    for (const idempotencyKey of [undefined, json.replaceAll(/[^ -~]/g, '')]) {
      const { data, text } = await ask({ tool: 'echo', arguments: JSON.parse(json) as object, idempotencyKey });
      expect(data.callTool.toolCall.status).toBe('SUCCEEDED');
      expect(sourceOf(text, 'structuredContent')).toBe(json);
    }
    expect(({} as { polluted?: boolean }).polluted).toBe(undefined);
  });

describe('a number that would be rounded', () => {
  const BIG = '9007199254740993';

  it('is refused in a variable, and says what to do', async () => {
    const before = server.seen.length;
    const body = `{"query":${JSON.stringify(CALL)},"variables":{"input":{"connectionType":"values","tool":"echo","arguments":{"id":${BIG}}}}}`;
    const response = await fetch(`${api.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${ada.token}` }, body });
    expect(response.status).toBe(400);
    expect((await response.json() as { errors: object[] }).errors[0]).toMatchObject({ message: expect.stringMatching(/at "input\.arguments".*send it as a string/), extensions: { code: 'BAD_USER_INPUT' } });
    expect(server.seen.length).toBe(before);
  });

  it('is refused in the document, and says what to do', async () => {
    for (const literal of [BIG, '1e400', '12345678901234567.89']) {
      const { errors, status } = await ada.gql(`mutation { callTool(input: {connectionType: "values", tool: "echo", arguments: {id: ${literal}}}) { userErrors { code } } }`);
      expect([status, errors[0]]).toMatchObject([400, { message: expect.stringContaining('send it as a string'), extensions: { code: 'BAD_USER_INPUT' } }]);
    }
  });

  it('is refused where an Int belongs', async () => {
    for (const text of [BIG, '1e400', '5.0000000000000001']) {
      const body = `{"query":${JSON.stringify(CALL)},"variables":{"input":{"connectionType":"values","tool":"echo","timeoutMs":${text}}}}`;
      const response = await fetch(`${api.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${ada.token}` }, body });
      expect([text, response.status, (await response.json() as { errors: { extensions: { code: string } }[] }).errors[0]?.extensions.code]).toEqual([text, 400, 'BAD_USER_INPUT']);
    }
  });
});

it('nothing of all that was a fault of ours, by the logs', () => {
  expect(api.logs().filter((line) => (JSON.parse(line) as { level: number }).level >= 50)).toEqual([]);
});
