/**
 * Up to which announcement somebody has read, kept in this browser: nobody else has to know.
 *
 * Invariant: only ever goes forwards; ids are ULIDs, so the later one is the greater text.
 */
import { ulidSchema } from "@althing/contract";

const keyOf = (community: string, reader: string): string => `althing-announcements-${reader}-${community}`;

/** Id of the newest one that was seen; empty: none. */
export function seenUpTo(community: string, reader: string, storage: Pick<Storage, "getItem"> = localStorage): string {
  const kept = ulidSchema.safeParse(storage.getItem(keyOf(community, reader)));
  return kept.success ? kept.data : "";
}

export function markSeen(
  community: string,
  reader: string,
  newest: string,
  storage: Pick<Storage, "getItem" | "setItem"> = localStorage,
): void {
  if (newest > seenUpTo(community, reader, storage)) storage.setItem(keyOf(community, reader), newest);
}

export function unseen<Row extends { readonly id: string; readonly author: string | null }>(
  rows: readonly Row[],
  upTo: string,
  reader: string,
): readonly Row[] {
  return rows.filter(({ id, author }) => id > upTo && author !== reader);
}
