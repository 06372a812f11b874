import { startTestApi, type TestApi, type TestMember } from '#test/support/api.js';
import { startScripted, type Exchange, type ScriptedServer } from '#test/support/mcp-servers/scripted.js';

/** What teammates enter for the prefixes that managers declare, and what of it must not come back. */
const CREDENTIALS: Record<string, { prefix: string; accessToken: string; secret: string }> = {
  'a prefix that ends without a space': { prefix: 'token=', accessToken: 'canary-bare-4711', secret: 'canary-bare-4711' },
  'a scheme with a parameter': { prefix: 'Token token=', accessToken: 'canary-parameter-4711', secret: 'canary-parameter-4711' },
  'a prefix of words': { prefix: 'Key of us: ', accessToken: 'canary-words-4711', secret: 'canary-words-4711' },
  'a pair in base64': { prefix: 'Basic ', accessToken: Buffer.from('robot:canary-password-4711').toString('base64'), secret: 'canary-password-4711' },
};

const heldBy = ({ request }: Pick<Exchange, 'request'>): string => Object.values(CREDENTIALS).find(({ prefix, accessToken }) => request.headers.authorization === `${prefix}${accessToken}`)?.secret ?? '';
const guarded = (behaviour: (exchange: Exchange, secret: string) => void) => (exchange: Exchange): void => {
  const secret = heldBy(exchange);
  if (secret !== '') return behaviour(exchange, secret);
  exchange.response.writeHead(401).end();
};

let api: TestApi;
let server: ScriptedServer;
let ada: TestMember;

beforeAll(async () => {
  api = await startTestApi();
  ada = await api.member('MANAGER');
  server = await startScripted({});
  const tools: Record<string, (exchange: Exchange, secret: string) => void> = {
    result: ({ result }, secret) => result({ content: [{ type: 'text', text: `You are ${secret}.` }] }),
    error: ({ error }, secret) => error(-32603, `no access for ${secret}`),
    status: ({ response }, secret) => void response.writeHead(400, { 'content-type': 'text/plain' }).end(`who is ${secret}`),
  };
  server.script = { methods: {
    'initialize': guarded(({ result }, secret) => result({ protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: `for ${secret}`, version: '1' } })),
    'tools/list': guarded(({ result }, secret) => result({ tools: Object.keys(tools).map((name) => ({ name, description: `For ${secret}`, inputSchema: { type: 'object' } })) })),
    'tools/call': guarded((exchange, secret) => tools[String(exchange.message.params?.['name'])]!(exchange, secret)),
  } };
});
afterAll(async () => {
  await api.stop();
  await server.close();
});

async function enroll(name: string): Promise<{ typeId: string; enrollmentId: string; secret: string }> {
  const { prefix, accessToken, secret } = CREDENTIALS[name]!;
  const { connectionType } = await ada.must('CreateConnectionType', { input: { team: 'default', displayName: name, serverUrl: server.url, authMethod: 'ACCESS_TOKEN', accessToken: { prefix } } });
  const { enrollment } = await ada.must('Enroll', { input: { connectionTypeId: connectionType.id, accessToken } });
  return { typeId: connectionType.id, enrollmentId: enrollment.id, secret };
}

describe.each(Object.keys(CREDENTIALS))('a token that is sent behind %s', (name) => {
  it('doesn\'t come back in results, errors or refusals of a call, in what is on record of the enrollment, or in the log', async () => {
    const { typeId, enrollmentId, secret } = await enroll(name);
    const answers: string[] = [];
    for (const tool of ['result', 'error', 'status']) {
      const { text } = await ada.gql('mutation ($input: CallToolInput!) { callTool(input: $input) { toolCall { status content { ... on TextContent { text } } error { code message } } userErrors { code message } } }',
        { input: { connectionTypeId: typeId, tool, arguments: {} } });
      answers.push(text);
    }
    const { methods } = server.script;
    server.script.methods = { ...methods, 'tools/list': guarded(({ error }, held) => error(-32603, `no list for ${held}`)) };
    answers.push((await ada.gql('mutation ($input: EnrollInput!) { enroll(input: $input) { enrollment { conditions { type reason message } } userErrors { code message } } }',
      { input: { connectionTypeId: typeId, label: 'second', accessToken: CREDENTIALS[name]!.accessToken } })).text);
    server.script.methods = methods;
    answers.push((await ada.gql('query ($id: ID!) { node(id: $id) { ... on Enrollment { conditions { type reason message } connectionType { conditions { type reason message } tools { nodes { name description } } } } } }', { id: enrollmentId })).text);

    expect(answers[0]).toContain('You are [redacted].');
    expect(answers[1]).toContain('no access for ');
    expect(answers[2]).toContain('who is ');
    expect(answers.filter((text) => text.includes(secret))).toEqual([]);
    expect(api.logs().filter((line) => line.includes(secret))).toEqual([]);
  });
});
