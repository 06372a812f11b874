import { setTimeout as sleep } from 'node:timers/promises';
import type { Chance } from './chance.js';
import type { FleetProcess } from './fleet-process.js';

/** What was done to a process, and when, by the machine's clock in milliseconds. */
export interface Fault {
  process: string;
  kind: 'KILL' | 'PAUSE';
  at: number;
  /** When it worked again. */
  until: number;
}

/** Longer than a heartbeat may be silent: others take over what a process held that comes back. */
const LONG_PAUSE_MS = 16_000;

/** Kills and pauses processes at random until the time is over, and leaves them all working. */
export async function disturb(fleet: readonly FleetProcess[], chance: Chance, untilMs: number, note: (fault: Fault) => void): Promise<void> {
  const disturbed = new Map<FleetProcess, Promise<void>>();
  const left = (): number => untilMs - Date.now();
  while (left() > 0) {
    await sleep(Math.min(chance.between(700, 3500), Math.max(0, left())));
    const victim = chance.pick(fleet.filter((one) => !disturbed.has(one)));
    if (victim === undefined || left() <= 0) continue;
    const fault: Fault = { process: victim.name, kind: chance.next() < 0.5 ? 'KILL' : 'PAUSE', at: Date.now(), until: Infinity };
    const lasts = chance.next() < 0.25 ? chance.between(LONG_PAUSE_MS, LONG_PAUSE_MS + 6000) : chance.between(200, 5000);
    note(fault);
    const over = (fault.kind === 'KILL' ? killed(victim, chance.between(0, 2000)) : paused(victim, Math.min(lasts, left()))).then(() => {
      fault.until = Date.now();
      disturbed.delete(victim);
    });
    disturbed.set(victim, over);
    // Is thrown where it is waited for.
    over.catch(() => undefined);
  }
  await Promise.all(disturbed.values());
}

async function killed(victim: FleetProcess, downMs: number): Promise<void> {
  await victim.kill();
  await sleep(downMs);
  await victim.start();
}

async function paused(victim: FleetProcess, lastsMs: number): Promise<void> {
  victim.pause();
  await sleep(lastsMs);
  victim.resume();
}
