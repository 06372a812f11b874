import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi, type TestApi, type TestMember } from '#test/support/api.js';
import { startMinimal, type MinimalServer } from '#test/support/mcp-servers/minimal.js';

/** How many SQL statements a page takes does not depend on its length: each relation is read once for the whole page (style rule 3 on traps). */

const MANY = 20;
const statements: string[] = [];
let api: TestApi;
let server: MinimalServer;
let few: TestMember;
let many: TestMember;

beforeAll(async () => {
  [api, server] = await Promise.all([startTestApi({ onStatement: (sql) => statements.push(sql) }), startMinimal()]);
  few = await fill('few', 1);
  many = await fill('many', MANY);
});
afterAll(async () => {
  await Promise.all([api?.stop(), server?.close()]);
});

/** A team with so many of everything: types, members, enrollments of one person, calls. Returns that person. */
async function fill(team: string, count: number): Promise<TestMember> {
  await api.team(team);
  const manager = await api.member('MANAGER', { team });
  for (let number = 1; number <= count; number++) {
    const { connectionType } = await manager.must('CreateConnectionType', { input: { team, displayName: `Type ${number}`, serverUrl: server.url, authMethod: 'NONE' } });
    await manager.must('Enroll', { input: { connectionTypeId: connectionType.id } });
    await manager.must('CallTool', { input: { connectionTypeId: connectionType.id, tool: 'echo', arguments: {} } });
    await manager.must('CreateAssignment', { input: { team, name: `Job ${number}`, slots: [{ connectionTypeId: connectionType.id }] } });
    await api.must('SetMember', { input: { team, subject: `teammate-${number}`, role: 'MEMBER' } });
  }
  return manager;
}

const ENROLLMENTS = /* GraphQL */ `
  query Enrollments($team: String!, $first: Int) {
    team(slug: $team) { enrollments(first: $first) { totalCount nodes { id label state owner { displayName } connectionType { name state conditions { type } viewerEnrollments { id } } action { label } conditions { type } credential { kind } } } }
  }`;
const TOOL_CALLS = /* GraphQL */ `
  query Calls($team: String!, $first: Int) {
    team(slug: $team) { toolCalls(first: $first) { totalCount nodes { id arguments contentState content { __typename } enrollment { id state owner { displayName } } connectionType { name state toolCount tools(first: 5) { totalCount nodes { name } } } } } }
  }`;
const AUDIT = /* GraphQL */ `
  query Audit($team: String!, $first: Int) { team(slug: $team) { auditEvents(first: $first) { totalCount nodes { id action actorName outcome } } } }`;
const VIEWER_TEAMS = /* GraphQL */ `
  query Everything($first: Int) {
    viewer { memberships { team { members(first: $first) { totalCount nodes { id } } connectionTypes(first: $first) { nodes { name tools(first: 3) { nodes { name } } viewerEnrollments { state } } } } } }
  }`;

/** What the process does by itself: its heartbeat, calls to cancel, approvals that expire, tokens' last use, what is left to revoke. */
const OWN = /\bprocesses\b|cancel_requested_at is not null|^update "?tokens|^delete|oauth_leftovers|^with expired as/i;

/** The statements of one request, as they were sent. The first request of each kind only warms what is cached. */
async function statementsOf(member: TestMember, document: string, variables: object): Promise<{ sql: string[]; rows: number }> {
  await member.gql(document, variables);
  const from = statements.length;
  const { data, errors } = await member.gql(document, variables);
  expect(errors).toEqual([]);
  return { sql: statements.slice(from).filter((sql) => !OWN.test(sql)).toSorted(), rows: JSON.stringify(data).length };
}

describe(`a page of 1 and a page of ${MANY} take the same statements:`, () => {
  it.each([
    ['Catalog', 'Catalog', 7], ['Members', 'Members', 3], ['ToolCalls', 'ToolCalls', 3], ['enrollments with all their relations', ENROLLMENTS, 8],
    ['calls with all their relations', TOOL_CALLS, 10], ['Assignments', 'Assignments', 6], ['the audit trail', AUDIT, 3], ['the viewer\'s teams with their catalogs', VIEWER_TEAMS, 7],
  ])('%s', async (_name, document, count) => {
    const one = await statementsOf(few, document, { team: 'few', first: 50 });
    const twenty = await statementsOf(many, document, { team: 'many', first: 50 });
    expect(twenty.rows).toBeGreaterThan(one.rows * 5);
    expect(twenty.sql.map(shape)).toEqual(one.sql.map(shape));
    expect(one.sql).toHaveLength(count);
  });
});

/** A statement without the number of its placeholders: `in ($1, $2)` and `in ($1)` are one statement for one page. */
function shape(sql: string): string {
  return sql.replaceAll(/\$\d+(?:\s*,\s*\$\d+)*/g, '$');
}
