import { Store } from '#core/store/store.js';

/** A store of a test's own on the API's database, closed at the end of the block that it is used in. */
export async function openStore(url: string): Promise<Store & AsyncDisposable> {
  const store = await Store.open({ url, poolSize: 2 });
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
}
