import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The answers that a program of the benchmark gives, by question. */
export type Answers = Record<string, (question: never) => unknown>;

/** A program of the benchmark that runs in a process of its own. */
export class ChildProgram<A extends Answers> {
  private constructor(private readonly child: ChildProcess) {}

  /** Starts `<name>.js` on the Node that runs this process: beside this file, or beside another one. */
  static start<A extends Answers>(name: string, beside: string = import.meta.url): ChildProgram<A> {
    const path = fileURLToPath(new URL(`./${name}.js`, beside));
    // The SDK's client warns about listeners that it leaks; the benchmark's output is for its own findings.
    const child = fork(path, { execArgv: ['--no-warnings'], serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    return new ChildProgram<A>(child);
  }

  /** One question at a time. @throws what the program threw, or that it ended */
  async ask<Q extends keyof A & string>(question: Q, about: Parameters<A[Q]>[0]): Promise<Awaited<ReturnType<A[Q]>>> {
    const ended = new AbortController();
    const answered = once(this.child, 'message', { signal: ended.signal });
    const exit = (): void => ended.abort();
    this.child.once('exit', exit);
    try {
      this.child.send({ question, about });
      const [reply] = await answered as [{ answer: unknown; error: string | null }];
      if (reply.error !== null) throw new Error(`${question}: ${reply.error}`);
      return reply.answer as Awaited<ReturnType<A[Q]>>;
    } catch (error) {
      throw ended.signal.aborted ? new Error(`${question}: the program has ended`, { cause: error }) : error;
    } finally {
      this.child.removeListener('exit', exit);
    }
  }

  /** Ends the program. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.disconnect();
    await exited;
  }
}

/** What such a program runs: answers questions until its parent has gone. */
export function answerQuestions(answers: Record<string, (about: never) => unknown>): void {
  process.on('message', (message: { question: string; about: never }) => {
    Promise.resolve(message.about).then(answers[message.question]).then(
      (answer) => process.send!({ answer, error: null }),
      (error: unknown) => process.send!({ answer: null, error: error instanceof Error ? error.stack ?? error.message : String(error) }),
    );
  });
  process.once('disconnect', () => process.exit(0));
}
