import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { buildSchema, Kind, parse, print, separateOperations, specifiedRules, validate, type DocumentNode, type OperationDefinitionNode } from 'graphql';
import { shapeOf } from '#api/graphql/document-shape.js';
import { GRAPHQL_LIMITS, limitRule } from '#api/graphql/limits.js';
import { costOf } from '#api/graphql/operation-cost.js';

/** The contract's schema as far as cost is concerned: which fields are objects, lists and pages. */
const SCHEMA = buildSchema(/* GraphQL */ `
  scalar JSON
  type Query {
    viewer: Member! team(slug: String!): Team probeServer(input: Any!): Probe! toolCall(id: ID!): ToolCall assignment(id: ID): Assignment
  }
  input Any { id: ID }
  type PageInfo { hasNextPage: Boolean! endCursor: String }
  type Team {
    id: ID! slug: String! displayName: String! members(first: Int = 50): Members! assignments(first: Int = 20): Assignments!
    connectionTypes(first: Int = 20, after: String): ConnectionTypes! toolCalls(first: Int = 20, after: String, filter: Any): ToolCalls!
  }
  type Members { totalCount: Int! nodes: [Member!]! pageInfo: PageInfo! }
  type ConnectionTypes { totalCount: Int! nodes: [ConnectionType!]! pageInfo: PageInfo! }
  type ToolCalls { totalCount: Int! nodes: [ToolCall!]! pageInfo: PageInfo! }
  type Tools { totalCount: Int! nodes: [Tool!]! pageInfo: PageInfo! }
  type Assignments { totalCount: Int! nodes: [Assignment!]! pageInfo: PageInfo! }
  type Member { id: ID! subject: String displayName: String role: String local: Boolean memberships: [Membership!]! }
  type Membership { role: String! team: Team! }
  type Token { id: ID! name: String! prefix: String! expiresAt: String lastUsedAt: String }
  type UserError { code: String! message: String! field: [String!] retryable: Boolean! retryAfterMs: Int action: Action }
  type Action { label: String! url: String }
  type Server { name: String version: String }
  type Probe {
    verdict: String! message: String! protocolVersion: String server: Server toolCount: Int suggestedAuthMethod: String oauth: OAuthProbe
    steps: [Step!]!
  }
  type OAuthProbe {
    outcome: String! issuer: String authorizationEndpoint: String registrationMethods: [String!]! scopesSupported: [String!] redirectUri:
    String message: String
  }
  type Step { name: String! outcome: String! message: String durationMs: Int }
  type ConnectionType {
    id: ID! name: String! displayName: String! description: String serverUrl: String! authMethod: String! origin: String! version: Int!
    state: String! action: Action manifest: Manifest protocolVersion: String server: Server accessToken: AccessToken headers: [Header!]!
    oauth: OAuth health: Health! calls: Calls! toolPolicy: ToolPolicy! deletionPolicy: String! conditions: [Condition!]! lastCheckedAt:
    String nextCheckAt: String viewerCan: Can! createdAt: String! updatedAt: String! toolCount: Int tools(first: Int = 20): Tools!
    viewerEnrollments: [Enrollment!]!
  }
  type Manifest { namespace: String! name: String! }
  type AccessToken { header: String! prefix: String! }
  type Header { name: String! description: String required: Boolean! secret: Boolean! }
  type OAuth { issuer: String registrationMethod: String clientId: String scopes: [String!] redirectUri: String clientSecretExpiresAt: String }
  type Health { intervalSeconds: Int! timeoutSeconds: Int! }
  type Calls { timeoutMs: Int! maxResultBytes: Int! ratePerMinute: Int concurrency: Int }
  type ToolPolicy { allow: [String!] deny: [String!] onChange: String! trustAnnotations: Boolean! }
  type Condition { type: String! status: String! reason: String! message: String lastTransitionTime: String! observedGeneration: Int }
  type Can { update: Boolean! delete: Boolean! enroll: Boolean! }
  type Tool {
    id: ID! name: String! title: String description: String inputSchema: JSON outputSchema: JSON definitionHash: String! state: String!
    annotations: Annotations change: Change
  }
  type Annotations { readOnlyHint: Boolean destructiveHint: Boolean idempotentHint: Boolean openWorldHint: Boolean }
  type Change { fromHash: String toHash: String! diff: JSON detectedAt: String! }
  type Enrollment {
    id: ID! label: String shared: Boolean! origin: String! owner: Member! connectionType: ConnectionType! state: String! action: Action
    manifest: Manifest conditions: [Condition!]! credential: Credential! createdAt: String! updatedAt: String!
  }
  type Credential {
    kind: String! fields: [CredentialField!]! scopes: [String!] expiresAt: String refreshAt: String lastRefreshAt: String failedRefreshes:
    Int nextAttemptAt: String
  }
  type CredentialField { name: String! isSet: Boolean! updatedAt: String }
  type Authorization { url: String! expiresAt: String! }
  type Revocation { outcome: String! message: String }
  type ToolCall {
    id: ID! tool: String! status: String! connectionTypeName: String! connectionType: ConnectionType enrollment: Enrollment caller: Member
    assignment: Assignment arguments: JSON contentState: String! structuredContent: JSON content: [Content!] error: CallError progress:
    Progress approval: Approval startedAt: String finishedAt: String durationMs: Int
  }
  union Content = | TextContent | ImageContent | AudioContent | ResourceLink | EmbeddedResource | UnknownContent
  type TextContent { text: String! }
  type ImageContent { data: String! mimeType: String! }
  type AudioContent { data: String! mimeType: String! }
  type ResourceLink { uri: String! name: String! mimeType: String }
  type EmbeddedResource { uri: String! mimeType: String text: String blob: String }
  type UnknownContent { type: String! json: JSON! }
  type CallError { code: String! message: String! retryable: Boolean! retryAfterMs: Int action: Action }
  type Progress { progress: Float! total: Float message: String updatedAt: String! }
  type Approval { state: String! expiresAt: String decidedBy: Member comment: String }
  type Assignment {
    id: ID! name: String! version: Int! slots: [Slot!]! pins: [Pin!]! readiness(memberId: ID): Readiness! tools: [AssignmentTool!]!
  }
  type Slot { connectionType: ConnectionType! allowedTools: [String!] requireApproval: [String!] }
  type Pin { member: Member! enrollment: Enrollment! }
  type Readiness { ready: Boolean! problems: [Problem!]! }
  type Problem { code: String! message: String! connectionType: ConnectionType action: Action }
  type AssignmentTool { connectionType: ConnectionType! tool: Tool! requiresApproval: Boolean! callable: Boolean! }
  type Payload {
    team: Team member: Member removedId: ID secret: String token: Token revokedId: ID connectionType: ConnectionType deletedId: ID
    enrollmentsDeleted: Int tool: Tool enrollment: Enrollment authorization: Authorization revocation: Revocation toolCall: ToolCall
    assignment: Assignment userErrors: [UserError!]!
  }
  type Mutation { any(input: Any!): Payload! }
  type Subscription {
    connectionTypeChanged(team: String!): TypeChange! enrollmentChanged(team: String!): EnrollmentChange! toolCallChanged(id: ID!):
    ToolCall!
  }
  type TypeChange { change: String! id: ID! connectionType: ConnectionType }
  type EnrollmentChange { change: String! id: ID! enrollment: Enrollment }
`);

const text = readFileSync('test/contract/journeys.graphql', 'utf8');
/** Each mutation of the contract takes one input and gives one payload, so one stand-in field serves them all. */
const journeys = parse(text
  .replace(/^ {2}\w+\(input: \$input\)/gm, (field) => (field.includes('probeServer') ? field : '  any(input: $input)'))
  .replace(/\$input: \w+!/g, '$input: Any!')
  .replace(/\$filter: \w+/g, '$filter: Any'));
const documents = Object.entries(separateOperations(journeys));
const operationOf = (document: DocumentNode): OperationDefinitionNode =>
  document.definitions.find((definition): definition is OperationDefinitionNode => definition.kind === Kind.OPERATION_DEFINITION)!;

describe('the limits admit each document of the contract', () => {
  it('all of which were found', () => {
    expect(documents.length).toBeGreaterThanOrEqual(36);
  });

  it.each(documents)('%s, at first: 50', (_name, document) => {
    expect(validate(SCHEMA, document, [...specifiedRules, limitRule(GRAPHQL_LIMITS)]).map((error) => error.message)).toEqual([]);
    expect(() => parse(print(document), { maxTokens: GRAPHQL_LIMITS.tokens })).not.toThrow();
    expect(costOf(SCHEMA, document, operationOf(document), { first: 50 }).objects).toBeLessThanOrEqual(GRAPHQL_LIMITS.cost);
  });

  it('even the whole file at once, with an operation name', () => {
    expect(() => parse(text, { maxTokens: GRAPHQL_LIMITS.tokens })).not.toThrow();
  });

  it('with room to spare: the largest is the catalog', () => {
    const catalog = documents.find(([name]) => name === 'Catalog')![1];
    expect(costOf(SCHEMA, catalog, operationOf(catalog), { first: 50 }).objects).toBe(8102);
    expect(shapeOf(catalog, operationOf(catalog))).toEqual({ depth: 7, fields: 134, aliases: 0, directives: 0, rootFields: 1 });
  });
});
