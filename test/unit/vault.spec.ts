import { mkdtemp, readdir, readFile, rm, stat, writeFile, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { encodeFields, type SealContext } from '#core/vault/context.js';
import type { DataKeyStore, WrappedKey } from '#core/vault/data-key.js';
import { readOrCreateKeyFile } from '#core/vault/key-file.js';
import { KeyRing } from '#core/vault/key-ring.js';
import { LiveKeyRing } from '#core/vault/live-key-ring.js';
import { VaultError } from '#core/vault/vault-error.js';
import { Vault } from '#core/vault/vault.js';

const KEY_A = `a:${Buffer.from('a-key-of-32-bytes-for-this-test!').toString('base64')}`;
const KEY_B = `b:${Buffer.from('b-key-of-32-bytes-for-this-test!').toString('base64')}`;

/** What PostgreSQL will do: the first insert of a version wins. */
class MemoryKeyStore implements DataKeyStore {
  readonly rows = new Map<string, WrappedKey[]>();
  loads = 0;
  load(teamId: string): Promise<readonly WrappedKey[]> {
    this.loads += 1;
    return Promise.resolve([...(this.rows.get(teamId) ?? [])]);
  }
  async insert(teamId: string, key: WrappedKey): Promise<WrappedKey> {
    await Promise.resolve();
    const keys = this.rows.get(teamId) ?? [];
    this.rows.set(teamId, keys);
    const winner = keys.find((stored) => stored.version === key.version);
    if (winner === undefined) keys.push(key);
    return winner ?? key;
  }
}

function context(changes: Partial<SealContext> = {}): SealContext {
  return { table: 'enrollment', column: 'credential', rowId: '0198-1', version: 3, extra: ['https://mcp.example.com/mcp'], ...changes };
}

async function codeOf(act: () => unknown): Promise<string> {
  try {
    await act();
  } catch (error) {
    if (error instanceof VaultError) return error.code;
    throw error;
  }
  return 'none';
}

describe('KeyRing', () => {
  test('reads entries separated by commas or line breaks, the first as primary', () => {
    const ring = KeyRing.parse(`${KEY_B},\n${KEY_A}\r\n\n`);
    expect(ring.primaryId).toBe('b');
    expect(ring.ids).toEqual(['b', 'a']);
    expect(ring.key('a').export().toString()).toBe('a-key-of-32-bytes-for-this-test!');
  });

  test('takes the entries that it generates', () => {
    const entry = KeyRing.generateEntry(new Date('2026-11-22T00:00:00Z'));
    expect(entry).toMatch(/^k20261122-[0-9a-f]{8}:[A-Za-z0-9+/]{43}=$/);
    expect(KeyRing.parse(`${entry}\n${KeyRing.generateEntry()}`).ids).toHaveLength(2);
  });

  test('says all faults at once, and quotes no key', () => {
    const short = Buffer.from('too-short').toString('base64');
    const text = [KEY_A, KEY_A.replace('a:', 'c:'), 'c3VwZXJzZWNyZXQ=', `d:${short}`, 'e:!!!', `bad id:${short}`, KEY_B, KEY_B, `f:${Buffer.alloc(32).toString('base64')}`].join(',');
    let fault: unknown;
    try {
      KeyRing.parse(text);
    } catch (error) {
      fault = error;
    }
    expect(fault).toBeInstanceOf(VaultError);
    const { code, faults, message } = fault as VaultError;
    expect(code).toBe('KEYS_INVALID');
    expect(faults).toHaveLength(7);
    expect(faults.map((line) => line.slice(0, 8))).toEqual(['Entry 2:', 'Entry 3:', 'Entry 4:', 'Entry 5:', 'Entry 6:', 'Entry 8:', 'Entry 9:']);
    for (const material of [short, 'c3VwZXJzZWNyZXQ', '!!!', KEY_A.slice(2), 'bad id']) expect(message).not.toContain(material);
  });

  test.each(['', ' \n,', ','])('refuses a ring without keys: %j', async (text) => {
    expect(await codeOf(() => KeyRing.parse(text))).toBe('KEYS_INVALID');
  });

  test('shows no key when it is printed', () => {
    const shown = inspect(KeyRing.parse(KEY_A), { depth: 10, showHidden: true }) + JSON.stringify(KeyRing.parse(KEY_A));
    expect(shown).not.toContain('a-key-of-32');
    expect(shown).not.toContain(KEY_A.slice(2, 20));
  });
});

describe('readOrCreateKeyFile', () => {
  let folder: string;
  beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'fairlead-keys-')); });
  afterEach(async () => { await rm(folder, { recursive: true }); });

  test('makes a file with mode 0600 once, and reads it afterwards', async () => {
    const path = join(folder, 'keys');
    const first = await readOrCreateKeyFile(path);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await readOrCreateKeyFile(path)).primaryId).toBe(first.primaryId);
    expect(await readdir(folder)).toEqual(['keys']);
    expect(KeyRing.parse(await readFile(path, 'utf8')).primaryId).toBe(first.primaryId);
  });

  test('gives all who start at once the same ring', async () => {
    const rings = await Promise.all(Array.from({ length: 8 }, () => readOrCreateKeyFile(join(folder, 'keys'))));
    expect(new Set(rings.map((ring) => ring.primaryId)).size).toBe(1);
    expect(await readdir(folder)).toEqual(['keys']);
  });

  test('refuses a file that others may read, with the command that helps', async () => {
    const path = join(folder, 'keys');
    await writeFile(path, KEY_A);
    await chmod(path, 0o640);
    await expect(readOrCreateKeyFile(path)).rejects.toMatchObject({ code: 'KEY_FILE_UNSAFE', message: expect.stringContaining(`chmod 600 ${path}`) as unknown });
    await chmod(path, 0o600);
    expect((await readOrCreateKeyFile(path)).primaryId).toBe('a');
  });

  test('leaves a faulty or foreign file alone', async () => {
    const path = join(folder, 'keys');
    await writeFile(path, '', { mode: 0o600 });
    expect(await codeOf(() => readOrCreateKeyFile(path))).toBe('KEYS_INVALID');
    expect(await readFile(path, 'utf8')).toBe('');
    await expect(readOrCreateKeyFile(folder)).rejects.toBeInstanceOf(Error);
  });
});

describe('encodeFields', () => {
  test('gives different lists different bytes', () => {
    const list = fc.array(fc.string({ unit: fc.constantFrom('a', '\0', '\u0001', 'é', '1') }), { maxLength: 4 });
    fc.assert(fc.property(list, list, (one, other) => {
      expect(encodeFields(one).equals(encodeFields(other))).toBe(JSON.stringify(one) === JSON.stringify(other));
    }), { numRuns: 2000 });
  });

  test('refuses a lone surrogate', () => {
    expect(() => encodeFields(['\ud800'])).toThrow('well-formed');
  });
});

describe('Vault', () => {
  test('opens what it sealed, bytes and text, and never seals alike', async () => {
    const vault = new Vault(KeyRing.parse(KEY_A), new MemoryKeyStore());
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      const sealed = await vault.seal('team', context(), Buffer.from(bytes));
      expect(sealed).toHaveLength(bytes.length + 34);
      expect(Buffer.compare(await vault.open('team', context(), sealed), bytes)).toBe(0);
      expect(sealed.equals(await vault.seal('team', context(), Buffer.from(bytes)))).toBe(false);
    }), { numRuns: 50 });
    expect((await vault.open('team', context(), await vault.seal('team', context(), 'sésame'))).toString()).toBe('sésame');
  });

  test('does not open a value that was moved to another team, table, column, row, version or address', async () => {
    const vault = new Vault(KeyRing.parse(KEY_A), new MemoryKeyStore());
    for (const team of ['team', 'other']) await vault.seal(team, context(), 'x');
    const place = fc.record({
      team: fc.constantFrom('team', 'other'), table: fc.constantFrom('enrollment', 'tool_call'), column: fc.constantFrom('credential', 'result'),
      rowId: fc.constantFrom('1', '11', ''), version: fc.constantFrom(1, 11), extra: fc.constantFrom([], [''], ['https://a.example/'], ['https://a.example/', ''], ['https://b.example/']),
    });
    await fc.assert(fc.asyncProperty(place, place, async ({ team: from, ...put }, { team: to, ...read }) => {
      const sealed = await vault.seal(from, put, 'secret');
      const same = from === to && JSON.stringify(put) === JSON.stringify(read);
      expect(await codeOf(() => vault.open(to, read, sealed))).toBe(same ? 'none' : 'TAMPERED_OR_MOVED');
    }), { numRuns: 300 });
  });

  test('does not open a value with any bit flipped, cut anywhere, or with bytes added', async () => {
    const vault = new Vault(KeyRing.parse(KEY_A), new MemoryKeyStore());
    const sealed = await vault.seal('team', context(), 'a secret of some length');
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const flipped = Buffer.from(sealed);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(['TAMPERED_OR_MOVED', 'FORMAT', 'KEY_UNKNOWN']).toContain(await codeOf(() => vault.open('team', context(), flipped)));
    }
    for (let length = 0; length < sealed.length; length += 1) {
      expect(['TAMPERED_OR_MOVED', 'FORMAT']).toContain(await codeOf(() => vault.open('team', context(), sealed.subarray(0, length))));
    }
    expect(await codeOf(() => vault.open('team', context(), Buffer.concat([sealed, Buffer.from([0])])))).toBe('TAMPERED_OR_MOVED');
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 120 }), async (bytes) => {
      expect(await codeOf(() => vault.open('team', context(), Buffer.from(bytes)))).not.toBe('none');
    }));
  });

  test('reads with an old key as long as the ring holds it, and says which id is missing', async () => {
    const store = new MemoryKeyStore();
    const sealed = await new Vault(KeyRing.parse(KEY_A), store).seal('team', context(), 'kept');
    expect((await new Vault(KeyRing.parse(`${KEY_B},${KEY_A}`), store).open('team', context(), sealed)).toString()).toBe('kept');
    await expect(new Vault(KeyRing.parse(KEY_B), store).open('team', context(), sealed)).rejects.toMatchObject({ code: 'KEY_UNKNOWN', message: expect.stringContaining('"a"') as unknown });
    const impostor = KeyRing.parse(`a:${KEY_B.slice(2)}`);
    await expect(new Vault(impostor, store).open('team', context(), sealed)).rejects.toMatchObject({ code: 'TAMPERED_OR_MOVED', message: expect.stringContaining('original key') as unknown });
  });

  test('wraps the data keys of new teams with the primary key', async () => {
    const store = new MemoryKeyStore();
    await new Vault(KeyRing.parse(`${KEY_B},${KEY_A}`), store).seal('team', context(), 'x');
    expect(store.rows.get('team')).toMatchObject([{ version: 1, kekId: 'b' }]);
  });

  test('a wrapped data key serves no other team, version or key id', async () => {
    const store = new MemoryKeyStore();
    const ring = KeyRing.parse(`${KEY_A},${KEY_B}`);
    await new Vault(ring, store).seal('team', context(), 'x');
    const key = store.rows.get('team')![0]!;
    const forged: WrappedKey[] = [{ ...key, version: 2 }, { ...key, kekId: 'b' }, { ...key, wrapped: key.wrapped.subarray(0, -1) }, { ...key, wrapped: Buffer.from([9, 9]) }];
    for (const row of forged) {
      store.rows.set('team', [row]);
      expect(['TAMPERED_OR_MOVED', 'FORMAT']).toContain(await codeOf(() => new Vault(ring, store).seal('team', context(), 'x')));
    }
    store.rows.set('thief', [key]);
    expect(await codeOf(() => new Vault(ring, store).seal('thief', context(), 'x'))).toBe('TAMPERED_OR_MOVED');
  });

  test('goes on with the data key of the process that was first', async () => {
    const store = new MemoryKeyStore();
    const vaults = Array.from({ length: 4 }, () => new Vault(KeyRing.parse(KEY_A), store));
    const sealed = await Promise.all(vaults.flatMap((vault) => [vault.seal('team', context(), 'one'), vault.seal('team', context(), 'one')]));
    expect(store.rows.get('team')).toHaveLength(1);
    for (const vault of vaults) for (const value of sealed) expect((await vault.open('team', context(), value)).toString()).toBe('one');
  });

  test('finds a newer data key that another process has added, and seals with the newest', async () => {
    const store = new MemoryKeyStore();
    const ring = KeyRing.parse(KEY_A);
    const [old, reader] = [new Vault(ring, store), new Vault(ring, store)];
    const first = await old.seal('team', context(), 'first');
    await reader.open('team', context(), first);
    const { makeDataKey } = await import('#core/vault/data-key.js');
    await store.insert('team', makeDataKey(new LiveKeyRing(ring), 'team', 2));
    const second = await new Vault(ring, store).seal('team', context(), 'second');
    expect(second.readUInt32BE(2)).toBe(2);
    expect((await reader.open('team', context(), second)).toString()).toBe('second');
    expect((await reader.open('team', context(), first)).toString()).toBe('first');
    expect((await reader.keyedHash('team', 'x')).equals(await old.keyedHash('team', 'x'))).toBe(true);
  });

  test('does not make a data key in order to open a value', async () => {
    const store = new MemoryKeyStore();
    const sealed = await new Vault(KeyRing.parse(KEY_A), store).seal('team', context(), 'x');
    expect(await codeOf(() => new Vault(KeyRing.parse(KEY_A), store).open('nobody', context(), sealed))).toBe('KEY_UNKNOWN');
    expect(store.rows.has('nobody')).toBe(false);
  });

  test('holds keys for a bounded time and number of teams, and does not hold a failure', async () => {
    const store = new MemoryKeyStore();
    let time = 0;
    const vault = new Vault(KeyRing.parse(KEY_A), store, { maxTeams: 2, ttlMs: 100, now: () => time });
    const use = async (team: string) => { const before = store.loads; await vault.seal(team, context(), 'x'); return store.loads - before; };
    expect([await use('1'), await use('1'), await use('2'), await use('1')]).toEqual([1, 0, 1, 0]);
    expect([await use('3'), await use('1'), await use('2')]).toEqual([1, 0, 1]);
    time = 100;
    expect([await use('2'), await use('2')]).toEqual([1, 0]);
    const load = store.load.bind(store);
    store.load = () => Promise.reject(new Error('database down'));
    await expect(vault.seal('4', context(), 'x')).rejects.toThrow('database down');
    store.load = load;
    expect(await use('4')).toBe(1);
  });

  test('hashes equal texts of a team alike, and of another team or as plain SHA-256 differently', async () => {
    const vault = new Vault(KeyRing.parse(KEY_A), new MemoryKeyStore());
    const hash = await vault.keyedHash('team', 'request');
    expect(hash).toHaveLength(32);
    expect(hash.equals(await vault.keyedHash('team', 'request'))).toBe(true);
    expect(hash.equals(await vault.keyedHash('team', 'request2'))).toBe(false);
    expect(hash.equals(await vault.keyedHash('other', 'request'))).toBe(false);
  });

  test('does not say the plaintext or a key in its errors', async () => {
    const store = new MemoryKeyStore();
    const sealed = await new Vault(KeyRing.parse(KEY_A), store).seal('team', context(), 'canary-plaintext');
    const error: unknown = await new Vault(KeyRing.parse(KEY_A), store).open('team', context({ version: 4 }), sealed).catch((fault: unknown) => fault);
    expect(inspect(error)).toContain('enrollment.credential');
    expect(inspect(error)).not.toMatch(/canary-plaintext|a-key-of-32/);
  });

  test('refuses a version that is no integer as a fault of ours', async () => {
    const vault = new Vault(KeyRing.parse(KEY_A), new MemoryKeyStore());
    await expect(vault.seal('team', context({ version: 1.5 }), 'x')).rejects.toMatchObject({ name: 'InvariantBroken' });
  });
});
