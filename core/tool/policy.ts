/** Which tools of a server may be called: exact names, and patterns in which `*` stands for any characters, also none. Case counts. */
export interface ToolLists {
  allow?: readonly string[] | null;
  deny?: readonly string[] | null;
}

/** Whether a tool may be called: not on the deny list, and on the allow list where there is one. A missing or empty allow list allows all; deny wins. */
export function toolAllowed({ allow, deny }: ToolLists, name: string): boolean {
  if (deny?.some((pattern) => nameMatches(pattern, name))) return false;
  return !allow || allow.length === 0 || allow.some((pattern) => nameMatches(pattern, name));
}

/** Whether a name matches a pattern with `*`. Never backtracks: the pieces between the stars are looked for from left to right. */
export function nameMatches(pattern: string, name: string): boolean {
  if (!pattern.includes('*')) return pattern === name;
  const [first = '', ...pieces] = pattern.split('*');
  const last = pieces.pop() ?? '';
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last)) return false;
  const end = name.length - last.length;
  let from = first.length;
  for (const piece of pieces) {
    const at = name.indexOf(piece, from);
    if (at < 0 || at + piece.length > end) return false;
    from = at + piece.length;
  }
  return true;
}
