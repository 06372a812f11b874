/** Where a story is told. */
export interface Paper {
  write(text: string): unknown;
  isTTY?: boolean;
}

const WIDTH = 110;

/** Tells a story on a terminal, and counts what of it came true. */
export class Printout {
  held = 0;
  failed = 0;
  /** What is under way, for the report of an interruption. */
  now = '';
  #acts = 0;

  constructor(private readonly paper: Paper, private readonly clock: () => number) {}

  /** Begins an act. */
  act(title: string): void {
    this.#acts += 1;
    this.now = title;
    this.#line(`\n${this.#styled(1, `${this.#acts}. ${title}`)}`);
  }

  /** One fact, below an act. */
  say(text: string): void {
    for (const line of folded(text)) this.#line(`     ${this.#styled(2, line)}`);
  }

  /** What should be so, and whether it is. */
  check(holds: boolean, text: string): void {
    if (holds) this.held += 1;
    else this.failed += 1;
    const [first = '', ...rest] = folded(text);
    this.#line(`   ${holds ? this.#styled(32, '✓') : this.#styled(31, '✗ NOT SO:')} ${first}`);
    for (const line of rest) this.#line(`     ${line}`);
  }

  /** Says that something has begun, and how long it took. */
  async wait<T>(text: string, work: Promise<T>, done: (result: T) => string): Promise<T> {
    const began = this.clock();
    this.now = text;
    this.#line(`   … ${text}`);
    const result = await work;
    this.check(true, `${done(result)} (${((this.clock() - began) / 1000).toFixed(1)} s)`);
    return result;
  }

  /** A line of its own, without indent. */
  line(text: string): void {
    this.#line(text);
  }

  #line(text: string): void {
    this.paper.write(`${text}\n`);
  }

  #styled(code: number, text: string): string {
    return this.paper.isTTY ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}

/** Lines of at most the width, broken at spaces. */
function folded(text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length >= WIDTH) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  return [...lines, line];
}
