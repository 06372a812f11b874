import type { IncomingMessage, ServerResponse } from 'node:http';
import { Provider } from 'oidc-provider';
import { listen } from '../mcp-servers/listener.js';
import { quietly } from '../oauth-servers/oidc-provider.js';

/** A person whom the issuer knows. */
export interface Account {
  sub: string;
  name: string;
  email?: string;
  email_verified?: boolean;
}

/** A real OIDC issuer that people sign in with. */
export interface SignInIssuer {
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** Who sits in front of it; null refuses. Read at every sign-in. */
  account: Account | null;
  /** Where it sends people back to; to be filled before the first of them comes. */
  redirectUris: string[];
  /** `prompt` of each authorization request that it saw. */
  prompts: (string | null)[];
  close(): Promise<void>;
}

/** Starts `oidc-provider` on loopback with one confidential client. Its interactions end by themselves, by redirects that a browser follows too. */
export async function startSignInIssuer(host = '127.0.0.1'): Promise<SignInIssuer> {
  let handle: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) => void response.writeHead(503).end();
  const listener = await listen((request, response) => handle(request, response), '');
  const issuer = `http://${host}:${listener.port}`;
  const server: SignInIssuer = {
    issuer, clientId: 'fairlead', clientSecret: 'secret-with_special.characters~', account: { sub: 'ada', name: 'Ada Lovelace' }, redirectUris: [], prompts: [], close: () => listener.close(),
  };
  const accounts = new Map<string, Account>();
  const provider = quietly(() => new Provider(issuer, {
    clients: [{ client_id: server.clientId, client_secret: server.clientSecret, redirect_uris: [`${issuer}/any`], application_type: 'native' }],
    cookies: { keys: ['test'], names: { session: '_signin_session', interaction: '_signin_interaction', resume: '_signin_resume' } },
    claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ ...accounts.get(id), sub: id }) }),
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    ttl: { AccessToken: 600, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
    features: { devInteractions: { enabled: false } },
  }));
  // A client is checked when it is loaded; where it may send people is known later.
  Object.defineProperty((provider.Client as unknown as { prototype: object }).prototype, 'redirectUriAllowed', { value: (uri: string) => server.redirectUris.includes(uri) });
  provider.use(async (ctx, next) => {
    if (ctx.path === '/auth') server.prompts.push(typeof ctx.query['prompt'] === 'string' ? ctx.query['prompt'] : null);
    if (!ctx.path.startsWith('/interaction/')) return next();
    ctx.respond = false;
    const { prompt, params, session } = await provider.interactionDetails(ctx.req, ctx.res);
    if (server.account === null) return provider.interactionFinished(ctx.req, ctx.res, { error: 'access_denied', error_description: '<b>nobody</b> is here' });
    accounts.set(server.account.sub, server.account);
    if (prompt.name === 'login') return provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: server.account.sub } });
    const grant = new provider.Grant({ accountId: session!.accountId, clientId: params['client_id'] as string });
    grant.addOIDCScope('openid profile email');
    return provider.interactionFinished(ctx.req, ctx.res, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
  });
  handle = provider.callback();
  return server;
}
