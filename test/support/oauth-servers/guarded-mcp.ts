import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, Server } from '@modelcontextprotocol/server';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { listen, record, sendJson, type SeenRequest, type TestListener } from '../mcp-servers/listener.js';
import { callTestTool, TEST_TOOLS, wireForm } from '../mcp-servers/test-tools.js';

/** What a token is good for, in the eyes of whoever issued it. */
export interface TokenFacts {
  scopes: string[];
  /** The consent that it comes from, where that is known. */
  grantId?: string | undefined;
}

/** How {@link startGuardedMcp} behaves; read at every request, so that a test may change it on the way. */
export interface Guard {
  /** Issuer identifiers for the resource metadata; null: it has none of that member. */
  authorizationServers: string[] | null;
  /** Null for a token that isn't accepted. */
  verify: (token: string, resource: string) => Promise<TokenFacts | null>;
  scopesSupported?: string[];
  /** Hears of each call of a tool that is let in. */
  onCall?: (token: TokenFacts, args: Record<string, unknown>) => void;
  /** Named in the challenge of a 401. */
  challengeScope?: string;
  /** Scopes that a tool wants besides: without them its call is a 403 `insufficient_scope`. */
  toolScopes?: Record<string, string[]>;
  /** Where resource metadata is served; `challenge` also names the place in the challenge. `challenge` by default. */
  metadataAt?: 'challenge' | 'path' | 'root' | 'nowhere';
  /** Replaces members of the resource metadata. */
  metadata?: Record<string, unknown>;
  /** In place of the challenge of a 401; null: none at all. */
  challenge?: string | null;
  /** A free one by default; not read again. */
  port?: number;
}

/** A dual-era MCP server that wants a token, with a log of what it saw. */
export interface GuardedMcp extends TestListener {
  guard: Guard;
  /** The tokens that came with requests, in order. */
  tokens: string[];
  /** Calls of tools that were let in. */
  calls: number;
}

/** Starts it on 127.0.0.1. `also` may answer requests that aren't MCP's, for servers that are their own authorization server. */
export async function startGuardedMcp(guard: Guard, also?: (request: IncomingMessage, response: ServerResponse, seen: SeenRequest) => boolean): Promise<GuardedMcp> {
  const seen: SeenRequest[] = [];
  const handler = createMcpHandler(() => {
    const server = new Server({ name: 'guarded', version: '1.0.0' }, { capabilities: { tools: {} } });
    server.setRequestHandler('tools/list', () => ({ tools: TEST_TOOLS as never }));
    server.setRequestHandler('tools/call', ({ params }, context) => callTestTool(params.name, params.arguments ?? {}, { signal: context.mcpReq.signal, progress: () => Promise.resolve() }) as never);
    return server;
  }, { legacy: 'stateless' });
  const node = toNodeHandler({ fetch: async (request: Request, options?: object) => wireForm(await handler.fetch(request, options)) });

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const entry = await record(request, seen);
    if (also?.(request, response, entry)) return;
    const { pathname } = new URL(entry.path, mcp.url);
    const at = mcp.guard.metadataAt ?? 'challenge';
    if (pathname === `${WELL_KNOWN}/mcp` ? at === 'path' || at === 'challenge' : pathname === WELL_KNOWN && at === 'root') return sendJson(response, 200, metadata());
    if (pathname !== '/mcp') return sendJson(response, 404, { error: 'not found' });
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (token !== undefined) mcp.tokens.push(token);
    const facts = token === undefined ? null : await mcp.guard.verify(token, mcp.url);
    if (facts === null) return refuse(response, 401, token === undefined ? [] : ['error="invalid_token"'], mcp.guard.challengeScope);
    const call = entry.body as { method?: string; params?: { name?: string; arguments?: Record<string, unknown> } } | null;
    if (call?.method === 'tools/call') {
      const wanted = mcp.guard.toolScopes?.[call.params?.name ?? ''] ?? [];
      if (wanted.some((scope) => !facts.scopes.includes(scope))) return refuse(response, 403, ['error="insufficient_scope"'], wanted.join(' '));
      mcp.calls += 1;
      mcp.guard.onCall?.(facts, call.params?.arguments ?? {});
    }
    await node(request, response, entry.body ?? undefined);
  };
  const refuse = (response: ServerResponse, status: number, parts: string[], scope?: string): void => {
    const { challenge, metadataAt } = mcp.guard;
    if (metadataAt === undefined || metadataAt === 'challenge') parts.push(`resource_metadata="${new URL(`${WELL_KNOWN}/mcp`, mcp.url).href}"`);
    if (scope !== undefined) parts.push(`scope="${scope}"`);
    const own = status === 401 ? challenge : undefined;
    const header = own === undefined ? `Bearer ${['realm="guarded"', ...parts].join(', ')}` : own;
    sendJson(response, status, { error: 'unauthorized' }, header === null ? {} : { 'WWW-Authenticate': header });
  };
  const metadata = (): object => ({
    resource: mcp.url, ...(mcp.guard.authorizationServers === null ? {} : { authorization_servers: mcp.guard.authorizationServers }),
    ...(mcp.guard.scopesSupported ? { scopes_supported: mcp.guard.scopesSupported } : {}), bearer_methods_supported: ['header'], ...mcp.guard.metadata,
  });
  const listener = await listen((request, response) => void answer(request, response), '/mcp', seen, guard.port);
  const mcp: GuardedMcp = Object.assign(listener, { guard, tokens: [], calls: 0 });
  const { close } = listener;
  mcp.close = async () => { await Promise.all([handler.close(), close()]); };
  return mcp;
}

const WELL_KNOWN = '/.well-known/oauth-protected-resource';
