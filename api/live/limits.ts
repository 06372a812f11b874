/** How much one process gives to live events. */
export interface LiveLimits {
  sockets: number;
  socketsPerPrincipal: number;
  subscriptionsPerSocket: number;
  /** Bytes of a message from a client. */
  messageBytes: number;
  /** Messages from a client within ten seconds. */
  messagesPerWindow: number;
  /** Bytes that may wait for a client. */
  bufferedBytes: number;
  /** How long a client may take to say who it is. */
  initTimeoutMs: number;
  /** How long a client may take to receive one message. */
  sendTimeoutMs: number;
  /** How often a client is pinged: one that hasn't answered by the next ping is cut off. */
  pingMs: number;
  /** How often it is asked whether the credential still holds, besides at each event. */
  renewMs: number;
}

/** The limits in force. */
export const LIVE_LIMITS: Readonly<LiveLimits> = Object.freeze({
  sockets: 2_000, socketsPerPrincipal: 20, subscriptionsPerSocket: 50, messageBytes: 128 * 1024, messagesPerWindow: 200, bufferedBytes: 4 * 1024 * 1024,
  initTimeoutMs: 5_000, sendTimeoutMs: 20_000, pingMs: 15_000, renewMs: 5_000,
});

/** Why a socket is closed. https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1 ; 44xx as graphql-transport-ws has them, but for TOO_SLOW. */
export const CLOSE = Object.freeze({ GOING_AWAY: 1001, POLICY: 1008, TRY_LATER: 1013, FORBIDDEN: 4403, TOO_SLOW: 4413, INTERNAL: 4500 });
