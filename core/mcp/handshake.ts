import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { ClientInfo } from './channel.js';
import type { SdkFetch } from './sdk-fetch.js';

/** The one revision of the stateless era that we speak. */
export const MODERN_VERSION = '2026-07-28';

/** What a handshake leaves behind. */
export interface Handshake {
  protocolVersion: string;
  sessionId: string | null;
  /** The server's word, as it came. */
  server: { name: string; version: string } | null;
}

/** Schemas are the server's choice, and compiling them costs seconds: the SDKs get a validator that does nothing. Ours runs elsewhere, in bounded time. */
export const NO_VALIDATION = {
  getValidator: () => (input: unknown) => ({ valid: true as const, data: input as never, errorMessage: undefined }),
};

/**
 * `initialize` and `notifications/initialized` by SDK v1; the client is thrown away, the server's session stays.
 * https://modelcontextprotocol.io/specification/2025-11-25/basic/lifecycle#initialization
 * @throws what the SDK throws; `SdkFetch.fault` says why.
 */
export async function initialize(http: SdkFetch, url: string, clientInfo: ClientInfo, timeoutMs: number): Promise<Handshake> {
  const transport = new LegacyTransport(new URL(url), { fetch: http.fetch });
  const client = new LegacyClient(clientInfo, { capabilities: {}, jsonSchemaValidator: NO_VALIDATION });
  try {
    await client.connect(transport, { timeout: timeoutMs });
    return { protocolVersion: transport.protocolVersion ?? '2025-03-26', sessionId: transport.sessionId ?? null, server: implementation(client.getServerVersion()) };
  } finally {
    await client.close().catch(() => undefined);
  }
}

/**
 * `server/discover` by the v2 client, pinned to our revision.
 * https://modelcontextprotocol.io/specification/2026-07-28/server/discover
 * @throws what the SDK throws; `SdkFetch.fault` says why.
 */
export async function discover(http: SdkFetch, url: string, clientInfo: ClientInfo, timeoutMs: number): Promise<Handshake> {
  const client = new ModernClient(clientInfo, {
    capabilities: {}, jsonSchemaValidator: NO_VALIDATION, versionNegotiation: { mode: { pin: MODERN_VERSION }, probe: { timeoutMs } },
  });
  try {
    await client.connect(new ModernTransport(new URL(url), { fetch: http.fetch }), { timeout: timeoutMs });
    return { protocolVersion: MODERN_VERSION, sessionId: null, server: implementation(client.getServerVersion()) };
  } finally {
    await client.close().catch(() => undefined);
  }
}

function implementation(info: { name: string; version: string } | undefined): Handshake['server'] {
  return info === undefined ? null : { name: info.name, version: info.version };
}
