import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import { UserError } from '../../graphql/user-error.type.js';
import { AuthMethodEnum, DeletionPolicyEnum, ToolChangePolicyEnum } from './connection-type.enums.js';
import { ConnectionTypeType } from './connection-type.type.js';

@InputType({ description: 'Where an access token goes.' })
export class AccessTokenSettingsInput {
  @Field(() => String, { nullable: true, description: 'The request header; Authorization if absent.' }) header?: string | null;
  @Field(() => String, { nullable: true, description: 'What stands before the token; "Bearer " if absent.' }) prefix?: string | null;
}

@InputType({ description: 'A header that teammates give a value for.' })
export class HeaderDeclarationInput {
  @Field(() => String, { description: 'The header\'s name.' }) name!: string;
  @Field(() => String, { nullable: true, description: 'What to enter.' }) description?: string | null;
  @Field(() => Boolean, { nullable: true, description: 'Whether enrolling takes a value; true if absent.' }) required?: boolean | null;
  @Field(() => Boolean, { nullable: true, description: 'Whether the value is a secret; true if absent.' }) secret?: boolean | null;
}

@InputType({ description: 'The OAuth client. All optional: left out, the client is registered automatically where the server allows it.' })
export class OAuthSettingsInput {
  @Field(() => String, { nullable: true, description: 'A client that was registered beforehand.' }) clientId?: string | null;
  @Field(() => String, { nullable: true, description: 'Its secret; write-only.' }) clientSecret?: string | null;
  @Field(() => String, { nullable: true, description: 'For authorization servers that register nobody without one (RFC 7591); write-only.' }) initialAccessToken?: string | null;
  @Field(() => [String], { nullable: true, description: 'Scopes to ask for; if absent, those that the server names.' }) scopes?: string[] | null;
  @Field(() => Boolean, { nullable: true, description: 'Admits an authorization server that supports PKCE with S256 but doesn\'t advertise it, as Entra ID and Cognito do; PKCE is used all the same. False if absent.' })
  allowUnadvertisedPkce?: boolean | null;
}

@InputType({ description: 'How a server is looked at.' })
export class HealthSettingsInput {
  @Field(() => Int, { nullable: true, description: 'How often, in seconds: 5 to 86,400; 60 if absent.' }) intervalSeconds?: number | null;
  @Field(() => Int, { nullable: true, description: 'How long one look may take, in seconds: 1 to 60; 10 if absent.' }) timeoutSeconds?: number | null;
}

@InputType({ description: 'Bounds of calls.' })
export class CallSettingsInput {
  @Field(() => Int, { nullable: true, description: 'How long a call may take, in milliseconds: 1,000 to 600,000; 60,000 if absent.' }) timeoutMs?: number | null;
  @Field(() => Int, { nullable: true, description: 'How large a result may be, in bytes: 1 KiB to 16 MiB; 1 MiB if absent.' }) maxResultBytes?: number | null;
  @Field(() => Int, { nullable: true, description: 'Calls a minute; unlimited if absent.' }) ratePerMinute?: number | null;
  @Field(() => Int, { nullable: true, description: 'Calls at once; unlimited if absent.' }) concurrency?: number | null;
}

@InputType({ description: 'Which tools may be called.' })
export class ToolPolicyInput {
  @Field(() => [String], { nullable: true, description: 'Names or patterns with *; all if absent.' }) allow?: string[] | null;
  @Field(() => [String], { nullable: true, description: 'Names or patterns with *; wins over `allow`.' }) deny?: string[] | null;
  @Field(() => ToolChangePolicyEnum, { nullable: true, description: 'What happens when a definition changes; WARN if absent.' }) onChange?: string | null;
  @Field(() => Boolean, { nullable: true, description: 'Whether policy may rely on the server\'s annotations; false if absent.' }) trustAnnotations?: boolean | null;
}

@InputType({ description: 'A new catalog entry.' })
export class CreateConnectionTypeInput {
  @Field(() => String, { description: 'The team\'s slug.' }) team!: string;
  @Field(() => String, { description: 'As people read it: 1 to 100 characters.' }) displayName!: string;
  @Field(() => String, { nullable: true, description: 'A DNS label, unique in the team; derived from the display name if absent.' }) name?: string | null;
  @Field(() => String, { nullable: true, description: 'What it is for.' }) description?: string | null;
  @Field(() => String, { description: 'The MCP endpoint: public https.' }) serverUrl!: string;
  @Field(() => AuthMethodEnum, { description: 'How credentials reach the server.' }) authMethod!: string;
  @Field(() => AccessTokenSettingsInput, { nullable: true, description: 'With ACCESS_TOKEN: where the token goes.' }) accessToken?: AccessTokenSettingsInput | null;
  @Field(() => [HeaderDeclarationInput], { nullable: true, description: 'With CUSTOM_HEADERS: what teammates enter.' }) headers?: HeaderDeclarationInput[] | null;
  @Field(() => OAuthSettingsInput, { nullable: true, description: 'With OAUTH: the client.' }) oauth?: OAuthSettingsInput | null;
  @Field(() => HealthSettingsInput, { nullable: true, description: 'How the server is looked at.' }) health?: HealthSettingsInput | null;
  @Field(() => CallSettingsInput, { nullable: true, description: 'Bounds of calls.' }) calls?: CallSettingsInput | null;
  @Field(() => ToolPolicyInput, { nullable: true, description: 'Which tools may be called.' }) toolPolicy?: ToolPolicyInput | null;
  @Field(() => DeletionPolicyEnum, { nullable: true, description: 'What deleting the manifest does; DELETE if absent.' }) deletionPolicy?: string | null;
  @Field(() => Boolean, { nullable: true, description: 'Save it although the server can\'t be reached now.' }) allowUnreachable?: boolean | null;
}

@InputType({ description: 'Changes to a catalog entry: absent keeps, a value replaces, null clears.' })
export class UpdateConnectionTypeInput {
  @Field(() => ID, { description: 'Which one.' }) id!: string;
  @Field(() => Int, { description: 'The version that was read; a stale one is refused.' }) expectedVersion!: number;
  @Field(() => String, { nullable: true, description: 'As people read it.' }) displayName?: string | null;
  @Field(() => String, { nullable: true, description: 'What it is for.' }) description?: string | null;
  @Field(() => String, { nullable: true, description: 'The MCP endpoint. Another address suspends every enrollment until its owner confirms it.' }) serverUrl?: string | null;
  @Field(() => AuthMethodEnum, { nullable: true, description: 'How credentials reach the server. Another method suspends every enrollment.' }) authMethod?: string | null;
  @Field(() => AccessTokenSettingsInput, { nullable: true, description: 'Where the token goes. Another header suspends every enrollment.' }) accessToken?: AccessTokenSettingsInput | null;
  @Field(() => [HeaderDeclarationInput], { nullable: true, description: 'What teammates enter; replaces the list.' }) headers?: HeaderDeclarationInput[] | null;
  @Field(() => OAuthSettingsInput, { nullable: true, description: 'The client.' }) oauth?: OAuthSettingsInput | null;
  @Field(() => HealthSettingsInput, { nullable: true, description: 'How the server is looked at.' }) health?: HealthSettingsInput | null;
  @Field(() => CallSettingsInput, { nullable: true, description: 'Bounds of calls.' }) calls?: CallSettingsInput | null;
  @Field(() => ToolPolicyInput, { nullable: true, description: 'Which tools may be called.' }) toolPolicy?: ToolPolicyInput | null;
  @Field(() => DeletionPolicyEnum, { nullable: true, description: 'What deleting the manifest does.' }) deletionPolicy?: string | null;
  @Field(() => Boolean, { nullable: true, description: 'Save a new address although the server can\'t be reached now.' }) allowUnreachable?: boolean | null;
}

@InputType({ description: 'Deletes a catalog entry with its enrollments.' })
export class DeleteConnectionTypeInput {
  @Field(() => ID, { description: 'Which one.' }) id!: string;
  @Field(() => Int, { nullable: true, description: 'The version that was read; a stale one is refused. Any if absent.' }) expectedVersion?: number | null;
}

@InputType({ description: 'Looks at a server now.' })
export class CheckConnectionTypeInput {
  @Field(() => ID, { description: 'Which one.' }) id!: string;
}

@ObjectType({ description: 'Answer of createConnectionType.', simpleResolvers: true })
export class CreateConnectionTypePayload {
  @Field(() => ConnectionTypeType, { nullable: true, description: 'The new entry.' }) connectionType?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@ObjectType({ description: 'Answer of updateConnectionType.', simpleResolvers: true })
export class UpdateConnectionTypePayload {
  @Field(() => ConnectionTypeType, { nullable: true, description: 'The entry as it is now.' }) connectionType?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@ObjectType({ description: 'Answer of deleteConnectionType.', simpleResolvers: true })
export class DeleteConnectionTypePayload {
  @Field(() => ID, { nullable: true, description: 'Which one; it is no longer callable.' }) deletedId?: string;
  @Field(() => Int, { nullable: true, description: 'How many enrollments ended with it.' }) enrollmentsDeleted?: number;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@ObjectType({ description: 'Answer of checkConnectionType.', simpleResolvers: true })
export class CheckConnectionTypePayload {
  @Field(() => ConnectionTypeType, { nullable: true, description: 'The entry with what was seen.' }) connectionType?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}
