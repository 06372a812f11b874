/** What {@link Grouped} is told. */
export interface GroupedOptions<T, R> {
  /** Commits a group, and answers for each item in its order. */
  write: (items: readonly T[]) => Promise<R[]>;
  /** Two items with the same mark are never in one group; null for those that go with any. */
  mark: (item: T) => string | null;
  /** Whether an error is about one item of the group, so that the others are worth trying without it. */
  isItemFault: (error: unknown) => boolean;
}

interface Waiting<T, R> {
  item: T;
  resolve: (answer: R) => void;
  reject: (error: unknown) => void;
}

/** A statement with many rows takes little longer than one with one row; more than these would keep the first of them waiting. */
const MOST = 64;

/** Commits together what is asked for at the same time: one group at a time, and whatever comes meanwhile goes with the next. */
export class Grouped<T, R> {
  #queue: Waiting<T, R>[] = [];
  #writing = false;

  constructor(private readonly options: GroupedOptions<T, R>) {}

  /** Resolves when the item is committed. */
  add(item: T): Promise<R> {
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    this.#queue.push({ item, resolve, reject });
    if (!this.#writing) void this.#run();
    return promise;
  }

  async #run(): Promise<void> {
    this.#writing = true;
    while (this.#queue.length > 0) await this.#write(this.#next());
    this.#writing = false;
  }

  async #write(group: readonly Waiting<T, R>[]): Promise<void> {
    try {
      const answers = await this.options.write(group.map(({ item }) => item));
      group.forEach(({ resolve }, index) => resolve(answers[index]!));
    } catch (error) {
      if (group.length > 1 && this.options.isItemFault(error)) {
        for (const one of group) await this.#write([one]);
      } else {
        for (const { reject } of group) reject(error);
      }
    }
  }

  #next(): Waiting<T, R>[] {
    const marks = new Set<string>();
    const group: Waiting<T, R>[] = [];
    this.#queue = this.#queue.filter((waiting) => {
      const mark = this.options.mark(waiting.item);
      if (group.length === MOST || (mark !== null && marks.has(mark))) return true;
      if (mark !== null) marks.add(mark);
      group.push(waiting);
      return false;
    });
    return group;
  }
}
