/** Types that have a global id (https://relay.dev/graphql/objectidentification.htm). */
export const NODE_TYPES = ['Team', 'Member', 'Token', 'ConnectionType', 'Tool', 'Enrollment', 'ToolCall', 'Assignment', 'AuditEvent'] as const;
export type NodeType = (typeof NODE_TYPES)[number];

/** An opaque global id: what GraphQL, manifests and their status name an object by. */
export function nodeId(type: NodeType, id: string): string {
  return Buffer.from(`${type}:${id}`).toString('base64url');
}
