import { Arg, Ctx, Mutation, Resolver } from 'type-graphql';
import type { Context } from '../../context.js';
import type { Mutations } from '../../mutation.js';
import { tokenView, type TokenManager } from './token.manager.js';
import { CreateTokenInput, CreateTokenPayload, RevokeTokenInput, RevokeTokenPayload } from './token.type.js';

/** Fairlead tokens. */
@Resolver()
export class TokenResolver {
  constructor(private readonly manager: TokenManager, private readonly mutations: Mutations) {}

  @Mutation(() => CreateTokenPayload, { description: 'Creates a token for the caller or, by administrators of the team, for a local member. The secret is shown once.' })
  createToken(@Ctx() context: Context, @Arg('input', () => CreateTokenInput, { description: 'The new token.' }) input: CreateTokenInput) {
    return this.mutations.run(context, 'createToken', async (act) => {
      const { secret, token } = await this.manager.create(act, input);
      return { secret, token: tokenView(token) };
    });
  }

  @Mutation(() => RevokeTokenPayload, { description: 'Ends a token at once. For its creator, its member, and administrators of the team.' })
  revokeToken(@Ctx() context: Context, @Arg('input', () => RevokeTokenInput, { description: 'Which one.' }) input: RevokeTokenInput) {
    return this.mutations.run(context, 'revokeToken', async (act) => {
      await this.manager.revoke(act, input);
      return { revokedId: input.id };
    });
  }
}
