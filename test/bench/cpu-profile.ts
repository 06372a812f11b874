import { readFileSync } from 'node:fs';
import { originOf, type Place } from './bundle-map.js';

/** Where the time of a process went, as shares of a window of time. */
export interface TimeSpent {
  /** By part of the program, the largest first: our folders, packages, Node, collecting garbage, doing nothing. */
  parts: [name: string, share: number][];
  /** By function, the largest first. */
  functions: [name: string, share: number][];
}

/** https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile */
interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string } & Place; children?: number[] }[];
  startTime: number;
  samples: number[];
  timeDeltas: number[];
}

const SHOWN_FUNCTIONS = 15;
/** Of this project, whose compiled files lie in `dist/`. */
const ROOT = new URL('../../../', import.meta.url).href;

/** Reads a profile that Node wrote (`--cpu-prof`); `window` is in microseconds of the machine's monotonic clock, as the profile's times are. */
export function readProfile(path: string, window: { from: number; to: number }): TimeSpent {
  const profile = JSON.parse(readFileSync(path, 'utf8')) as CpuProfile;
  const names = namesOf(profile);
  const parts = new Map<string, number>();
  const functions = new Map<string, number>();
  let at = profile.startTime;
  let whole = 0;
  profile.samples.forEach((id, index) => {
    const spent = profile.timeDeltas[index]!;
    at += spent;
    if (at < window.from || at > window.to) return;
    const { part, name } = names.get(id)!;
    whole += spent;
    parts.set(part, (parts.get(part) ?? 0) + spent);
    if (part !== IDLE) functions.set(name, (functions.get(name) ?? 0) + spent);
  });
  return { parts: shares(parts, whole), functions: shares(functions, whole).slice(0, SHOWN_FUNCTIONS) };
}

/** The part of a profile in which the process waited. */
export const IDLE = 'nothing to do (waiting)';
const SPECIAL: Record<string, string> = { '(idle)': IDLE, '(garbage collector)': 'collecting garbage', '(program)': 'Node itself, outside JavaScript' };

/** What a function without a file did (`JSON.parse`, writing to a socket) counts for the part that called it. */
function namesOf({ nodes }: CpuProfile): Map<number, { part: string; name: string }> {
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  return new Map(nodes.map((node) => {
    const { functionName } = node.callFrame;
    const { url, lineNumber } = originOf(node.callFrame);
    const special = SPECIAL[functionName];
    if (special !== undefined) return [node.id, { part: special, name: functionName }];
    let owner = node;
    for (let parent = parents.get(owner.id); owner.callFrame.url === '' && parent !== undefined; parent = parents.get(owner.id)) owner = byId.get(parent)!;
    const part = partOf(originOf(owner.callFrame).url);
    return [node.id, { part, name: `${functionName || '(anonymous)'} (${url === '' ? `native, for ${part}` : `${placeOf(url)}:${lineNumber + 1}`})` }];
  }));
}

/** Our folder, the package, or Node. */
function partOf(url: string): string {
  const inPackage = url.lastIndexOf('/node_modules/');
  if (inPackage >= 0) {
    const [scope, name] = url.slice(inPackage + '/node_modules/'.length).split('/');
    return scope!.startsWith('@') ? `${scope}/${name}` : scope!;
  }
  const ours = /^(?:api|core|cli|operator)\/[^/]+/.exec(placeOf(url))?.[0];
  if (ours !== undefined) return `Fairlead: ${ours}`;
  return url.startsWith('node:') ? `Node: ${url.slice('node:'.length).replace(/^internal\//, '').split('/')[0]}` : 'Node itself, outside JavaScript';
}

function placeOf(url: string): string {
  return url.replace(/^.*\/node_modules\//, '').replace(ROOT, '').replace(/^.*\/dist\//, '').replace('node:', '');
}

function shares(spent: Map<string, number>, whole: number): [string, number][] {
  return [...spent].map(([name, time]): [string, number] => [name, time / whole]).sort(([, one], [, other]) => other - one);
}
