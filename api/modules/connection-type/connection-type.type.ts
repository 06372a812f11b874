import { Field, Int, ObjectType } from 'type-graphql';
import { DateTimeScalar } from '../../graphql/scalars.js';
import type { ConditionStatus } from '#core/connection/condition.js';
import { connectionType } from '../../graphql/pagination.js';
import { ActionType } from '../../graphql/user-error.type.js';
import { NodeType } from '../team/team.type.js';
import {
  AuthMethodEnum, ConditionStatusEnum, ConnectionTypeStateEnum, DeletionPolicyEnum, OriginEnum, RegistrationMethodEnum, ToolChangePolicyEnum,
} from './connection-type.enums.js';

@ObjectType('Condition', { description: 'One thing that was observed, in the sense of the Kubernetes API conventions.', simpleResolvers: true })
export class ConditionType {
  @Field(() => String, { description: 'What it is about, e.g. Reachable.' }) type!: string;
  @Field(() => ConditionStatusEnum, { description: 'Whether it holds.' }) status!: ConditionStatus;
  @Field(() => String, { description: 'Why, for programs: CamelCase.' }) reason!: string;
  @Field(() => String, { description: 'Why, for people, with the next step; may be empty.' }) message!: string;
  @Field(() => DateTimeScalar, { description: 'When the status flipped last.' }) lastTransitionTime!: string;
  @Field(() => Int, { description: 'The spec version that it speaks of.' }) observedGeneration!: number;
}

@ObjectType('Manifest', { description: 'The Kubernetes object that owns something.', simpleResolvers: true })
export class ManifestType {
  @Field(() => String, { description: 'Its namespace.' }) namespace!: string;
  @Field(() => String, { description: 'Its name.' }) name!: string;
}

@ObjectType('McpServer', { description: 'What a server calls itself; the server\'s word.', simpleResolvers: true })
export class McpServerType {
  @Field(() => String, { description: 'Its name.' }) name!: string;
  @Field(() => String, { nullable: true, description: 'Its version.' }) version!: string | null;
}

@ObjectType('AccessTokenSettings', { description: 'Where an access token goes.', simpleResolvers: true })
export class AccessTokenSettingsType {
  @Field(() => String, { description: 'The request header.' }) header!: string;
  @Field(() => String, { description: 'What stands before the token, e.g. "Bearer ".' }) prefix!: string;
}

@ObjectType('HeaderDeclaration', { description: 'A header that teammates give a value for.', simpleResolvers: true })
export class HeaderDeclarationType {
  @Field(() => String, { description: 'The header\'s name.' }) name!: string;
  @Field(() => String, { nullable: true, description: 'What to enter.' }) description!: string | null;
  @Field(() => Boolean, { description: 'Whether enrolling takes a value.' }) required!: boolean;
  @Field(() => Boolean, { description: 'Whether the value is a secret, to be removed from results.' }) secret!: boolean;
}

@ObjectType('OAuthSettings', { description: 'The OAuth client of a connection type.', simpleResolvers: true })
export class OAuthSettingsType {
  @Field(() => String, { nullable: true, description: 'The authorization server.' }) issuer!: string | null;
  @Field(() => RegistrationMethodEnum, { nullable: true, description: 'How the client came to be.' }) registrationMethod!: string | null;
  @Field(() => String, { nullable: true, description: 'The client\'s ID.' }) clientId!: string | null;
  @Field(() => [String], { description: 'Scopes that are asked for.' }) scopes!: string[];
  @Field(() => String, { description: 'The redirect URI to register.' }) redirectUri!: string;
  @Field(() => DateTimeScalar, { nullable: true, description: 'When the client\'s secret expires.' }) clientSecretExpiresAt!: Date | null;
}

@ObjectType('HealthSettings', { description: 'How a server is looked at.', simpleResolvers: true })
export class HealthSettingsType {
  @Field(() => Int, { description: 'How often, in seconds.' }) intervalSeconds!: number;
  @Field(() => Int, { description: 'How long one look may take, in seconds.' }) timeoutSeconds!: number;
}

@ObjectType('CallSettings', { description: 'Bounds of calls.', simpleResolvers: true })
export class CallSettingsType {
  @Field(() => Int, { description: 'How long a call may take, in milliseconds.' }) timeoutMs!: number;
  @Field(() => Int, { description: 'How large a result may be, in bytes.' }) maxResultBytes!: number;
  @Field(() => Int, { nullable: true, description: 'Calls a minute; null: unlimited.' }) ratePerMinute!: number | null;
  @Field(() => Int, { nullable: true, description: 'Calls at once; null: unlimited.' }) concurrency!: number | null;
}

@ObjectType('ToolPolicy', { description: 'Which tools may be called.', simpleResolvers: true })
export class ToolPolicyType {
  @Field(() => [String], { description: 'Names or patterns with *; empty: all.' }) allow!: string[];
  @Field(() => [String], { description: 'Names or patterns with *; wins over `allow`.' }) deny!: string[];
  @Field(() => ToolChangePolicyEnum, { description: 'What happens when a definition changes.' }) onChange!: string;
  @Field(() => Boolean, { description: 'Whether policy may rely on the server\'s annotations.' }) trustAnnotations!: boolean;
}

@ObjectType('ConnectionTypePermissions', { description: 'What the viewer may do with a connection type.', simpleResolvers: true })
export class ConnectionTypePermissionsType {
  @Field(() => Boolean, { description: 'Change its spec.' }) update!: boolean;
  @Field(() => Boolean, { description: 'Delete it.' }) delete!: boolean;
  @Field(() => Boolean, { description: 'Enroll.' }) enroll!: boolean;
}

@ObjectType('ConnectionType', { implements: NodeType, description: 'A catalog entry: a server that teammates can enroll with.' })
export class ConnectionTypeType extends NodeType {
  @Field(() => String, { simple: true, description: 'A DNS label, unique in the team; calls name it.' }) name!: string;
  @Field(() => String, { simple: true, description: 'As people read it.' }) displayName!: string;
  @Field(() => String, { nullable: true, simple: true, description: 'What it is for.' }) description!: string | null;
  @Field(() => String, { simple: true, description: 'The MCP endpoint.' }) serverUrl!: string;
  @Field(() => AuthMethodEnum, { simple: true, description: 'How credentials reach the server.' }) authMethod!: string;
  @Field(() => OriginEnum, { simple: true, description: 'Who owns the spec.' }) origin!: string;
  @Field(() => Int, { simple: true, description: 'Generation of the spec: moves with spec changes and nothing else; updates name it.' }) version!: number;
  @Field(() => ManifestType, { nullable: true, simple: true, description: 'The owning manifest; null unless origin is MANIFEST.' }) manifest!: ManifestType | null;
  @Field(() => AccessTokenSettingsType, { nullable: true, simple: true, description: 'With ACCESS_TOKEN: where the token goes.' }) accessToken!: unknown;
  @Field(() => [HeaderDeclarationType], { simple: true, description: 'With CUSTOM_HEADERS: what teammates enter; empty: they name their own headers.' }) headers!: unknown[];
  @Field(() => OAuthSettingsType, { nullable: true, simple: true, description: 'With OAUTH: the client.' }) oauth!: OAuthSettingsType | null;
  @Field(() => HealthSettingsType, { simple: true, description: 'How the server is looked at.' }) health!: unknown;
  @Field(() => CallSettingsType, { simple: true, description: 'Bounds of calls.' }) calls!: unknown;
  @Field(() => ToolPolicyType, { simple: true, description: 'Which tools may be called.' }) toolPolicy!: unknown;
  @Field(() => DeletionPolicyEnum, { simple: true, description: 'What deleting the manifest does.' }) deletionPolicy!: string;
  @Field(() => DateTimeScalar, { simple: true, description: 'Since when.' }) createdAt!: Date;
  @Field(() => DateTimeScalar, { simple: true, description: 'When the spec was changed last.' }) updatedAt!: Date;
  @Field(() => ConnectionTypePermissionsType, { simple: true, description: 'What the viewer may do.' }) viewerCan!: unknown;
  @Field(() => ConnectionTypeStateEnum, { simple: true, description: 'One word for what the conditions say.' }) state!: string;
  @Field(() => ActionType, { nullable: true, simple: true, description: 'What a person should do, if anything.' }) action!: unknown;
  @Field(() => String, { nullable: true, simple: true, description: 'The protocol revision that was spoken last.' }) protocolVersion!: string | null;
  @Field(() => McpServerType, { nullable: true, simple: true, description: 'What the server calls itself.' }) server!: unknown;
  @Field(() => [ConditionType], { simple: true, description: 'What was observed.' }) conditions!: unknown[];
  @Field(() => DateTimeScalar, { nullable: true, simple: true, description: 'When the server was looked at last.' }) lastCheckedAt!: Date | null;
  @Field(() => DateTimeScalar, { nullable: true, simple: true, description: 'When it will be looked at next.' }) nextCheckAt!: Date | null;
}

export const ConnectionTypePage = connectionType(() => ConnectionTypeType, 'ConnectionType');
