/**
 * Reads flags that each take a whole number, and gives it to `set`, which answers false for a flag that it doesn't know. Nothing but a seed may be zero.
 * @throws for a flag that isn't known or lacks its number, with the usage
 */
export function readNumberFlags(flags: readonly string[], usage: string, set: (flag: string, value: number) => boolean): void {
  for (let index = 0; index < flags.length; index += 2) {
    const flag = flags[index]!;
    const text = flags[index + 1] ?? '';
    const value = Number(text);
    if (!/^\d{1,10}$/.test(text) || (value === 0 && flag !== '--seed')) throw new Error(`${flag} isn't known, or lacks its number.\n\n${usage}`);
    if (!set(flag, value)) throw new Error(`${flag} isn't known.\n\n${usage}`);
  }
}
