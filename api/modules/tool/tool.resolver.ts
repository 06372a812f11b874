import { Arg, Ctx, Mutation, Resolver } from 'type-graphql';
import type { Context } from '../../context.js';
import type { Mutations } from '../../mutation.js';
import type { ToolManager } from './tool.manager.js';
import { AcceptToolChangeInput, AcceptToolChangePayload } from './tool.type.js';
import { toolView } from './tool.view.js';

/** What servers offer. */
@Resolver()
export class ToolResolver {
  constructor(private readonly manager: ToolManager, private readonly mutations: Mutations) {}

  @Mutation(() => AcceptToolChangePayload, { description: 'Accepts a changed tool. For managers.' })
  acceptToolChange(@Ctx() context: Context, @Arg('input', () => AcceptToolChangeInput, { description: 'Which tool, as it was looked at.' }) input: AcceptToolChangeInput) {
    return this.mutations.run(context, 'acceptToolChange', async (act) => {
      const { tool, type } = await this.manager.accept(act, input);
      return { tool: toolView(tool, type.spec.toolPolicy) };
    });
  }
}
