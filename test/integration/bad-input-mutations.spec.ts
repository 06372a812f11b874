import fc from 'fast-check';
import { buildClientSchema, getIntrospectionQuery, type GraphQLSchema } from 'graphql';
import { Client } from 'pg';
import { startTestApi, type GraphqlAnswer, type TestApi, type TestMember } from '#test/support/api.js';
import { anyInput, badPlaces, withBadPlace, type BadPlace } from '#test/support/bad-input/hostile-values.js';
import { startMinimal, type MinimalServer } from '#test/support/mcp-servers/minimal.js';

let api: TestApi;
let server: MinimalServer;
let schema: GraphQLSchema;
let database: Client;

const TOKEN = 'the-one-key-4711';

beforeAll(async () => {
  api = await startTestApi();
  server = await startMinimal({ credential: { header: 'Authorization', value: `Bearer ${TOKEN}` } });
  schema = buildClientSchema((await api.gql(getIntrospectionQuery({ descriptions: false }))).data);
  database = new Client({ connectionString: api.databaseUrl });
  await database.connect();
});
afterAll(async () => {
  await database.end();
  await api.stop();
  await server.close();
});

let names = 0;
const fresh = (word: string): string => `${word}-${++names}`;

async function newType(member: TestMember) {
  const input = { team: 'default', displayName: fresh('Stock'), serverUrl: server.url, authMethod: 'ACCESS_TOKEN' };
  return (await member.must('CreateConnectionType', { input })).connectionType as { id: string; version: number; name: string };
}

const types = new Map<TestMember, Promise<{ id: string; version: number; name: string }>>();

/** One type for each member: a look at a server costs time. */
function typeOf(member: TestMember) {
  let type = types.get(member);
  if (type === undefined) types.set(member, type = newType(member));
  return type;
}

async function newEnrollment(member: TestMember, connectionTypeId: string) {
  return (await member.must('Enroll', { input: { connectionTypeId, label: fresh('label'), accessToken: TOKEN } })).enrollment as { id: string };
}

async function newAssignment(member: TestMember) {
  const slots = [{ connectionTypeId: (await typeOf(member)).id, requireApproval: ['*'] }];
  return (await member.must('CreateAssignment', { input: { team: 'default', name: fresh('job'), slots } })).assignment as { id: string; version: number };
}

/** Of somebody else, since nobody decides about a call of their own. */
async function newPendingCall(member: TestMember): Promise<string> {
  const caller = await api.member('MEMBER', { subject: fresh('caller') });
  const type = await typeOf(member);
  await newEnrollment(caller, type.id);
  const input = { connectionTypeId: type.id, tool: 'echo', assignmentId: (await newAssignment(member)).id, wait: false };
  return (await caller.must('CallTool', { input })).toolCall.id;
}

/** A good input of each mutation, made anew for this member. */
const GOOD: Record<string, (member: TestMember) => Promise<Record<string, unknown>>> = {
  createTeam: async () => ({ slug: fresh('team'), displayName: 'Team' }),
  setMember: async () => ({ team: 'default', subject: fresh('somebody'), displayName: 'Some Body', role: 'MEMBER', local: true }),
  removeMember: async () => ({ team: 'default', memberId: (await api.member('MEMBER', { subject: fresh('leaving') })).id }),
  createToken: async () => ({ team: 'default', name: 'token', expiresAt: '2100-01-01T00:00:00Z' }),
  revokeToken: async (member) => ({ id: (await member.must('CreateToken', { input: { team: 'default', name: 'short' } })).token.id }),
  createConnectionType: async () => ({ team: 'default', displayName: 'Stock', name: fresh('stock'), description: 'What we have.', serverUrl: server.url, authMethod: 'CUSTOM_HEADERS', headers: [{ name: 'X-Key', description: 'A key.', required: true, secret: true }] }),
  updateConnectionType: async (member) => {
    const { id } = await typeOf(member);
    const { version } = (await member.gql('query Q($id: ID!) { connectionType(id: $id) { version } }', { id })).data.connectionType;
    return { id, expectedVersion: version, displayName: 'Stock', accessToken: { header: 'X-Key', prefix: '' } };
  },
  deleteConnectionType: async (member) => {
    const { id, version } = await newType(member);
    return { id, expectedVersion: version };
  },
  checkConnectionType: async (member) => ({ id: (await typeOf(member)).id }),
  acceptToolChange: async (member) => {
    const type = await typeOf(member);
    await newEnrollment(member, type.id);
    const { connectionType } = (await member.gql('query Q($id: ID!) { connectionType(id: $id) { tools { nodes { id definitionHash } } } }', { id: type.id })).data;
    const [tool] = connectionType.tools.nodes as { id: string; definitionHash: string }[];
    return { toolId: tool!.id, definitionHash: tool!.definitionHash };
  },
  enroll: async (member) => ({ connectionTypeId: (await typeOf(member)).id, label: fresh('label'), accessToken: TOKEN }),
  updateEnrollment: async (member) => ({ id: (await newEnrollment(member, (await typeOf(member)).id)).id, label: fresh('other'), accessToken: TOKEN }),
  confirmEnrollment: async (member) => ({ id: (await newEnrollment(member, (await typeOf(member)).id)).id, serverUrl: server.url }),
  refreshEnrollment: async (member) => ({ id: (await newEnrollment(member, (await typeOf(member)).id)).id }),
  shareEnrollment: async (member) => ({ id: (await newEnrollment(member, (await typeOf(member)).id)).id, shared: true }),
  deleteEnrollment: async (member) => ({ id: (await newEnrollment(member, (await typeOf(member)).id)).id }),
  // Of a type without OAuth: its depths are in the specs of consent.
  startAuthorization: async (member) => ({ enrollmentId: (await newEnrollment(member, (await typeOf(member)).id)).id, returnUrl: 'http://localhost:3000/' }),
  callTool: async (member) => {
    const type = await typeOf(member);
    const { id } = await newEnrollment(member, type.id);
    return { team: 'default', connectionType: type.name, tool: 'echo', arguments: { nonce: 'x' }, enrollmentId: id, idempotencyKey: fresh('key'), timeoutMs: 5_000, wait: true };
  },
  cancelToolCall: async (member) => {
    const input = await GOOD['callTool']!(member);
    return { id: (await member.must('CallTool', { input: { ...input, team: undefined } })).toolCall.id };
  },
  updateTeam: async () => ({ team: 'default', destructiveTools: 'ALLOW' }),
  createAssignment: async (member) => ({ team: 'default', name: fresh('job'), slots: [{ connectionTypeId: (await typeOf(member)).id, allowedTools: ['echo'], requireApproval: ['*'] }] }),
  updateAssignment: async (member) => {
    const { id, version } = await newAssignment(member);
    return { id, expectedVersion: version, name: fresh('job'), slots: [{ connectionTypeId: (await typeOf(member)).id, allowedTools: ['echo'], requireApproval: ['*'] }] };
  },
  deleteAssignment: async (member) => ({ id: (await newAssignment(member)).id }),
  pinEnrollment: async (member) => ({ assignmentId: (await newAssignment(member)).id, enrollmentId: (await newEnrollment(member, (await typeOf(member)).id)).id }),
  unpinEnrollment: async (member) => {
    const input = await GOOD['pinEnrollment']!(member);
    await member.must('PinEnrollment', { input });
    return input;
  },
  approveToolCall: async (member) => ({ id: await newPendingCall(member), comment: 'Go on.' }),
  denyToolCall: async (member) => ({ id: await newPendingCall(member), comment: 'Not now.' }),
  bindNamespace: async () => ({ team: 'default', namespace: fresh('namespace') }),
  unbindNamespace: async () => ({ team: 'default' }),
  confirmDeletions: async () => ({ team: 'default' }),
  offerOwnership: async (member) => ({ id: (await typeOf(member)).id }),
  takeOwnership: async (member) => ({ id: (await typeOf(member)).id }),
};

/** What a refused mutation must leave as it was. */
const TABLES = ['teams', 'members', 'tokens', 'connection_types', 'connection_type_status', 'enrollments', 'enrollment_status', 'credentials', 'tools', 'tool_calls', 'tool_call_payloads', 'tool_call_approvals', 'idempotency_keys', 'assignments', 'assignment_slots', 'assignment_pins'];
const COUNTS = `select ${TABLES.map((table) => `(select count(*) from ${table}) as ${table}`).join(', ')},
  (select sum(version) from connection_types) as type_versions, (select sum(version) from credentials) as credential_versions`;
const counted = async (): Promise<string> => JSON.stringify((await database.query(COUNTS)).rows[0]);

/** Text that would be stored as something else, if at all; what a tool is given isn't stored as text. */
function unstorable({ path, value }: BadPlace): boolean {
  return typeof value === 'string' && path[0] !== 'arguments' && (value.includes('\u0000') || !value.isWellFormed());
}

interface Refusal { code: string; message: string; field: string[] | null }

/** What is wrong with an answer to bad input, or null. */
function faultOf({ status, data, errors, text }: GraphqlAnswer, field: string): string | null {
  if (status >= 500) return `HTTP ${status}: ${text.slice(0, 300)}`;
  for (const error of errors) {
    if (!['BAD_USER_INPUT', 'GRAPHQL_VALIDATION_FAILED', 'LIMIT_EXCEEDED'].includes(String(error.extensions['code']))) return `${JSON.stringify(error).slice(0, 300)}`;
  }
  if (errors.length > 0) return null;
  for (const refusal of data[field].userErrors as Refusal[]) {
    if (refusal.code === 'RATE_LIMITED') return 'rate limited: the test sees nothing';
    if (refusal.message.length < 10) return `says nothing: ${JSON.stringify(refusal)}`;
    if (['INVALID', 'NOT_FOUND', 'ALREADY_EXISTS', 'STALE_VERSION', 'NOT_AVAILABLE'].includes(refusal.code) && refusal.field?.[0] !== 'input') return `names no field: ${JSON.stringify(refusal)}`;
    if (refusal.message.includes('\u0000') || refusal.message.length > 3_000) return `repeats what was sent: ${refusal.message.slice(0, 300)}`;
  }
  return null;
}

function documentOf(name: string): string {
  const [argument] = schema.getMutationType()!.getFields()[name]!.args;
  return `mutation M($input: ${argument!.type.toString()}) { ${name}(input: $input) { __typename userErrors { code message field } } }`;
}

it('there is a good input for every mutation', () => {
  expect(Object.keys(GOOD).sort()).toEqual(Object.keys(schema.getMutationType()!.getFields()).sort());
});

it.each(Object.keys(GOOD))('%s answers every bad value in every place with a refusal that says where, and writes nothing then', async (name) => {
  const [argument] = schema.getMutationType()!.getFields()[name]!.args;
  const document = documentOf(name);
  const faults: string[] = [];
  let member = await api.member('ADMIN', { subject: fresh('admin') });
  let good = await GOOD[name]!(member);
  let before = await counted();
  let looks = 0;
  for (const place of badPlaces(argument!.type)) {
    // Looking at servers is limited for each person.
    if (++looks % 40 === 0) {
      member = await api.member('ADMIN', { subject: fresh('admin') });
      good = await GOOD[name]!(member);
      before = await counted();
    }
    const answer = await api.gql(document, { input: withBadPlace(good, argument!.type, place) }, name === 'createTeam' ? api.adminToken : member.token);
    const fault = faultOf(answer, name);
    if (fault !== null) faults.push(`${place.name} → ${fault}`);
    const after = await counted();
    if (answer.errors.length > 0 || answer.data[name].userErrors.length > 0) {
      if (after !== before) faults.push(`${place.name} → refused, but something was written`);
      before = after;
    } else {
      if (unstorable(place)) faults.push(`${place.name} → accepted, though no database holds it`);
      good = await GOOD[name]!(member);
      before = await counted();
    }
  }
  expect(faults).toEqual([]);
});

it.each(Object.keys(GOOD))('%s answers anything of its shape', async (name) => {
  const [argument] = schema.getMutationType()!.getFields()[name]!.args;
  const document = documentOf(name);
  const member = await api.member('ADMIN', { subject: fresh('admin') });
  await fc.assert(fc.asyncProperty(anyInput(argument!.type), async (input) => {
    const answer = await api.gql(document, { input }, name === 'createTeam' ? api.adminToken : member.token);
    expect(faultOf(answer, name)).toBe(null);
  }), { numRuns: 20 });
});

it('nothing of all that was a fault of ours, by the logs', () => {
  expect(api.logs().filter((line) => (JSON.parse(line) as { level: number }).level >= 50).slice(0, 10)).toEqual([]);
});
