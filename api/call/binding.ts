import { canonicalJson } from '#core/json/canonical.js';
import type { ApprovedVersions } from '#core/store/approvals.js';
import type { ToolCall } from '#core/store/entities/tool-call.entity.js';
import type { Vault } from '#core/vault/vault.js';
import type { Route } from './route.js';
import type { ToolDefinition } from './tool-catalog.js';

/**
 * A keyed hash of all that an approval is for: who calls and for whom, the tool with its definition, the arguments, the enrollment and its credential, the connection
 * type's spec and the server. Where any of it changes before the call runs, the hash is another one. A login's tokens are left out: they are renewed by themselves.
 */
export function bindingOf(vault: Vault, callerId: string, route: Route, name: string, tool: ToolDefinition, args: Record<string, unknown>): Promise<Buffer> {
  const { actor, assignment, typeId, specVersion, enrollmentId, credentialVersion, spec, enrollment } = route;
  return vault.keyedHash(route.teamId, `approval/1 ${canonicalJson({
    callerId, personId: actor.personId, assignmentId: assignment?.row.id ?? null, typeId, specVersion, target: enrollment.confirmedTarget, enrollmentId,
    credentialVersion: spec.authMethod === 'OAUTH' ? null : credentialVersion, tool: name, definition: tool.hash, arguments: args,
  })}`);
}

/** Where everything stands that the call was checked against: the database compares it once more when the call is begun. */
export function versionsOf(route: Route, { tool: name, callerId, tokenId }: ToolCall, tool: ToolDefinition): ApprovedVersions {
  const { typeId: connectionTypeId, specVersion, enrollmentId, toolScopeId, actor: { personId } } = route;
  const credentialVersion = route.spec.authMethod === 'OAUTH' ? null : route.credentialVersion;
  const assignment = route.assignment === null ? null : { id: route.assignment.row.id, version: route.assignment.row.version };
  return { connectionTypeId, specVersion, enrollmentId, personId, credentialVersion, toolScopeId, tool: name, definitionHash: tool.hash, assignment, callerId, tokenId };
}
