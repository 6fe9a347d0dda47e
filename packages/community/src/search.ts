/**
 * Finds rows of a list by what somebody typed: every word somewhere in the texts of the row, whatever the case.
 *
 * Invariant: one question looks at a bounded number of rows, however few of them fit; where it stopped there is a cursor, so that whoever asks on sees all.
 */
import type { Key, Page, Rec } from "@althing/store";

/** How many rows one question looks at. */
export const searchScanMax = 10_000;
const readAtOnce = 500;

const folded = (text: string): string => text.normalize("NFKC").toLowerCase();

/** @param q what was typed; blank fits everything */
export function matcherOf(q: string | undefined): ((texts: readonly (string | undefined)[]) => boolean) | undefined {
  const words = folded(q ?? "")
    .split(/\s+/)
    .filter((word) => word !== "");
  if (words.length === 0) return undefined;
  return (texts) => {
    const all = folded(texts.map((text) => text ?? "").join("\n"));
    return words.every((word) => all.includes(word));
  };
}

/**
 * Up to `limit` records that fit, from `after` on.
 *
 * @param read a page of the list; as `Collection.list`
 * @returns `next` while there may be more: the last record that was looked at
 */
export async function searchPage<T>(
  read: (page: { readonly after?: Key; readonly limit: number }) => Promise<Page<T>>,
  fits: (record: Rec<T>) => boolean,
  { after, limit, scanMax = searchScanMax }: { readonly after: Key | undefined; readonly limit: number; readonly scanMax?: number },
): Promise<{ readonly records: readonly Rec<T>[]; readonly next?: Key }> {
  const records: Rec<T>[] = [];
  let cursor = after;
  for (let seen = 0; seen < scanMax;) {
    const page = await read({ limit: Math.min(readAtOnce, scanMax - seen), ...(cursor === undefined ? {} : { after: cursor }) });
    for (const [at, record] of page.records.entries()) {
      seen += 1;
      cursor = record.key;
      if (!fits(record)) continue;
      records.push(record);
      if (records.length === limit)
        return at === page.records.length - 1 && page.next === undefined ? { records } : { records, next: record.key };
    }
    if (page.next === undefined) return { records };
  }
  return cursor === undefined ? { records } : { records, next: cursor };
}
