import { Client } from 'pg';
import { POSTGRES_MAJOR } from './binaries.js';
import { StartFault } from './start-fault.js';

const CONNECT_WAIT_MS = 10_000;

/**
 * Sees that the database at `url` can be used: it answers, takes our name and password, and is new enough.
 * @throws StartFault `DATABASE_UNUSABLE`; the password is not in its message
 */
export async function checkServer(url: string): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: CONNECT_WAIT_MS });
  // A connection that breaks between two queries is reported by the next one; without a listener it would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows: [row] } = await client.query<{ major: number; version: string }>(
      `SELECT current_setting('server_version_num')::int / 10000 AS major, current_setting('server_version') AS version`);
    if (row!.major < POSTGRES_MAJOR) {
      throw new StartFault('DATABASE_UNUSABLE', `The server at ${placeOf(url)} is PostgreSQL ${row!.version}; Fairlead needs ${POSTGRES_MAJOR} or newer.`);
    }
  } catch (error) {
    if (error instanceof StartFault) throw error;
    throw new StartFault('DATABASE_UNUSABLE', `The database at ${placeOf(url)} can't be used: ${reason(error)} Check DATABASE_URL.`, { cause: error });
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** https://www.postgresql.org/docs/18/errcodes-appendix.html */
const REASONS: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there.', ENOTFOUND: 'the host is not known.', EAI_AGAIN: 'the host\'s name can\'t be resolved now.', ETIMEDOUT: 'it does not answer.',
  '28P01': 'the password is wrong.', '28000': 'the server refuses this user from here.', '3D000': 'there is no such database.', '57P03': 'the server is starting or stopping.',
  '53300': 'the server has too many connections.',
};

function reason(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return REASONS[code ?? ''] ?? `${message || code || 'unknown error'}.`;
}

function placeOf(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  return `${hostname}:${port || '5432'}${pathname}`;
}
