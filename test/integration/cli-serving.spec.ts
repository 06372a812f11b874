import { MIGRATED } from '#test/support/api.js';
import { startChild } from '#test/support/child.js';
import { createDatabase } from '#test/support/database.js';

/** A server of which a part forgets a promise, as libraries do. */
const FORGETFUL = `
  import { serve } from '#cli/serving.js';
  import { createLogger } from '#core/log.js';
  const stop = new AbortController();
  const start = async () => {
    void Promise.reject(new Error('forgotten'));
    setTimeout(() => stop.abort(), 100);
    return { stop: async () => console.log('stopped in order') };
  };
  const tools = { logger: createLogger('info', process.stderr), stop: stop.signal };
  await serve({ warnings: [], migrateOnStart: false }, process.env.DATABASE_URL, tools, start, () => undefined);
`;

it('a promise that nobody waits for ends no server: it is logged, and the others are served', async () => {
  const database = await createDatabase(MIGRATED);
  try {
    const child = startChild([process.execPath, '--input-type=module', '-e', FORGETFUL], { env: { DATABASE_URL: database.url } });
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(child.output).toEqual(['stopped in order']);
    expect(child.errors.filter((line) => line.includes('a promise that nobody waits for was rejected') && line.includes('forgotten'))).toHaveLength(1);
  } finally {
    await database.drop();
  }
});
