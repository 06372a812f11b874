/** The GraphQL documents of the demo, and what it reads of their answers. */

/** Why something was refused. */
export interface Refusal {
  code: string;
  message: string;
}

/** A content block of a tool's answer. */
export interface Block {
  __typename: string;
  text?: string;
  data?: string;
  mimeType?: string;
  uri?: string;
}

/** A call as the demo reads it. */
export interface Call {
  id: string;
  status: string;
  durationMs: number;
  structuredContent: unknown;
  content: Block[] | null;
  error: Refusal | null;
}

/** Answer of `callTool`. */
export interface CallAnswer {
  toolCall: Call | null;
  userErrors: Refusal[];
}

/** Answer of a mutation, whose one other field holds what was made. */
export type Made<Field extends string, Value> = Record<Field, Value | null> & { userErrors: Refusal[] };

/** A connection type as the demo reads it. */
export interface TypeMade {
  id: string;
  name: string;
  state: string;
  toolCount: number;
  oauth: { issuer: string | null; registrationMethod: string | null; redirectUri: string } | null;
}

/** Answer of `enroll`; `authorization` only where a person has to consent. */
export type EnrollmentMade = Made<'enrollment', EnrollmentSeen> & { authorization: Link | null };

/** An enrollment as the demo reads it. */
export interface EnrollmentSeen {
  id: string;
  state: string;
  credential: { scopes: string[] };
}

/** A link to our consent page. */
export interface Link {
  url: string;
  expiresAt: string;
}

/** A server as `probeServer` found it. */
export interface Probe {
  verdict: string;
  message: string;
  server: { name: string; version: string } | null;
  suggestedAuthMethod: string | null;
  oauth: { outcome: string; issuer: string | null; redirectUri: string; message: string } | null;
  steps: { name: string; outcome: string; message: string }[];
}

/** The tools of a connection type; null for who may not see it. */
export interface ToolsOfType {
  connectionType: { tools: { totalCount: number; nodes: { name: string }[] } } | null;
}

/** What managers see of calls and refusals. */
export interface TeamRecord {
  team: {
    toolCalls: { totalCount: number; nodes: { tool: string; status: string; connectionTypeName: string; durationMs: number; caller: { displayName: string } }[] };
    auditEvents: { nodes: { action: string; outcome: string; code: string | null; actorName: string }[] };
  };
}

const REFUSALS = 'userErrors { code message field }';

export const CREATE_TEAM = `mutation ($input: CreateTeamInput!) { createTeam(input: $input) { team { id } ${REFUSALS} } }`;
export const SET_MEMBER = `mutation ($input: SetMemberInput!) { setMember(input: $input) { member { id } ${REFUSALS} } }`;
export const CREATE_TOKEN = `mutation ($input: CreateTokenInput!) { createToken(input: $input) { secret ${REFUSALS} } }`;

export const PROBE = `query ($input: ProbeServerInput!) {
  probeServer(input: $input) { verdict message suggestedAuthMethod server { name version } oauth { outcome issuer redirectUri message } steps { name outcome message } }
}`;
export const CREATE_TYPE = `mutation ($input: CreateConnectionTypeInput!) {
  createConnectionType(input: $input) { connectionType { id name state toolCount oauth { issuer registrationMethod redirectUri } } ${REFUSALS} }
}`;
export const DELETE_TYPE = 'mutation ($input: DeleteConnectionTypeInput!) { deleteConnectionType(input: $input) { deletedId userErrors { code message field } } }';
export const TOOLS = 'query ($id: ID!) { connectionType(id: $id) { tools(first: 50) { totalCount nodes { name } } } }';

export const ENROLL = `mutation ($input: EnrollInput!) {
  enroll(input: $input) { enrollment { id state credential { scopes } } authorization { url expiresAt } ${REFUSALS} }
}`;
export const ENROLLMENT = 'query ($id: ID!) { enrollment(id: $id) { id state credential { scopes } } }';
export const START_AUTHORIZATION = `mutation ($input: StartAuthorizationInput!) {
  startAuthorization(input: $input) { authorization { url expiresAt } ${REFUSALS} }
}`;
export const DELETE_ENROLLMENT = `mutation ($input: DeleteEnrollmentInput!) {
  deleteEnrollment(input: $input) { deletedId revocation { outcome message } ${REFUSALS} }
}`;

export const CALL_TOOL = `mutation ($input: CallToolInput!) {
  callTool(input: $input) {
    toolCall {
      id status durationMs structuredContent
      error { code message }
      content { __typename ... on TextContent { text } ... on ImageContent { data mimeType } ... on ResourceLink { uri } }
    }
    ${REFUSALS}
  }
}`;

export const RECORD = `query {
  team(slug: "default") {
    toolCalls(first: 20) { totalCount nodes { tool status connectionTypeName durationMs caller { displayName } } }
    auditEvents(first: 50) { nodes { action outcome code actorName } }
  }
}`;
