/** Asks when it is first called, and gives the same answer from then on: several fields of one object need it. */
export function once<T>(ask: () => T): () => T {
  let answer: { value: T } | null = null;
  return () => (answer ??= { value: ask() }).value;
}
