import type { ToolPolicy } from '#core/connection/spec.js';
import { memberTexts } from '#core/json/members.js';
import { UnparsedJson } from '#core/json/unparsed.js';
import type { Tool } from '#core/store/entities/tool.entity.js';
import type { VisibleTool } from '#core/store/tools.js';
import { toolAllowed } from '#core/tool/policy.js';
import { nodeId } from '../../graphql/node-id.js';

/** Whether a tool may be called under a policy. */
export function toolState(tool: VisibleTool & { removedAt?: Tool['removedAt'] }, policy: ToolPolicy): 'CALLABLE' | 'DENIED' | 'BLOCKED_BY_CHANGE' | 'REMOVED' {
  if (tool.removedAt != null) return 'REMOVED';
  if (!toolAllowed(policy, tool.name)) return 'DENIED';
  return policy.onChange === 'BLOCK' && tool.definitionHash !== tool.acceptedHash ? 'BLOCKED_BY_CHANGE' : 'CALLABLE';
}

/** A tool as GraphQL shows it; parts of the definition that a server got wrong are left out. */
export function toolView(tool: VisibleTool & { removedAt?: Tool['removedAt'] }, policy: ToolPolicy) {
  const members = memberTexts(tool.definition);
  const annotations = object(parsed(members.get('annotations')));
  return {
    __typename: 'Tool' as const,
    id: nodeId('Tool', tool.id),
    name: tool.name,
    title: text(parsed(members.get('title'))) ?? text(annotations?.title),
    description: text(parsed(members.get('description'))),
    inputSchema: unparsedObject(members.get('inputSchema')),
    outputSchema: unparsedObject(members.get('outputSchema')),
    definitionHash: tool.definitionHash,
    state: toolState(tool, policy),
    annotations: annotations === null ? null : {
      readOnlyHint: flag(annotations.readOnlyHint),
      destructiveHint: flag(annotations.destructiveHint),
      idempotentHint: flag(annotations.idempotentHint),
      openWorldHint: flag(annotations.openWorldHint),
    },
    change: tool.change,
  };
}

/** Schemas are most of a page, and only passed on. */
function unparsedObject(source: string | undefined): UnparsedJson | null {
  return source?.startsWith('{') === true ? new UnparsedJson(source) : null;
}

function parsed(source: string | undefined): unknown {
  return source === undefined ? undefined : JSON.parse(source);
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function flag(value: unknown): boolean | null {
  return typeof value === 'boolean' ? value : null;
}

function object(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
}
