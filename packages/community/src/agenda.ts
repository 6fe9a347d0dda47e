/**
 * Things that are due at a time: votes that end, mutes that expire. Written with the act that sets the time, carried out by whichever hub comes first.
 *
 * Invariant: an entry is a record ordered by its time; it stays until its handler's own batch removes it (`toRemove` among its writes), so a hub that dies in
 * between leaves it for the next. Every hub ticks, so a handler may be told of one entry by two hubs at once, and again after a failure: it finds by its own
 * records whether there is anything left to do. An entry that fails, hangs or cannot be read holds up nobody else's.
 */
import { AppError, communityIdSchema, type CommunityId } from "@althing/contract";
import type { Key, Store, Write } from "@althing/store";
import { z } from "zod";
import { createBackOff } from "./back-off.ts";

/** One kind for each thing that can be due. */
export const agendaKinds = [
  "community.purge",
  "proposal.close",
  "proposal.closing-soon",
  "mute.expire",
  "invitation.expire",
  "join-request.purge",
  "erasure.resume",
  "announcement.digest",
  "ballots.settle",
] as const;
export type AgendaKind = (typeof agendaKinds)[number];

export interface AgendaEntry {
  readonly atMs: number;
  readonly kind: AgendaKind;
  readonly community: CommunityId;
  /** Of the thing that is due. */
  readonly id: string;
}

export interface Agenda {
  toAdd(entry: AgendaEntry): Write;
  toRemove(entry: AgendaEntry): Write;
  /** One handler a kind, set while the plane is built. */
  on(kind: AgendaKind, handler: (entry: AgendaEntry) => Promise<void>): void;
  /**
   * Carries out what is due, in order of time within a community. Failures are told, leave the entry, and put the next try off. Resolves when all is
   * done, or when it has waited long enough: what hangs goes on beside the next ticks. Never throws.
   */
  tick(): Promise<void>;
}

export interface AgendaDeps {
  readonly store: Store;
  readonly clock: { now(): number };
  /** Milliseconds from any start; never set back. */
  readonly monotonicMs?: () => number;
  readonly onFailure: (entry: AgendaEntry, error: unknown) => void;
  /** The list of what is due could not be read, or a key in it. */
  readonly onUnreadable?: (detail: string) => void;
  /** How long one tick waits for what it began. */
  readonly tickMs?: number;
  /** A handler that takes longer holds its community up no more; it goes on, and is not begun a second time meanwhile. */
  readonly patienceMs?: number;
}

const pageMax = 1_000;
/** Entries of one tick; the rest comes with the next, half a second later. */
const dueMax = 5_000;
/** Of them one community's. */
const dueOfOneMax = 500;
const communitiesAtOnce = 16;
const keyOf = ({ atMs, kind, community, id }: AgendaEntry): [string, string, string, string] => [
  new Date(atMs).toISOString(),
  kind,
  community,
  id,
];
type Handler = (entry: AgendaEntry) => Promise<void>;
const keySchema = z.tuple([z.iso.datetime(), z.enum(agendaKinds), communityIdSchema, z.string()]);

export function createAgenda(deps: AgendaDeps): Agenda {
  const { store, clock, onFailure, onUnreadable = () => undefined, tickMs = 1_000, patienceMs = 10_000 } = deps;
  const monotonicMs = deps.monotonicMs ?? (() => performance.now());
  const collection = store.collection({ name: "agenda", schema: z.strictObject({}) });
  const handlers = new Map<AgendaKind, Handler>();
  const backOff = createBackOff({ monotonicMs, firstMs: 1_000, maxMs: 5 * 60_000 });
  /** Entries whose handler has not ended; communities that are being worked for; what waits for a place. */
  const underWay = new Set<string>();
  const busy = new Map<CommunityId, Promise<void>>();
  let waiting = new Map<CommunityId, AgendaEntry[]>();

  function tellUnreadable(name: string, detail: string): void {
    if (!backOff.isDue(name)) return;
    backOff.failed(name);
    onUnreadable(detail);
  }

  function read(key: Key): AgendaEntry | undefined {
    const parsed = keySchema.safeParse(key);
    // Of another version perhaps, or damaged: it stays, and is told now and then.
    if (!parsed.success) {
      tellUnreadable(key.join(" "), key.join(" "));
      return undefined;
    }
    const [at, kind, community, id] = parsed.data;
    return { atMs: Date.parse(at), kind, community, id };
  }

  /** What is due and may be tried now, by community; however much one of them has due, the others have their turn. */
  async function dueNow(without: ReadonlySet<CommunityId>): Promise<Map<CommunityId, AgendaEntry[]>> {
    const now = new Date(clock.now()).toISOString();
    const due = new Map<CommunityId, AgendaEntry[]>();
    let count = 0;
    let after: Key | undefined;
    do {
      const page = await collection.list({ limit: pageMax, ...(after === undefined ? {} : { after }) });
      for (const { key } of page.records) {
        if (key[0] > now || count >= dueMax) return due;
        const entry = backOff.isDue(key.join(" ")) ? read(key) : undefined;
        if (entry === undefined || !handlers.has(entry.kind) || without.has(entry.community)) continue;
        const entries = due.get(entry.community);
        if (entries !== undefined && entries.length >= dueOfOneMax) continue;
        if (entries === undefined) due.set(entry.community, [entry]);
        else entries.push(entry);
        count += 1;
      }
      after = page.next;
    } while (after !== undefined);
    return due;
  }

  /** Ends when the handler has, or when patience has. */
  async function handle(entry: AgendaEntry): Promise<void> {
    const name = keyOf(entry).join(" ");
    const handler = handlers.get(entry.kind);
    if (handler === undefined || underWay.has(name)) return;
    underWay.add(name);
    const ended = (async () => handler(entry))()
      .then(
        () => backOff.succeeded(name),
        (error: unknown) => {
          backOff.failed(name);
          onFailure(entry, error);
        },
      )
      .finally(() => underWay.delete(name));
    if (await isWithin(patienceMs, ended)) return;
    onFailure(entry, new AppError("system.unavailable", { detail: `it takes more than ${patienceMs} ms` }));
  }

  function pump(): void {
    for (const [community, entries] of waiting) {
      if (busy.size >= communitiesAtOnce) return;
      if (busy.has(community)) continue;
      waiting.delete(community);
      const work = (async () => {
        for (const entry of entries) await handle(entry);
      })().finally(() => {
        busy.delete(community);
        pump();
      });
      busy.set(community, work);
    }
  }

  async function workedOff(): Promise<void> {
    while (busy.size > 0) await Promise.all(busy.values());
  }

  return {
    toAdd: (entry) => collection.toPut(keyOf(entry), {}),
    toRemove: (entry) => collection.toDelete(keyOf(entry)),
    on: (kind, handler) => void handlers.set(kind, handler),
    async tick() {
      // What is read while a community is being worked for may be done by the time it is its turn again.
      waiting = new Map();
      const busyNow = new Set(busy.keys());
      try {
        waiting = await dueNow(busyNow);
      } catch (error) {
        return tellUnreadable("list", error instanceof Error ? error.message : String(error));
      }
      backOff.succeeded("list");
      pump();
      await isWithin(tickMs, workedOff());
    },
  };
}

async function isWithin(waitMs: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), waitMs);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
