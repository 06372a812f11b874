import { EgressError } from '../egress/errors.js';
import { PeerFault } from '../errors.js';
import { Channel, type ChannelOptions } from './channel.js';
import { isEnvelope, type Envelope } from './envelope.js';
import { NotMcpAnswer, RpcFault, SessionForgotten } from './faults.js';
import { FirstContact } from './first-contact.js';
import { CallCancelled, type Era } from './session.js';

/** Of the stateless era: the one that we speak. */
const MODERN_VERSION = '2026-07-28';
/** Of the `initialize` era: the newest, which is asked for, and those that a server may answer with instead. */
const LEGACY_VERSIONS: readonly unknown[] = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05', '2024-10-07'];
/** https://modelcontextprotocol.io/specification/2026-07-28/basic/index#_meta */
const SERVER_INFO = 'io.modelcontextprotocol/serverInfo';
const MAX_BYTES = 1024 * 1024;

/** What a handshake is made with. */
export interface HandshakeOptions extends Omit<ChannelOptions, 'era' | 'protocolVersion' | 'sessionId'> {
  /** A deadline over everything. */
  timeoutMs: number;
  signal?: AbortSignal;
}

/** What a handshake leaves behind: a way to send requests, and what the server said of itself, as it came. */
export interface Handshake {
  channel: Channel;
  protocolVersion: string;
  server: { name: string; version: string } | null;
}

/**
 * Begins with a server, as is the custom of its era. Redirects within the origin are followed, and what comes after goes where they led.
 * @throws {PeerFault} see faults.ts; {@link NotMcpAnswer} for what was answered and isn't MCP
 * @throws {CallCancelled} when the signal ended it
 */
export async function shakeHands(era: Era, { timeoutMs, signal, ...options }: HandshakeOptions): Promise<Handshake> {
  const contact = new FirstContact(options.egress, options.url);
  const end = options.clock() + timeoutMs;
  const bounds = (): Bounds => ({ timeoutMs: end - options.clock(), maxBytes: MAX_BYTES, signal });
  try {
    return await (era === 'MODERN' ? discover : initialize)(contact, options, bounds);
  } catch (error) {
    throw signal?.aborted ? new CallCancelled('MAYBE') : unlikeMcp(error, contact);
  }
}

interface Bounds {
  timeoutMs: number;
  maxBytes: number;
  signal?: AbortSignal | undefined;
}
type Begin = (contact: FirstContact, options: Omit<HandshakeOptions, 'timeoutMs' | 'signal'>, bounds: () => Bounds) => Promise<Handshake>;

/** https://modelcontextprotocol.io/specification/2025-11-25/basic/lifecycle#initialization */
const initialize: Begin = async (contact, options, bounds) => {
  const first = new Channel({ ...options, egress: contact, era: 'LEGACY', protocolVersion: null, sessionId: null });
  const params = { protocolVersion: LEGACY_VERSIONS[0], capabilities: {}, clientInfo: options.clientInfo };
  const { protocolVersion, capabilities, serverInfo } = await first.request({ method: 'initialize', params, ...bounds() });
  const server = implementation(serverInfo);
  if (server === null || !isEnvelope(capabilities) || !LEGACY_VERSIONS.includes(protocolVersion)) throw contact.notMcp();
  const channel = new Channel({ ...options, url: contact.url, era: 'LEGACY', protocolVersion: protocolVersion as string, sessionId: contact.sessionId });
  await channel.tell('notifications/initialized', bounds());
  return { channel, protocolVersion: protocolVersion as string, server };
};

/** https://modelcontextprotocol.io/specification/2026-07-28/server/discover */
const discover: Begin = async (contact, options, bounds) => {
  const modern = { ...options, era: 'MODERN', protocolVersion: MODERN_VERSION, sessionId: null } as const;
  const { supportedVersions, capabilities, _meta: meta } = await new Channel({ ...modern, egress: contact }).request({ method: 'server/discover', ...bounds() });
  if (!Array.isArray(supportedVersions) || !supportedVersions.includes(MODERN_VERSION) || !isEnvelope(capabilities)) throw contact.notMcp();
  return { channel: new Channel({ ...modern, url: contact.url }), protocolVersion: MODERN_VERSION, server: isEnvelope(meta) ? implementation(meta[SERVER_INFO]) : null };
};

function implementation(info: unknown): Handshake['server'] {
  const { name, version }: Envelope = isEnvelope(info) ? info : {};
  return typeof name === 'string' && typeof version === 'string' ? { name, version } : null;
}

/** What a session calls a broken answer is, at the beginning, a server of another kind. */
function unlikeMcp(error: unknown, contact: FirstContact): unknown {
  if (!(error instanceof PeerFault) || error.code !== 'PROTOCOL_ERROR' || error instanceof RpcFault || error instanceof NotMcpAnswer || error.cause instanceof EgressError) return error;
  return error instanceof SessionForgotten ? new NotMcpAnswer(null, 'The server answered with HTTP 404.', { status: 404 }) : contact.notMcp();
}
