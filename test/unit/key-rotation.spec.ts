import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OperatorWatch } from '#api/operator-watch.js';
import { keyReport, reasonsToKeep } from '#cli/key-report.js';
import { createLogger } from '#core/log.js';
import type { LivingProcess } from '#core/store/processes.js';
import { changeKeyFile, withEntry, withoutEntry } from '#core/vault/key-file-change.js';
import { KeyRing } from '#core/vault/key-ring.js';
import { LiveKeyRing } from '#core/vault/live-key-ring.js';

const entry = (id: string, byte: number) => `${id}:${Buffer.concat([Buffer.alloc(31, byte), Buffer.from('!')]).toString('base64')}`;
const [OLD, NEW, OTHER] = [entry('old', 1), entry('new', 2), entry('old', 3)];
const live = (text: string) => new LiveKeyRing(KeyRing.parse(text));

describe('a ring that changes under a process', () => {
  it('wraps with the first key that is held everywhere, and with the last where none is', () => {
    const ring = live(`${NEW},${OLD}`);
    ring.settle(['old']);
    expect(ring.wrapsWith).toBe('old');
    ring.settle(['new', 'old']);
    expect(ring.wrapsWith).toBe('new');
    ring.settle([]);
    expect(ring.wrapsWith).toBe('old');
  });

  it('goes on wrapping with the key it had when a new one comes in front, and with one that it knew when that is taken out', async () => {
    let text = OLD;
    const ring = new LiveKeyRing(KeyRing.parse(text), async () => KeyRing.parse(text));
    expect(await ring.refresh()).toBe(false);
    text = `${NEW},${OLD}`;
    expect(await ring.refresh()).toBe(true);
    expect([ring.primaryId, ring.wrapsWith]).toEqual(['new', 'old']);
    text = `${entry('third', 4)},${NEW}`;
    expect(await ring.refresh()).toBe(true);
    expect(ring.wrapsWith).toBe('new');
    text = 'nonsense';
    await expect(ring.refresh()).rejects.toMatchObject({ code: 'KEYS_INVALID' });
    expect(ring.wrapsWith).toBe('new');
  });

  it('tells two keys of one id apart, and shows neither', () => {
    expect(live(OLD).holds).not.toEqual(live(OTHER).holds);
    expect(live(OLD).holds).toEqual([expect.stringMatching(/^old:[0-9a-f]{16}$/)]);
  });
});

describe('what is said of a rotation', () => {
  const ring = live(`${NEW},${OLD}`);
  const process = (values: Partial<LivingProcess> = {}): LivingProcess => ({ host: 'a', pid: 1, role: 'OPERATOR', keys: [...ring.holds], wrapsWith: 'new', ...values });

  it.each<[string, string[], Map<string, number>, LivingProcess[]]>([
    ['nothing uses it', [], new Map([['new', 3]]), [process()]],
    ['data keys are wrapped by it', ['it wraps 1 data key'], new Map([['old', 1]]), [process()]],
    ['processes wrap with it, or don\'t say', ['1 process still wraps new data keys with it', '2 processes of an older version don\'t say what it uses'], new Map(),
      [process({ wrapsWith: 'old' }), process({ keys: null, wrapsWith: null }), process({ keys: null, wrapsWith: null })]],
  ])('%s', (_, reasons, usage, living) => {
    expect(reasonsToKeep('old', usage, living)).toEqual(reasons);
  });

  it('names a process of an older version once, and doesn\'t take it for no operator', () => {
    const older = process({ role: null, keys: null, wrapsWith: null });
    expect(keyReport(ring, new Map([['old', 2]]), [older, older]).slice(-2)).toEqual([
      '0 of 2 data keys are wrapped by new.', 'Process 1 on a is of an older version, which doesn\'t say what it holds. Update it.',
    ]);
  });

  it('names a process with another key of the same id, a key that is lost, and the missing operator', () => {
    const lines = keyReport(ring, new Map([['new', 1], ['old', 2], ['gone', 1]]), [process({ role: 'API', pid: 7, keys: live(`${entry('new', 9)},${OLD}`).holds as string[] })]);
    expect(lines).toEqual([
      'new  first   wraps 1 data key, held by 0 of 1 process',
      'old  opens   wraps 2 data keys, held by 1 of 1 process',
      'gone  is not in the ring, and wraps 1 data key: put it back behind the first.',
      '',
      '1 of 4 data keys are wrapped by new.',
      'Process 7 on a (api) doesn\'t hold new yet. Give it this ring, or restart it with it.',
      'No operator runs, and it is the operator that wraps data keys: start `fairlead operator`.',
    ]);
  });
});

describe('a key file that is changed', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fairlead-key-file-'));
    path = join(folder, 'keys');
    await writeFile(path, `${OLD}\n`, { mode: 0o640 });
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('is replaced as one piece, through links, with the mode that it had', async () => {
    await symlink(path, join(folder, 'link'));
    expect(await changeKeyFile(join(folder, 'link'), (text) => withEntry(text, NEW))).toBe(true);
    expect(await readFile(path, 'utf8')).toBe(`${NEW}\n${OLD}\n`);
    expect((await stat(path)).mode & 0o777).toBe(0o640);
    expect((await readdir(folder)).toSorted()).toEqual(['keys', 'link']);
  });

  it('is changed by one command at a time, and left alone by one that fails', async () => {
    await changeKeyFile(path, async (text) => {
      await expect(changeKeyFile(path, (other) => other)).rejects.toMatchObject({ code: 'KEY_FILE_UNSAFE', message: expect.stringContaining(`remove ${path}.lock`) });
      return text;
    });
    await expect(changeKeyFile(path, (text) => withEntry(text, OLD))).rejects.toMatchObject({ code: 'KEYS_INVALID' });
    expect(await readFile(path, 'utf8')).toBe(`${OLD}\n`);
    expect(await readdir(folder)).toEqual(['keys']);
  });

  it('never loses its first key', () => {
    expect(withoutEntry(`${NEW}\r\n${OLD}`, 'old')).toEqual({ text: `${NEW}\n`, entry: OLD });
    expect(() => withoutEntry(`${NEW},${OLD}`, 'new')).toThrow('first key of the ring');
    expect(() => withoutEntry(NEW, 'old')).toThrow('holds no key "old"');
  });
});

it('half a minute without an operator is told once, and again after an hour, and so is its return', () => {
  let now = 0;
  const lines: string[] = [];
  const watch = new OperatorWatch(() => now, createLogger('info', { write: (line: string) => void lines.push(line) }));
  const after = (ms: number, operators: number) => {
    now += ms;
    watch.seen(operators);
    return lines.splice(0).map((line) => (JSON.parse(line) as { msg: string }).msg.split(':')[0]);
  };
  expect([after(0, 0), after(29_000, 0), after(5_000, 0), after(5_000, 0), after(3_600_000, 0), after(5_000, 1), after(5_000, 1)])
    .toEqual([[], [], ['no operator runs'], [], ['no operator runs'], ['an operator runs again'], []]);
});
