/**
 * Starts the embedded PostgreSQL on the folder that is given, says so in one line of JSON, and keeps it until SIGTERM; a fault is such a line too.
 * Usage: node hold-postgres.js <folder>
 */
import { createLogger } from '#core/log.js';
import { DirectoryLock } from '#core/postgres/directory-lock.js';
import { startEmbeddedPostgres } from '#core/postgres/embedded.js';
import { StartFault } from '#core/postgres/start-fault.js';

const directory = process.argv[2]!;
try {
  const lock = await DirectoryLock.acquire(directory, () => new Date());
  const postgres = await startEmbeddedPostgres({ directory, logger: createLogger('silent'), searchPath: process.env['PATH']!, durable: true });
  process.once('SIGTERM', () => void postgres.stop().then(() => lock.release()));
  process.stdout.write(`${JSON.stringify({ url: postgres.url })}\n`);
} catch (error) {
  if (!(error instanceof StartFault)) throw error;
  process.stdout.write(`${JSON.stringify({ code: error.code, message: error.message })}\n`);
  process.exitCode = 1;
}
