import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Principal } from '#api/identity/principal.js';
import { CredentialBox } from '#core/upkeep/credential-box.js';
import { startCallProcess } from '../calls/world.js';
import { START_LOCK } from '../oauth-tokens/start-lock.js';

/** What {@link file://./use-login.ts} is told, as JSON in its first argument. */
export interface UseLogin {
  databaseUrl: string;
  ring: string;
  principal: Principal;
  /** Calls to make, one after the other. */
  calls: number;
  /** Milliseconds between them. */
  pauseMs: number;
  /** Whether the process kills itself when new tokens have come, before they are stored. */
  dies: boolean;
}

const order = JSON.parse(process.argv[2]!) as UseLogin;

class DyingBox extends CredentialBox {
  override seal(): Promise<never> {
    process.kill(process.pid, 'SIGKILL');
    return new Promise(() => undefined);
  }
}

const { service, store, stop } = await startCallProcess(order.databaseUrl, order.ring, {}, ({ vault }) => (order.dies ? { box: new DyingBox(vault) } : {}));
process.stdout.write('ready\n');
await store.dataSource.query('select pg_advisory_lock_shared($1)', [START_LOCK]);
for (let made = 0; made < order.calls; made += 1) {
  const request = { principal: order.principal, requestId: randomUUID(), signal: new AbortController().signal, connectionType: 'stock', tool: 'echo', arguments: { message: 'hello' }, wait: true };
  const said = await service.call(request).then(({ record }) => `${record.status} ${record.error?.message ?? ''}`, (error: unknown) => `REFUSED ${String(error)}`);
  process.stdout.write(`call ${said}\n`);
  await delay(order.pauseMs);
}
await stop();
