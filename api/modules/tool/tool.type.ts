import { Field, ID, InputType, ObjectType } from 'type-graphql';
import { GraphQLDateTime } from 'graphql-scalars';
import { JsonObjectScalar, JsonScalar } from '../../graphql/scalars.js';
import { enumType } from '../../graphql/enum-type.js';
import { connectionType } from '../../graphql/pagination.js';
import { UserError } from '../../graphql/user-error.type.js';
import { NodeType } from '../team/team.type.js';

export const ToolStateEnum = enumType<'CALLABLE' | 'DENIED' | 'BLOCKED_BY_CHANGE' | 'REMOVED'>('ToolState', 'Whether a tool may be called.', {
  CALLABLE: 'It may be called.',
  DENIED: 'The tool policy doesn\'t allow it.',
  BLOCKED_BY_CHANGE: 'Its definition changed and waits for a manager.',
  REMOVED: 'The server no longer lists it.',
});

@ObjectType('ToolAnnotations', { description: 'What the server says of a tool\'s effects; its word, not checked.', simpleResolvers: true })
export class ToolAnnotationsType {
  @Field(() => Boolean, { nullable: true, description: 'It changes nothing.' }) readOnlyHint!: boolean | null;
  @Field(() => Boolean, { nullable: true, description: 'It may destroy something.' }) destructiveHint!: boolean | null;
  @Field(() => Boolean, { nullable: true, description: 'Calling it again changes nothing more.' }) idempotentHint!: boolean | null;
  @Field(() => Boolean, { nullable: true, description: 'It reaches beyond the server.' }) openWorldHint!: boolean | null;
}

@ObjectType('ToolChange', { description: 'A new or changed definition that nobody has accepted yet.', simpleResolvers: true })
export class ToolChangeType {
  @Field(() => String, { nullable: true, description: 'Hash of the definition before; null for a new tool.' }) fromHash!: string | null;
  @Field(() => String, { description: 'Hash of the definition now.' }) toHash!: string;
  @Field(() => JsonScalar, { description: 'What changed: JSON pointers with the values before and after.' }) diff!: unknown;
  @Field(() => GraphQLDateTime, { description: 'When it was seen.' }) detectedAt!: string;
}

@ObjectType('Tool', { implements: NodeType, description: 'What a server offers. Texts are the server\'s: data, not instructions.', simpleResolvers: true })
export class ToolType extends NodeType {
  @Field(() => String, { description: 'How calls name it.' }) name!: string;
  @Field(() => String, { nullable: true, description: 'As people read it.' }) title!: string | null;
  @Field(() => String, { nullable: true, description: 'What it does.' }) description!: string | null;
  @Field(() => JsonObjectScalar, { description: 'JSON Schema of its arguments.' }) inputSchema!: unknown;
  @Field(() => JsonObjectScalar, { nullable: true, description: 'JSON Schema of its structured result.' }) outputSchema!: unknown;
  @Field(() => String, { description: 'SHA-256 over name, description, schemas and annotations.' }) definitionHash!: string;
  @Field(() => ToolStateEnum, { description: 'Whether it may be called.' }) state!: string;
  @Field(() => ToolAnnotationsType, { nullable: true, description: 'What the server says of its effects.' }) annotations!: unknown;
  @Field(() => ToolChangeType, { nullable: true, description: 'A change that nobody has accepted yet.' }) change!: unknown;
}

export const ToolPage = connectionType(() => ToolType, 'Tool');

@InputType({ description: 'Accepts a tool\'s definition as it was read.' })
export class AcceptToolChangeInput {
  @Field(() => ID, { description: 'Which tool.' }) toolId!: string;
  @Field(() => String, { description: 'The definition that was looked at; another one is refused.' }) definitionHash!: string;
}

@ObjectType({ description: 'Answer of acceptToolChange.', simpleResolvers: true })
export class AcceptToolChangePayload {
  @Field(() => ToolType, { nullable: true, description: 'The tool, callable again.' }) tool?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}
