import { ALLOWED, from, only, team, type AccessRow } from './row.js';
import { OWNERS_KEY, type AccessWorld } from './world.js';

const ERRORS = 'userErrors { code message field }';
const mutation = (field: string, selection = ''): string => `mutation ($input: ${field[0]!.toUpperCase()}${field.slice(1)}Input!) { ${field}(input: $input) { ${selection} ${ERRORS} } }`;
const MEMBERS = team(ALLOWED, 'NOT_FOUND');
const ofFresh = (make: (world: AccessWorld) => Promise<string>, rest: object = {}) => async (world: AccessWorld): Promise<object> => ({ input: { id: await make(world), ...rest } });
/** For somebody's shared enrollment: it is there for the team, but not theirs to change. */
const OF_MANAGER = team('FORBIDDEN', 'NOT_FOUND', { MANAGER: ALLOWED });

const owned = (field: string, selection: string, rest: (world: AccessWorld) => object = () => ({})): AccessRow[] => [
  {
    covers: [`Mutation.${field}`], title: 'an enrollment that isn\'t shared', document: mutation(field, selection),
    variables: async (world) => ({ input: { id: await world.enrollment('OWNER'), ...rest(world) } }), gets: only('OWNER'),
  },
  {
    covers: [`Mutation.${field}`], title: 'a shared enrollment', document: mutation(field, selection),
    variables: async (world) => ({ input: { id: await world.enrollment('MANAGER', true), ...rest(world) } }), gets: OF_MANAGER,
  },
];

/** What can be changed, and by whom. */
export const MUTATION_ROWS: AccessRow[] = [
  {
    covers: ['Mutation.createTeam'], title: 'a new team', document: mutation('createTeam'), variables: (world) => ({ input: { slug: world.fresh('team'), displayName: 'New' } }),
    gets: team('FORBIDDEN', 'FORBIDDEN', { INSTALLATION: ALLOWED }),
  },
  {
    covers: ['Mutation.setMember'], title: 'a new member', document: mutation('setMember'),
    variables: (world) => ({ input: { team: 'default', subject: world.fresh('new'), role: 'MEMBER' } }), gets: from('ADMIN'),
  },
  {
    covers: ['Mutation.removeMember'], title: 'somebody else', document: mutation('removeMember', 'removedId'),
    variables: async (world) => ({ input: { team: 'default', memberId: await world.member() } }), gets: from('ADMIN'),
  },
  { covers: ['Mutation.createToken'], title: 'for oneself', document: mutation('createToken'), variables: () => ({ input: { team: 'default', name: 'mine' } }), gets: MEMBERS },
  {
    covers: ['Mutation.createToken'], title: 'for a local member', document: mutation('createToken'),
    variables: async (world) => ({ input: { team: 'default', name: 'theirs', memberId: await world.member() } }), gets: from('ADMIN'),
  },
  {
    covers: ['Mutation.revokeToken'], title: 'a token that acts as OWNER', document: mutation('revokeToken', 'revokedId'), variables: ofFresh((world) => world.token()),
    gets: { ...only('OWNER'), INSTALLATION: ALLOWED, ADMIN: ALLOWED },
  },

  {
    covers: ['Mutation.bindNamespace'], title: 'a namespace', document: mutation('bindNamespace'),
    variables: () => ({ input: { team: 'default', namespace: 'of-default' } }), gets: from('ADMIN'),
  },
  {
    covers: ['Mutation.unbindNamespace'], title: 'the team\'s namespace', document: mutation('unbindNamespace'),
    variables: () => ({ input: { team: 'default' } }), gets: from('ADMIN'),
  },
  { covers: ['Mutation.confirmDeletions'], title: 'what is held back', document: mutation('confirmDeletions', 'confirmed'), variables: () => ({ input: { team: 'default' } }), gets: from('ADMIN') },
  { covers: ['Mutation.offerOwnership'], title: 'a type', document: mutation('offerOwnership', 'annotation'), variables: ofFresh((world) => world.mirroredType()), gets: from('MANAGER') },
  { covers: ['Mutation.takeOwnership'], title: 'a type whose manifest is gone', document: mutation('takeOwnership', 'takenId'), variables: ofFresh((world) => world.orphanedType()), gets: from('MANAGER') },

  {
    covers: ['Mutation.createConnectionType'], title: 'a new type', document: mutation('createConnectionType'),
    variables: (world) => ({ input: { team: 'default', displayName: world.fresh('type'), serverUrl: world.guardedServer.url, authMethod: 'ACCESS_TOKEN' } }), gets: from('MANAGER'),
  },
  {
    covers: ['Mutation.updateConnectionType'], title: 'a change', document: mutation('updateConnectionType'),
    variables: ofFresh((world) => world.type(), { expectedVersion: 1, description: 'changed' }), gets: from('MANAGER'),
  },
  { covers: ['Mutation.deleteConnectionType'], title: 'the end', document: mutation('deleteConnectionType', 'deletedId'), variables: ofFresh((world) => world.type()), gets: from('MANAGER') },
  { covers: ['Mutation.checkConnectionType'], title: 'a look', document: mutation('checkConnectionType'), variables: ({ ids }) => ({ input: { id: ids.guarded } }), gets: MEMBERS },
  {
    covers: ['Mutation.acceptToolChange'], title: 'a tool of the type\'s list', document: mutation('acceptToolChange'),
    variables: async (world) => ({ input: { toolId: world.ids.pooledTool, definitionHash: await hashOf(world, 'MANAGER', 'pooled') } }), gets: from('MANAGER'),
  },
  {
    covers: ['Mutation.acceptToolChange'], title: 'a tool of somebody\'s login', document: mutation('acceptToolChange'),
    variables: async (world) => ({ input: { toolId: world.ids.ownTool, definitionHash: await hashOf(world, 'OWNER', 'guarded') } }), gets: { ...only('OWNER'), OWNER: 'FORBIDDEN' },
  },

  {
    covers: ['Mutation.enroll'], title: 'oneself', document: mutation('enroll'),
    variables: (world) => ({ input: { connectionTypeId: world.ids.pooled, label: world.fresh('enrolled'), accessToken: OWNERS_KEY } }), gets: MEMBERS,
  },
  ...owned('updateEnrollment', 'enrollment { id }', () => ({ accessToken: OWNERS_KEY })),
  ...owned('confirmEnrollment', 'enrollment { id }', ({ guardedServer }) => ({ serverUrl: guardedServer.url })),
  ...owned('refreshEnrollment', 'enrollment { id }'),
  ...owned('deleteEnrollment', 'deletedId'),
  {
    covers: ['Mutation.startAuthorization'], title: 'an enrollment that isn\'t shared (and takes a token, which only its owner hears)', document: mutation('startAuthorization'),
    variables: async (world) => ({ input: { enrollmentId: await world.enrollment('OWNER') } }), gets: { ...only('OWNER'), OWNER: 'INVALID' },
  },
  {
    covers: ['Mutation.startAuthorization'], title: 'a shared enrollment', document: mutation('startAuthorization'),
    variables: async (world) => ({ input: { enrollmentId: await world.enrollment('MANAGER', true) } }), gets: { ...OF_MANAGER, MANAGER: 'INVALID' },
  },
  {
    covers: ['Mutation.shareEnrollment'], title: 'sharing what a plain member owns', document: mutation('shareEnrollment'),
    variables: ofFresh((world) => world.enrollment('OWNER'), { shared: true }), gets: { ...only('OWNER'), OWNER: 'FORBIDDEN' },
  },
  {
    covers: ['Mutation.shareEnrollment'], title: 'sharing what a manager owns', document: mutation('shareEnrollment'),
    variables: ofFresh((world) => world.enrollment('MANAGER'), { shared: true }), gets: only('MANAGER'),
  },
  {
    covers: ['Mutation.shareEnrollment'], title: 'ending a share', document: mutation('shareEnrollment'),
    variables: ofFresh((world) => world.enrollment('MANAGER', true), { shared: false }), gets: from('MANAGER'),
  },
  {
    covers: ['Mutation.shareEnrollment'], title: 'sharing what is shared already', document: mutation('shareEnrollment'),
    variables: ofFresh((world) => world.enrollment('MANAGER', true), { shared: true }), gets: OF_MANAGER,
  },

  {
    covers: ['Mutation.updateTeam'], title: 'the policy', document: mutation('updateTeam', 'team { slug }'), variables: () => ({ input: { team: 'default', destructiveTools: 'ALLOW' } }), gets: from('ADMIN'),
  },
  {
    covers: ['Mutation.createToken'], title: 'for an assignment', document: mutation('createToken'),
    variables: ({ ids }) => ({ input: { team: 'default', name: 'job', assignmentId: ids.assignment, onBehalfOf: true } }), gets: MEMBERS,
  },
  {
    covers: ['Mutation.createAssignment'], title: 'a new one', document: mutation('createAssignment', 'assignment { id }'),
    variables: (world) => ({ input: { team: 'default', name: world.fresh('job'), slots: [{ connectionTypeId: world.ids.pooled }] } }), gets: from('MANAGER'),
  },
  {
    covers: ['Mutation.updateAssignment'], title: 'a change', document: mutation('updateAssignment', 'assignment { id }'),
    variables: ofFresh((world) => world.assignment(), { expectedVersion: 1, slots: [] }), gets: from('MANAGER'),
  },
  { covers: ['Mutation.deleteAssignment'], title: 'the end', document: mutation('deleteAssignment', 'deletedId'), variables: ofFresh((world) => world.assignment()), gets: from('MANAGER') },
  {
    covers: ['Mutation.pinEnrollment'], title: 'one\'s own enrollment', document: mutation('pinEnrollment', 'assignment { id }'),
    variables: async (world) => ({ input: { assignmentId: await world.assignment(), enrollmentId: world.ids.enrollment } }), known: ['assignmentId'], gets: only('OWNER'),
  },
  {
    covers: ['Mutation.pinEnrollment'], title: 'a shared enrollment', document: mutation('pinEnrollment', 'assignment { id }'),
    variables: async (world) => ({ input: { assignmentId: await world.assignment(), enrollmentId: world.ids.pooledEnrollment } }), gets: from('MANAGER'),
  },
  {
    covers: ['Mutation.unpinEnrollment'], title: 'what is pinned for everybody', document: mutation('unpinEnrollment', 'assignment { id }'),
    variables: async (world) => {
      const input = { assignmentId: await world.assignment(), enrollmentId: world.ids.pooledEnrollment };
      await world.must('MANAGER', 'PinEnrollment', { input });
      return { input };
    },
    gets: from('MANAGER'),
  },
  {
    covers: ['Mutation.approveToolCall'], title: 'a call of OWNER', document: mutation('approveToolCall', 'toolCall { status }'), variables: ofFresh((world) => world.pendingCall()),
    gets: { ...from('MANAGER'), MEMBER: 'NOT_FOUND' },
  },
  {
    covers: ['Mutation.denyToolCall'], title: 'a call of OWNER', document: mutation('denyToolCall', 'toolCall { status }'), variables: ofFresh((world) => world.pendingCall()),
    gets: { ...from('MANAGER'), MEMBER: 'NOT_FOUND' },
  },
  {
    covers: ['Mutation.callTool'], title: 'for an assignment', document: mutation('callTool', 'toolCall { status }'),
    variables: ({ ids }) => ({ input: { connectionTypeId: ids.pooled, tool: 'echo', assignmentId: ids.assignment } }), gets: MEMBERS,
  },
  {
    covers: ['Mutation.callTool'], title: 'through one\'s own enrollment', document: mutation('callTool', 'toolCall { status }'),
    variables: ({ ids }) => ({ input: { connectionTypeId: ids.guarded, tool: 'echo' } }), gets: team('NOT_CONNECTED', 'NOT_FOUND', { OWNER: ALLOWED }),
  },
  {
    covers: ['Mutation.callTool'], title: 'through a shared enrollment', document: mutation('callTool', 'toolCall { status }'),
    variables: ({ ids }) => ({ input: { connectionTypeId: ids.pooled, tool: 'echo', enrollmentId: ids.pooledEnrollment } }), gets: MEMBERS,
  },
  {
    covers: ['Mutation.callTool'], title: 'through somebody\'s enrollment that isn\'t shared', document: mutation('callTool', 'toolCall { status }'),
    variables: ({ ids }) => ({ input: { connectionTypeId: ids.guarded, tool: 'echo', enrollmentId: ids.enrollment } }), known: ['connectionTypeId'], gets: only('OWNER'),
  },
  {
    covers: ['Mutation.callTool'], title: 'in a team by its slug', document: mutation('callTool', 'toolCall { status }'),
    variables: ({ ids }) => ({ input: { team: 'default', connectionType: 'type-2', tool: 'echo', enrollmentId: ids.pooledEnrollment } }), gets: MEMBERS,
  },
  {
    covers: ['Mutation.cancelToolCall'], title: 'a call', document: mutation('cancelToolCall', 'toolCall { status }'), variables: ({ ids }) => ({ input: { id: ids.call } }),
    gets: { ...MEMBERS, MEMBER: 'NOT_FOUND' },
  },
];

async function hashOf(world: AccessWorld, person: 'MANAGER' | 'OWNER', type: 'pooled' | 'guarded'): Promise<string> {
  const found = await world.must(person, 'query ($id: ID!) { connectionType(id: $id) { tools { nodes { definitionHash } } } }', { id: world.ids[type] });
  return found.tools.nodes[0].definitionHash;
}
