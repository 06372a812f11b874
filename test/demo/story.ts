import { quotePeer } from '#core/errors.js';
import { ApiClient, RequestRefused } from './api-client.js';
import { callTool, createType, enroll, present, probe, said, texts, took } from './asking.js';
import { CREATE_TEAM, CREATE_TOKEN, RECORD, SET_MEMBER, TOOLS, type CallAnswer, type Made, type TeamRecord, type ToolsOfType } from './documents.js';
import { login } from './login-story.js';
import type { Printout } from './printout.js';
import { RIGHT_KEY, type Stage } from './stage.js';

const WRONG_KEY = 'demo-key-0000-wrong';

/** Plays the acts of the main job on the stage, and checks what it tells. @throws when something is so wrong that the story can't go on */
export async function tell(stage: Stage, printout: Printout): Promise<void> {
  const people = await castOf(stage);
  const typeId = await catalog(stage, people.manager, printout);
  await calls(typeId, people.teammate, printout);
  await credential(stage, people, printout);
  await login(stage, people, printout);
  await stranger(stage, typeId, people.stranger, printout);
  await record(people.manager, printout);
}

/** Who plays. */
export interface Cast {
  manager: ApiClient;
  teammate: ApiClient;
  stranger: ApiClient;
}

/** The administrator gives tokens to a manager and a teammate of the team `default`, and to somebody of another team. */
async function castOf({ fairleadUrl, adminToken }: Stage): Promise<Cast> {
  const admin = new ApiClient(fairleadUrl, adminToken);
  const person = async (team: string, name: string, role: string): Promise<ApiClient> => {
    const { setMember } = await admin.ask<{ setMember: Made<'member', { id: string }> }>(SET_MEMBER, { input: { team, subject: name, displayName: name, role } });
    const memberId = present(setMember.member, setMember.userErrors).id;
    const { createToken } = await admin.ask<{ createToken: Made<'secret', string> }>(CREATE_TOKEN, { input: { team, name: 'demo', memberId } });
    return new ApiClient(fairleadUrl, present(createToken.secret, createToken.userErrors));
  };
  await admin.ask(CREATE_TEAM, { input: { slug: 'harbour', displayName: 'Harbour' } });
  return {
    manager: await person('default', 'Mara', 'MANAGER'),
    teammate: await person('default', 'Tom', 'MEMBER'),
    stranger: await person('harbour', 'Sid', 'ADMIN'),
  };
}

async function catalog({ everything }: Stage, manager: ApiClient, printout: Printout): Promise<string> {
  printout.act('Mara, a manager, adds the server to her team\'s catalog');
  const { verdict, message, server } = await probe(manager, everything.url);
  printout.check(verdict === 'OK', `probeServer: ${message}`);
  if (server !== null) printout.say(`It calls itself ${quotePeer(`${server.name} ${server.version}`)}.`);
  const made = await createType(manager, { displayName: 'Sample', serverUrl: everything.url, authMethod: 'NONE' });
  const type = present(made.connectionType, made.userErrors);
  printout.check(type.state === 'READY', `createConnectionType: ${quotePeer(type.name)} is ${type.state}, with ${type.toolCount} tools`);
  return type.id;
}

async function calls(typeId: string, teammate: ApiClient, printout: Printout): Promise<void> {
  printout.act('Tom, a teammate, enrolls, looks at the tools, and calls some');
  const call = (tool: string, args: object, more: object = {}) => callTool(teammate, { connectionType: 'sample', tool, arguments: args, ...more });
  const early = await call('echo', { message: 'hello' });
  printout.check(early.userErrors[0]?.code === 'NOT_CONNECTED', `before he enrolls, a call is refused: ${said(early.userErrors)}`);
  const { enrollment } = await enroll(teammate, { connectionTypeId: typeId });
  printout.check(enrollment?.state === 'READY', `enroll: his enrollment is ${enrollment?.state}`);
  const { connectionType } = await teammate.ask<ToolsOfType>(TOOLS, { id: typeId });
  printout.check(connectionType !== null && connectionType.tools.totalCount >= 3, `the server offers ${connectionType?.tools.totalCount} tools:`);
  printout.say(connectionType?.tools.nodes.map(({ name }) => name).join(', ') ?? '');

  const echo = await call('echo', { message: 'hello, MCP' });
  printout.check(texts(echo) === 'Echo: hello, MCP', `echo answers ${quotePeer(texts(echo))} ${took(echo)}`);
  const sum = await call('get-sum', { a: 19, b: 23 });
  printout.check(texts(sum).includes('42'), `get-sum answers ${quotePeer(texts(sum))} ${took(sum)}`);
  const weather = await call('get-structured-content', { location: 'Chicago' });
  const structured = weather.toolCall?.structuredContent;
  printout.check(typeof structured === 'object' && structured !== null, `get-structured-content answers, as structured content, ${JSON.stringify(structured)} ${took(weather)}`);
  await blocks(call, printout);

  const wrong = await call('get-sum', { a: 19, b: 'many' });
  printout.check(wrong.userErrors[0]?.code === 'ARGUMENTS_INVALID', `a wrong argument never leaves: ${said(wrong.userErrors)}`);
  const first = await call('get-sum', { a: 1, b: 1 }, { idempotencyKey: 'demo-1' });
  const again = await call('get-sum', { a: 1, b: 1 }, { idempotencyKey: 'demo-1' });
  printout.check(first.toolCall !== null && first.toolCall.id === again.toolCall?.id, 'the same idempotency key twice is one call, with one outcome');
}

/** Blocks that aren't text come through as they are. */
async function blocks(call: (tool: string, args: object) => Promise<CallAnswer>, printout: Printout): Promise<void> {
  const image = (await call('get-tiny-image', {})).toolCall?.content?.find((block) => block.__typename === 'ImageContent');
  const bytes = Buffer.from(image?.data ?? '', 'base64');
  const png = bytes.length > 24 && bytes.subarray(1, 4).toString() === 'PNG';
  const size = png ? `${bytes.readUInt32BE(16)} × ${bytes.readUInt32BE(20)} pixels` : 'not a PNG';
  printout.check(png, `get-tiny-image answers an image: ${image?.mimeType}, ${bytes.length} bytes, ${size}`);
  const linked = await call('get-resource-links', { count: 2 });
  const links = linked.toolCall?.content?.filter((block) => block.__typename === 'ResourceLink') ?? [];
  printout.check(links.length === 2, `get-resource-links answers links, which Fairlead never follows: ${links.map(({ uri }) => uri).join(', ')}`);
}

async function credential({ guarded, log }: Stage, { manager, teammate }: Cast, printout: Printout): Promise<void> {
  printout.act('The second server wants an access token: each teammate enters their own');
  const made = await createType(manager, { displayName: 'Guarded', serverUrl: guarded.url, authMethod: 'ACCESS_TOKEN' });
  const type = present(made.connectionType, made.userErrors);
  printout.check(type.state === 'READY', `createConnectionType: ${quotePeer(type.name)} is ${type.state}; it tells its tools to nobody without a token`);
  const wrong = await enroll(teammate, { connectionTypeId: type.id, accessToken: WRONG_KEY });
  printout.check(wrong.userErrors[0]?.code === 'CREDENTIAL_REJECTED', `a wrong token is tried, refused, and not stored: ${said(wrong.userErrors)}`);
  const right = await enroll(teammate, { connectionTypeId: type.id, accessToken: RIGHT_KEY });
  printout.check(right.enrollment?.state === 'READY', `the right token is tried, and sealed: the enrollment is ${right.enrollment?.state}`);
  const answer = await callTool(teammate, { connectionType: 'guarded', tool: 'echo', arguments: { nonce: 'n-1' } });
  printout.check(texts(answer) === '{"nonce":"n-1"}' && guarded.counts.withCredential === 1, `echo answers ${quotePeer(texts(answer))}, and the server saw the token`);
  const everything = JSON.stringify([wrong, right, answer]) + log();
  printout.check(!everything.includes(RIGHT_KEY) && !everything.includes(WRONG_KEY), 'no answer and no line of the log holds a token; reads say only that one is set');
}

async function stranger({ fairleadUrl }: Stage, typeId: string, sid: ApiClient, printout: Printout): Promise<void> {
  printout.act('Sid, of another team, tries the same, and somebody without a token');
  const { team } = await sid.ask<{ team: unknown }>('query { team(slug: "default") { id } }');
  printout.check(team === null, 'the team is unknown to him');
  const { connectionType } = await sid.ask<ToolsOfType>(TOOLS, { id: typeId });
  printout.check(connectionType === null, 'the connection type, by the id that somebody told him, is unknown to him');
  const refused = await callTool(sid, { connectionTypeId: typeId, tool: 'echo', arguments: { message: 'me too' } });
  printout.check(refused.toolCall === null && refused.userErrors[0]?.code === 'NOT_FOUND', `his call is refused: ${said(refused.userErrors)}`);
  const anonymous = await new ApiClient(fairleadUrl, null).ask('query { viewer { id } }').then(() => null, (error: unknown) => error);
  printout.check(anonymous instanceof RequestRefused && anonymous.status === 401, `without a token: HTTP 401, ${anonymous instanceof RequestRefused ? anonymous.message : 'an answer'}`);
}

async function record(manager: ApiClient, printout: Printout): Promise<void> {
  printout.act('What Mara sees of it: who called what, when, and how it ended; not what was said');
  const { team: { toolCalls, auditEvents } } = await manager.ask<TeamRecord>(RECORD);
  for (const { caller, connectionTypeName, tool, status, durationMs } of [...toolCalls.nodes].reverse()) {
    printout.say(`${caller.displayName}  ${`${connectionTypeName}/${tool}`.padEnd(32)} ${status.padEnd(10)} ${durationMs.toFixed(1).padStart(7)} ms`);
  }
  const others = toolCalls.nodes.filter(({ status }) => status !== 'SUCCEEDED').map(({ connectionTypeName, tool }) => `${connectionTypeName}/${tool}`);
  printout.check(toolCalls.totalCount === 11 && others.join() === 'warehouse/sum', `${toolCalls.totalCount} calls are on record, each once`);
  const refused = auditEvents.nodes.filter(({ outcome }) => outcome === 'REFUSED').reverse();
  const codes = refused.map(({ actorName, action, code }) => `${actorName} ${action} ${code}`);
  printout.check(['Tom callTool NOT_CONNECTED', 'Tom callTool ARGUMENTS_INVALID', 'Tom enroll CREDENTIAL_REJECTED'].every((line) => codes.includes(line)),
    `refusals are on the audit trail: ${codes.join(', ')}`);
}
