/**
 * Hooks of communities: actions, filters, dead letters, and what extensions tell.
 *
 * Invariant: the one place that joins the parts; nothing is dispatched before `start` and nothing after `close`. docs/architecture/hooks.md.
 */
import type { CommunityId } from "@althing/contract";
import type { Collection, Store, Write } from "@althing/store";
import { ulid } from "ulid";
import type { Authority } from "../authority.ts";
import type { EventLog } from "../events/index.ts";
import { createDeadLetters, type DeadLetters } from "./dead-letters.ts";
import { createDispatcher } from "./dispatcher.ts";
import { createEmitter, type Emitter } from "./emit.ts";
import { createFilters, type Filters } from "./filters.ts";
import { cursorAt, openHookCollections } from "./hook-collections.ts";
import type { HookHost } from "./hook-host.ts";
import { hookSettings, type HookSettings } from "./hook-settings.ts";
import type { HookLog } from "./lane-deps.ts";
import { createHolder } from "./owned-cursor.ts";
import { createSubscriptions } from "./subscriptions.ts";
import { processTimers, type Timers } from "./timers.ts";

export interface Hooks extends Emitter {
  readonly filters: Filters;
  readonly deadLetters: DeadLetters;
  /**
   * Writes for the batch that changes an install.
   * @param index of the event that tells of it
   * @param starting installs that this batch switches on: they are told of what comes after
   */
  toNote(community: CommunityId, index: number, starting: readonly string[]): readonly Write[];
  /** Cursor and dead letters of an install, for good. */
  purge(community: CommunityId, install: string): Promise<void>;
  /** Everything of a community that ends. */
  purgeAll(community: CommunityId): Promise<void>;
  /** Begins to wake extensions. */
  start(): void;
  close(): Promise<void>;
}

export interface HooksDeps {
  readonly store: Store;
  readonly clock: { now(): number };
  readonly events: EventLog;
  readonly authority: Authority;
  readonly host: HookHost;
  readonly log: HookLog;
  /** This node's name, which no other on the store has: it takes over at once what its earlier life held. */
  readonly node?: string | undefined;
  readonly timers?: Timers;
  readonly random?: () => number;
  readonly monotonicMs?: () => number;
  readonly settings?: Partial<HookSettings>;
}

export function createHooks(deps: HooksDeps): Hooks {
  const { store, clock, events, host, log, timers = processTimers } = deps;
  const collections = openHookCollections(store);
  const subscriptions = createSubscriptions(collections, host);
  const dispatcher = createDispatcher(subscriptions, {
    ...{ store, clock, timers, events, host, collections, log },
    random: deps.random ?? Math.random,
    settings: { ...hookSettings, ...deps.settings },
    holder: createHolder(deps.node, ulid()),
  });
  const { cursors, letters, marks } = collections;

  async function clear<T>(collection: Collection<T>, prefix: readonly string[]): Promise<void> {
    for (;;) {
      const { records } = await collection.list({ prefix, limit: 1_000 });
      if (records.length === 0) return;
      await store.batch(records.map(({ key }) => collection.toDelete(key)));
    }
  }

  return {
    ...createEmitter({ events, clock }),
    filters: createFilters({ subscriptions, host, timers, log, monotonicMs: deps.monotonicMs ?? (() => performance.now()) }),
    deadLetters: createDeadLetters({ ...deps, collections }),
    toNote: (community, index, starting) => [
      marks.toPut([community], { index }),
      ...starting.map((install) => cursors.toPut([community, install], cursorAt(index))),
    ],
    async purge(community, install) {
      await cursors.delete([community, install]);
      await clear(letters, [community, install]);
    },
    async purgeAll(community) {
      await clear(letters, [community]);
      await clear(cursors, [community]);
      await marks.delete([community]);
    },
    start: () => dispatcher.start(),
    close: () => dispatcher.close(),
  };
}
