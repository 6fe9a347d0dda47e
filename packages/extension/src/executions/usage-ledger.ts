/**
 * What installs have used, by the hour.
 *
 * Invariant: of each hour every node writes a record of its own, so no two write the same; records lead and memory follows. What other nodes wrote
 * may be known a few seconds late, which several hubs together can overdraw by that much and one hub never.
 */
import type { ExtensionClock } from "../extension-deps.ts";
import type { Consumption } from "../quotas/index.ts";
import type { Key, Rec } from "@althing/store";
import { addUsage, dayMs, hourMs, hourOf, noUsage, type ExecutionRows, type UsageRow } from "./execution-rows.ts";

export interface UsageLedger {
  /** This node's record of the hour that is now. */
  current(install: InstallPlace): Promise<{ readonly key: Key; readonly hour: string; readonly row: UsageRow }>;
  /** The record was written. */
  written(install: InstallPlace, hour: string, row: UsageRow): void;
  /** Memory is not to be relied on: read the record again. */
  forget(install: InstallPlace): void;
  consumed(install: InstallPlace): Promise<Consumption>;
  /** Sums over all nodes, ascending; hours without calls are left out. */
  hours(install: InstallPlace, count: number): Promise<{ hour: string; sum: UsageRow }[]>;
  records(prefix: readonly string[], after?: Key): AsyncGenerator<Rec<UsageRow>>;
}

export interface InstallPlace {
  readonly community: string;
  readonly install: string;
}

/** How long what other nodes wrote may be behind. */
const othersRefreshMs = 5_000;
/** Installs remembered; beyond it all are read again. */
const rememberedMax = 10_000;

export function createUsageLedger(deps: {
  readonly usage: ExecutionRows["usage"];
  readonly clock: ExtensionClock;
  readonly node: string;
}): UsageLedger {
  const { usage, clock, node } = deps;
  const own = new Map<string, { readonly hour: string; readonly row: UsageRow }>();
  const seen = new Map<string, { readonly atMs: number; readonly hour: string; readonly rest: Promise<Consumption> }>();
  const idOf = ({ community, install }: InstallPlace): string => `${community}/${install}`;
  const remember = <T>(map: Map<string, T>, id: string, value: T): void => {
    if (map.size >= rememberedMax && !map.has(id)) map.clear();
    map.set(id, value);
  };

  async function* records(prefix: readonly string[], after?: Key): AsyncGenerator<Rec<UsageRow>> {
    let cursor = after;
    do {
      const page = await usage.list({ prefix, limit: 1_000, ...(cursor === undefined ? {} : { after: cursor }) });
      yield* page.records;
      cursor = page.next;
    } while (cursor !== undefined);
  }

  /** Records of one install from an hour on: the cursor sorts after all of the hour before. */
  const since = ({ community, install }: InstallPlace, hour: string) =>
    records([community, install], [community, install, new Date(Date.parse(hour) - 1).toISOString()]);

  const current: UsageLedger["current"] = async (place) => {
    const hour = hourOf(clock.now());
    const key: Key = [place.community, place.install, hour, node];
    const known = own.get(idOf(place));
    if (known?.hour === hour) return { key, hour, row: known.row };
    const row = (await usage.get(key))?.value ?? noUsage;
    const raced = own.get(idOf(place));
    if (raced?.hour === hour) return { key, hour, row: raced.row };
    remember(own, idOf(place), { hour, row });
    return { key, hour, row };
  };

  /** Today's bytes and this hour's fuel and time, but for this node's own record of this hour. */
  async function readRest(place: InstallPlace, nowMs: number): Promise<Consumption> {
    const hour = hourOf(nowMs);
    const today = new Date(Math.floor(nowMs / dayMs) * dayMs).toISOString();
    const sum = { fuel: 0, wallTimeMs: 0, egressBytesToday: 0 };
    for await (const { key, value } of since(place, today)) {
      const [, , at = "", by = ""] = key;
      if (at === hour && by === node) continue;
      sum.egressBytesToday += value.egressBytes;
      if (at !== hour) continue;
      sum.fuel += value.fuel;
      sum.wallTimeMs += value.wallTimeMs;
    }
    return sum;
  }

  function rest(place: InstallPlace): Promise<Consumption> {
    const nowMs = clock.now();
    const hour = hourOf(nowMs);
    const id = idOf(place);
    const known = seen.get(id);
    if (known !== undefined && known.hour === hour && Math.abs(nowMs - known.atMs) < othersRefreshMs) return known.rest;
    const fresh = readRest(place, nowMs);
    remember(seen, id, { atMs: nowMs, hour, rest: fresh });
    fresh.catch(() => {
      // A failure is the callers' of this moment, not of the next seconds.
      if (seen.get(id)?.rest === fresh) seen.delete(id);
    });
    return fresh;
  }

  return {
    current,
    records,
    written(place, hour, row) {
      remember(own, idOf(place), { hour, row });
    },
    forget(place) {
      own.delete(idOf(place));
      seen.delete(idOf(place));
    },
    async consumed(place) {
      const others = await rest(place);
      // Read last: what ended meanwhile is in it, and its reservation is given back only after that.
      const { row } = await current(place);
      return {
        fuel: row.fuel + others.fuel,
        wallTimeMs: row.wallTimeMs + others.wallTimeMs,
        egressBytesToday: row.egressBytes + others.egressBytesToday,
      };
    },
    async hours(place, count) {
      const byHour = new Map<string, UsageRow>();
      for await (const { key, value } of since(place, hourOf(clock.now() - (count - 1) * hourMs))) {
        const hour = key[2] ?? "";
        byHour.set(hour, addUsage(byHour.get(hour) ?? noUsage, value));
      }
      return [...byHour].map(([hour, sum]) => ({ hour, sum }));
    },
  };
}
