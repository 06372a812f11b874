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
}

/** A server as `probeServer` found it. */
export interface Probe {
  verdict: string;
  message: string;
  server: { name: string; version: string } | null;
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

export const PROBE = 'query ($input: ProbeServerInput!) { probeServer(input: $input) { verdict message server { name version } } }';
export const CREATE_TYPE = `mutation ($input: CreateConnectionTypeInput!) {
  createConnectionType(input: $input) { connectionType { id name state toolCount } ${REFUSALS} }
}`;
export const TOOLS = 'query ($id: ID!) { connectionType(id: $id) { tools(first: 50) { totalCount nodes { name } } } }';

export const ENROLL = `mutation ($input: EnrollInput!) {
  enroll(input: $input) { enrollment { id state credential { fields { name isSet updatedAt } } } ${REFUSALS} }
}`;

export const CALL_TOOL = `mutation ($input: CallToolInput!) {
  callTool(input: $input) {
    toolCall {
      id status durationMs structuredContent
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
