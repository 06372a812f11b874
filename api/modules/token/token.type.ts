import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import { DateTimeScalar } from '../../graphql/scalars.js';
import { UserError } from '../../graphql/user-error.type.js';
import { NodeType } from '../team/team.type.js';

@ObjectType('Token', { implements: NodeType, description: 'A Fairlead token; its secret is shown once and kept as a hash.', simpleResolvers: true })
export class TokenType extends NodeType {
  @Field(() => String, { description: 'What it is for.' }) name!: string;
  @Field(() => String, { description: 'How the secret begins, to tell tokens apart.' }) prefix!: string;
  @Field(() => DateTimeScalar, { nullable: true, description: 'Until when it works; null: until it is revoked.' }) expiresAt!: Date | null;
  @Field(() => DateTimeScalar, { nullable: true, description: 'When it was used last, to the minute.' }) lastUsedAt!: Date | null;
  @Field(() => DateTimeScalar, { description: 'Since when.' }) createdAt!: Date;
}

@InputType({ description: 'A new token: for the caller, for a local member, or for an assignment.' })
export class CreateTokenInput {
  @Field(() => String, { description: 'The team\'s slug; the token works in this team only.' }) team!: string;
  @Field(() => String, { description: 'What it is for: 1 to 100 characters.' }) name!: string;
  @Field(() => ID, { nullable: true, description: 'A local member that the token acts as; by administrators of the team. If absent: the caller.' }) memberId?: string | null;
  @Field(() => ID, { nullable: true, description: 'An assignment that the token acts for: it calls, looks at its calls, its tools and its readiness, and does nothing else.' }) assignmentId?: string | null;
  @Field(() => Boolean, { nullable: true, description: 'With an assignment: call through the creator\'s enrollments too. If absent: through shared ones only.' }) onBehalfOf?: boolean | null;
  @Field(() => Int, { nullable: true, description: 'Calls that are made with it, a minute, per process of the API. If absent: unlimited, or as the token that creates it.' }) ratePerMinute?: number | null;
  @Field(() => Int, { nullable: true, description: 'Calls that are made with it at once, per process of the API. If absent: unlimited, or as the token that creates it.' }) concurrency?: number | null;
  @Field(() => DateTimeScalar, { nullable: true, description: 'Until when it works. If absent: until it is revoked, or as long as the token that creates it.' }) expiresAt?: Date | null;
}

@ObjectType({ description: 'Answer of createToken.', simpleResolvers: true })
export class CreateTokenPayload {
  @Field(() => String, { nullable: true, description: 'The token itself, shown this once.' }) secret?: string;
  @Field(() => TokenType, { nullable: true, description: 'What is kept of it.' }) token?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@InputType({ description: 'Ends a token at once.' })
export class RevokeTokenInput {
  @Field(() => ID, { description: 'Which one.' }) id!: string;
}

@ObjectType({ description: 'Answer of revokeToken.', simpleResolvers: true })
export class RevokeTokenPayload {
  @Field(() => ID, { nullable: true, description: 'Which one.' }) revokedId?: string;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}
