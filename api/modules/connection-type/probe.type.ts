import { Field, InputType, Int, ObjectType } from 'type-graphql';
import { AuthMethodEnum, OAuthOutcomeEnum, ProbeVerdictEnum, RegistrationMethodEnum, StepOutcomeEnum } from './connection-type.enums.js';
import { McpServerType } from './connection-type.type.js';

@ObjectType('ProbeStep', { description: 'Something that a probe tried.', simpleResolvers: true })
export class ProbeStepType {
  @Field(() => String, { description: 'What was tried: address, TLS, MCP, tools, then challenge, resource metadata, authorization server, registration.' }) name!: string;
  @Field(() => StepOutcomeEnum, { description: 'How it ended.' }) outcome!: string;
  @Field(() => String, { description: 'What happened, for people.' }) message!: string;
  @Field(() => Int, { nullable: true, description: 'How long it took, in milliseconds; null where it wasn\'t measured.' }) durationMs!: number | null;
}

@ObjectType('ProbeOAuth', { description: 'What OAuth takes at a server.', simpleResolvers: true })
export class ProbeOAuthType {
  @Field(() => OAuthOutcomeEnum, { description: 'In one word.' }) outcome!: string;
  @Field(() => String, { nullable: true, description: 'The authorization server.' }) issuer!: string | null;
  @Field(() => String, { nullable: true, description: 'Where people consent.' }) authorizationEndpoint!: string | null;
  @Field(() => [RegistrationMethodEnum], { description: 'Ways to get a client.' }) registrationMethods!: string[];
  @Field(() => [String], { description: 'Scopes that the server names.' }) scopesSupported!: string[];
  @Field(() => String, { description: 'The redirect URI to register.' }) redirectUri!: string;
  @Field(() => String, { description: 'The same, for people.' }) message!: string;
}

@ObjectType('ProbeReport', { description: 'What a server turned out to be, before anything is saved.', simpleResolvers: true })
export class ProbeReportType {
  @Field(() => ProbeVerdictEnum, { description: 'In one word.' }) verdict!: string;
  @Field(() => String, { description: 'What was found and what to do next, for people.' }) message!: string;
  @Field(() => String, { nullable: true, description: 'The protocol revision that the server speaks.' }) protocolVersion!: string | null;
  @Field(() => McpServerType, { nullable: true, description: 'What the server calls itself.' }) server!: unknown;
  @Field(() => Int, { nullable: true, description: 'How many tools it lists with what was given.' }) toolCount!: number | null;
  @Field(() => AuthMethodEnum, { nullable: true, description: 'The method that fits what was found.' }) suggestedAuthMethod!: string | null;
  @Field(() => ProbeOAuthType, { nullable: true, description: 'What OAuth takes there; null when the server could not be asked.' }) oauth!: unknown;
  @Field(() => [ProbeStepType], { description: 'What was tried, in order.' }) steps!: unknown[];
}

@InputType({ description: 'A header with its value.' })
export class HeaderValueInput {
  @Field(() => String, { description: 'The header\'s name.' }) name!: string;
  @Field(() => String, { nullable: true, description: 'Its value; on update, null clears it.' }) value?: string | null;
}

@InputType({ description: 'Which server to look at, and with what.' })
export class ProbeServerInput {
  @Field(() => String, { description: 'The team\'s slug.' }) team!: string;
  @Field(() => String, { description: 'The MCP endpoint.' }) serverUrl!: string;
  @Field(() => AuthMethodEnum, { nullable: true, description: 'The method that is planned, if one is.' }) authMethod?: string | null;
  @Field(() => String, { nullable: true, description: 'A token to try, as "Authorization: Bearer …"; it is not stored.' }) accessToken?: string | null;
  @Field(() => [HeaderValueInput], { nullable: true, description: 'Headers to try; they are not stored.' }) headers?: HeaderValueInput[] | null;
}
