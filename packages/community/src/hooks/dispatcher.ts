/**
 * Wakes extensions when something happened: on this node at once, on others when they did not.
 *
 * Invariant: every event of every community is looked at by every node; who tells an install of it is decided by its cursor alone (owned-cursor.ts), so nodes
 * come, go and freeze as they like. docs/architecture/hooks.md.
 */
import { communityIdSchema, type CommunityId } from "@althing/contract";
import type { Key } from "@althing/store";
import { createCommunityLanes, type CommunityLanes } from "./community-lanes.ts";
import type { LaneDeps } from "./lane-deps.ts";
import type { Subscriptions } from "./subscriptions.ts";

export interface Dispatcher {
  /** Listens from here on, and takes up what was left. */
  start(): void;
  /** Ends what runs, lets all cursors go. */
  close(): Promise<void>;
}

const pageSize = 1_000;
/** Communities without subscriptions are forgotten beyond this. */
const rememberedMax = 10_000;

export function createDispatcher(subscriptions: Subscriptions, deps: LaneDeps): Dispatcher {
  const { events, timers, settings, log, collections } = deps;
  const closing = new AbortController();
  const communities = new Map<CommunityId, CommunityLanes>();
  /** What others committed and is looked at in a moment. */
  const soon = new Set<CommunityId>();
  let cancelTick = () => {};
  let stopListening = () => {};

  function lanesOf(community: CommunityId): CommunityLanes {
    const known = communities.get(community);
    if (known !== undefined) return known;
    if (communities.size >= rememberedMax) for (const [id, lanes] of communities) if (lanes.isEmpty()) communities.delete(id);
    const lanes = createCommunityLanes(community, subscriptions, deps);
    communities.set(community, lanes);
    return lanes;
  }

  /** Every community that has a cursor may have something left. */
  async function takeUp(): Promise<void> {
    let after: Key | undefined;
    let last = "";
    do {
      const page = await collections.cursors.list({ limit: pageSize, ...(after === undefined ? {} : { after }) });
      for (const { key } of page.records) {
        const [id] = key;
        if (id === last || closing.signal.aborted) continue;
        last = id;
        const community = communityIdSchema.parse(id);
        lanesOf(community).reached((await events.head(community)).index);
      }
      after = page.next;
    } while (after !== undefined);
  }

  async function takeUpAll(): Promise<void> {
    try {
      await takeUp();
    } catch (error) {
      log("warn", "what was left could not be taken up just now", { detail: String(error).slice(0, 300) });
      timers.after(settings.troubleMs, () => void (closing.signal.aborted || takeUpAll()));
    }
  }

  /** The node that committed comes first. */
  function later(community: CommunityId): void {
    if (soon.has(community)) return;
    soon.add(community);
    timers.after(settings.foreignDelayMs, () => {
      soon.delete(community);
      if (!closing.signal.aborted) void catchUp(community);
    });
  }

  async function catchUp(community: CommunityId): Promise<void> {
    try {
      lanesOf(community).reached((await events.head(community)).index);
    } catch (error) {
      log("warn", "events of other nodes could not be read just now", { community, detail: String(error).slice(0, 300) });
      timers.after(settings.troubleMs, () => later(community));
    }
  }

  async function watch(): Promise<void> {
    // From here on nothing is missed; what came before is taken up.
    const grown = events.follow(closing.signal);
    void takeUpAll();
    for await (const community of grown) later(community);
  }

  async function keepWatching(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        await watch();
      } catch (error) {
        if (closing.signal.aborted) return;
        log("warn", "events of other nodes could not be watched just now", { detail: String(error).slice(0, 300) });
        await new Promise<void>((resolve) => {
          timers.after(settings.troubleMs, resolve);
          closing.signal.addEventListener("abort", () => resolve(), { once: true });
        });
      }
    }
  }

  function tick(): void {
    cancelTick = timers.after(settings.tickMs, () => {
      void followAll().finally(() => {
        if (!closing.signal.aborted) tick();
      });
    });
  }

  async function followAll(): Promise<void> {
    for (const [community, lanes] of communities) {
      try {
        await lanes.follow();
      } catch (error) {
        log("warn", "cursors could not be moved on just now", { community, detail: String(error).slice(0, 300) });
      }
    }
  }

  return {
    start() {
      stopListening = events.onAppended((records) => {
        const [first] = records;
        if (first !== undefined) lanesOf(first.community).appended(records);
      });
      tick();
      void keepWatching();
    },
    async close() {
      closing.abort();
      stopListening();
      cancelTick();
      await Promise.all([...communities.values()].map((lanes) => lanes.close()));
    },
  };
}
