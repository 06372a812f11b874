import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import { UserError } from '../../graphql/user-error.type.js';
import { AssignmentType } from './assignment.type.js';

@InputType({ description: 'A connection type that an assignment may use.' })
export class AssignmentSlotInput {
  @Field(() => ID, { description: 'Which one.' }) connectionTypeId!: string;
  @Field(() => [String], { nullable: true, description: 'The tools that it may call: names, or patterns with *. If absent: all.' }) allowedTools?: string[] | null;
  @Field(() => [String], { nullable: true, description: 'The tools whose calls wait for approval: names, or patterns with *; ["*"] for all. If absent: none.' }) requireApproval?: string[] | null;
}

@InputType({ description: 'A new assignment.' })
export class CreateAssignmentInput {
  @Field(() => String, { description: 'The team\'s slug.' }) team!: string;
  @Field(() => String, { description: '1 to 100 characters, unique in the team.' }) name!: string;
  @Field(() => [AssignmentSlotInput], { description: 'What it may use, each connection type once.' }) slots!: AssignmentSlotInput[];
}

@InputType({ description: 'Changes of an assignment: absent keeps.' })
export class UpdateAssignmentInput {
  @Field(() => ID, { description: 'Which one.' }) id!: string;
  @Field(() => Int, { description: 'The version that was read.' }) expectedVersion!: number;
  @Field(() => String, { nullable: true, description: '1 to 100 characters, unique in the team.' }) name?: string | null;
  @Field(() => [AssignmentSlotInput], { nullable: true, description: 'All of them: a slot that is missing goes, with its pins.' }) slots?: AssignmentSlotInput[] | null;
}

@InputType({ description: 'Ends an assignment, with its tokens.' })
export class DeleteAssignmentInput {
  @Field(() => ID, { description: 'Which one.' }) id!: string;
}

@InputType({ description: 'Has an assignment go through an enrollment: one\'s own for oneself; a shared one, by managers, for everybody.' })
export class PinEnrollmentInput {
  @Field(() => ID, { description: 'Which assignment.' }) assignmentId!: string;
  @Field(() => ID, { description: 'Which enrollment; the assignment has a slot for its connection type.' }) enrollmentId!: string;
}

@InputType({ description: 'Ends a pin.' })
export class UnpinEnrollmentInput {
  @Field(() => ID, { description: 'Which assignment.' }) assignmentId!: string;
  @Field(() => ID, { description: 'Which enrollment.' }) enrollmentId!: string;
}

@ObjectType({ description: 'Answer of createAssignment.', simpleResolvers: true })
export class CreateAssignmentPayload {
  @Field(() => AssignmentType, { nullable: true, description: 'The new assignment.' }) assignment?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@ObjectType({ description: 'Answer of updateAssignment.', simpleResolvers: true })
export class UpdateAssignmentPayload {
  @Field(() => AssignmentType, { nullable: true, description: 'The assignment as it is now.' }) assignment?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@ObjectType({ description: 'Answer of deleteAssignment.', simpleResolvers: true })
export class DeleteAssignmentPayload {
  @Field(() => ID, { nullable: true, description: 'Which one.' }) deletedId?: string;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@ObjectType({ description: 'Answer of pinEnrollment.', simpleResolvers: true })
export class PinEnrollmentPayload {
  @Field(() => AssignmentType, { nullable: true, description: 'The assignment as it is now.' }) assignment?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@ObjectType({ description: 'Answer of unpinEnrollment.', simpleResolvers: true })
export class UnpinEnrollmentPayload {
  @Field(() => AssignmentType, { nullable: true, description: 'The assignment as it is now.' }) assignment?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}
