import type { IncomingMessage, ServerResponse } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import { Provider, type Configuration } from 'oidc-provider';
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
  /** An access token for the API (RFC 9068), of one of the people that were named. */
  token(person: string): Promise<string>;
  close(): Promise<void>;
}

/** What access tokens for the API are issued for. */
export const AUDIENCE = 'https://fairlead.example/';

/** How it differs from one that signs people in on our pages, and nothing else. */
export interface SignInIssuerOptions {
  host?: string;
  /** Who also gets access tokens for the API: each is a client of their own. */
  people?: readonly string[];
  /** How clients may authenticate; everything that the provider knows by default. */
  clientAuthMethods?: ('client_secret_basic' | 'client_secret_post')[];
}

/** Starts `oidc-provider` on loopback with one confidential client. Its interactions end by themselves, by redirects that a browser follows too. */
export async function startSignInIssuer({ host = '127.0.0.1', people = [], clientAuthMethods }: SignInIssuerOptions = {}): Promise<SignInIssuer> {
  let handle: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) => void response.writeHead(503).end();
  const listener = await listen((request, response) => handle(request, response), '');
  const issuer = `http://${host}:${listener.port}`;
  const server: SignInIssuer = {
    issuer, clientId: 'fairlead', clientSecret: 'secret-with_special.characters~', account: { sub: 'ada', name: 'Ada Lovelace' }, redirectUris: [], prompts: [], token: (person) => tokenOf(issuer, person), close: () => listener.close(),
  };
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const accounts = new Map<string, Account>();
  const configuration: Configuration = {
    clients: [
      { client_id: server.clientId, client_secret: server.clientSecret, redirect_uris: [`${issuer}/any`], application_type: 'native', token_endpoint_auth_method: clientAuthMethods?.[0] },
      ...people.map((person) => ({ client_id: person, client_secret: 'secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] })),
    ],
    clientAuthMethods,
    jwks: { keys: [{ ...await exportJWK(privateKey), use: 'sig', alg: 'RS256' } as never] },
    cookies: { keys: ['test'], names: { session: '_signin_session', interaction: '_signin_interaction', resume: '_signin_resume' } },
    claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ ...accounts.get(id), sub: id }) }),
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    ttl: { AccessToken: 600, ClientCredentials: 600, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: { enabled: true, getResourceServerInfo: () => ({ scope: '', audience: AUDIENCE, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } }) },
    },
  };
  const provider = quietly(() => new Provider(issuer, configuration));
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

async function tokenOf(issuer: string, person: string): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST', headers: { authorization: `Basic ${Buffer.from(`${person}:secret`).toString('base64')}` }, body: new URLSearchParams({ grant_type: 'client_credentials', resource: AUDIENCE }),
  });
  const { access_token: token } = (await response.json()) as { access_token?: string };
  if (token === undefined) throw new Error(`the issuer gives ${person} no token: HTTP ${response.status}`);
  return token;
}
