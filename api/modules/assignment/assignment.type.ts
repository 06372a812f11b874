import { Field, Int, ObjectType } from 'type-graphql';
import { connectionType } from '../../graphql/pagination.js';
import { DateTimeScalar } from '../../graphql/scalars.js';
import { ActionType, UserErrorCode } from '../../graphql/user-error.type.js';
import { ConnectionTypeType } from '../connection-type/connection-type.type.js';
import { EnrollmentType } from '../enrollment/enrollment.type.js';
import { MemberType, NodeType } from '../team/team.type.js';
import { ToolType } from '../tool/tool.type.js';

@ObjectType('AssignmentSlot', { description: 'A connection type that an assignment may use, and how.', simpleResolvers: true })
export class AssignmentSlotType {
  @Field(() => ConnectionTypeType, { description: 'Which one.' }) connectionType!: unknown;
  @Field(() => [String], { nullable: true, description: 'The tools that it may call: names, or patterns with *; null for all.' }) allowedTools!: string[] | null;
  @Field(() => [String], { description: 'The tools whose calls wait for approval: names, or patterns with *.' }) requireApproval!: string[];
}

@ObjectType('AssignmentPin', { description: 'Which enrollment an assignment goes through.', simpleResolvers: true })
export class AssignmentPinType {
  @Field(() => MemberType, { nullable: true, description: 'For whom; null for everybody, through a shared enrollment.' }) member!: unknown;
  @Field(() => EnrollmentType, { description: 'Which one.' }) enrollment!: unknown;
}

@ObjectType('ReadinessProblem', { description: 'Why a call through a slot would be refused.', simpleResolvers: true })
export class ReadinessProblemType {
  @Field(() => UserErrorCode, { description: 'As the call would say.' }) code!: string;
  @Field(() => String, { description: 'What is wrong and what to do next, for people.' }) message!: string;
  @Field(() => ConnectionTypeType, { description: 'The slot\'s connection type.' }) connectionType!: unknown;
  @Field(() => ActionType, { nullable: true, description: 'The next step, where there is one.' }) action!: unknown;
}

@ObjectType('Readiness', { description: 'Whether everything that an assignment needs is connected for a person.', simpleResolvers: true })
export class ReadinessType {
  @Field(() => Boolean, { description: 'Calls through every slot get through.' }) ready!: boolean;
  @Field(() => [ReadinessProblemType], { description: 'What is in the way, slot by slot.' }) problems!: unknown[];
}

@ObjectType('AssignmentTool', { description: 'A tool that an assignment may call.', simpleResolvers: true })
export class AssignmentToolType {
  @Field(() => ConnectionTypeType, { description: 'Whose tool it is.' }) connectionType!: unknown;
  @Field(() => ToolType, { description: 'The tool.' }) tool!: unknown;
  @Field(() => Boolean, { description: 'Whether its calls wait for approval.' }) requiresApproval!: boolean;
  @Field(() => Boolean, { description: 'Whether the viewer\'s calls would get through now: connected, and allowed.' }) callable!: boolean;
}

@ObjectType('Assignment', { implements: NodeType, description: 'An automation that calls tools: what it may use, and through which enrollments.' })
export class AssignmentType extends NodeType {
  @Field(() => String, { simple: true, description: 'As people read it; unique in the team.' }) name!: string;
  @Field(() => Int, { simple: true, description: 'Moves with name and slots, and with nothing else; updates name it.' }) version!: number;
  @Field(() => DateTimeScalar, { simple: true, description: 'Since when.' }) createdAt!: Date;
  @Field(() => DateTimeScalar, { simple: true, description: 'When name or slots were changed last.' }) updatedAt!: Date;
  @Field(() => [AssignmentSlotType], { simple: true, description: 'What it may use.' }) slots!: unknown[];
  @Field(() => [AssignmentPinType], { simple: true, description: 'The viewer\'s own pins, and those for everybody.' }) pins!: unknown[];
}

export const AssignmentPage = connectionType(() => AssignmentType, 'Assignment');
