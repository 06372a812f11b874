import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import { DateTimeScalar } from '../../graphql/scalars.js';
import type { EnrollmentState } from '#core/connection/state.js';
import { enumType } from '../../graphql/enum-type.js';
import { connectionType } from '../../graphql/pagination.js';
import { ActionType, UserError } from '../../graphql/user-error.type.js';
import { AuthMethodEnum, OriginEnum } from '../connection-type/connection-type.enums.js';
import { ConditionType, ConnectionTypeType, ManifestType } from '../connection-type/connection-type.type.js';
import { HeaderValueInput } from '../connection-type/probe.type.js';
import { MemberType, NodeType } from '../team/team.type.js';

export const EnrollmentStateEnum = enumType<EnrollmentState>('EnrollmentState', 'One word for where an enrollment stands. Server health and login health are never the same state.', {
  READY: 'It can be used.',
  PENDING_AUTHORIZATION: 'Its owner hasn\'t consented yet.',
  ACTION_REQUIRED: 'Its owner must act; see `action`.',
  UNREACHABLE: 'The login is as it was; the server doesn\'t answer now.',
  SUSPENDED: 'The server\'s address or method changed: its owner must confirm it.',
  DELETING: 'It is being deleted.',
});

export const RevocationOutcomeEnum = enumType<'REVOKED' | 'NOT_SUPPORTED' | 'PENDING' | 'ABANDONED' | 'NOT_NEEDED'>('RevocationOutcome', 'What became of a login at its provider.', {
  REVOKED: 'The provider revoked it.',
  NOT_SUPPORTED: 'The provider offers no revocation.',
  PENDING: 'It is being retried.',
  ABANDONED: 'It was given up; the message says what remains.',
  NOT_NEEDED: 'No provider had to hear of it; the message says what remains, if anything.',
});

@ObjectType('CredentialField', { description: 'One part of a credential; never its value.', simpleResolvers: true })
export class CredentialFieldType {
  @Field(() => String, { description: 'accessToken, or the header\'s name.' }) name!: string;
  @Field(() => Boolean, { description: 'Whether it is set.' }) isSet!: boolean;
  @Field(() => DateTimeScalar, { nullable: true, description: 'Since when.' }) updatedAt!: string | null;
}

@ObjectType('Credential', { description: 'What is known of a credential. Values are write-only.', simpleResolvers: true })
export class CredentialType {
  @Field(() => AuthMethodEnum, { description: 'What kind.' }) kind!: string;
  @Field(() => [CredentialFieldType], { description: 'Which parts are set.' }) fields!: unknown[];
  @Field(() => [String], { description: 'With OAUTH: the scopes that were granted.' }) scopes!: string[];
  @Field(() => DateTimeScalar, { nullable: true, description: 'Until when it works, where that is known.' }) expiresAt!: Date | null;
  @Field(() => DateTimeScalar, { nullable: true, description: 'When it will be refreshed.' }) refreshAt!: Date | null;
  @Field(() => DateTimeScalar, { nullable: true, description: 'When it was refreshed last.' }) lastRefreshAt!: Date | null;
  @Field(() => Int, { description: 'Refreshes that failed since the last one that worked.' }) failedRefreshes!: number;
  @Field(() => DateTimeScalar, { nullable: true, description: 'When a failed refresh is tried again.' }) nextAttemptAt!: Date | null;
}

@ObjectType('Enrollment', { implements: NodeType, description: 'One person\'s credential for one connection type.', simpleResolvers: true })
export class EnrollmentType extends NodeType {
  @Field(() => String, { description: 'Tells several of one person apart; may be empty.' }) label!: string;
  @Field(() => Boolean, { description: 'Whether the team may use it.' }) shared!: boolean;
  @Field(() => OriginEnum, { description: 'Who owns it.' }) origin!: string;
  @Field(() => MemberType, { description: 'Whose it is.' }) owner!: unknown;
  @Field(() => ConnectionTypeType, { description: 'What it is for.' }) connectionType!: unknown;
  @Field(() => EnrollmentStateEnum, { description: 'One word for where it stands.' }) state!: string;
  @Field(() => ActionType, { nullable: true, description: 'What its owner should do, if anything.' }) action!: unknown;
  @Field(() => ManifestType, { nullable: true, description: 'The owning manifest; null unless origin is MANIFEST.' }) manifest!: unknown;
  @Field(() => [ConditionType], { description: 'What was observed.' }) conditions!: unknown[];
  @Field(() => CredentialType, { description: 'What is known of the credential.' }) credential!: unknown;
  @Field(() => DateTimeScalar, { description: 'Since when.' }) createdAt!: Date;
  @Field(() => DateTimeScalar, { description: 'When it was changed last.' }) updatedAt!: Date;
}

export const EnrollmentPage = connectionType(() => EnrollmentType, 'Enrollment');

@ObjectType('EnrollmentAuthorization', { description: 'A consent to be given in the person\'s browser.', simpleResolvers: true })
export class EnrollmentAuthorizationType {
  @Field(() => String, { description: 'Open it in the person\'s browser.' }) url!: string;
  @Field(() => DateTimeScalar, { description: 'Until when it works.' }) expiresAt!: Date;
}

@InputType({ description: 'Enrolls the caller with their own credential.' })
export class EnrollInput {
  @Field(() => ID, { description: 'With which server.' }) connectionTypeId!: string;
  @Field(() => String, { nullable: true, description: 'Tells several of one person apart: at most 100 characters.' }) label?: string | null;
  @Field(() => String, { nullable: true, description: 'With ACCESS_TOKEN: the token, without its prefix. Write-only.' }) accessToken?: string | null;
  @Field(() => [HeaderValueInput], { nullable: true, description: 'With CUSTOM_HEADERS: the values. Write-only.' }) headers?: HeaderValueInput[] | null;
  @Field(() => String, { nullable: true, description: 'With OAUTH: where to come back to.' }) returnUrl?: string | null;
}

@ObjectType({ description: 'Answer of enroll.', simpleResolvers: true })
export class EnrollPayload {
  @Field(() => EnrollmentType, { nullable: true, description: 'The new enrollment.' }) enrollment?: unknown;
  @Field(() => EnrollmentAuthorizationType, { nullable: true, description: 'With OAUTH: the consent to be given.' }) authorization?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@InputType({ description: 'Changes to one\'s own enrollment: absent keeps, a value replaces, null clears; headers are merged by name.' })
export class UpdateEnrollmentInput {
  @Field(() => ID, { description: 'Which one.' }) id!: string;
  @Field(() => String, { nullable: true, description: 'Tells several of one person apart.' }) label?: string | null;
  @Field(() => String, { nullable: true, description: 'With ACCESS_TOKEN: the new token. Entering it confirms the server\'s address.' }) accessToken?: string | null;
  @Field(() => [HeaderValueInput], { nullable: true, description: 'With CUSTOM_HEADERS: new values. Entering them confirms the server\'s address.' }) headers?: HeaderValueInput[] | null;
}

@InputType({ description: 'Yes, my credential may go there.' })
export class ConfirmEnrollmentInput {
  @Field(() => ID, { description: 'Which one.' }) id!: string;
  @Field(() => String, { description: 'The server\'s address as its owner saw it; another one is refused.' }) serverUrl!: string;
}

@InputType({ description: 'Consent again, in place.' })
export class StartAuthorizationInput {
  @Field(() => ID, { description: 'Which one.' }) enrollmentId!: string;
  @Field(() => String, { nullable: true, description: 'Where to come back to; its origin must be allowed.' }) returnUrl?: string | null;
}

@ObjectType({ description: 'Answer of startAuthorization.', simpleResolvers: true })
export class StartAuthorizationPayload {
  @Field(() => EnrollmentAuthorizationType, { nullable: true, description: 'The consent to be given.' }) authorization?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@InputType({ description: 'Tries the credential now; with OAUTH, rotates it.' })
export class RefreshEnrollmentInput {
  @Field(() => ID, { description: 'Which one.' }) id!: string;
}

@InputType({ description: 'Lets the team use an enrollment, or ends that.' })
export class ShareEnrollmentInput {
  @Field(() => ID, { description: 'Which one.' }) id!: string;
  @Field(() => Boolean, { description: 'Whether the team may use it.' }) shared!: boolean;
}

@InputType({ description: 'Ends one\'s own enrollment.' })
export class DeleteEnrollmentInput {
  @Field(() => ID, { description: 'Which one.' }) id!: string;
}

@ObjectType('Revocation', { description: 'What became of the login at its provider.', simpleResolvers: true })
export class RevocationType {
  @Field(() => RevocationOutcomeEnum, { description: 'In one word.' }) outcome!: string;
  @Field(() => String, { description: 'The same, for people.' }) message!: string;
}

@ObjectType({ description: 'Answer of updateEnrollment.', simpleResolvers: true })
export class UpdateEnrollmentPayload {
  @Field(() => EnrollmentType, { nullable: true, description: 'The enrollment as it is now.' }) enrollment?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@ObjectType({ description: 'Answer of confirmEnrollment.', simpleResolvers: true })
export class ConfirmEnrollmentPayload {
  @Field(() => EnrollmentType, { nullable: true, description: 'The enrollment as it is now.' }) enrollment?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@ObjectType({ description: 'Answer of refreshEnrollment.', simpleResolvers: true })
export class RefreshEnrollmentPayload {
  @Field(() => EnrollmentType, { nullable: true, description: 'The enrollment as it is now.' }) enrollment?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@ObjectType({ description: 'Answer of shareEnrollment.', simpleResolvers: true })
export class ShareEnrollmentPayload {
  @Field(() => EnrollmentType, { nullable: true, description: 'The enrollment as it is now.' }) enrollment?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@ObjectType({ description: 'Answer of deleteEnrollment.', simpleResolvers: true })
export class DeleteEnrollmentPayload {
  @Field(() => ID, { nullable: true, description: 'Which one; its sealed value is gone.' }) deletedId?: string;
  @Field(() => RevocationType, { nullable: true, description: 'What became of the login at its provider.' }) revocation?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}
