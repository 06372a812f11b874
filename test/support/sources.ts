import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';

/** An import or re-export of a source file. */
export interface SourceImport {
  /** As it is written. */
  specifier: string;
  /** The file of ours that is meant, from the root of the repository (`core/errors.ts`); null for packages. */
  target: string | null;
  /** Erased by the compiler: `import type`, or nothing but `type` names. */
  typeOnly: boolean;
}

/** One source file, as far as the rules of its place are concerned. */
export interface SourceFile {
  /** From the root of the repository, with `/`. */
  path: string;
  text: string;
  imports: SourceImport[];
}

/** The folders that hold TypeScript. */
export const TOP_FOLDERS = ['core', 'api', 'operator', 'cli', 'test'];

/** Reads every TypeScript file of the repository; run in its root. */
export function readSources(): SourceFile[] {
  return TOP_FOLDERS.flatMap((folder) => filesIn(folder)).map((path) => sourceFile(path, readFileSync(path, 'utf8')));
}

/** A file that need not be there, read by the same eyes. */
export function sourceFile(path: string, text: string): SourceFile {
  return { path, text, imports: importsOf(path, text) };
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => join(entry.parentPath, entry.name).replaceAll('\\', '/')).toSorted();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

const STATEMENT = /^(?:import|export)\s+(?<clause>[^'";]*?)\s*from\s*'(?<from>[^']+)'|^import\s+'(?<bare>[^']+)'|\bimport\(\s*'(?<dynamic>[^']+)'/gm;

function importsOf(path: string, text: string): SourceImport[] {
  return [...text.matchAll(STATEMENT)].map(({ groups }) => {
    const specifier = groups!.from ?? groups!.bare ?? groups!.dynamic!;
    return { specifier, target: targetOf(path, specifier), typeOnly: groups!.clause !== undefined && typeOnly(groups!.clause) };
  });
}

function typeOnly(clause: string): boolean {
  if (/^type\s/.test(clause)) return true;
  const named = /^\{(.*)\}$/s.exec(clause)?.[1]?.split(',').map((name) => name.trim()).filter((name) => name !== '');
  return named !== undefined && named.length > 0 && named.every((name) => name.startsWith('type '));
}

function targetOf(path: string, specifier: string): string | null {
  const asSource = (file: string) => file.replace(/\.js$/, '.ts');
  if (specifier.startsWith('#')) return asSource(specifier.slice(1));
  return specifier.startsWith('.') ? asSource(posix.join(dirname(path), specifier)) : null;
}
