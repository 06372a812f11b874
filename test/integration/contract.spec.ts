import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi, type TestApi, type TestMember } from '#test/support/api.js';
import { contractDocuments } from '#test/support/contract.js';
import { startEverything, type EverythingServer } from '#test/support/mcp-servers/everything.js';
import type { TestListener } from '#test/support/mcp-servers/listener.js';
import { startMinimal, type MinimalServer } from '#test/support/mcp-servers/minimal.js';
import { startDual } from '#test/support/mcp-servers/sdk-server.js';
import { BIG_INTEGER, HOLOGRAM, PIXEL } from '#test/support/mcp-servers/test-tools.js';
import { until } from '#test/support/mcp-servers/until.js';

/** Every document of the contract that is served, sent verbatim to a real API, with real MCP servers behind it. Each `describe` is a journey: its steps build on each other. */

let api: TestApi;
let everything: EverythingServer;
let keyed: MinimalServer;
let moved: MinimalServer;
let dual: TestListener;
const open: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  const credential = { header: 'Authorization', value: 'Bearer good-token-4711' };
  [api, everything, keyed, moved, dual] = await Promise.all([startTestApi(), startEverything(), startMinimal({ credential }), startMinimal({ credential }), startDual()]);
  open.push(everything, keyed, moved, dual);
});
afterAll(async () => {
  await api?.stop();
  await Promise.all(open.map((server) => server.close()));
});

const sent = new Set<string>();
const ID = expect.stringMatching(/^[\w-]{20,}$/) as unknown;
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as unknown;
const HASH = expect.stringMatching(/^[0-9a-f]{64}$/) as unknown;

/** Sends a document of the contract, and returns the value of its root field. By the administrator, unless somebody else is named. */
async function ask(name: string, variables: object = {}, who: { token: string } = { token: api.adminToken }) {
  sent.add(name);
  const { status, data, errors } = await api.gql(name, variables, who.token);
  expect({ name, status, errors }).toEqual({ name, status: 200, errors: [] });
  const [value] = Object.values(data as object);
  return value;
}

describe('people and tokens', () => {
  let ada: TestMember;

  it('Viewer says who is calling, and where', async () => {
    expect(await ask('Viewer')).toEqual({ id: ID, displayName: expect.any(String), memberships: [{ role: 'ADMIN', team: { slug: 'default', displayName: 'Default' } }] });
  });

  it('CreateTeam makes its creator the first administrator', async () => {
    expect(await ask('CreateTeam', { input: { slug: 'crew', displayName: 'The Crew' } })).toEqual({ team: { id: ID, slug: 'crew', displayName: 'The Crew' }, userErrors: [] });
    expect((await ask('Viewer')).memberships).toContainEqual({ role: 'ADMIN', team: { slug: 'crew', displayName: 'The Crew' } });
  });

  it('refuses as data: Refusal has every field', async () => {
    expect(await ask('CreateTeam', { input: { slug: 'crew', displayName: 'Again' } })).toEqual({
      team: null, userErrors: [{ code: 'ALREADY_EXISTS', message: expect.stringContaining('crew'), field: ['input', 'slug'], retryable: false, retryAfterMs: null, action: null }],
    });
  });

  it('SetMember adds a local member, Members lists them', async () => {
    const { member, userErrors } = await ask('SetMember', { input: { team: 'crew', subject: 'ada', displayName: 'Ada', role: 'MEMBER' } });
    expect({ member, userErrors }).toEqual({ member: { id: ID, subject: 'ada', displayName: 'Ada', role: 'MEMBER', local: true }, userErrors: [] });
    expect(await ask('Members', { team: 'crew' })).toEqual({ members: { totalCount: 2, nodes: expect.arrayContaining([member]) } });
  });

  it('CreateToken shows a secret once, RevokeToken ends it', async () => {
    ada = await api.member('MEMBER', { team: 'crew', subject: 'ada' });
    const created = await ask('CreateToken', { input: { team: 'crew', name: 'ci', expiresAt: '2099-01-01T00:00:00Z' } }, ada);
    expect(created).toEqual({ secret: expect.stringMatching(/^flt_/), token: { id: ID, name: 'ci', prefix: expect.stringMatching(/^flt_/), expiresAt: '2099-01-01T00:00:00.000Z', lastUsedAt: null }, userErrors: [] });
    expect(created.secret.startsWith(created.token.prefix)).toBe(true);
    expect((await ask('Viewer', {}, { token: created.secret })).memberships).toEqual([{ role: 'MEMBER', team: { slug: 'crew', displayName: 'The Crew' } }]);
    expect(await ask('RevokeToken', { input: { id: created.token.id } }, ada)).toEqual({ revokedId: created.token.id, userErrors: [] });
    expect((await api.gql('Viewer', {}, created.secret)).errors).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }]);
  });

  it('CreateToken says what isn\'t there yet', async () => {
    expect((await ask('CreateToken', { input: { team: 'crew', name: 'x', assignmentId: 'x' } })).userErrors).toMatchObject([{ code: 'NOT_FOUND', field: ['input', 'assignmentId'] }]);
    expect((await ask('CreateToken', { input: { team: 'crew', name: 'x', onBehalfOf: true } })).userErrors).toMatchObject([{ code: 'INVALID', field: ['input', 'onBehalfOf'] }]);
  });

  it('RemoveMember ends the membership and its tokens', async () => {
    expect(await ask('RemoveMember', { input: { team: 'crew', memberId: ada.id } })).toEqual({ removedId: ada.id, userErrors: [] });
    expect((await api.gql('Viewer', {}, ada.token)).errors).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }]);
    expect(await ask('Members', { team: 'crew', first: 50 })).toMatchObject({ members: { totalCount: 1 } });
  });
});

describe('the catalog', () => {
  const team = 'catalog';
  let manager: TestMember;
  let entry: { id: string; version: number };
  beforeAll(async () => {
    await api.team(team);
    manager = await api.member('MANAGER', { team });
  });

  it('Probe says what a server is, before anything is saved', async () => {
    expect(await ask('Probe', { input: { team, serverUrl: everything.url } }, manager)).toEqual({
      verdict: 'OK', message: expect.stringContaining('tools'), protocolVersion: '2025-11-25', server: { name: expect.stringContaining('everything'), version: expect.any(String) },
      toolCount: 13, suggestedAuthMethod: 'NONE',
      oauth: { outcome: 'NOT_SUPPORTED', issuer: null, authorizationEndpoint: null, registrationMethods: [], scopesSupported: [], redirectUri: `${api.url}/oauth/callback`, message: expect.any(String) },
      steps: expect.arrayContaining([
        { name: 'address', outcome: 'OK', message: expect.any(String), durationMs: null }, { name: 'TLS', outcome: 'SKIPPED', message: expect.any(String), durationMs: null },
        { name: 'MCP', outcome: 'OK', message: expect.any(String), durationMs: expect.any(Number) }, { name: 'tools', outcome: 'OK', message: '13 tools', durationMs: expect.any(Number) },
      ]),
    });
    expect(await ask('Probe', { input: { team, serverUrl: keyed.url, authMethod: 'ACCESS_TOKEN' } }, manager)).toMatchObject({ verdict: 'AUTHENTICATION_REQUIRED', suggestedAuthMethod: 'ACCESS_TOKEN', toolCount: null });
    expect(await ask('Probe', { input: { team, serverUrl: keyed.url, accessToken: 'good-token-4711' } }, manager)).toMatchObject({ verdict: 'OK', toolCount: 1 });
    expect(await ask('Probe', { input: { team, serverUrl: keyed.url, headers: [{ name: 'Authorization', value: 'Bearer good-token-4711' }] } }, manager)).toMatchObject({ verdict: 'OK' });
  });

  it('CreateConnectionType of the method NONE answers with everything there is to know', async () => {
    const created = await ask('CreateConnectionType', { input: { team, displayName: 'Every Thing', serverUrl: everything.url, authMethod: 'NONE' } }, manager);
    expect(created).toEqual({
      connectionType: {
        id: ID, name: 'every-thing', displayName: 'Every Thing', description: null, serverUrl: everything.url, authMethod: 'NONE', origin: 'API', version: 1,
        state: 'READY', action: null, manifest: null, protocolVersion: '2025-11-25', server: { name: expect.any(String), version: expect.any(String) },
        accessToken: null, headers: [], oauth: null, health: { intervalSeconds: 60, timeoutSeconds: 10 },
        calls: { timeoutMs: 60_000, maxResultBytes: 1_048_576, ratePerMinute: null, concurrency: null },
        toolPolicy: { allow: [], deny: [], onChange: 'WARN', trustAnnotations: false }, deletionPolicy: 'DELETE',
        conditions: expect.arrayContaining(['Reachable', 'ToolsSynced', 'Ready'].map((type) => ({ type, status: 'TRUE', reason: expect.any(String), message: expect.any(String), lastTransitionTime: TIME, observedGeneration: 1 }))),
        lastCheckedAt: TIME, nextCheckAt: null, viewerCan: { update: true, delete: true, enroll: true }, createdAt: TIME, updatedAt: TIME,
      },
      userErrors: [],
    });
    entry = created.connectionType;
  });

  it('CreateConnectionType takes the methods ACCESS_TOKEN and CUSTOM_HEADERS with what they declare', async () => {
    const token = await ask('CreateConnectionType', { input: { team, displayName: 'Keyed', serverUrl: keyed.url, authMethod: 'ACCESS_TOKEN', accessToken: { header: 'Authorization', prefix: 'Bearer ' } } }, manager);
    expect(token).toMatchObject({ userErrors: [], connectionType: { state: 'READY', accessToken: { header: 'Authorization', prefix: 'Bearer ' }, headers: [] } });
    const defaults = await ask('CreateConnectionType', { input: { team, displayName: 'Keyed by default', name: 'keyed-2', serverUrl: keyed.url, authMethod: 'ACCESS_TOKEN' } }, manager);
    expect(defaults).toMatchObject({ userErrors: [], connectionType: { name: 'keyed-2', accessToken: { header: 'Authorization', prefix: 'Bearer ' } } });
    const headers = [{ name: 'X-Api-Key', description: 'From your profile', required: true, secret: true }];
    const custom = await ask('CreateConnectionType', { input: { team, displayName: 'Headed', serverUrl: everything.url, authMethod: 'CUSTOM_HEADERS', headers } }, manager);
    expect(custom).toMatchObject({ userErrors: [], connectionType: { state: 'READY', accessToken: null, headers } });
  });

  it('CreateConnectionType saves an unreachable server when told to, and not otherwise', async () => {
    const input = { team, displayName: 'Down', serverUrl: 'http://127.0.0.1:9/mcp', authMethod: 'NONE' };
    expect(await ask('CreateConnectionType', { input }, manager)).toMatchObject({ connectionType: null, userErrors: [{ code: 'SERVER_REFUSED', field: ['input', 'serverUrl'], retryable: true }] });
    expect(await ask('CreateConnectionType', { input: { ...input, allowUnreachable: true } }, manager)).toMatchObject({ connectionType: { state: 'UNREACHABLE', lastCheckedAt: TIME }, userErrors: [] });
  });

  it('CreateConnectionType refuses OAUTH where the server offers none', async () => {
    const input = { team, displayName: 'No login', serverUrl: everything.url, authMethod: 'OAUTH', oauth: { clientId: 'a', clientSecret: 'b', scopes: ['c'] } };
    expect(await ask('CreateConnectionType', { input }, manager)).toMatchObject({ connectionType: null, userErrors: [{ code: 'OAUTH_NOT_SUPPORTED', field: ['input', 'authMethod'] }] });
  });

  it('UpdateConnectionType moves the version, and refuses a stale one', async () => {
    const input = { id: entry.id, expectedVersion: entry.version, description: 'All of it', calls: { timeoutMs: 5000 }, toolPolicy: { deny: ['get-env'] } };
    expect(await ask('UpdateConnectionType', { input }, manager)).toMatchObject({
      userErrors: [], connectionType: { version: 2, description: 'All of it', calls: { timeoutMs: 5000, maxResultBytes: 1_048_576 }, toolPolicy: { deny: ['get-env'] }, state: 'READY' },
    });
    expect(await ask('UpdateConnectionType', { input }, manager)).toMatchObject({ connectionType: null, userErrors: [{ code: 'STALE_VERSION', field: ['input', 'expectedVersion'] }] });
  });

  it('CheckConnectionType looks at it now', async () => {
    const before = (await ask('CheckConnectionType', { input: { id: entry.id } }, manager)).connectionType;
    const { connectionType, userErrors } = await ask('CheckConnectionType', { input: { id: entry.id } }, manager);
    expect({ userErrors, state: connectionType.state, version: connectionType.version }).toEqual({ userErrors: [], state: 'READY', version: 2 });
    expect(Date.parse(connectionType.lastCheckedAt)).toBeGreaterThan(Date.parse(before.lastCheckedAt));
  });

  it('Catalog shows types, their tools and the viewer\'s enrollments, page by page', async () => {
    const first = await ask('Catalog', { team, first: 1 }, manager);
    expect(first).toMatchObject({ slug: team, connectionTypes: { totalCount: 5, pageInfo: { hasNextPage: true, endCursor: expect.any(String) }, nodes: [{ name: 'down', toolCount: 0, tools: { totalCount: 0, nodes: [] }, viewerEnrollments: [] }] } });
    const second = await ask('Catalog', { team, first: 50, after: first.connectionTypes.pageInfo.endCursor }, manager);
    expect(second.connectionTypes).toMatchObject({ totalCount: 5, pageInfo: { hasNextPage: false }, nodes: [{ name: 'every-thing', toolCount: 13 }, { name: 'headed' }, { name: 'keyed' }, { name: 'keyed-2' }] });
    const [type] = second.connectionTypes.nodes;
    expect(type.tools.totalCount).toBe(13);
    expect(type.tools.nodes.find((tool: { name: string }) => tool.name === 'echo')).toEqual({
      id: ID, name: 'echo', title: 'Echo Tool', description: expect.any(String), inputSchema: expect.objectContaining({ type: 'object' }), outputSchema: null, definitionHash: HASH, state: 'CALLABLE',
      annotations: expect.objectContaining({ readOnlyHint: expect.any(Boolean) }), change: null,
    });
    expect(type.tools.nodes.find((tool: { name: string }) => tool.name === 'get-env')).toMatchObject({ state: 'DENIED' });
  });

  it('AcceptToolChange makes a changed tool callable again', async () => {
    const changing = await startMinimal();
    open.push(changing);
    const created = await ask('CreateConnectionType', { input: { team, displayName: 'Changing', serverUrl: changing.url, authMethod: 'NONE', toolPolicy: { onChange: 'BLOCK' } } }, manager);
    const { id } = created.connectionType;
    changing.tools[0]!.description = 'Gives everything away.';
    await ask('CheckConnectionType', { input: { id } }, manager);
    const catalog = await ask('Catalog', { team }, manager);
    const [tool] = catalog.connectionTypes.nodes.find((type: { id: string }) => type.id === id).tools.nodes;
    expect(tool).toMatchObject({ name: 'echo', state: 'BLOCKED_BY_CHANGE', change: { fromHash: HASH, toHash: tool.definitionHash, diff: expect.anything(), detectedAt: TIME } });
    expect(await ask('AcceptToolChange', { input: { toolId: tool.id, definitionHash: tool.change.fromHash } }, manager)).toMatchObject({ tool: null, userErrors: [{ code: 'STALE_VERSION' }] });
    expect(await ask('AcceptToolChange', { input: { toolId: tool.id, definitionHash: tool.definitionHash } }, manager)).toMatchObject({
      tool: { id: tool.id, state: 'CALLABLE', change: null, description: 'Gives everything away.' }, userErrors: [],
    });
  });

  it('DeleteConnectionType takes its enrollments along', async () => {
    await ask('Enroll', { input: { connectionTypeId: entry.id } }, manager);
    expect(await ask('DeleteConnectionType', { input: { id: entry.id, expectedVersion: 1 } }, manager)).toMatchObject({ deletedId: null, userErrors: [{ code: 'STALE_VERSION' }] });
    expect(await ask('DeleteConnectionType', { input: { id: entry.id, expectedVersion: 2 } }, manager)).toEqual({ deletedId: entry.id, enrollmentsDeleted: 1, userErrors: [] });
    expect(await ask('CallTool', { input: { team, connectionType: 'every-thing', tool: 'echo', arguments: { message: 'x' } } }, manager)).toMatchObject({ toolCall: null, userErrors: [{ code: 'NOT_FOUND' }] });
  });
});

describe('enrolling', () => {
  const team = 'enrolling';
  let manager: TestMember;
  let type: { id: string; name: string; version: number };
  let enrollment: { id: string };
  beforeAll(async () => {
    await api.team(team);
    manager = await api.member('MANAGER', { team, subject: 'grace' });
    type = (await manager.must('CreateConnectionType', { input: { team, displayName: 'Keyed', serverUrl: keyed.url, authMethod: 'ACCESS_TOKEN' } })).connectionType;
  });

  it('Enroll tries the credential before it is stored', async () => {
    expect(await ask('Enroll', { input: { connectionTypeId: type.id, accessToken: 'wrong' } }, manager)).toMatchObject({
      enrollment: null, authorization: null, userErrors: [{ code: 'CREDENTIAL_REJECTED', field: ['input', 'accessToken'] }],
    });
    const enrolled = await ask('Enroll', { input: { connectionTypeId: type.id, label: 'mine', accessToken: 'good-token-4711' } }, manager);
    expect(enrolled).toEqual({
      enrollment: {
        id: ID, label: 'mine', shared: false, origin: 'API', owner: { id: manager.id, displayName: 'grace' }, connectionType: { id: type.id, name: 'keyed' }, state: 'READY', action: null, manifest: null,
        conditions: expect.arrayContaining(['Authorized', 'Ready'].map((name) => ({ type: name, status: 'TRUE', reason: expect.any(String), message: '', lastTransitionTime: TIME, observedGeneration: 1 }))),
        credential: {
          kind: 'ACCESS_TOKEN', fields: [{ name: 'accessToken', isSet: true, updatedAt: TIME }], scopes: [], expiresAt: null, refreshAt: null, lastRefreshAt: null, failedRefreshes: 0, nextAttemptAt: null,
        },
        createdAt: TIME, updatedAt: TIME,
      },
      authorization: null, userErrors: [],
    });
    enrollment = enrolled.enrollment;
    expect((await ask('Catalog', { team, first: 50 }, manager)).connectionTypes.nodes[0].viewerEnrollments).toEqual([enrolled.enrollment]);
  });

  it('Enroll with headers, which UpdateEnrollment merges by name', async () => {
    const headers = [{ name: 'X-Api-Key', required: true }, { name: 'X-Region', required: false, secret: false }];
    const headed = (await manager.must('CreateConnectionType', { input: { team, displayName: 'Headed', serverUrl: everything.url, authMethod: 'CUSTOM_HEADERS', headers } })).connectionType;
    const enrolled = await ask('Enroll', { input: { connectionTypeId: headed.id, headers: [{ name: 'X-Api-Key', value: 'secret-4711' }] } }, manager);
    expect(enrolled).toMatchObject({ userErrors: [], enrollment: { label: '', state: 'READY', credential: { kind: 'CUSTOM_HEADERS', fields: [{ name: 'X-Api-Key', isSet: true }] } } });
    const updated = await ask('UpdateEnrollment', { input: { id: enrolled.enrollment.id, headers: [{ name: 'X-Region', value: 'north' }] } }, manager);
    expect(updated).toMatchObject({ userErrors: [], enrollment: { credential: { fields: [{ name: 'X-Api-Key', isSet: true }, { name: 'X-Region', isSet: true }] } } });
    const cleared = await ask('UpdateEnrollment', { input: { id: enrolled.enrollment.id, headers: [{ name: 'X-Region', value: null }] } }, manager);
    expect(cleared).toMatchObject({ userErrors: [], enrollment: { credential: { fields: [{ name: 'X-Api-Key', isSet: true }, { name: 'X-Region', isSet: false }] } } });
    expect(await ask('Enroll', { input: { connectionTypeId: type.id, accessToken: 'good-token-4711', returnUrl: 'https://example.com' } }, manager)).toMatchObject({ userErrors: [{ code: 'INVALID', field: ['input', 'returnUrl'] }] });
  });

  it('UpdateEnrollment: absent keeps, a value replaces, null clears', async () => {
    const state = async (input: object) => ask('UpdateEnrollment', { input: { id: enrollment.id, ...input } }, manager);
    expect(await state({ label: 'renamed' })).toMatchObject({ userErrors: [], enrollment: { label: 'renamed', state: 'READY', credential: { fields: [{ isSet: true }] } } });
    expect(await state({ accessToken: 'wrong' })).toMatchObject({ enrollment: null, userErrors: [{ code: 'CREDENTIAL_REJECTED' }] });
    expect(await state({ accessToken: null })).toMatchObject({ userErrors: [], enrollment: { label: 'renamed', state: 'ACTION_REQUIRED', action: { label: expect.any(String) }, credential: { fields: [{ isSet: false }] } } });
    expect(await state({ accessToken: 'good-token-4711' })).toMatchObject({ userErrors: [], enrollment: { state: 'READY', action: null } });
  });

  it('ConfirmEnrollment: after the address changed, the credential goes there only when its owner says so', async () => {
    const input = { id: type.id, expectedVersion: type.version, serverUrl: moved.url };
    expect(await ask('UpdateConnectionType', { input }, manager)).toMatchObject({ userErrors: [], connectionType: { serverUrl: moved.url } });
    const suspended = (await ask('Catalog', { team }, manager)).connectionTypes.nodes.find((node: { id: string }) => node.id === type.id).viewerEnrollments[0];
    expect(suspended).toMatchObject({ state: 'SUSPENDED', action: { label: expect.stringContaining(moved.url) } });
    expect(await ask('CallTool', { input: { connectionTypeId: type.id, tool: 'echo', arguments: {} } }, manager)).toMatchObject({ toolCall: null, userErrors: [{ code: 'ENROLLMENT_SUSPENDED' }] });
    expect(moved.counts.withCredential).toBe(0);
    expect(await ask('ConfirmEnrollment', { input: { id: enrollment.id, serverUrl: keyed.url } }, manager)).toMatchObject({ enrollment: null, userErrors: [{ code: 'STALE_VERSION', field: ['input', 'serverUrl'] }] });
    expect(await ask('ConfirmEnrollment', { input: { id: enrollment.id, serverUrl: moved.url } }, manager)).toMatchObject({ enrollment: { id: enrollment.id, state: 'READY', action: null }, userErrors: [] });
  });

  it('RefreshEnrollment tries the credential now', async () => {
    expect(await ask('RefreshEnrollment', { input: { id: enrollment.id } }, manager)).toMatchObject({ enrollment: { id: enrollment.id, state: 'READY' }, userErrors: [] });
  });

  it('ShareEnrollment lets a teammate call with it, and ends that', async () => {
    const ada = await api.member('MEMBER', { team });
    const call = () => ask('CallTool', { input: { connectionTypeId: type.id, tool: 'echo', arguments: { nonce: 'n1' } } }, ada);
    expect(await call()).toMatchObject({ toolCall: null, userErrors: [{ code: 'NOT_CONNECTED' }] });
    expect(await ask('ShareEnrollment', { input: { id: enrollment.id, shared: true } }, manager)).toMatchObject({ enrollment: { shared: true }, userErrors: [] });
    expect(await call()).toMatchObject({ toolCall: { status: 'SUCCEEDED', enrollment: { id: enrollment.id } }, userErrors: [] });
    expect(await ask('ShareEnrollment', { input: { id: enrollment.id, shared: false } }, manager)).toMatchObject({ enrollment: { shared: false }, userErrors: [] });
    expect(await call()).toMatchObject({ toolCall: null, userErrors: [{ code: 'NOT_CONNECTED' }] });
  });

  it('DeleteEnrollment says what became of the credential at the provider', async () => {
    expect(await ask('DeleteEnrollment', { input: { id: enrollment.id } }, manager)).toEqual({ deletedId: enrollment.id, revocation: { outcome: 'NOT_NEEDED', message: expect.any(String) }, userErrors: [] });
    expect(await ask('DeleteEnrollment', { input: { id: enrollment.id } }, manager)).toMatchObject({ deletedId: null, userErrors: [{ code: 'NOT_FOUND' }] });
  });
});

describe('calls', () => {
  const team = 'calling';
  let ada: TestMember;
  let type: { id: string };
  beforeAll(async () => {
    await api.team(team);
    const manager = await api.member('MANAGER', { team });
    ada = await api.member('MEMBER', { team, subject: 'ada' });
    type = (await manager.must('CreateConnectionType', { input: { team, displayName: 'Dual', serverUrl: dual.url, authMethod: 'NONE' } })).connectionType;
    await ada.must('Enroll', { input: { connectionTypeId: type.id } });
  });
  const call = (tool: string, args: object = {}, input: object = {}) => ask('CallTool', { input: { connectionType: 'dual', tool, arguments: args, ...input } }, ada);

  it('CallTool answers with the whole record', async () => {
    expect(await call('echo', { message: 'hi' }, { team })).toEqual({
      toolCall: {
        id: ID, tool: 'echo', status: 'SUCCEEDED', connectionTypeName: 'dual', connectionType: { id: type.id, name: 'dual' }, enrollment: { id: ID, label: '' },
        caller: { id: ada.id, displayName: 'ada' }, assignment: null, arguments: { message: 'hi' }, contentState: 'AVAILABLE', structuredContent: null,
        content: [{ __typename: 'TextContent', text: 'hi' }], error: null, progress: null, approval: null, startedAt: TIME, finishedAt: TIME, durationMs: expect.any(Number),
      },
      userErrors: [],
    });
  });

  it.each([
    ['image', [{ __typename: 'ImageContent', data: PIXEL, mimeType: 'image/png' }]],
    ['audio', [{ __typename: 'AudioContent', data: 'UklGRg==', mimeType: 'audio/wav' }]],
    ['link', [{ __typename: 'ResourceLink', uri: 'test://stock', name: 'stock', linkMimeType: 'text/csv' }]],
    ['embedded', [
      { __typename: 'EmbeddedResource', uri: 'test://note', resourceMimeType: 'text/plain', resourceText: 'note', blob: null },
      { __typename: 'EmbeddedResource', uri: 'test://blob', resourceMimeType: 'application/octet-stream', resourceText: null, blob: 'AAEC' },
    ]],
    ['unknown-block', [{ __typename: 'UnknownContent', type: 'hologram', json: HOLOGRAM }]],
  ])('CallTool: content of the tool %s comes through unchanged', async (tool, content) => {
    expect((await call(tool)).toolCall).toMatchObject({ status: 'SUCCEEDED', content });
  });

  it('CallTool: structured content, and integers that a number can\'t hold', async () => {
    expect((await call('structured')).toolCall).toMatchObject({ structuredContent: { answer: 42 } });
    sent.add('CallTool');
    const { text } = await ada.gql('CallTool', { input: { connectionType: 'dual', tool: 'big-integers' } });
    expect(text).toContain(`"structuredContent":{"id":${BIG_INTEGER},"list":[1,${BIG_INTEGER}]}`);
  });

  it('CallTool: a tool\'s own failure is a status of its own', async () => {
    expect(await call('failing')).toMatchObject({ toolCall: { status: 'TOOL_ERROR', content: [{ text: 'the shelf is empty' }], error: null }, userErrors: [] });
  });

  it('CallTool: refused before anything was sent, there is no call', async () => {
    expect(await call('echo', {})).toMatchObject({ toolCall: null, userErrors: [{ code: 'ARGUMENTS_INVALID', field: expect.arrayContaining(['input', 'arguments']) }] });
    expect(await call('nothing')).toMatchObject({ toolCall: null, userErrors: [{ code: 'TOOL_UNKNOWN', field: ['input', 'tool'] }] });
    expect(await call('echo', { message: 'x' }, { assignmentId: 'x' })).toMatchObject({ toolCall: null, userErrors: [{ code: 'NOT_FOUND', field: ['input', 'assignmentId'] }] });
    expect(await call('echo', { message: 'x' }, { connectionTypeId: type.id })).toMatchObject({ toolCall: null, userErrors: [{ code: 'INVALID' }] });
  });

  it('CallTool with a key: the same request gives the same call, another is refused', async () => {
    const first = await call('sum', { a: 2, b: 3 }, { idempotencyKey: 'k1' });
    expect(first).toMatchObject({ toolCall: { status: 'SUCCEEDED', content: [{ text: '5' }] } });
    expect(await call('sum', { b: 3, a: 2 }, { idempotencyKey: 'k1' })).toEqual(first);
    expect(await call('sum', { a: 2, b: 4 }, { idempotencyKey: 'k1' })).toMatchObject({ toolCall: null, userErrors: [{ code: 'IDEMPOTENCY_MISMATCH', field: ['input', 'idempotencyKey'] }] });
  });

  it('CallTool that doesn\'t wait, ToolCall that looks later', async () => {
    const { toolCall } = await call('slow', { ms: 100 }, { wait: false, timeoutMs: 20_000 });
    expect(toolCall).toMatchObject({ id: ID, status: 'RUNNING', finishedAt: null, durationMs: null });
    const look = () => ask('ToolCall', { id: toolCall.id }, ada);
    await until(async () => (await look()).status !== 'RUNNING');
    expect(await look()).toMatchObject({ id: toolCall.id, status: 'SUCCEEDED', contentState: 'AVAILABLE', arguments: { ms: 100 }, content: [{ __typename: 'TextContent', text: 'done' }], finishedAt: TIME });
  });

  it('CancelToolCall ends a call that runs', async () => {
    const { toolCall } = await call('slow', { ms: 60_000 }, { wait: false });
    await until(async () => dual.seen.some(({ body }) => JSON.stringify(body).includes('60000')));
    expect(await ask('CancelToolCall', { input: { id: toolCall.id } }, ada)).toMatchObject({ toolCall: { id: toolCall.id, status: expect.stringMatching(/^(RUNNING|OUTCOME_UNKNOWN)$/) }, userErrors: [] });
    const look = () => ask('ToolCall', { id: toolCall.id }, ada);
    await until(async () => (await look()).status !== 'RUNNING');
    expect(await look()).toMatchObject({ status: 'OUTCOME_UNKNOWN', finishedAt: TIME });
  });

  it('ToolCalls lists them newest first, by filter and page by page', async () => {
    const { toolCalls } = await ask('ToolCalls', { team, first: 2 }, ada);
    expect(toolCalls).toMatchObject({ totalCount: expect.any(Number), pageInfo: { hasNextPage: true, endCursor: expect.any(String) }, nodes: [{ tool: 'slow', status: 'OUTCOME_UNKNOWN' }, { tool: 'slow', status: 'SUCCEEDED', error: null }] });
    const rest = await ask('ToolCalls', { team, first: 50, after: toolCalls.pageInfo.endCursor }, ada);
    expect(rest.toolCalls.nodes).toHaveLength(toolCalls.totalCount - 2);
    expect(rest.toolCalls.nodes.at(-1)).toEqual({ id: ID, tool: 'echo', status: 'SUCCEEDED', connectionTypeName: 'dual', caller: { id: ada.id, displayName: 'ada' }, error: null, startedAt: TIME, finishedAt: TIME, durationMs: expect.any(Number) });
    expect(await ask('ToolCalls', { team, filter: { status: 'TOOL_ERROR', connectionTypeId: type.id } }, ada)).toMatchObject({ toolCalls: { totalCount: 1, nodes: [{ tool: 'failing' }] } });
    expect(await ask('ToolCalls', { team, filter: { assignmentId: 'x' } }, ada)).toMatchObject({ toolCalls: { totalCount: 0, nodes: [] } });
  });
});

const ASSIGNMENTS = ['CreateAssignment', 'UpdateAssignment', 'DeleteAssignment', 'PinEnrollment', 'UnpinEnrollment', 'ApproveToolCall', 'DenyToolCall', 'Assignments', 'Assignment'];

it('every document that is served was sent', () => {
  sent.add('StartAuthorization'); // by contract-oauth.spec.ts
  for (const live of ['ConnectionTypeChanged', 'EnrollmentChanged', 'ToolCallChanged']) sent.add(live); // by live.spec.ts
  for (const name of ASSIGNMENTS) sent.add(name); // by assignments.spec.ts and approvals.spec.ts
  expect([...contractDocuments().keys()].filter((name) => !sent.has(name))).toEqual([]);
});
