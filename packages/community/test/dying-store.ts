/**
 * A store whose process is killed at one of its writes: before it, or after it was done and before anybody heard so.
 *
 * Invariant: what was written before lies in the store underneath, which the next process opens; the dead one writes nothing any more.
 */
import type { Collection, CollectionDef, Store } from "@althing/store";

export class Killed extends Error {
  override readonly name = "Killed";
}

export interface DyingStore {
  readonly store: Store;
  isDead(): boolean;
}

/** @param boundary which write it is, from 1 on */
export function dyingStore(under: Store, boundary: number, when: "before" | "after"): DyingStore {
  let writes = 0;
  let dead = false;
  async function write<R>(work: () => Promise<R>): Promise<R> {
    if (dead) throw new Killed();
    writes += 1;
    if (writes < boundary) return work();
    if (when === "after") await work();
    dead = true;
    throw new Killed();
  }
  const collection = <T>(def: CollectionDef<T>): Collection<T> => {
    const own = under.collection(def);
    return {
      ...own,
      create: (key, value) => write(() => own.create(key, value)),
      put: (key, value, expect) => write(() => own.put(key, value, expect)),
      delete: (key, expect) => write(() => own.delete(key, expect)),
    };
  };
  const store: Store = { ...under, collection, batch: (batch, requestId) => write(() => under.batch(batch, requestId)) };
  return { store, isDead: () => dead };
}

/** For `await using`. */
export const endedBy = (store: Store): { readonly store: Store; [Symbol.asyncDispose](): Promise<void> } => ({
  store,
  [Symbol.asyncDispose]: () => store.close(),
});
