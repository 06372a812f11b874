import type { LivingProcess } from '#core/store/processes.js';
import type { LiveKeyRing } from '#core/vault/live-key-ring.js';

const count = (many: number, one: string, more: string) => `${many} ${many === 1 ? one : more}`;
const dataKeys = (many: number) => count(many, 'data key', 'data keys');

/**
 * Why a key has to stay; empty when nothing uses it.
 * @param usage data keys by the id of the key that wraps them
 */
export function reasonsToKeep(id: string, usage: ReadonlyMap<string, number>, living: readonly LivingProcess[]): string[] {
  const wraps = usage.get(id) ?? 0;
  const using = living.filter((one) => one.wrapsWith === id).length;
  const silent = living.filter((one) => one.wrapsWith === null).length;
  return [
    ...(wraps > 0 ? [`it wraps ${dataKeys(wraps)}`] : []),
    ...(using > 0 ? [`${count(using, 'process still wraps', 'processes still wrap')} new data keys with it`] : []),
    ...(silent > 0 ? [`${count(silent, 'process of an older version doesn\'t', 'processes of an older version don\'t')} say what it uses`] : []),
  ];
}

/** The whole state of a ring in lines for people: each key with what it wraps and who holds it, then what comes next. */
export function keyReport(ring: LiveKeyRing, usage: ReadonlyMap<string, number>, living: readonly LivingProcess[]): string[] {
  const first = ring.primaryId;
  const width = Math.max(...ring.ids.map((id) => id.length));
  const lines = ring.holds.map((held, place) => {
    const id = ring.ids[place]!;
    const holders = living.filter(({ keys }) => keys?.includes(held)).length;
    return `${id.padEnd(width)}  ${id === first ? 'first ' : 'opens '}  wraps ${dataKeys(usage.get(id) ?? 0)}, held by ${holders} of ${count(living.length, 'process', 'processes')}`;
  });
  const lost = [...usage].filter(([id]) => !ring.ids.includes(id)).map(([id, used]) => `${id}  is not in the ring, and wraps ${dataKeys(used)}: put it back behind the first.`);
  const total = [...usage.values()].reduce((sum, used) => sum + used, 0);
  const pending = total - (usage.get(first) ?? 0);
  const without = living.filter(({ keys }) => !keys?.includes(ring.holds[0]!));
  return [...lines, ...lost, '', ...next()];

  function next(): string[] {
    // API and operator may be one process.
    const waits = [
      ...new Set(without.map(({ host, pid, role }) => (role === null
        ? `Process ${pid} on ${host} is of an older version, which doesn't say what it holds. Update it.`
        : `Process ${pid} on ${host} (${role.toLowerCase()}) doesn't hold ${first} yet. Give it this ring, or restart it with it.`))),
      ...(pending > 0 && !living.some(({ role }) => role === 'OPERATOR' || role === null) ? ['No operator runs, and it is the operator that wraps data keys: start `fairlead operator`.'] : []),
    ];
    if (pending > 0) return [`${total - pending} of ${dataKeys(total)} ${total === 1 ? 'is' : 'are'} wrapped by ${first}.${waits.length === 0 ? ' The operator goes on.' : ''}`, ...waits];
    const retirable = ring.ids.slice(1).filter((id) => reasonsToKeep(id, usage, living).length === 0);
    return [`Every data key is wrapped by ${first}.`, ...waits, ...retirable.map((id) => `Nothing uses ${id}: \`fairlead keys retire ${id}\` takes it out of the ring.`)];
  }
}
