/**
 * Hooks over a real event log and a real store, with guests that are functions and time that moves when nothing else does.
 *
 * Invariant: several nodes may stand on one store; each has its own log of events, its own timers and its own host, and only the guests are shared. Timers fire when the
 * world has nothing to do at the present moment, in order, so that hours pass in milliseconds and always in the same way.
 */
import type { Caller } from "@althing/bus";
import { AppError, communityIdSchema, communityNameSchema, type CommunityId, type EventRecord, type PublicEvent } from "@althing/contract";
import { openMemoryStore, type Store } from "@althing/store";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { createAuthority, type Authority } from "../src/authority.ts";
import { openCommunityCollections } from "../src/collections.ts";
import { createEventLog, type EventDraft, type EventLog } from "../src/events/index.ts";
import { openHookCollections } from "../src/hooks/hook-collections.ts";
import type { HookSettings } from "../src/hooks/hook-settings.ts";
import {
  createHooks,
  type EventOutcome,
  type FilterOutcome,
  type FilterSubscription,
  type HookHost,
  type Hooks,
  type Timers,
} from "../src/hooks/index.ts";

export const garden = communityIdSchema.parse("01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C");

export interface Guest {
  readonly community: CommunityId;
  readonly install: string;
  readonly extension: string;
  events: readonly string[];
  filters: readonly FilterSubscription[];
  isHeld: boolean;
  /** Indexes in the order in which it was told, repeats among them. */
  readonly told: number[];
  readonly nodes: string[];
  on: (event: PublicEvent, seen: { readonly isRepeat: boolean; readonly signal: AbortSignal }) => EventOutcome | Promise<EventOutcome>;
  asked: (payload: string, budgetMs: number) => FilterOutcome | Promise<FilterOutcome>;
}

export interface Node {
  readonly name: string;
  readonly hooks: Hooks;
  readonly events: EventLog;
  /** As after SIGSTOP: its timers stand still, what it awaits comes later. */
  isFrozen: boolean;
}

interface Waiting {
  readonly atMs: number;
  readonly work: () => void;
  readonly node: () => Node | undefined;
}

export interface HookWorldOptions {
  readonly store?: Store;
  readonly settings?: Partial<HookSettings>;
  /** Of real time before the world's time moves, for stores that answer over a network; else it moves when nothing runs. */
  readonly patienceMs?: number;
}

export const done: EventOutcome = { kind: "done" };
export const failure: EventOutcome = { kind: "failed", code: "ext.trap", detail: "it fell" };

/** So many turns without anything being reached before time moves. */
const patience = 30;
const turnsMax = 60_000;

export function openHookWorld({ store = openMemoryStore(), settings = {}, patienceMs }: HookWorldOptions = {}) {
  const clock = { ms: Date.UTC(2026, 0, 5, 12), now: () => clock.ms };
  const guests = new Map<string, Guest>();
  const waiting = new Set<Waiting>();
  const nodes: Node[] = [];
  const lines: { level: string; event: string; fields: unknown }[] = [];
  const collections = openHookCollections(store);

  const step = () => (patienceMs === undefined ? turn() : sleep(patienceMs / patience));

  const timersOf = (node: () => Node | undefined): Timers => ({
    after(ms, work) {
      const entry = { atMs: clock.ms + ms, work, node };
      waiting.add(entry);
      return () => void waiting.delete(entry);
    },
  });

  const hostOf = (name: string): HookHost => ({
    subscriptions: (community) =>
      Promise.resolve([...guests.values()].filter((guest) => guest.community === community).map((guest) => ({ ...guest }))),
    locate: (community, install) => {
      const guest = guests.get(install);
      if (guest?.community !== community) return Promise.reject(new AppError("install.not_found", { install }));
      return Promise.resolve({ community, install, extension: guest.extension });
    },
    async invokeEvent({ install }, event, seen) {
      const guest = guests.get(install);
      if (guest === undefined) return { kind: "skip" };
      guest.told.push(event.index);
      guest.nodes.push(name);
      return guest.on(event, seen);
    },
    async invokeFilter({ install }, _point, payload, _actor, budgetMs) {
      const guest = guests.get(install);
      return guest === undefined ? { kind: "skip" } : guest.asked(payload, budgetMs);
    },
  });

  /** @param node its name on the store, of which it may have lived before; absent: none that lasts */
  function addNode(name = `node-${nodes.length + 1}`, nodeStore: Store = store, node?: string): Node {
    const made: { node?: Node } = {};
    const events = createEventLog({ store: nodeStore, clock });
    const hooks = createHooks({
      ...{ store: nodeStore, clock, events, settings, node },
      authority: anyone,
      host: hostOf(name),
      log: (level, event, fields) => void lines.push({ level, event, fields }),
      timers: timersOf(() => made.node),
      random: () => 0.5,
      monotonicMs: clock.now,
    });
    made.node = { name, hooks, events, isFrozen: false };
    nodes.push(made.node);
    hooks.start();
    return made.node;
  }

  function nextTimer(): Waiting | undefined {
    let next: Waiting | undefined;
    for (const entry of waiting) if (entry.node()?.isFrozen !== true && (next === undefined || entry.atMs < next.atMs)) next = entry;
    return next;
  }

  /** Lets the world go on until it is so; time moves when nothing else does. */
  async function until(isSo: () => boolean | Promise<boolean>, what = "what was waited for"): Promise<void> {
    for (let turns = 1; turns <= turnsMax; turns++) {
      if (await isSo()) return;
      await step();
      if (turns % patience !== 0) continue;
      const next = nextTimer();
      if (next === undefined) continue;
      waiting.delete(next);
      clock.ms = Math.max(clock.ms, next.atMs);
      next.work();
    }
    throw new Error(`${what} did not come about`);
  }

  /** Everything that is due within the time happens. */
  async function pass(ms: number): Promise<void> {
    const endMs = clock.ms + ms;
    for (;;) {
      for (let turns = 0; turns < patience; turns++) await step();
      const next = nextTimer();
      if (next === undefined || next.atMs > endMs) break;
      waiting.delete(next);
      clock.ms = Math.max(clock.ms, next.atMs);
      next.work();
    }
    clock.ms = Math.max(clock.ms, endMs);
  }

  const change = (node: Node, community: CommunityId, topic: "package.activated" | "package.deactivated", guest: Guest, isStart: boolean) =>
    node.events.act(community, async () => {
      const { index } = await node.events.head(community);
      const data = { install: guest.install, extension: guest.extension, version: "1.0.0" };
      return {
        writes: node.hooks.toNote(community, index + 1, isStart ? [guest.install] : []),
        events: [{ topic, actor: { kind: "system" }, subject: `package/${guest.install}`, summary: "A package changed", data }],
        result: undefined,
      };
    });

  return {
    ...{ store, clock, guests, nodes, lines, collections, addNode, until, pass },
    /** Switched on by an act, as an install is. */
    async switchOn(node: Node, install: string, wanted: Partial<Guest> = {}): Promise<Guest> {
      const extension = wanted.extension ?? `org.example.${install}`;
      const guest: Guest = {
        ...{ community: garden, install, extension, events: [], filters: [], isHeld: false, told: [], nodes: [], on: () => done },
        asked: (payload) => ({ kind: "accept", payload }),
        ...wanted,
      };
      guests.set(install, guest);
      await change(node, guest.community, "package.activated", guest, true);
      return guest;
    },
    async switchOff(node: Node, guest: Guest): Promise<void> {
      guests.delete(guest.install);
      await change(node, guest.community, "package.deactivated", guest, false);
    },
    /** Held or let go, as by a quarantine and its end. */
    async hold(node: Node, guest: Guest, isHeld: boolean): Promise<void> {
      guest.isHeld = isHeld;
      await change(node, guest.community, isHeld ? "package.deactivated" : "package.activated", guest, false);
    },
    /** @returns its index */
    async happen(node: Node, topic = "proposal.created", community = garden): Promise<number> {
      return node.events.act(community, async () => ({
        writes: [],
        events: [draftOf(topic)],
        result: (await node.events.head(community)).index + 1,
      }));
    },
    /** Many of them, in acts of fifty. @returns their indexes */
    async happenOften(node: Node, times: number, topic = "proposal.created"): Promise<number[]> {
      const from = (await node.events.head(garden)).index + 1;
      for (let left = times; left > 0; left -= 50) {
        const drafts = Array.from({ length: Math.min(50, left) }, () => draftOf(topic));
        await node.events.act(garden, () => Promise.resolve({ writes: [], events: drafts, result: undefined }));
      }
      return Array.from({ length: times }, (_, at) => from + at);
    },
    cursorOf: async (install: string, community = garden) => (await collections.cursors.get([community, install]))?.value,
    lettersOf: async (install: string, community = garden) =>
      (await collections.letters.list({ prefix: [community, install], limit: 1_000 })).records.map(({ value }) => value),
    async close() {
      for (const node of nodes) {
        node.isFrozen = false;
        await node.hooks.close();
      }
      await store.close();
    },
  };
}
export type HookWorld = ReturnType<typeof openHookWorld>;

/** Everybody may do everything here. */
const anyone: Authority = {
  ...createAuthority({ collections: openCommunityCollections(openMemoryStore()) }),
  require: (who, ref) => {
    const id = communityIdSchema.parse(ref);
    const name = communityNameSchema.parse("garden");
    const value = {
      id,
      name,
      displayName: "Garden",
      createdBy: who.endpoint,
      createdAt: new Date(0).toISOString(),
      members: 1,
      owners: [],
    };
    return Promise.resolve({ community: { key: [id], value, revision: 1 }, member: undefined, permissions: new Set<string>(), guards: [] });
  },
};

const draftOf = (topic: string): EventDraft =>
  topic.startsWith("ext.")
    ? {
        topic: topic as `ext.${string}`,
        actor: { kind: "extension", extension: topic.split(".").slice(1, -1).join(".") },
        subject: "",
        summary: "",
        data: {},
      }
    : ({ topic, actor: { kind: "system" }, subject: "", summary: "", data: { proposal: "p" } } as EventDraft);

export const caller = { endpoint: "a".repeat(43), handle: "ada", role: "member" } as Caller;
export type { EventRecord };
