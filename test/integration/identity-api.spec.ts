import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { startTestApi, type TestApi, type TestMember } from '#test/support/api.js';
import { createDatabase } from '#test/support/database.js';
import { MIGRATED } from '#test/support/api.js';
import { startMinimal, type MinimalServer } from '#test/support/mcp-servers/minimal.js';
import { until } from '#test/support/mcp-servers/until.js';

const TEAM = 'default';
const ROLES = '{ viewer { memberships { role } } }';

let api: TestApi;
let server: MinimalServer;
beforeAll(async () => { [api, server] = await Promise.all([startTestApi(), startMinimal()]); });
afterAll(async () => {
  await api.stop();
  await server.close();
});

/** The role that a token has now; null when it has ended. */
async function roleOf(token: string): Promise<string | null> {
  const answer = await api.gql(ROLES, {}, token);
  return answer.status === 401 ? null : answer.data.viewer.memberships[0]?.role ?? 'none';
}

async function create(token: string | null, input: object = {}): Promise<{ id: string; secret: string; expiresAt: string | null }> {
  const { token: created, secret } = await api.must('CreateToken', { input: { team: TEAM, name: 'made here', ...input } }, token ?? api.adminToken);
  return { id: created.id, secret, expiresAt: created.expiresAt };
}

async function refusal(document: string, input: object, token: string | null = api.adminToken): Promise<{ code: string; field: string[] | null; message: string }> {
  const answer = await api.gql(document, { input }, token);
  const [payload] = Object.values(answer.data as Record<string, { userErrors: { code: string; field: string[] | null; message: string }[] }>);
  expect(payload!.userErrors).toHaveLength(1);
  return payload!.userErrors[0]!;
}

/** Read past the API. */
async function rowsOf<Row extends object>(url: string, sql: string, values: string[] = []): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql, values)).rows;
  } finally {
    await client.end();
  }
}

const setRole = (member: TestMember, role: string) => api.must('SetMember', { input: { team: TEAM, subject: member.subject, role } });

describe('a token', () => {
  it('has its creator\'s role from the next request on, when that is lowered, and the member\'s again when it is raised', async () => {
    const creator = await api.member('ADMIN');
    const bot = await api.member('ADMIN');
    const token = await create(creator.token, { memberId: bot.id });
    expect(await roleOf(token.secret)).toBe('ADMIN');
    await setRole(creator, 'MEMBER');
    expect(await roleOf(token.secret)).toBe('MEMBER');
    expect(await refusal('SetMember', { team: TEAM, subject: 'x', role: 'MEMBER' }, token.secret)).toMatchObject({ code: 'FORBIDDEN' });
    await setRole(creator, 'ADMIN');
    await setRole(bot, 'MANAGER');
    expect(await roleOf(token.secret)).toBe('MANAGER');
  });

  it('ends with the membership of its creator, and with that of its member', async () => {
    const creator = await api.member('ADMIN');
    const [bot, other] = [await api.member('MEMBER'), await api.member('MEMBER')];
    const [byCreator, ofOther] = [await create(creator.token, { memberId: bot.id }), await create(null, { memberId: other.id })];
    await api.must('RemoveMember', { input: { team: TEAM, memberId: creator.id } });
    await api.must('RemoveMember', { input: { team: TEAM, memberId: other.id } });
    expect([await roleOf(byCreator.secret), await roleOf(ofOther.secret), await roleOf(bot.token)]).toEqual([null, null, 'MEMBER']);
  });

  it('that was made with a token has no more of a role, and lasts no longer, than those behind that token', async () => {
    const admin = await api.member('ADMIN');
    const bot = await api.member('ADMIN');
    const first = await create(admin.token, { memberId: bot.id });
    const forItself = await create(first.secret);
    const forOther = await create(first.secret, { memberId: (await api.member('ADMIN')).id });
    await setRole(admin, 'MEMBER');
    expect([await roleOf(forItself.secret), await roleOf(forOther.secret)]).toEqual(['MEMBER', 'MEMBER']);
    await api.must('RemoveMember', { input: { team: TEAM, memberId: admin.id } });
    expect([await roleOf(forItself.secret), await roleOf(forOther.secret), await roleOf(bot.token)]).toEqual([null, null, 'ADMIN']);
  });

  it('expires no later than the token that it was made with, and not in the past', async () => {
    const member = await api.member('MEMBER');
    const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
    const parent = await create(member.token, { expiresAt: inAnHour });
    expect((await create(parent.secret)).expiresAt).toBe(inAnHour);
    const field = ['input', 'expiresAt'];
    expect(await refusal('CreateToken', { team: TEAM, name: 'longer', expiresAt: new Date(Date.now() + 7_200_000).toISOString() }, parent.secret)).toMatchObject({ code: 'INVALID', field });
    expect(await refusal('CreateToken', { team: TEAM, name: 'past', expiresAt: '2020-01-01T00:00:00Z' })).toMatchObject({ code: 'INVALID', field });
  });

  it('stops when it expires', async () => {
    let token = { secret: '' };
    // Made again where the machine stood still until it was over.
    await until(async () => {
      token = await create(null, { expiresAt: new Date(Date.now() + 3000).toISOString() });
      return (await roleOf(token.secret)) === 'ADMIN';
    });
    await until(async () => (await roleOf(token.secret)) === null);
    expect((await api.gql(ROLES, {}, token.secret)).errors[0]!.message).toContain('expired');
  });

  it('works in one team only', async () => {
    await api.team('elsewhere');
    const token = await create(null);
    const { memberships } = await api.must('{ viewer { memberships { team { slug } } } }', {}, token.secret);
    expect(memberships).toEqual([{ team: { slug: TEAM } }]);
  });

  it('shows its secret once, and is stored as a hash', async () => {
    const token = await create(null);
    const { node } = (await api.gql('query ($id: ID!) { node(id: $id) { ... on Token { name prefix } } }', { id: token.id })).data;
    expect(node).toEqual({ name: 'made here', prefix: token.secret.slice(0, 12) });
    const rows = await rowsOf<{ row: string }>(api.databaseUrl, 'select t::text as row from tokens t');
    expect(rows.some(({ row }) => row.includes(token.secret.slice(4, 40)))).toBe(false);
    expect(api.logs().join('\n')).not.toContain(token.secret.slice(12));
  });

  it('is for local members, or for its creator: also when they name themselves', async () => {
    const member = await api.member('MEMBER');
    expect((await create(member.token, { memberId: member.id })).secret).toMatch(/^flt_/);
    expect(await refusal('CreateToken', { team: TEAM, name: 'theirs', memberId: (await api.member('MEMBER')).id }, member.token)).toMatchObject({ code: 'FORBIDDEN' });
  });

  it('isn\'t for assignments yet, and says so', async () => {
    expect(await refusal('CreateToken', { team: TEAM, name: 'a', assignmentId: 'x' })).toMatchObject({ code: 'NOT_FOUND', field: ['input', 'assignmentId'] });
    expect(await refusal('CreateToken', { team: TEAM, name: 'a', onBehalfOf: true })).toMatchObject({ code: 'INVALID', field: ['input', 'onBehalfOf'] });
  });

  it('is revoked by its creator, its member or an administrator, and ends at once', async () => {
    const [creator, bot, bystander] = [await api.member('ADMIN'), await api.member('MEMBER'), await api.member('MANAGER')];
    const make = () => create(creator.token, { memberId: bot.id });
    const tokens = [await make(), await make(), await make()];
    expect(await refusal('RevokeToken', { id: tokens[0]!.id }, bystander.token)).toMatchObject({ code: 'NOT_FOUND', field: ['input', 'id'] });
    const by = [creator.token, tokens[1]!.secret, api.adminToken];
    for (const [index, token] of tokens.entries()) {
      expect(await roleOf(token.secret)).toBe('MEMBER');
      await api.must('RevokeToken', { input: { id: token.id } }, by[index]);
      expect(await roleOf(token.secret)).toBeNull();
    }
    expect(await refusal('RevokeToken', { id: tokens[0]!.id })).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('says when it was used last', async () => {
    const database = await createDatabase(MIGRATED);
    const first = await startTestApi({ database });
    const member = await first.member('MEMBER');
    await first.gql(ROLES, {}, member.token);
    await first.stop();
    const second = await startTestApi({ database, keys: first.keys });
    const { secret: _unused, token: unused } = await second.must('CreateToken', { input: { team: TEAM, name: 'unused', memberId: member.id } });
    const seen = async (where: string) => second.must(`{ viewer { id } }`).then(() => lastUsed(database.url, where));
    expect(await seen(`hash = sha256('${member.token}')`)).toBeInstanceOf(Date);
    expect(unused.lastUsedAt).toBeNull();
    await second.stop();
    await database.drop();
  });
});

async function lastUsed(url: string, where: string): Promise<unknown> {
  return (await rowsOf<{ last_used_at: unknown }>(url, `select last_used_at from tokens where ${where}`))[0]?.last_used_at;
}

describe('members', () => {
  it('leave with their enrollments and tokens; their calls stay on record by name', async () => {
    const member = await api.member('MEMBER', { subject: 'leaver' });
    const { connectionType } = await api.must('CreateConnectionType', { input: { team: TEAM, displayName: 'Left behind', serverUrl: server.url, authMethod: 'NONE' } });
    const { enrollment } = await member.must('Enroll', { input: { connectionTypeId: connectionType.id } });
    const { toolCall } = await member.must('CallTool', { input: { connectionTypeId: connectionType.id, tool: 'echo' } });
    await member.must('RemoveMember', { input: { team: TEAM, memberId: member.id } });
    expect(await roleOf(member.token)).toBeNull();
    const node = 'query ($id: ID!) { node(id: $id) { id } }';
    expect((await api.gql(node, { id: enrollment.id })).data.node).toBeNull();
    expect((await api.gql(node, { id: member.id })).data.node).toBeNull();
    expect((await api.must('ToolCall', { id: toolCall.id })).caller.displayName).toBe('leaver');
  });

  it('are changed in place: the same person keeps their id', async () => {
    const { member: first } = await api.must('SetMember', { input: { team: TEAM, subject: 'kim', displayName: 'Kim', role: 'MEMBER' } });
    const { member: second } = await api.must('SetMember', { input: { team: TEAM, subject: 'kim', role: 'MANAGER' } });
    expect(second).toEqual({ ...first, role: 'MANAGER' });
  });

  it.each([
    ['an empty subject', { subject: '' }, 'subject'], ['a subject with a line break', { subject: 'a\nb' }, 'subject'], ['half a character', { subject: 'a\ud800' }, 'subject'],
    ['too long a subject', { subject: 'x'.repeat(256) }, 'subject'], ['too long a name', { displayName: 'x'.repeat(101) }, 'displayName'],
    ['people who sign in, where nobody does', { local: false }, 'local'],
  ])('refuse %s', async (_what, input, field) => {
    const document = 'mutation ($input: SetMemberInput!) { setMember(input: $input) { userErrors { code message field } } }';
    expect(await refusal(document, { team: TEAM, subject: 'fine', role: 'MEMBER', ...input })).toMatchObject({ code: 'INVALID', field: ['input', field] });
  });
});

describe('the last administrator', () => {
  const slug = 'small';
  let id: string;
  beforeAll(async () => {
    await api.team(slug);
    id = (await api.must('Members', { team: slug })).members.nodes[0].id;
  });
  /** By the database: who removed the administrator that made their token has nothing left to ask with. */
  async function administrators(): Promise<number> {
    return (await rowsOf(api.databaseUrl, `select from members join teams on teams.id = team_id where slug = $1 and role = 'ADMIN'`, [slug])).length;
  }

  it('can\'t leave, be removed or lose the role', async () => {
    expect(await refusal('RemoveMember', { team: slug, memberId: id })).toMatchObject({ code: 'FORBIDDEN', field: ['input', 'memberId'] });
    expect(await refusal('SetMember', { team: slug, subject: 'admin', role: 'MEMBER' })).toMatchObject({ code: 'FORBIDDEN', field: ['input', 'role'] });
    expect(await administrators()).toBe(1);
  });

  it('stays when two administrators remove each other at the same time', async () => {
    const second = await api.member('ADMIN', { team: slug });
    const outcomes = await Promise.all([
      api.gql('RemoveMember', { input: { team: slug, memberId: second.id } }), second.gql('RemoveMember', { input: { team: slug, memberId: id } }),
    ]);
    expect(outcomes.filter((answer) => answer.data?.removeMember.removedId != null)).toHaveLength(1);
    expect(await administrators()).toBe(1);
  });
});

describe('a new team', () => {
  it('is its creator\'s at once, within the same request', async () => {
    const document = `mutation ($input: CreateTeamInput!) { createTeam(input: $input) {
      team { slug members { nodes { role } } enrollments { totalCount } connectionTypes { totalCount } toolCalls { totalCount } auditEvents { nodes { action } } } userErrors { code } } }`;
    const { team } = await api.must(document, { input: { slug: 'fresh-team', displayName: 'Fresh' } });
    expect(team).toEqual({
      slug: 'fresh-team', members: { nodes: [{ role: 'ADMIN' }] }, enrollments: { totalCount: 0 }, connectionTypes: { totalCount: 0 }, toolCalls: { totalCount: 0 },
      auditEvents: { nodes: [{ action: 'createTeam' }] },
    });
  });

  it('needs a slug of its own', async () => {
    expect(await refusal('CreateTeam', { slug: TEAM, displayName: 'Again' })).toMatchObject({ code: 'ALREADY_EXISTS', field: ['input', 'slug'] });
    expect(await refusal('CreateTeam', { slug: 'Not A Label', displayName: 'X' })).toMatchObject({ code: 'INVALID', field: ['input', 'slug'] });
  });
});

describe('pages', () => {
  it.each(['members', 'enrollments', 'toolCalls', 'auditEvents', 'connectionTypes'])('of %s refuse a cursor of another list', async (field) => {
    const wrong = Buffer.from(field === 'connectionTypes' ? 'c:a\u0000b' : 'c:a-name').toString('base64url');
    const answer = await api.gql(`query ($after: String) { team(slug: "default") { ${field}(after: $after) { totalCount } } }`, { after: wrong });
    expect(answer.errors[0]?.extensions).toMatchObject({ code: 'INVALID', field: ['after'] });
  });

  it('of calls are empty for a connection type that isn\'t there', async () => {
    const document = 'query ($filter: ToolCallFilter) { team(slug: "default") { toolCalls(filter: $filter) { totalCount } } }';
    expect(await api.must(document, { filter: { connectionTypeId: 'no-id' } })).toEqual({ toolCalls: { totalCount: 0 } });
  });
});
