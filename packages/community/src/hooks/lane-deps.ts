/**
 * What the dispatch of events takes from outside, and what a lane knows of its community.
 *
 * Invariant: time, chance and the name of this node are parameters; two nodes with the same name on one store would take each other for themselves.
 */
import type { CommunityId } from "@althing/contract";
import type { Store } from "@althing/store";
import type { EventLog } from "../events/index.ts";
import type { HookCollections } from "./hook-collections.ts";
import type { HookHost } from "./hook-host.ts";
import type { HookSettings } from "./hook-settings.ts";
import type { Holder } from "./owned-cursor.ts";
import type { Slots } from "./slots.ts";
import type { Timers } from "./timers.ts";

export type HookLog = (
  level: "info" | "warn" | "error",
  event: string,
  fields: Readonly<Record<string, string | number | boolean>>,
) => void;

export interface LaneDeps {
  readonly store: Store;
  readonly clock: { now(): number };
  readonly timers: Timers;
  /** 0 to 1. */
  readonly random: () => number;
  readonly events: Pick<EventLog, "read" | "head" | "onAppended" | "follow">;
  readonly host: HookHost;
  readonly collections: HookCollections;
  readonly settings: HookSettings;
  /** Of this run of this process, and of no other. */
  readonly holder: Holder;
  readonly log: HookLog;
}

export interface LanePlace {
  readonly community: CommunityId;
  /** Index up to which events were handed to the lanes. */
  seen(): number;
  readonly slots: Slots;
}
