/**
 * Frames of a stretch of history in the order in which their senders sent them.
 *
 * Invariant: the places that a stream's frames take stay its places, and its frames take them by their counters. A frame that was lost on its way (a node
 * died) is sent again, and stored behind later ones of its sender: the store keeps the order of arrival, only counters tell the sender's.
 */
import type { Place } from "./sequencer.ts";

interface Placed {
  readonly place: Pick<Place, "key" | "counter">;
}

export function inStreamOrder<T extends Placed>(items: readonly T[]): T[] {
  const streams = new Map<string, T[]>();
  for (const item of items) {
    const stream = streams.get(item.place.key);
    if (stream === undefined) streams.set(item.place.key, [item]);
    else stream.push(item);
  }
  const turns = new Map([...streams].map(([key, own]) => [key, own.toSorted((a, b) => a.place.counter - b.place.counter).values()]));
  return items.map((item) => turns.get(item.place.key)?.next().value ?? item);
}
