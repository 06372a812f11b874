import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileFault } from '#core/postgres/start-fault.js';

/** The file with the local administrator's token (mode 0600). Its path may be shown, its content never. */
export class AdminTokenFile {
  readonly path: string;

  constructor(stateDirectory: string) {
    this.path = join(stateDirectory, 'admin-token');
  }

  /** The token, or null where there is none. It may have been revoked since. @throws StartFault */
  async read(): Promise<string | null> {
    try {
      return (await readFile(this.path, 'utf8')).trim() || null;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw fileFault(error, this.path);
    }
  }

  /** Replaces the token; who reads sees the old one or the new one, whole. @throws StartFault */
  async write(token: string): Promise<void> {
    const beside = `${this.path}.${randomBytes(6).toString('hex')}.new`;
    try {
      await writeFile(beside, `${token}\n`, { mode: 0o600, flag: 'wx', flush: true });
      await rename(beside, this.path);
    } catch (error) {
      throw fileFault(error, this.path);
    }
  }
}
