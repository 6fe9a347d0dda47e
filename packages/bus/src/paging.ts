/**
 * Reads a whole prefix page by page.
 *
 * Invariant: a page is read only when the one before is used up, so a caller may stop early; the list is not a snapshot, callers that
 * decide on it hold the lock of what they list or compare-and-set afterwards.
 */
import type { Collection, Rec } from "@althing/store";

export async function* everyRecord<T>(
  collection: Pick<Collection<T>, "list">,
  prefix: readonly string[] = [],
  from?: Rec<T>["key"],
): AsyncGenerator<Rec<T>> {
  let after = from;
  do {
    const page = await collection.list({ prefix, limit: 1_000, ...(after ? { after } : {}) });
    yield* page.records;
    after = page.next;
  } while (after);
}

/** How many records the prefix has, counted to `max` at most. */
export async function countUpTo<T>(
  collection: Collection<T>,
  prefix: readonly string[],
  max: number,
  counts: (record: Rec<T>) => boolean = () => true,
): Promise<number> {
  let count = 0;
  for await (const record of everyRecord(collection, prefix)) {
    if (counts(record) && ++count >= max) break;
  }
  return count;
}
