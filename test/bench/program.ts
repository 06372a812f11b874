/** A line on stdout. */
export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** What is going on: on a terminal, one line that is written over. */
export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}

/** What {@link runProgram} runs. */
export interface Program<P> {
  /** What `--help` prints. */
  usage: string;
  /** @throws for flags that it doesn't know, in words for people */
  planOf: (flags: readonly string[]) => P;
  /** Answers the exit code. */
  main: (plan: P) => Promise<number>;
}

/** Runs a program with the flags that the process was started with, and has the process end with its exit code; with 1 and the reason on stderr where it threw. */
export async function runProgram<P>({ usage, planOf, main }: Program<P>): Promise<void> {
  const flags = process.argv.slice(2);
  if (flags.includes('--help')) return say(usage);
  const fail = (text: string): number => {
    process.stderr.write(`${text}\n`);
    return 1;
  };
  let plan: P;
  try {
    plan = planOf(flags);
  } catch (error) {
    process.exitCode = fail((error as Error).message);
    return;
  }
  process.exitCode = await main(plan).catch((error: unknown) => fail(error instanceof Error ? error.stack ?? error.message : String(error)));
}
