import { Arg, Ctx, Query, Resolver } from 'type-graphql';
import type { Context } from '../../context.js';
import { suggestedAuthMethod, type ProbeManager } from './probe.manager.js';
import { ProbeReportType, ProbeServerInput } from './probe.type.js';

/** Looking at servers before anything is saved. */
@Resolver()
export class ProbeResolver {
  constructor(private readonly manager: ProbeManager) {}

  @Query(() => ProbeReportType, { description: 'Looks at a server and says what it is; nothing is saved. For managers; rate-limited.' })
  async probeServer(@Ctx() context: Context, @Arg('input', () => ProbeServerInput, { description: 'Which server, and with what.' }) input: ProbeServerInput) {
    const { report, oauth } = await this.manager.look(context, input);
    const steps = [...report.steps, ...(oauth?.report.steps ?? [])];
    return { ...report, steps, suggestedAuthMethod: suggestedAuthMethod(report, oauth?.outcome ?? null, input.accessToken != null || input.headers != null), oauth: oauth?.outcome ?? null };
  }
}
