import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { KeyRing } from '#core/vault/key-ring.js';
import { startChild, type Child } from './child.js';
import { contractDocument } from './contract.js';
import { copyCluster } from './test-server.js';

const DOOR = resolve('bin/fairlead.js');

/** What was asked, and the answer as text. */
export interface Exchanged {
  operation: string;
  text: string;
}

/** A running `fairlead dev`, in a process of its own. */
export interface LocalFairlead {
  child: Child;
  url: string;
  port: number;
  /** The administrator's. */
  token: string;
  /** Sends a document, or the contract's operation of that name; with the administrator's token unless another is given. */
  // eslint-disable-next-line typescript/no-explicit-any -- tests reach into answers of any shape
  gql(documentOrName: string, variables: object, token?: string): Promise<any>;
  /** As {@link gql} with an input, for what must work: the value of the only root field. */
  // eslint-disable-next-line typescript/no-explicit-any -- as above
  must(operation: string, input: object, token?: string): Promise<any>;
}

/** A state directory, and the `fairlead dev`s that are started on it. */
export class LocalState {
  readonly #children: Child[] = [];
  /** Every answer that {@link LocalFairlead.gql} got, from all processes. */
  readonly answers: Exchanged[] = [];

  private constructor(private readonly home: string) {}

  /** A state as an earlier start left it: with a database cluster, which takes long to make, and a key ring. */
  static async create(): Promise<LocalState> {
    const state = new LocalState(await mkdtemp(join(tmpdir(), 'fairlead-local-')));
    await mkdir(join(state.path, 'postgres'), { recursive: true, mode: 0o700 });
    await writeFile(join(state.path, 'keys'), KeyRing.generateEntry(), { mode: 0o600 });
    await copyCluster(join(state.path, 'postgres'));
    return state;
  }

  get path(): string {
    return join(this.home, 'state');
  }

  /** Where the embedded PostgreSQL keeps its data. */
  get data(): string {
    return join(this.path, 'postgres', 'data');
  }

  /** What the processes have said, on both streams. */
  get said(): string[] {
    return this.#children.flatMap((child) => [...child.output, ...child.errors]);
  }

  /** Starts a process and doesn't wait. */
  spawn(env: Record<string, string> = {}, options: readonly string[] = []): Child {
    const child = startChild([process.execPath, DOOR, 'dev', ...options], { env: { PATH: process.env['PATH'], PORT: '0', FAIRLEAD_STATE_DIR: this.path, ...env } });
    this.#children.push(child);
    return child;
  }

  /** Starts a process and waits until it takes requests; at `listensAt`, where that isn't what it says. */
  async start(env: Record<string, string> = {}, listensAt?: string, options: readonly string[] = []): Promise<LocalFairlead> {
    const child = this.spawn(env, options);
    const url = listensAt ?? /http:\/\/\S+/.exec(await child.line(/is ready at http:/))![0];
    await child.line(/is ready at/);
    const token = (await readFile(join(this.path, 'admin-token'), 'utf8')).trim();
    const gql = async (documentOrName: string, variables: object, bearer = token) => {
      const query = /^\w+$/.test(documentOrName) ? contractDocument(documentOrName) : documentOrName;
      const response = await fetch(`${url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${bearer}` }, body: JSON.stringify({ query, variables }) });
      const text = await response.text();
      this.answers.push({ operation: documentOrName, text });
      return JSON.parse(text) as unknown;
    };
    return {
      child, url, token, port: Number(new URL(url).port), gql,
      async must(operation, input, bearer = token) {
        const { data, errors } = await gql(operation, { input }, bearer) as { data: object | null; errors?: object[] };
        const value = Object.values(data ?? {})[0] as { userErrors?: object[] } | undefined;
        if (errors !== undefined || (value?.userErrors?.length ?? 0) > 0) throw new Error(`${operation}: ${JSON.stringify(errors ?? value?.userErrors)}`);
        return value;
      },
    };
  }

  /** Ends what runs, and removes the state. */
  async remove(): Promise<void> {
    for (const child of this.#children) {
      child.process.kill('SIGTERM');
      await child.ended;
    }
    await rm(this.home, { recursive: true, force: true });
  }
}
