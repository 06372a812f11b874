/** The candidate that `word` was probably meant to be (few letters apart, case aside, or its end), or null. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  const typed = word.toUpperCase();
  const [best] = candidates.map((candidate) => ({ candidate, apart: typed.endsWith(`_${candidate}`) ? 0 : distance(typed, candidate) })).sort((a, b) => a.apart - b.apart);
  return best !== undefined && best.apart <= Math.max(2, Math.floor(word.length / 5)) ? best.candidate : null;
}

/** Levenshtein distance: insertions, deletions and replacements. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let line = 1; line <= a.length; line += 1) {
    const next = [line];
    for (let column = 1; column <= b.length; column += 1) {
      next.push(Math.min(row[column]! + 1, next[column - 1]! + 1, row[column - 1]! + (a[line - 1] === b[column - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
