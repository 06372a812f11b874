import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import { UserError } from '../../graphql/user-error.type.js';
import { TeamType } from '../team/team.type.js';

@InputType({ description: 'Says that a Kubernetes namespace is a team\'s: whoever may write in it declares connection types and enrollments there, as a manager.' })
export class BindNamespaceInput {
  @Field(() => String, { description: 'The team\'s slug. The namespace is labelled fairlead.dev/team with it.' }) team!: string;
  @Field(() => String, { description: 'The namespace\'s name. It need not be there yet.' }) namespace!: string;
}

@ObjectType({ description: 'Answer of bindNamespace.', simpleResolvers: true })
export class BindNamespacePayload {
  @Field(() => TeamType, { nullable: true, description: 'The team with its namespace.' }) team?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@InputType({ description: 'Ends the binding of a team to its namespace. Nothing is deleted: what manifests declared stays without an owner, and can be taken over.' })
export class UnbindNamespaceInput {
  @Field(() => String, { description: 'The team\'s slug.' }) team!: string;
}

@ObjectType({ description: 'Answer of unbindNamespace.', simpleResolvers: true })
export class UnbindNamespacePayload {
  @Field(() => TeamType, { nullable: true, description: 'The team, without a namespace.' }) team?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@InputType({ description: 'Offers a connection type or an enrollment to a manifest.' })
export class OfferOwnershipInput {
  @Field(() => ID, { description: 'Which one.' }) id!: string;
}

@ObjectType({ description: 'Answer of offerOwnership.', simpleResolvers: true })
export class OfferOwnershipPayload {
  @Field(() => ID, { nullable: true, description: 'What is offered.' }) offeredId?: string;
  @Field(() => String, { nullable: true, description: 'The annotation by which a manifest takes it over, with its id and its enrollments.' }) annotation?: string;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@InputType({ description: 'Takes over what a manifest declared that is gone; or takes back an offer.' })
export class TakeOwnershipInput {
  @Field(() => ID, { description: 'Which one.' }) id!: string;
}

@ObjectType({ description: 'Answer of takeOwnership.', simpleResolvers: true })
export class TakeOwnershipPayload {
  @Field(() => ID, { nullable: true, description: 'What is changed here from now on.' }) takenId?: string;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@InputType({ description: 'Says that many deletions at once were meant.' })
export class ConfirmDeletionsInput {
  @Field(() => String, { description: 'The team\'s slug.' }) team!: string;
}

@ObjectType({ description: 'Answer of confirmDeletions.', simpleResolvers: true })
export class ConfirmDeletionsPayload {
  @Field(() => Int, { nullable: true, description: 'How many deletions end with their grace now.' }) confirmed?: number;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}
