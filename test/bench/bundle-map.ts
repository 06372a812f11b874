import { existsSync, readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { fileURLToPath } from 'node:url';

/** A place in a file; lines and columns count from 0. */
export interface Place {
  url: string;
  lineNumber: number;
  columnNumber: number;
}

const maps = new Map<string, SourceMap | null>();

/** Where what stands in one of the bundle's files came from, by the map beside it; the place itself for any other file. */
export function originOf(place: Place): Place {
  const { url, lineNumber, columnNumber } = place;
  if (!url.startsWith('file:')) return place;
  let map = maps.get(url);
  if (map === undefined) maps.set(url, map = mapBeside(fileURLToPath(url)));
  const entry = map?.findEntry(lineNumber, columnNumber);
  if (entry === undefined || !('originalSource' in entry)) return place;
  return { url: new URL(entry.originalSource, url).href, lineNumber: entry.originalLine, columnNumber: entry.originalColumn };
}

function mapBeside(path: string): SourceMap | null {
  const beside = `${path}.map`;
  return existsSync(beside) ? new SourceMap(JSON.parse(readFileSync(beside, 'utf8')) as SourceMapPayload) : null;
}
