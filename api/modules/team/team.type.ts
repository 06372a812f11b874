import { Field, ID, InputType, Int, InterfaceType, ObjectType } from 'type-graphql';
import { DateTimeScalar } from '../../graphql/scalars.js';
import type { DestructiveTools } from '#core/store/entities/team.entity.js';
import type { Role } from '#core/connection/role.js';
import type { NamespaceState } from '#core/store/entities/mirror.entity.js';
import { enumType } from '../../graphql/enum-type.js';
import { connectionType } from '../../graphql/pagination.js';
import { UserError } from '../../graphql/user-error.type.js';

export const RoleEnum = enumType<Role>('Role', 'What a member may do.', {
  MEMBER: 'Enrolls, and calls tools.',
  MANAGER: 'Also keeps the catalog, and shares enrollments.',
  ADMIN: 'Also keeps members and tokens.',
});

@InterfaceType('Node', { description: 'An object with a global id (https://relay.dev/graphql/objectidentification.htm).', resolveType: (value: { __typename: string }) => value.__typename })
export abstract class NodeType {
  @Field(() => ID, { description: 'Opaque; the same for as long as the object is there.' }) id!: string;
}

@ObjectType('Member', { implements: NodeType, description: 'A person or machine user in a team.', simpleResolvers: true })
export class MemberType extends NodeType {
  @Field(() => String, { description: 'The subject at the OIDC issuer, or a local name.' }) subject!: string;
  @Field(() => String, { description: 'As people read it.' }) displayName!: string;
  @Field(() => RoleEnum, { description: 'What they may do in this team.' }) role!: Role;
  @Field(() => Boolean, { description: 'Created here; can\'t sign in, acts through tokens.' }) local!: boolean;
  @Field(() => DateTimeScalar, { description: 'Since when.' }) createdAt!: Date;
}

export const NamespaceStateEnum = enumType<NamespaceState>('NamespaceState', 'Where the binding of a Kubernetes namespace stands.', {
  WAITING: 'The namespace isn\'t labelled with the team yet.',
  BOUND: 'What is declared in it is the team\'s.',
  FROZEN: 'Label, namespace or cluster changed: nothing is mirrored, and nothing is deleted; the message says why.',
});

@ObjectType('TeamNamespace', { description: 'The Kubernetes namespace of a team.', simpleResolvers: true })
export class TeamNamespaceType {
  @Field(() => String, { description: 'Its name.' }) name!: string;
  @Field(() => NamespaceStateEnum, { description: 'Where the binding stands.' }) state!: NamespaceState;
  @Field(() => String, { description: 'Why, for people; may be empty.' }) message!: string;
  @Field(() => DateTimeScalar, { nullable: true, description: 'Since when so much was deleted at once that nothing of it ends before an administrator says confirmDeletions.' }) heldSince!: Date | null;
  @Field(() => Int, { description: 'How many deletions wait for that.' }) heldDeletions!: number;
}

export const DestructiveToolsEnum = enumType<DestructiveTools>('DestructiveTools', 'What a team wants of calls to destructive tools. Unless a connection type\'s policy trusts the server\'s annotations, all of its tools count as destructive.', {
  ALLOW: 'They run at once, unless an assignment says otherwise.',
  REQUIRE_APPROVAL: 'They wait for a manager\'s approval, whoever calls.',
});

@ObjectType('Team', { implements: NodeType, description: 'A tenant: owns a catalog and members.' })
export class TeamType extends NodeType {
  @Field(() => String, { description: 'Its name in URLs and manifests.', simple: true }) slug!: string;
  @Field(() => String, { description: 'As people read it.', simple: true }) displayName!: string;
  @Field(() => DestructiveToolsEnum, { description: 'Whether destructive tools are called without anybody\'s approval.', simple: true }) destructiveTools!: DestructiveTools;
  @Field(() => DateTimeScalar, { description: 'Since when.', simple: true }) createdAt!: Date;
}

@ObjectType('Membership', { description: 'The viewer\'s place in a team.', simpleResolvers: true })
export class MembershipType {
  @Field(() => RoleEnum, { description: 'The role that counts now: a token\'s never exceeds its creator\'s.' }) role!: Role;
  @Field(() => TeamType, { description: 'The team.' }) team!: TeamType;
}

@ObjectType('Viewer', { description: 'Who is calling.', simpleResolvers: true })
export class ViewerType {
  @Field(() => ID, { description: 'The same for the same person; not a node.' }) id!: string;
  @Field(() => String, { description: 'As people read it.' }) displayName!: string;
  @Field(() => [MembershipType], { description: 'The teams that this token reaches.' }) memberships!: MembershipType[];
}

@ObjectType('Actor', { description: 'Somebody as they were named at the time; they may have left since.', simpleResolvers: true })
export class ActorType {
  @Field(() => ID, { description: 'Their member id at the time.' }) id!: string;
  @Field(() => String, { description: 'Their name at the time.' }) displayName!: string;
}

export const MemberPage = connectionType(() => MemberType, 'Member');

@InputType({ description: 'A new team; its creator becomes its first administrator.' })
export class CreateTeamInput {
  @Field(() => String, { description: 'A DNS label: 1 to 63 lower-case letters, digits or dashes.' }) slug!: string;
  @Field(() => String, { description: '1 to 100 characters.' }) displayName!: string;
}

@ObjectType({ description: 'Answer of createTeam.', simpleResolvers: true })
export class CreateTeamPayload {
  @Field(() => TeamType, { nullable: true, description: 'The new team.' }) team?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@InputType({ description: 'Changes of a team: absent keeps.' })
export class UpdateTeamInput {
  @Field(() => String, { description: 'The team\'s slug.' }) team!: string;
  @Field(() => DestructiveToolsEnum, { nullable: true, description: 'What it wants of calls to destructive tools.' }) destructiveTools?: DestructiveTools | null;
}

@ObjectType({ description: 'Answer of updateTeam.', simpleResolvers: true })
export class UpdateTeamPayload {
  @Field(() => TeamType, { nullable: true, description: 'The team as it is now.' }) team?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@InputType({ description: 'Adds a member, or changes their role or name.' })
export class SetMemberInput {
  @Field(() => String, { description: 'The team\'s slug.' }) team!: string;
  @Field(() => String, { description: 'The subject at the OIDC issuer, or a local name.' }) subject!: string;
  @Field(() => String, { nullable: true, description: 'As people read it; the subject if absent.' }) displayName?: string | null;
  @Field(() => RoleEnum, { description: 'What they may do.' }) role!: Role;
  @Field(() => Boolean, { nullable: true, description: 'A local member can\'t sign in and acts through tokens. If absent: true where no OIDC issuer is configured, else false.' })
  local?: boolean | null;
}

@ObjectType({ description: 'Answer of setMember.', simpleResolvers: true })
export class SetMemberPayload {
  @Field(() => MemberType, { nullable: true, description: 'The member as they are now.' }) member?: unknown;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}

@InputType({ description: 'Ends a membership, with its enrollments and tokens.' })
export class RemoveMemberInput {
  @Field(() => String, { description: 'The team\'s slug.' }) team!: string;
  @Field(() => ID, { description: 'Who leaves.' }) memberId!: string;
}

@ObjectType({ description: 'Answer of removeMember.', simpleResolvers: true })
export class RemoveMemberPayload {
  @Field(() => ID, { nullable: true, description: 'Who left.' }) removedId?: string;
  @Field(() => [UserError], { description: 'Why not.' }) userErrors!: UserError[];
}
