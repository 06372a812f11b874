import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of our package: the nearest one above this file that has a package.json, whether the program is run as it was compiled or from its bundle. */
export const PACKAGE_ROOT = rootAbove(import.meta.dirname);

function rootAbove(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : rootAbove(dirname(folder));
}
