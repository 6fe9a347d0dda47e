/**
 * Messages before the oldest one that is shown. History can be read from a sequence on and not backwards, and sequences are shared by all rooms of the
 * instance, so how far to go back for one screenful is estimated, and widened until there is something.
 *
 * Invariant: what comes back stands directly before `before`, without a hole.
 */
export interface Stretch<Event> {
  /** In order, all before the asked sequence. */
  readonly events: readonly Event[];
  /** Everything from here on was read; 0: from the beginning. */
  readonly from: number;
}

/** @param read the events behind `after`, in order, at most `limit` */
export async function readBefore<Event extends { readonly seq?: number }>(
  before: number,
  spanHint: number,
  wanted: number,
  read: (after: number, limit: number) => Promise<readonly Event[]>,
): Promise<Stretch<Event>> {
  const limit = wanted * 2;
  let span = Math.max(spanHint, wanted);
  let mayNarrow = true;
  for (;;) {
    const from = Math.max(0, before - 1 - span);
    const events: Event[] = [];
    let isTooWide = false;
    for (let after = from; ;) {
      const page = await read(after, limit);
      const older = page.filter(({ seq }) => seq !== undefined && seq < before);
      events.push(...older);
      const last = page.at(-1)?.seq;
      // The end of history, or the first that is shown already.
      if (page.length < limit || older.length < page.length || last === undefined) break;
      isTooWide = mayNarrow && events.length >= wanted * 4;
      if (isTooWide) break;
      after = last;
    }
    if (isTooWide) {
      span = Math.max(wanted, Math.floor(span / 8));
      // Once: what is crowded here may be empty there, and going to and fro would never end.
      mayNarrow = false;
    } else if (events.length === 0 && from > 0) span *= 4;
    else if (mayNarrow && events.length < wanted / 4 && from > 0) span *= 4;
    else return { events, from };
  }
}

/** How many sequences hold `wanted` messages, by those that are known. */
export function spanOf(seqs: readonly number[], wanted: number): number {
  const [first, last] = [seqs[0], seqs.at(-1)];
  if (first === undefined || last === undefined || seqs.length < 2) return wanted;
  return Math.ceil(((last - first) / (seqs.length - 1)) * wanted);
}
