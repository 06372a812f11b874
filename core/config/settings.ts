import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { ConfigFault } from './fault.js';
import { definitionOf, KEYS, type KeyName } from './keys.js';
import { nearest } from './nearest.js';

/** The text of settings, from the environment and the file together. */
export interface Settings {
  texts: Map<KeyName, string>;
  /** The files that secrets came from. */
  files: Map<KeyName, string>;
  faults: ConfigFault[];
}

/**
 * Gathers what is set: from the environment, then, for what isn't there, from the file that `FAIRLEAD_CONFIG` names. Secrets may come as `<KEY>_FILE`.
 * Empty means not set. Keys that nobody knows are faults.
 */
export function gatherSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const settings: Settings = { texts: new Map(), files: new Map(), faults: [] };
  const ours = Object.entries(env).filter(([name, value]) => (name.startsWith('FAIRLEAD_') || definitionOf(secretOf(name)) !== undefined) && !isServiceLink(name, value ?? ''));
  add(settings, new Map(ours.map(([name, value]) => [name, value ?? ''])), 'environment');
  const file = settings.texts.get('FAIRLEAD_CONFIG');
  if (file !== undefined) add(settings, readConfigFile(file, settings.faults), file);
  return settings;
}

const secretOf = (name: string): string => name.replace(/_FILE$/, '');

/** Kubernetes sets such variables in every pod beside a Service whose name begins with `fairlead`: they aren't settings, and must not stop anybody. */
function isServiceLink(name: string, value: string): boolean {
  return /_SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?$/.test(name) || /_PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?$/.test(name) || (name.endsWith('_PORT') && /^(tcp|udp):\/\//.test(value));
}

function add(settings: Settings, given: Map<string, string>, source: string): void {
  const taken = new Set(settings.texts.keys());
  for (const [name, value] of given) {
    if (value === '') continue;
    if (definitionOf(name) !== undefined) {
      if (!taken.has(name as KeyName)) settings.texts.set(name as KeyName, value);
    } else if (name.endsWith('_FILE') && definitionOf(secretOf(name)) !== undefined) {
      addSecretFile(settings, given, taken, secretOf(name) as KeyName, value);
    } else {
      const meant = nearest(name, Object.keys(KEYS));
      const where = source === 'environment' ? '' : ` (in ${source})`;
      settings.faults.push({ key: name, problem: `there is no such setting${where}.${meant === null ? '' : ` Did you mean ${meant}?`}` });
    }
  }
}

function addSecretFile(settings: Settings, given: Map<string, string>, taken: Set<KeyName>, name: KeyName, path: string): void {
  const key = `${name}_FILE`;
  if (definitionOf(name)?.secret !== true) {
    settings.faults.push({ key, problem: `only secrets can come from a file of their own; set ${name}.`, example: `${name}=${KEYS[name].example}` });
  } else if ((given.get(name) ?? '') !== '') {
    settings.faults.push({ key, problem: `${name} is set too; set one of them only.` });
  } else if (!taken.has(name)) {
    try {
      const secret = readFileSync(path, 'utf8').trim();
      if (secret === '') settings.faults.push({ key, problem: `${path} is empty.` });
      else {
        settings.texts.set(name, secret);
        settings.files.set(name, path);
      }
    } catch (error) {
      settings.faults.push({ key, problem: `${path} can't be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'}).` });
    }
  }
}

const FILE_VALUE = z.union([z.string(), z.number().transform(String), z.boolean().transform(String), z.array(z.string()).transform((entries) => entries.join(','))]);

function readConfigFile(path: string, faults: ConfigFault[]): Map<string, string> {
  const refuse = (problem: string) => {
    faults.push({ key: 'FAIRLEAD_CONFIG', problem, example: 'a file that holds {"PORT": 4000}' });
    return new Map<string, string>();
  };
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    // The parser's message quotes the file, which may hold secrets.
    return refuse(error instanceof SyntaxError ? `${path} isn't JSON.` : `${path} can't be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'}).`);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) return refuse(`${path} must hold one JSON object.`);
  const given = new Map<string, string>();
  for (const [name, value] of Object.entries(content)) {
    const parsed = FILE_VALUE.safeParse(value);
    if (name === 'FAIRLEAD_CONFIG') faults.push({ key: name, problem: `a configuration file can't name another one (in ${path}).` });
    else if (parsed.success) given.set(name, parsed.data);
    else faults.push({ key: name, problem: `must be text, a number, true, false or a list of texts (in ${path}).` });
  }
  return given;
}
