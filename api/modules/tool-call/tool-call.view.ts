import type { Context } from '../../context.js';
import type { ToolCallView } from '../../call/call-request.js';
import type { Assignment } from '#core/store/entities/assignment.entity.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { ToolCallApproval } from '#core/store/entities/tool-call-approval.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import { nodeId } from '../../graphql/node-id.js';
import { assignmentView, personOf } from '../assignment/assignment.view.js';
import { connectionTypeView } from '../connection-type/connection-type.view.js';
import { enrollmentView } from '../enrollment/enrollment.view.js';

/** A call as GraphQL shows it to this viewer. */
export function toolCallView(view: ToolCallView, context: Context) {
  const { record, went, approval = null } = view;
  const assigned = (assignment: Assignment | null | undefined) => assignment == null ? null : assignmentView(assignment, context);
  const typed = (type: ConnectionType | null | undefined) => type == null ? null : connectionTypeView(type, context);
  const enrolled = (enrollment: Enrollment | null | undefined) => {
    const visible = enrollment != null && (enrollment.shared || enrollment.ownerId === personOf(context.principal, enrollment.teamId));
    return visible ? enrollmentView(enrollment, context) : null;
  };
  return {
    __typename: 'ToolCall' as const,
    id: nodeId('ToolCall', record.id),
    tool: record.tool,
    status: record.status,
    connectionTypeName: record.connectionTypeName,
    connectionType: () => typed(went?.type) ?? context.loaders.connectionType.load(record.connectionTypeId).then(typed),
    enrollment: () => enrolled(went?.enrollment) ?? context.loaders.enrollment.load(record.enrollmentId).then(enrolled),
    caller: { id: nodeId('Member', record.callerId), displayName: record.callerName },
    onBehalfOf: record.onBehalfOfId === null ? null : { id: nodeId('Member', record.onBehalfOfId), displayName: record.onBehalfOfName },
    assignment: () => assigned(went?.assignment) ?? (record.assignmentId === null ? null : context.loaders.assignment.load(record.assignmentId).then(assigned)),
    arguments: view.arguments,
    contentState: view.contentState,
    structuredContent: view.structuredContent ?? null,
    content: view.content === null ? null : view.content.map(contentBlock),
    error: record.error,
    progress: view.progress ?? null,
    approval: approval === null ? null : approvalView(approval),
    startedAt: record.startedAt,
    finishedAt: record.finishedAt,
    durationMs: record.durationMs,
  };
}

function approvalView({ state, expiresAt, decidedById, decidedByName, comment }: ToolCallApproval) {
  return { state, expiresAt, comment, decidedBy: decidedById === null ? null : { id: nodeId('Member', decidedById), displayName: decidedByName } };
}

type Block = Record<string, unknown>;

/** A block in its GraphQL form, values unchanged; what isn't as the specification says is `UnknownContent`, whole. */
export function contentBlock(block: unknown): Block {
  if (isBlock(block)) {
    if (block.type === 'text' && typeof block.text === 'string') return { __typename: 'TextContent', text: block.text };
    if ((block.type === 'image' || block.type === 'audio') && typeof block.data === 'string' && typeof block.mimeType === 'string') {
      return { __typename: block.type === 'image' ? 'ImageContent' : 'AudioContent', data: block.data, mimeType: block.mimeType };
    }
    if (block.type === 'resource_link' && typeof block.uri === 'string') {
      return { __typename: 'ResourceLink', uri: block.uri, name: text(block.name), mimeType: text(block.mimeType) };
    }
    const resource = block.resource;
    if (block.type === 'resource' && isBlock(resource) && typeof resource.uri === 'string') {
      return { __typename: 'EmbeddedResource', uri: resource.uri, mimeType: text(resource.mimeType), text: text(resource.text), blob: text(resource.blob) };
    }
  }
  return { __typename: 'UnknownContent', type: isBlock(block) ? text(block.type) : null, json: block };
}

function isBlock(value: unknown): value is Block {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
