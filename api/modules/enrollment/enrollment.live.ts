import { Arg, Ctx, Field, ID, ObjectType, Resolver, Root, Subscription } from 'type-graphql';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { Context } from '../../context.js';
import { ChangeEnum } from '../../graphql/change.type.js';
import { nodeId } from '../../graphql/node-id.js';
import type { RowChange } from '../../live/live-streams.js';
import { EnrollmentType } from './enrollment.type.js';
import { enrollmentView } from './enrollment.view.js';

@ObjectType({ description: 'A change of an enrollment.', simpleResolvers: true })
export class EnrollmentChange {
  @Field(() => ChangeEnum, { description: 'What happened.' }) change!: string;
  @Field(() => ID, { description: 'The enrollment\'s id.' }) id!: string;
  @Field(() => EnrollmentType, { nullable: true, description: 'As it is now; null when it was deleted, or is no longer shared with the viewer.' }) enrollment!: unknown;
}

/** Enrollments, live. */
@Resolver()
export class EnrollmentLiveResolver {
  @Subscription(() => EnrollmentChange, {
    subscribe: ({ args, context }: { args: { team: string }; context: Context }) => context.live.enrollments(context, args.team),
    description: 'Changes of the viewer\'s own enrollments and of those that are shared with the team, from now on: subscribe first, then read what is there.',
  })
  enrollmentChanged(@Root() { kind, id, row }: RowChange<Enrollment>, @Ctx() context: Context, @Arg('team', () => String, { description: 'The team\'s slug.' }) _team: string) {
    return { change: kind, id: nodeId('Enrollment', id), enrollment: row === null ? null : enrollmentView(row, context) };
  }
}
