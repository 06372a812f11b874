/**
 * The command line as cli/main.ts composes it, but with an API that only answers `/readyz`, and makes itself a token, and an operator that does nothing.
 * PLAIN_API_HANGS=1: it never finishes stopping.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import { runCommandLine } from '#cli/command-line.js';
import type { StartApi } from '#cli/serving.js';
import { stopSignals } from '#cli/stop-signals.js';

const startApi: StartApi = async (config, { adminToken, logger }) => {
  if (adminToken !== null && await adminToken.read() === null) await adminToken.write(`canary-${process.pid}`);
  const server = createServer((request, response) => response.writeHead(request.url === '/readyz' ? 200 : 404).end());
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(config.port, config.host, resolve));
  logger.info('listening');
  return {
    url: config.publicUrl ?? `http://${config.host}:${(server.address() as AddressInfo).port}`,
    metrics: new Registry(),
    ownPorts: [],
    async stop() {
      logger.info('stopping');
      if (process.env['PLAIN_API_HANGS'] === '1') await new Promise(() => setInterval(() => undefined, 1000));
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

process.exit(await runCommandLine(process.argv.slice(2), {
  env: process.env, startApi, startOperator: async () => ({ stop: async () => undefined }), out: process.stdout, err: process.stderr, now: () => new Date(),
  listenForStop: () => stopSignals(process, () => performance.now(), (exitCode) => process.exit(exitCode)),
}));
