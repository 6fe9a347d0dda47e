/**
 * The lanes of one community: reads its log once for all installs and hands each event to those that are told of it.
 *
 * Invariant: events are handed on in order and without gaps, whoever committed them; a change of subscriptions takes effect exactly behind the event that
 * tells of it. What came before an install was switched on is behind its cursor and not told.
 */
import { hasCode, type CommunityId, type EventRecord } from "@althing/contract";
import type { Rec } from "@althing/store";
import { cursorAt, type Cursor } from "./hook-collections.ts";
import type { HookSubscription } from "./hook-host.ts";
import { createLane, type Lane } from "./lane.ts";
import type { LaneDeps, LanePlace } from "./lane-deps.ts";
import { createSlots } from "./slots.ts";
import type { SubscriptionSet, Subscriptions } from "./subscriptions.ts";

export interface CommunityLanes {
  /** What this process has just committed. */
  appended(records: readonly EventRecord[]): void;
  /** The log reaches to here, as somebody says. */
  reached(index: number): void;
  /** Cursors without work follow the log. */
  follow(): Promise<void>;
  /** Nobody here is told of anything. */
  isEmpty(): boolean;
  close(): Promise<void>;
}

const pageSize = 200;
/** Lanes that are further behind read the log by themselves. */
const sharedReadMax = 2_000;

const changesSubscriptions = (topic: string): boolean => topic.startsWith("package.") || topic === "policy.changed";

export function createCommunityLanes(community: CommunityId, subscriptions: Subscriptions, deps: LaneDeps): CommunityLanes {
  const { events, settings, timers, log, collections } = deps;
  const lanes = new Map<string, Lane>();
  let set: SubscriptionSet | undefined;
  let seen = 0;
  let target = 0;
  let isBusy = false;
  let isClosed = false;
  let done = Promise.resolve();
  const place: LanePlace = { community, seen: () => seen, slots: createSlots(settings.concurrency) };

  function deliver(record: EventRecord): void {
    for (const { install } of set?.matching(record) ?? []) lanes.get(install)?.feed(record);
    seen = record.index;
  }

  /** The cursor of an install, made at the end of the log if there is none. */
  async function rowOf({ install }: HookSubscription): Promise<Rec<Cursor>> {
    for (;;) {
      const known = await collections.cursors.get([community, install]);
      if (known !== undefined) return known;
      try {
        await collections.cursors.create([community, install], cursorAt((await events.head(community)).index));
      } catch (error) {
        if (!hasCode(error, "store.conflict")) throw error;
      }
    }
  }

  async function load(): Promise<void> {
    const fresh = await subscriptions.current(community);
    const head = (await events.head(community)).index;
    const rows = await Promise.all(fresh.all.map(async (subscription) => ({ subscription, row: await rowOf(subscription) })));
    const isNear = ({ row }: { readonly row: Rec<Cursor> }) => head - row.value.index <= sharedReadMax;
    seen = Math.min(head, ...rows.filter(isNear).map(({ row }) => row.value.index));
    for (const one of rows) {
      const lane = createLane(place, { ...one, isLive: isNear(one) }, deps);
      lanes.set(one.subscription.install, lane);
      if (!isNear(one)) lane.wake();
    }
    set = fresh;
    target = Math.max(target, head);
  }

  async function refresh(): Promise<void> {
    set = await subscriptions.current(community);
    const wanted = new Map(set.all.map((subscription) => [subscription.install, subscription]));
    for (const [install, lane] of lanes)
      if (!wanted.has(install)) {
        lanes.delete(install);
        // It may be waiting for its guest.
        void lane.close();
      }
    for (const [install, subscription] of wanted) {
      const lane = lanes.get(install);
      if (lane !== undefined) {
        lane.refresh(subscription);
        continue;
      }
      const added = createLane(place, { subscription, row: await rowOf(subscription), isLive: false }, deps);
      lanes.set(install, added);
      added.wake();
    }
  }

  async function advance(): Promise<void> {
    if (set === undefined) await load();
    while (seen < target && !isClosed) {
      const page = await events.read(community, seen, pageSize);
      // Somebody named an index that is not there.
      if (page.length === 0) target = seen;
      for (const record of page) {
        if (changesSubscriptions(record.topic)) await refresh();
        deliver(record);
      }
    }
  }

  async function advanceAll(): Promise<void> {
    try {
      await advance();
    } catch (error) {
      log("warn", "events could not be read just now", { community, detail: String(error).slice(0, 300) });
      timers.after(settings.troubleMs, () => reached(target));
    } finally {
      isBusy = false;
    }
  }

  function reached(index: number): void {
    target = Math.max(target, index);
    if (isBusy || isClosed || (set !== undefined && seen >= target)) return;
    isBusy = true;
    done = advanceAll();
  }

  return {
    appended(records) {
      const [first] = records;
      const last = records.at(-1);
      if (first === undefined || last === undefined || isClosed) return;
      const isNext = set !== undefined && !isBusy && first.index === seen + 1;
      if (!isNext || records.some(({ topic }) => changesSubscriptions(topic))) return reached(last.index);
      for (const record of records) deliver(record);
    },
    reached,
    async follow() {
      for (const lane of lanes.values()) await lane.follow();
    },
    isEmpty: () => lanes.size === 0 && !isBusy,
    async close() {
      isClosed = true;
      await done;
      await Promise.all([...lanes.values()].map((lane) => lane.close()));
    },
  };
}
