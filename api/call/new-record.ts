import type { ToolCall } from '#core/store/entities/tool-call.entity.js';
import type { Membership } from '../identity/principal.js';
import { needsApproval } from './approval-rule.js';
import type { CallRequest } from './call-request.js';
import type { Route } from './route.js';
import type { ToolDefinition } from './tool-catalog.js';

/** The record that a call begins with: `PENDING_APPROVAL` where somebody has to approve it, else `RUNNING`. Not stored yet. */
export function newRecord(request: CallRequest, route: Route, { memberId }: Membership, { hints }: ToolDefinition, born: Pick<ToolCall, 'id' | 'processId' | 'startedAt'>): ToolCall {
  const { principal, requestId, tool, wait, idempotencyKey } = request;
  const { actor, assignment, destructiveTools, spec } = route;
  const waits = needsApproval({ tool, hints, trusted: spec.toolPolicy.trustAnnotations, destructiveTools, requireApproval: assignment?.slot.requireApproval ?? [] });
  return {
    ...born, teamId: route.teamId, callerId: memberId, callerName: principal.displayName,
    onBehalfOfId: actor.onBehalfOf ? actor.personId : null, onBehalfOfName: actor.onBehalfOf ? principal.displayName : null,
    assignmentId: assignment?.row.id ?? null, assignmentName: assignment?.row.name ?? null, tokenId: principal.tokenId, requestId,
    connectionTypeId: route.typeId, connectionTypeName: route.typeName, enrollmentId: route.enrollmentId, enrollmentLabel: route.enrollmentLabel, tool,
    status: waits ? 'PENDING_APPROVAL' : 'RUNNING', error: null, progress: null, finishedAt: null, durationMs: null,
    kept: waits || idempotencyKey != null || !wait, cancelRequestedAt: null,
  };
}
