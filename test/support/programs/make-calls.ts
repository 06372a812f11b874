import { randomUUID } from 'node:crypto';
import type { Principal } from '#api/identity/principal.js';
import type { SessionPool } from '#core/mcp/session-pool.js';
import type { Vault } from '#core/vault/vault.js';
import { startCallProcess } from '../calls/world.js';

/** Where a process dies during a call with a key. `AT_THE_SERVER` is for the parent to do. */
export type DeathStage = 'BEFORE_RESERVATION' | 'RESERVED' | 'AT_THE_SERVER' | 'ANSWERED' | 'SEALING_RESULT' | 'RECORDED';

/** What {@link file://./make-calls.ts} is told, as JSON in its first argument. */
export interface MakeCalls {
  databaseUrl: string;
  ring: string;
  principal: Principal;
  /** Null: calls without a key, one after the other, each id printed when it was answered. */
  stage: DeathStage | null;
  key: string;
}

const order = JSON.parse(process.argv[2]!) as MakeCalls;

function die(): Promise<never> {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => undefined);
}

/** The real part, but for one method. */
function instead<T extends object, K extends keyof T>(part: T, name: K, method: T[K]): T {
  return new Proxy(part, {
    get: (target, property) => {
      if (property === name) return method;
      const value: unknown = Reflect.get(target, property);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}

function dying(vault: Vault): Vault {
  return instead(vault, 'seal', (teamId, context, value) => {
    const dies = (order.stage === 'BEFORE_RESERVATION' && context.column === 'sealed_arguments') || (order.stage === 'SEALING_RESULT' && context.column === 'sealed_result');
    return dies ? die() : vault.seal(teamId, context, value);
  });
}

function dyingSessions(sessions: SessionPool): SessionPool {
  return instead(sessions, 'use', async (use, work) => {
    if (order.stage === 'RESERVED') return die();
    const result = await sessions.use(use, work);
    return order.stage === 'ANSWERED' ? die() : result;
  });
}

const { service } = await startCallProcess(order.databaseUrl, order.ring, ({ vault, sessions }) => ({ vault: dying(vault), sessions: dyingSessions(sessions) }));
const request = () => ({
  principal: order.principal, requestId: randomUUID(), signal: new AbortController().signal, connectionType: 'stock', tool: 'echo', arguments: { nonce: order.key }, wait: true,
});
if (order.stage === null) {
  for (;;) process.stdout.write(`answered ${(await service.call(request())).record.id}\n`);
} else {
  await service.call({ ...request(), idempotencyKey: order.key });
  await die();
}
