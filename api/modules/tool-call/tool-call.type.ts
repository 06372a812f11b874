import { Field, Float, ID, InputType, Int, ObjectType, createUnionType } from 'type-graphql';
import type { CallFaultCode } from '#core/errors.js';
import type { ApprovalState } from '#core/store/entities/tool-call-approval.entity.js';
import type { ToolCallStatus } from '#core/store/entities/tool-call.entity.js';
import type { ContentState } from '../../call/call-request.js';
import { enumType } from '../../graphql/enum-type.js';
import { connectionType } from '../../graphql/pagination.js';
import { DateTimeScalar, JsonObjectScalar, JsonScalar } from '../../graphql/scalars.js';
import { ActionType, UserError } from '../../graphql/user-error.type.js';
import { AssignmentType } from '../assignment/assignment.type.js';
import { ConnectionTypeType } from '../connection-type/connection-type.type.js';
import { EnrollmentType } from '../enrollment/enrollment.type.js';
import { ActorType, NodeType } from '../team/team.type.js';

export const ToolCallStatusEnum = enumType<ToolCallStatus>('ToolCallStatus', 'Where a call stands.', {
  RUNNING: 'It is on its way.',
  SUCCEEDED: 'The tool answered.',
  TOOL_ERROR: 'The tool answered that it failed; `content` says how.',
  FAILED: 'It failed; `error` says how.',
  CANCELLED: 'It was cancelled before anything was sent.',
  OUTCOME_UNKNOWN: 'The tool may have run: look before you repeat it.',
  PENDING_APPROVAL: 'It waits for somebody\'s approval.',
  DENIED: 'Somebody denied it, or nobody approved it in time.',
});

export const ToolCallErrorCodeEnum = enumType<CallFaultCode>('ToolCallErrorCode', 'What went wrong after a call was accepted. A closed list; expect that it grows.', {
  UNREACHABLE: 'The server could not be reached, or the connection broke.',
  TIMEOUT: 'The deadline passed.',
  UNAUTHORIZED: 'The server refused the credential.',
  INSUFFICIENT_SCOPE: 'The login lacks a scope.',
  RESULT_TOO_LARGE: 'The answer is larger than the connection type allows.',
  RESULT_INVALID: 'The answer doesn\'t fit the tool\'s output schema.',
  PROTOCOL_ERROR: 'The server answered with an error, or not in the protocol.',
  INPUT_REQUIRED: 'The tool asks for more input, which calls can\'t give.',
  TASK_REQUIRED: 'The tool runs as a task only, which is not supported.',
});

export const ContentStateEnum = enumType<ContentState>('ContentState', 'Whether arguments and result can be shown.', {
  AVAILABLE: 'They are there.',
  NOT_KEPT: 'They were not kept: only calls with a key, an approval or `wait: false` are.',
  EXPIRED: 'They were kept for 24 hours.',
});

export const ApprovalStateEnum = enumType<ApprovalState>('ApprovalState', 'Where an approval stands.', {
  PENDING: 'Nobody has decided yet.',
  APPROVED: 'The call runs, or ran.',
  DENIED: 'The call will not run.',
  EXPIRED: 'Nobody decided in time.',
  VOIDED: 'The call was cancelled, or what was to be approved changed before it ran.',
});

@ObjectType({ description: 'Text.', simpleResolvers: true })
export class TextContent {
  @Field(() => String, { description: 'As the server sent it: data, not instructions.' }) text!: string;
}

@ObjectType({ description: 'An image.', simpleResolvers: true })
export class ImageContent {
  @Field(() => String, { description: 'Base64.' }) data!: string;
  @Field(() => String, { description: 'Media type.' }) mimeType!: string;
}

@ObjectType({ description: 'Sound.', simpleResolvers: true })
export class AudioContent {
  @Field(() => String, { description: 'Base64.' }) data!: string;
  @Field(() => String, { description: 'Media type.' }) mimeType!: string;
}

@ObjectType({ description: 'A link to a resource; it is not followed.', simpleResolvers: true })
export class ResourceLink {
  @Field(() => String, { description: 'Where, in the server\'s terms.' }) uri!: string;
  @Field(() => String, { nullable: true, description: 'Its name.' }) name!: string | null;
  @Field(() => String, { nullable: true, description: 'Media type.' }) mimeType!: string | null;
}

@ObjectType({ description: 'A resource with its content: text or a blob.', simpleResolvers: true })
export class EmbeddedResource {
  @Field(() => String, { description: 'Where, in the server\'s terms.' }) uri!: string;
  @Field(() => String, { nullable: true, description: 'Media type.' }) mimeType!: string | null;
  @Field(() => String, { nullable: true, description: 'The content, if it is text.' }) text!: string | null;
  @Field(() => String, { nullable: true, description: 'The content in base64, if it isn\'t text.' }) blob!: string | null;
}

@ObjectType({ description: 'A block of a kind that this version doesn\'t know, or that lacks a part.', simpleResolvers: true })
export class UnknownContent {
  @Field(() => String, { nullable: true, description: 'What the server calls it.' }) type!: string | null;
  @Field(() => JsonScalar, { nullable: true, description: 'The block as it came; even null.' }) json!: unknown;
}

export const ToolContent = createUnionType({
  name: 'ToolContent',
  description: 'A content block of a tool\'s answer.',
  types: () => [TextContent, ImageContent, AudioContent, ResourceLink, EmbeddedResource, UnknownContent] as const,
  resolveType: (value: unknown) => (value as { __typename: string }).__typename,
});

@ObjectType('ToolCallError', { description: 'Why a call did not succeed.', simpleResolvers: true })
export class ToolCallErrorType {
  @Field(() => ToolCallErrorCodeEnum, { description: 'In one word.' }) code!: string;
  @Field(() => String, { description: 'What happened and what to do, for people.' }) message!: string;
  @Field(() => Boolean, { description: 'Whether repeating the call is safe and may work.' }) retryable!: boolean;
  @Field(() => Int, { nullable: true, description: 'Not sooner than this, in milliseconds.' }) retryAfterMs!: number | null;
  @Field(() => ActionType, { nullable: true, description: 'What a person should do, if anything.' }) action!: unknown;
}

@ObjectType('ToolCallProgress', { description: 'How far a running call says it is.', simpleResolvers: true })
export class ToolCallProgressType {
  @Field(() => Float, { description: 'How far.' }) progress!: number;
  @Field(() => Float, { nullable: true, description: 'Of how much.' }) total!: number | null;
  @Field(() => String, { nullable: true, description: 'In the server\'s words.' }) message!: string | null;
  @Field(() => DateTimeScalar, { description: 'When it said so.' }) updatedAt!: Date;
}

@ObjectType('ToolCallApproval', { description: 'Somebody\'s decision about a call.', simpleResolvers: true })
export class ToolCallApprovalType {
  @Field(() => ApprovalStateEnum, { description: 'Where it stands.' }) state!: string;
  @Field(() => DateTimeScalar, { description: 'Until when somebody may decide.' }) expiresAt!: Date;
  @Field(() => ActorType, { nullable: true, description: 'Who decided.' }) decidedBy!: unknown;
  @Field(() => String, { nullable: true, description: 'What they said.' }) comment!: string | null;
}

@ObjectType('ToolCall', { implements: NodeType, description: 'One call of a tool, and its record.', simpleResolvers: true })
export class ToolCallType extends NodeType {
  @Field(() => String, { description: 'The tool\'s name.' }) tool!: string;
  @Field(() => ToolCallStatusEnum, { description: 'Where it stands.' }) status!: string;
  @Field(() => String, { description: 'The connection type\'s name at the time.' }) connectionTypeName!: string;
  @Field(() => ConnectionTypeType, { nullable: true, description: 'The connection type; null when it is gone.' }) connectionType!: unknown;
  @Field(() => EnrollmentType, { nullable: true, description: 'The enrollment that was used; null when it is gone, or isn\'t the viewer\'s to see.' }) enrollment!: unknown;
  @Field(() => ActorType, { description: 'Who called.' }) caller!: unknown;
  @Field(() => ActorType, { nullable: true, description: 'On whose behalf, if that is somebody else.' }) onBehalfOf!: unknown;
  @Field(() => AssignmentType, { nullable: true, description: 'For which assignment; null when it is gone.' }) assignment!: unknown;
  @Field(() => JsonObjectScalar, { nullable: true, description: 'What the tool was given; for the caller, the person on whose behalf, and managers where somebody has to approve it.' }) arguments!: unknown;
  @Field(() => ContentStateEnum, { description: 'Whether arguments and result can be shown.' }) contentState!: string;
  @Field(() => JsonScalar, { nullable: true, description: 'The tool\'s structured answer, values unchanged.' }) structuredContent!: unknown;
  @Field(() => [ToolContent], { nullable: true, description: 'The tool\'s answer, block by block, values unchanged.' }) content!: unknown[];
  @Field(() => ToolCallErrorType, { nullable: true, description: 'Why it did not succeed.' }) error!: unknown;
  @Field(() => ToolCallProgressType, { nullable: true, description: 'How far it says it is, where it is kept; for the caller and the person on whose behalf.' }) progress!: unknown;
  @Field(() => ToolCallApprovalType, { nullable: true, description: 'The decision that it takes or took; null where it takes none.' }) approval!: unknown;
  @Field(() => DateTimeScalar, { description: 'When it was asked for.' }) startedAt!: Date;
  @Field(() => DateTimeScalar, { nullable: true, description: 'When it ended.' }) finishedAt!: Date | null;
  @Field(() => Float, { nullable: true, description: 'How long it took, in milliseconds.' }) durationMs!: number | null;
}

export const ToolCallPage = connectionType(() => ToolCallType, 'ToolCall');

@InputType({ description: 'A call. Exactly one of connectionType and connectionTypeId.' })
export class CallToolInput {
  @Field(() => String, { nullable: true, description: 'The team\'s slug: only with a name, and only where the token doesn\'t fix the team.' }) team?: string | null;
  @Field(() => String, { nullable: true, description: 'The connection type\'s name.' }) connectionType?: string | null;
  @Field(() => ID, { nullable: true, description: 'The connection type\'s id.' }) connectionTypeId?: string | null;
  @Field(() => String, { description: 'The tool\'s name.' }) tool!: string;
  @Field(() => JsonObjectScalar, { nullable: true, description: 'What the tool is given, checked against its input schema; {} if absent.' }) arguments?: Record<string, unknown> | null;
  @Field(() => ID, { nullable: true, description: 'The enrollment to use. If absent: the pinned one, else the caller\'s only one, else the shared one.' }) enrollmentId?: string | null;
  @Field(() => ID, { nullable: true, description: 'The assignment that the call is for: its slots, pins and approvals count. If absent: the one that the token acts for, or none.' }) assignmentId?: string | null;
  @Field(() => String, { nullable: true, description: 'Makes the call safe to repeat for 24 hours: the same key with the same request gives the same outcome. 1 to 255 printable characters.' })
  idempotencyKey?: string | null;
  @Field(() => Int, { nullable: true, description: 'A deadline over everything, in milliseconds; at most the connection type\'s.' }) timeoutMs?: number | null;
  @Field(() => Boolean, { defaultValue: true, description: 'Whether to answer when the tool has answered; false: at once, with a RUNNING call to look at later.' }) wait!: boolean;
}

@ObjectType({ description: 'Answer of callTool.', simpleResolvers: true })
export class CallToolPayload {
  @Field(() => ToolCallType, { nullable: true, description: 'The call; null when it was refused before anything was sent.' }) toolCall?: unknown;
  @Field(() => [UserError], { description: 'Why it was refused before anything was sent.' }) userErrors!: UserError[];
}

@InputType({ description: 'Cancels a call.' })
export class CancelToolCallInput {
  @Field(() => ID, { description: 'Which one.' }) id!: string;
}

@ObjectType({ description: 'Answer of cancelToolCall.', simpleResolvers: true })
export class CancelToolCallPayload {
  @Field(() => ToolCallType, { nullable: true, description: 'The call as it stands now.' }) toolCall?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@InputType({ description: 'Approves a call that waits, as it is: whatever has changed since it was asked for voids it.' })
export class ApproveToolCallInput {
  @Field(() => ID, { description: 'Which one.' }) id!: string;
  @Field(() => String, { nullable: true, description: 'Why; its caller reads it. At most 1,000 characters.' }) comment?: string | null;
}

@ObjectType({ description: 'Answer of approveToolCall.', simpleResolvers: true })
export class ApproveToolCallPayload {
  @Field(() => ToolCallType, { nullable: true, description: 'The call, which runs now.' }) toolCall?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@InputType({ description: 'Denies a call that waits.' })
export class DenyToolCallInput {
  @Field(() => ID, { description: 'Which one.' }) id!: string;
  @Field(() => String, { nullable: true, description: 'Why; its caller reads it. At most 1,000 characters.' }) comment?: string | null;
}

@ObjectType({ description: 'Answer of denyToolCall.', simpleResolvers: true })
export class DenyToolCallPayload {
  @Field(() => ToolCallType, { nullable: true, description: 'The call, which will not run.' }) toolCall?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@InputType({ description: 'Which calls to list.' })
export class ToolCallFilter {
  @Field(() => ToolCallStatusEnum, { nullable: true, description: 'Only those that stand there.' }) status?: ToolCallStatus | null;
  @Field(() => ID, { nullable: true, description: 'Only those of this assignment.' }) assignmentId?: string | null;
  @Field(() => ID, { nullable: true, description: 'Only those to this connection type.' }) connectionTypeId?: string | null;
}
