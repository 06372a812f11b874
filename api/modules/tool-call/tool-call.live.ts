import { Arg, Ctx, ID, Resolver, Root, Subscription } from 'type-graphql';
import type { ToolCallView } from '../../call/call-request.js';
import type { Context } from '../../context.js';
import { ToolCallType } from './tool-call.type.js';
import { toolCallView } from './tool-call.view.js';

/** One call, live. */
@Resolver()
export class ToolCallLiveResolver {
  @Subscription(() => ToolCallType, {
    subscribe: ({ args, context }: { args: { id: string }; context: Context }) => context.live.toolCall(context, args.id),
    description: 'A call as it is now, then after each change, until it has ended. For those who may read it.',
  })
  toolCallChanged(@Root() view: ToolCallView, @Ctx() context: Context, @Arg('id', () => ID, { description: 'Which one.' }) _id: string) {
    return toolCallView(view, context);
  }
}
