import type { ToolPolicy } from '#core/connection/spec.js';
import { parseLossless } from '#core/json/lossless.js';
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
  const definition = parseLossless(tool.definition) as Record<string, unknown>;
  const annotations = object(definition.annotations);
  return {
    __typename: 'Tool' as const,
    id: nodeId('Tool', tool.id),
    name: tool.name,
    title: text(definition.title) ?? text(annotations?.title),
    description: text(definition.description),
    inputSchema: definition.inputSchema,
    outputSchema: object(definition.outputSchema),
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

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function flag(value: unknown): boolean | null {
  return typeof value === 'boolean' ? value : null;
}

function object(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
}
