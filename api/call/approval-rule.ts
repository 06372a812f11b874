import type { DestructiveTools } from '#core/store/entities/team.entity.js';
import { nameMatches } from '#core/tool/policy.js';

/** What decides whether a call waits for somebody's approval. */
export interface ApprovalQuestion {
  tool: string;
  /** The server's word on what the tool does. */
  hints: ToolHints;
  /** Whether a manager trusts that word (`toolPolicy.trustAnnotations`). */
  trusted: boolean;
  /** The team's policy. */
  destructiveTools: DestructiveTools;
  /** The patterns of the assignment's slot; none for a person's own call. */
  requireApproval: readonly string[];
}

/** https://modelcontextprotocol.io/specification/2026-07-28/schema#toolannotations */
export interface ToolHints {
  readOnlyHint?: boolean | null;
  destructiveHint?: boolean | null;
}

/** Whether a call waits for approval: its assignment says so of the tool, or its team of destructive tools. */
export function needsApproval({ tool, hints, trusted, destructiveTools, requireApproval }: ApprovalQuestion): boolean {
  return requireApproval.some((pattern) => nameMatches(pattern, tool)) || (destructiveTools === 'REQUIRE_APPROVAL' && countsAsDestructive(hints, trusted));
}

/** Annotations count only where they are trusted; otherwise, and where they say nothing, a tool counts as destructive. */
export function countsAsDestructive({ readOnlyHint, destructiveHint }: ToolHints, trusted: boolean): boolean {
  return !trusted || (readOnlyHint !== true && destructiveHint !== false);
}

/** The hints of a definition; what isn't a boolean says nothing. */
export function hintsOf(annotations: unknown): ToolHints {
  if (typeof annotations !== 'object' || annotations === null) return {};
  const { readOnlyHint, destructiveHint } = annotations as Record<string, unknown>;
  return { ...(typeof readOnlyHint === 'boolean' && { readOnlyHint }), ...(typeof destructiveHint === 'boolean' && { destructiveHint }) };
}
