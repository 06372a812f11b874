import { Field, Int, ObjectType } from 'type-graphql';
import { UserFault, type NextAction, type UserFaultCode } from '#core/errors.js';
import { enumType } from './enum-type.js';

/** The closed list of the contract. */
export const UserErrorCode = enumType<UserFaultCode>('UserErrorCode', 'Why a mutation was refused. A closed list; expect that it grows.', {
  INVALID: 'A value can\'t be accepted; `field` names it and `message` says what would do.',
  NOT_FOUND: 'There is no such object in the caller\'s reach.',
  FORBIDDEN: 'The caller\'s role or token doesn\'t allow it.',
  ALREADY_EXISTS: 'Something else has that name.',
  STALE_VERSION: 'The object was changed since it was read: read it again.',
  MANAGED_BY_MANIFEST: 'A manifest owns the object: change it there.',
  NOT_AVAILABLE: 'This installation doesn\'t offer it yet.',
  SERVER_REFUSED: 'The MCP server can\'t be used as it is; `message` says why.',
  OAUTH_NOT_SUPPORTED: 'The server offers no OAuth: choose another auth method.',
  CLIENT_REQUIRED: 'The authorization server wants a registered client: enter its ID and secret.',
  CREDENTIAL_REJECTED: 'The server doesn\'t accept this credential.',
  NOT_CONNECTED: 'No enrollment serves this call: enroll first.',
  AMBIGUOUS_ENROLLMENT: 'Several enrollments would serve: name one.',
  ENROLLMENT_SUSPENDED: 'The server\'s address or method changed: its owner must confirm it.',
  ACTION_REQUIRED: 'A person must act first; `action` says what.',
  TOOL_UNKNOWN: 'The server offers no such tool.',
  TOOL_DENIED: 'The tool policy doesn\'t allow this tool.',
  TOOL_CHANGED: 'The tool\'s definition changed and waits for a manager.',
  ARGUMENTS_INVALID: 'The arguments don\'t fit the tool\'s input schema; `field` points at the fault.',
  IDEMPOTENCY_MISMATCH: 'The idempotency key was used for another request.',
  RATE_LIMITED: 'Too many; try again after `retryAfterMs`.',
  OVERLOADED: 'Too much at once; try again after `retryAfterMs`.',
  CIRCUIT_OPEN: 'The server keeps failing and is left alone for a while.',
});

@ObjectType('Action', { description: 'What to do next.', simpleResolvers: true })
export class ActionType {
  @Field(() => String, { description: 'A few words, fit for a button.' }) label!: string;
  @Field(() => String, { nullable: true, description: 'Where to do it: always one of Fairlead\'s own pages.' }) url!: string | null;
}

@ObjectType({ description: 'An expected refusal, as data.', simpleResolvers: true })
export class UserError {
  @Field(() => UserErrorCode, { description: 'What kind of refusal.' }) code!: UserFaultCode;
  @Field(() => String, { description: 'What is wrong and what to do next, for people.' }) message!: string;
  @Field(() => [String], { nullable: true, description: 'Path into the arguments, e.g. ["input", "serverUrl"].' }) field!: string[] | null;
  @Field(() => Boolean, { description: 'Whether the same request may work later.' }) retryable!: boolean;
  @Field(() => Int, { nullable: true, description: 'Not sooner than this, in milliseconds.' }) retryAfterMs!: number | null;
  @Field(() => ActionType, { nullable: true, description: 'The next step, where there is one.' }) action!: NextAction | null;
}

/** The public side of a fault. */
export function userError(fault: UserFault): UserError {
  return {
    code: fault.code,
    message: fault.publicMessage,
    field: fault.field,
    retryable: fault.retryable,
    retryAfterMs: fault.retryAfterMs === null ? null : Math.ceil(fault.retryAfterMs),
    action: fault.action,
  };
}
