/**
 * Places for runs: so many at a time on this hub, and so many of one community, so that ten thousand jobs of one second come one after another and no
 * community keeps the others waiting.
 *
 * Invariant: work is begun in the order in which it was asked for within a community; a place is free again however the work ends.
 */
import type { CommunityId } from "@althing/contract";

export interface Places<T> {
  ask(item: T): void;
  /** Drops what waits. */
  clear(): readonly T[];
  /** Work that counts for `settled` and needs no place. */
  track(work: Promise<void>): void;
  settled(): Promise<void>;
  waiting(): number;
}

export interface PlacesOptions<T> {
  readonly max: number;
  readonly perCommunityMax: number;
  readonly communityOf: (item: T) => CommunityId;
  /** Never throws. */
  readonly work: (item: T) => Promise<void>;
}

export function createPlaces<T>({ max, perCommunityMax, communityOf, work }: PlacesOptions<T>): Places<T> {
  const queues = new Map<CommunityId, T[]>();
  const held = new Map<CommunityId, number>();
  const running = new Set<Promise<void>>();
  let taken = 0;

  function track(promise: Promise<void>): void {
    running.add(promise);
    void promise.finally(() => running.delete(promise));
  }

  function leave(community: CommunityId): void {
    const left = (held.get(community) ?? 1) - 1;
    if (left === 0) held.delete(community);
    else held.set(community, left);
    taken -= 1;
    pump();
  }

  /** One of each community in turn. */
  function pump(): void {
    for (let passed = 0; taken < max && passed < queues.size;) {
      const [first] = queues;
      if (first === undefined) return;
      const [community, queue] = first;
      queues.delete(community);
      const count = held.get(community) ?? 0;
      const item = count < perCommunityMax ? queue.shift() : undefined;
      if (queue.length > 0) queues.set(community, queue);
      if (item === undefined) {
        passed += 1;
        continue;
      }
      passed = 0;
      held.set(community, count + 1);
      taken += 1;
      track(work(item).finally(() => leave(community)));
    }
  }

  return {
    track,
    ask(item) {
      const community = communityOf(item);
      const queue = queues.get(community);
      if (queue === undefined) queues.set(community, [item]);
      else queue.push(item);
      pump();
    },
    clear() {
      const dropped = [...queues.values()].flat();
      queues.clear();
      return dropped;
    },
    async settled() {
      while (running.size > 0) await Promise.all(running);
    },
    waiting: () => [...queues.values()].reduce((sum, { length }) => sum + length, 0),
  };
}
