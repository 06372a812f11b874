/** A value, or the promise of one. */
export type Maybe<T> = T | Promise<T>;

/**
 * What `use` makes of values, some of which may be on their way: at once if all are there. graphql-js executes a field without a promise where it is, and makes several more for
 * each promise that it is given, which a page with thousands of fields feels.
 */
export function whenThere<V extends readonly unknown[], R>(values: readonly [...{ [K in keyof V]: Maybe<V[K]> }], use: (...values: V) => Maybe<R>): Maybe<R> {
  return values.some((value) => value instanceof Promise) ? Promise.all(values).then((there) => use(...(there as unknown as V))) : use(...(values as unknown as V));
}
