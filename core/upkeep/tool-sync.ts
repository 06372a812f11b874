import { canonicalJson } from '../json/canonical.js';
import { parseLossless } from '../json/lossless.js';
import { definitionHash, diffDefinitions } from '../mcp/definition.js';
import type { RawTool } from '../mcp/session.js';
import type { ToolChangePolicy } from '../connection/spec.js';
import type { Tool, ToolChange } from '../store/entities/tool.entity.js';
import type { ToolDefinition, ToolScope } from '../store/tools.js';
import type { Repositories } from '../store/store.js';

/** What a new reading of a list changes. */
export interface ToolSyncPlan {
  insert: { tool: ToolDefinition; change: ToolChange | null }[];
  update: { id: string; values: Partial<Pick<Tool, 'definition' | 'definitionHash' | 'acceptedHash' | 'change' | 'removedAt'>> }[];
}

/**
 * What must be written so that `stored` says what was `read`. Pure; a second run with the same reading plans nothing.
 * The first reading of a list records no changes. Later, a new or changed definition is recorded with its diff; under `BLOCK` a changed one keeps
 * the hash that was accepted, and so is not callable until a manager accepts it. A tool that is gone is marked, not deleted. The diff is always against
 * what was accepted last: a server can't hide a change behind a second, harmless one.
 */
export function planToolSync(stored: readonly Tool[], read: readonly RawTool[], onChange: ToolChangePolicy, now: Date): ToolSyncPlan {
  const plan: ToolSyncPlan = { insert: [], update: [] };
  const known = new Map(stored.map((tool) => [tool.name, tool]));
  const seen = new Set<string>();
  const detectedAt = now.toISOString();
  for (const raw of read) {
    if (seen.has(raw.name)) continue;
    seen.add(raw.name);
    const definition = canonicalJson(raw);
    const hash = definitionHash(raw);
    const old = known.get(raw.name);
    if (old === undefined) {
      const change = stored.length === 0 ? null : { fromHash: null, fromDefinition: null, toHash: hash, diff: { changes: [], truncated: false }, detectedAt };
      plan.insert.push({ tool: { name: raw.name, definition, hash }, change });
      continue;
    }
    if (old.definition === definition && old.removedAt === null) continue;
    if (old.definitionHash === hash) {
      // Only the title, icons or the like moved, or the tool is back as it was.
      plan.update.push({ id: old.id, values: { definition, removedAt: null } });
      continue;
    }
    const change = changeSince(old, { hash, raw, detectedAt });
    plan.update.push({ id: old.id, values: { definition, definitionHash: hash, acceptedHash: onChange === 'BLOCK' && change !== null ? old.acceptedHash : hash, change, removedAt: null } });
  }
  for (const old of stored) {
    if (!seen.has(old.name) && old.removedAt === null) plan.update.push({ id: old.id, values: { removedAt: now } });
  }
  return plan;
}

/** What a manager should look at now; null when the tool is back as it was accepted. */
function changeSince(old: Tool, now: { hash: string; raw: RawTool; detectedAt: string }): ToolChange | null {
  const { hash: toHash, raw, detectedAt } = now;
  const [fromHash, fromDefinition] = old.change?.fromDefinition == null ? [old.definitionHash, old.definition] : [old.change.fromHash, old.change.fromDefinition];
  if (fromHash === toHash) return null;
  return { fromHash, fromDefinition, toHash, diff: diffDefinitions(parseLossless(fromDefinition) as RawTool, raw), detectedAt };
}

/** Reads what is stored of a list, and writes what changed; returns whether anything did. For use inside a transaction that holds the type's lock. */
export async function syncTools(repositories: Repositories, scope: ToolScope, read: readonly RawTool[], onChange: ToolChangePolicy, now: Date): Promise<boolean> {
  const stored = await repositories.tools.inScope(scope.enrollmentId ?? scope.connectionTypeId);
  const plan = planToolSync(stored, read, onChange, now);
  for (const { tool, change } of plan.insert) await repositories.tools.insert(scope, tool, change);
  for (const { id, values } of plan.update) await repositories.tools.update(id, values);
  return plan.insert.length + plan.update.length > 0;
}
