import { ALLOWED, from, only, team, type AccessRow } from './row.js';
import type { AccessWorld } from './world.js';

const NODE = 'query ($id: ID!) { node(id: $id) { id __typename } }';
const inTeam = (selection: string): string => `query ($slug: String!) { team(slug: $slug) { ${selection} } }`;
const slug = (): object => ({ slug: 'default' });
const id = (kind: keyof AccessWorld['ids']) => ({ ids }: AccessWorld): object => ({ id: ids[kind] });
const MANAGERS_AND_OWNER = { INSTALLATION: ALLOWED, ADMIN: ALLOWED, MANAGER: ALLOWED, MEMBER: null, OWNER: ALLOWED, STRANGER: null };

/** What can be read, and by whom. */
export const QUERY_ROWS: AccessRow[] = [
  {
    covers: ['Query.viewer', 'Viewer.memberships'], title: 'the caller\'s own memberships', document: '{ viewer { memberships { role team { slug } } } }', variables: () => ({}),
    sees: (viewer) => viewer.memberships.map((one: { role: string; team: { slug: string } }) => `${one.team.slug} ${one.role}`),
    gets: {
      INSTALLATION: ['default ADMIN', 'other ADMIN'], ADMIN: ['default ADMIN'], MANAGER: ['default MANAGER'], MEMBER: ['default MEMBER'], OWNER: ['default MEMBER'], STRANGER: ['other ADMIN'],
    },
  },
  { covers: ['Query.team'], title: 'a team by its slug', document: inTeam('id slug displayName'), variables: slug, gets: team(ALLOWED, null) },
  { covers: ['Query.node'], title: 'a team', document: NODE, variables: id('team'), gets: team(ALLOWED, null) },
  { covers: ['Query.node'], title: 'another team', document: NODE, variables: id('otherTeam'), gets: team(null, ALLOWED, { INSTALLATION: ALLOWED }) },
  { covers: ['Query.node'], title: 'a member', document: NODE, variables: id('member'), gets: team(ALLOWED, null) },
  { covers: ['Query.node'], title: 'a token of somebody', document: NODE, variables: id('token'), gets: { ...MANAGERS_AND_OWNER, MANAGER: null } },
  { covers: ['Query.node'], title: 'a connection type', document: NODE, variables: id('guarded'), gets: team(ALLOWED, null) },
  { covers: ['Query.node'], title: 'an enrollment that isn\'t shared', document: NODE, variables: id('enrollment'), gets: only('OWNER', null) },
  { covers: ['Query.node'], title: 'a shared enrollment', document: NODE, variables: id('pooledEnrollment'), gets: team(ALLOWED, null) },
  { covers: ['Query.node'], title: 'a tool of somebody\'s login', document: NODE, variables: id('ownTool'), gets: only('OWNER', null) },
  { covers: ['Query.node'], title: 'a tool of the type\'s list', document: NODE, variables: id('pooledTool'), gets: team(ALLOWED, null) },
  { covers: ['Query.node'], title: 'a call', document: NODE, variables: id('call'), gets: MANAGERS_AND_OWNER },
  { covers: ['Query.connectionType'], title: 'a connection type', document: 'query ($id: ID!) { connectionType(id: $id) { id } }', variables: id('guarded'), gets: team(ALLOWED, null) },
  { covers: ['Query.enrollment'], title: 'an enrollment that isn\'t shared', document: 'query ($id: ID!) { enrollment(id: $id) { id } }', variables: id('enrollment'), gets: only('OWNER', null) },
  { covers: ['Query.enrollment'], title: 'a shared enrollment', document: 'query ($id: ID!) { enrollment(id: $id) { id } }', variables: id('pooledEnrollment'), gets: team(ALLOWED, null) },
  { covers: ['Query.node'], title: 'an assignment', document: NODE, variables: id('assignment'), gets: team(ALLOWED, null) },
  { covers: ['Query.assignment'], title: 'an assignment', document: 'query ($id: ID!) { assignment(id: $id) { id slots { connectionType { id } } } }', variables: id('assignment'), gets: team(ALLOWED, null) },
  {
    covers: ['Team.assignments'], title: 'the team\'s assignments', document: inTeam('assignments(first: 100) { nodes { name } }'), variables: slug,
    sees: (value) => value.assignments.nodes.length > 0, gets: team(true, null),
  },
  {
    covers: ['Assignment.pins'], title: 'one\'s own pins and those for everybody', document: 'query ($id: ID!) { assignment(id: $id) { pins { member { displayName } enrollment { label } } } }',
    variables: id('assignment'), sees: (value) => value.pins.map((pin: { member: object | null; enrollment: { label: string } }) => pin.enrollment.label).toSorted(),
    gets: team(['of the team'], null, { OWNER: ['of the owner', 'of the team'] }),
  },
  {
    covers: ['Assignment.readiness'], title: 'whether one is connected oneself', document: 'query ($id: ID!) { assignment(id: $id) { readiness { ready problems { code } } } }',
    variables: id('assignment'), sees: (value) => value.readiness.problems.map(({ code }: { code: string }) => code), gets: team(['NOT_CONNECTED'], null, { OWNER: [] }),
  },
  {
    covers: ['Assignment.readiness'], title: 'whether somebody is connected', document: 'query ($id: ID!, $memberId: ID) { assignment(id: $id) { readiness(memberId: $memberId) { ready } } }',
    variables: ({ ids }) => ({ id: ids.assignment, memberId: ids.member }), sees: (value) => value.readiness.ready, gets: { ...from('MANAGER'), INSTALLATION: true, ADMIN: true, MANAGER: true, OWNER: true, STRANGER: null },
  },
  {
    covers: ['Assignment.tools'], title: 'the tools of one\'s own login, and of shared ones', document: 'query ($id: ID!) { assignment(id: $id) { tools { connectionType { id } tool { name } callable requiresApproval } } }',
    variables: id('assignment'), sees: (value) => value.tools.map(({ callable, requiresApproval }: { callable: boolean; requiresApproval: boolean }) => [callable, requiresApproval]),
    gets: team([[true, false]], null, { OWNER: [[true, true], [true, false]] }),
  },
  { covers: ['Query.toolCall'], title: 'a call', document: 'query ($id: ID!) { toolCall(id: $id) { id } }', variables: id('call'), gets: MANAGERS_AND_OWNER },
  {
    covers: ['Query.probeServer'], title: 'a look at a server', document: 'query ($input: ProbeServerInput!) { probeServer(input: $input) { verdict } }',
    variables: ({ guardedServer }) => ({ input: { team: 'default', serverUrl: guardedServer.url } }), gets: from('MANAGER'),
  },

  {
    covers: ['Team.members'], title: 'everybody in the team', document: inTeam('members(first: 100) { nodes { id } }'), variables: slug,
    sees: (value) => value.members.nodes.length > 5, gets: team(true, null),
  },
  {
    covers: ['Team.connectionTypes'], title: 'the catalog', document: inTeam('connectionTypes(first: 100) { nodes { id } }'), variables: slug,
    sees: (value) => value.connectionTypes.nodes.length > 1, gets: team(true, null),
  },
  {
    covers: ['Team.enrollments'], title: 'one\'s own and the shared ones', document: inTeam('enrollments(first: 100) { nodes { label } }'), variables: slug,
    sees: (value) => value.enrollments.nodes.map((node: { label: string }) => node.label).filter((label: string) => label.startsWith('of the')),
    gets: team(['of the team'], null, { OWNER: ['of the owner', 'of the team'] }),
  },
  {
    covers: ['Team.toolCalls'], title: 'calls: one\'s own, or all for managers', document: inTeam('toolCalls(first: 100) { nodes { caller { displayName } } }'), variables: slug,
    sees: (value) => value.toolCalls.nodes.some((node: { caller: { displayName: string } }) => node.caller.displayName === 'owner'),
    gets: { INSTALLATION: true, ADMIN: true, MANAGER: true, MEMBER: false, OWNER: true, STRANGER: null },
  },
  { covers: ['Team.auditEvents'], title: 'the audit trail', document: inTeam('auditEvents { totalCount }'), variables: slug, gets: { ...from('MANAGER'), STRANGER: null } },

  {
    covers: ['ConnectionType.tools'], title: 'the tools of one\'s own login, and nobody else\'s', document: 'query ($id: ID!) { connectionType(id: $id) { toolCount tools { totalCount nodes { name } } } }',
    variables: id('guarded'), sees: (type) => [type.toolCount, type.tools.totalCount, type.tools.nodes.length], gets: team([0, 0, 0], null, { OWNER: [1, 1, 1] }),
  },
  {
    covers: ['ConnectionType.tools'], title: 'the tools that a shared enrollment lists', document: 'query ($id: ID!) { connectionType(id: $id) { toolCount tools { totalCount nodes { name } } } }',
    variables: id('pooled'), sees: (type) => [type.toolCount, type.tools.totalCount, type.tools.nodes.length], gets: team([1, 1, 1], null),
  },
  {
    covers: ['ConnectionType.viewerEnrollments'], title: 'one\'s own enrollments', document: 'query ($id: ID!) { connectionType(id: $id) { viewerEnrollments { label } } }',
    variables: id('guarded'), sees: (type) => type.viewerEnrollments.length, gets: team(0, null, { OWNER: 1 }),
  },
  {
    covers: ['ConnectionType.viewerCan'], title: 'what one may do', document: 'query ($id: ID!) { connectionType(id: $id) { viewerCan { update delete enroll } } }',
    variables: id('guarded'), sees: ({ viewerCan }) => [viewerCan.update, viewerCan.delete, viewerCan.enroll],
    gets: team([true, true, true], null, { MEMBER: [false, false, true], OWNER: [false, false, true] }),
  },
  {
    covers: ['Enrollment.credential', 'Enrollment.owner', 'Enrollment.connectionType'], title: 'what is known of a shared credential',
    document: 'query ($id: ID!) { enrollment(id: $id) { owner { displayName } connectionType { id } credential { kind fields { name isSet } } } }', variables: id('pooledEnrollment'),
    sees: (enrollment) => [enrollment.owner.displayName, enrollment.credential], gets: team(['manager', { kind: 'ACCESS_TOKEN', fields: [{ name: 'accessToken', isSet: true }] }], null),
  },
  {
    covers: ['ToolCall.arguments', 'ToolCall.content', 'ToolCall.structuredContent'], title: 'what went in and came out',
    document: 'query ($id: ID!) { toolCall(id: $id) { arguments content { __typename } structuredContent } }', variables: id('call'),
    sees: (call) => [call.arguments, call.content, call.structuredContent],
    gets: { ...team([null, null, null], null), MEMBER: null, OWNER: [{ nonce: 'seen by its caller only' }, [{ __typename: 'TextContent' }], null] },
  },
  {
    covers: ['ToolCall.enrollment'], title: 'the enrollment of a call', document: 'query ($id: ID!) { toolCall(id: $id) { enrollment { label } } }', variables: id('call'),
    sees: (call) => [call.enrollment], gets: { ...team([null], null), MEMBER: null, OWNER: [{ label: 'of the owner' }] },
  },
  {
    covers: ['ToolCall.connectionType', 'ToolCall.caller', 'ToolCall.onBehalfOf'], title: 'who called what',
    document: 'query ($id: ID!) { toolCall(id: $id) { caller { displayName } onBehalfOf { id } connectionType { id } } }', variables: id('call'),
    sees: (call) => call.caller.displayName, gets: { ...team('owner', null), MEMBER: null },
  },
];
