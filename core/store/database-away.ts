/** SQLSTATE class 08 is "connection exception"; 57P01 to 57P03 are a server that stops, has crashed, or starts; 53300 has no room for us; 25006 is a standby that nobody has promoted yet. https://www.postgresql.org/docs/18/errcodes-appendix.html */
const AWAY_STATE = /^(?:08...|57P0[123]|53300|25006)$/;
const AWAY_SOCKET: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN']);
/** What pg and our own connections say without a code (pinned by a test). */
const AWAY_WORDS = /^(?:Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed|the database has been silent)/;

/** Whether a statement failed with `error` because the database can't be reached or doesn't answer, rather than for what was asked of it. */
export function isDatabaseAway(error: unknown): boolean {
  const { code, driverError, message } = (error ?? {}) as { code?: unknown; driverError?: unknown; message?: unknown };
  if (driverError !== undefined && driverError !== error) return isDatabaseAway(driverError);
  if (typeof code === 'string') return AWAY_STATE.test(code) || AWAY_SOCKET.has(code);
  return typeof message === 'string' && AWAY_WORDS.test(message);
}
