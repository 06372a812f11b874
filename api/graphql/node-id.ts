import { NODE_TYPES, nodeId, type NodeType } from '#core/connection/node-id.js';
import { isId } from '#core/store/ids.js';

export { NODE_TYPES, nodeId, type NodeType };

/** What a global id names, or null when it isn't one of ours. */
export function parseNodeId(text: string): { type: NodeType; id: string } | null {
  const [type, id, ...rest] = Buffer.from(text, 'base64url').toString('utf8').split(':');
  if (rest.length > 0 || id === undefined || !isId(id)) return null;
  const known = NODE_TYPES.find((name) => name === type);
  return known === undefined || nodeId(known, id) !== text ? null : { type: known, id };
}

/** The UUID in a global id of the given type, or null: a wrong type is as unknown as a wrong id. */
export function uuidOf(type: NodeType, text: string): string | null {
  const parsed = parseNodeId(text);
  return parsed?.type === type ? parsed.id : null;
}
