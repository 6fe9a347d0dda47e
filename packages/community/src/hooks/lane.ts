/**
 * The events of one install, one after the other.
 *
 * Invariant: an event is passed only when the install took it, when it is among the dead letters, or when it may not be told any more; the cursor says so before
 * the next one begins. Whoever does not own the cursor tells nothing. One lane waits for nobody but its own install. docs/architecture/hooks.md.
 */
import type { EventRecord } from "@althing/contract";
import type { Rec } from "@althing/store";
import { publicEventOf } from "../events/event-record.ts";
import type { Cursor } from "./hook-collections.ts";
import type { EventOutcome, HookSubscription, HookTarget } from "./hook-host.ts";
import { burialOf } from "./burial.ts";
import type { LaneDeps, LanePlace } from "./lane-deps.ts";
import { createOwnedCursor } from "./owned-cursor.ts";
import { isToldOf } from "./subscriptions.ts";

export interface Lane {
  /** An event that this install is told of, in order. */
  feed(event: EventRecord): void;
  /** There may be something to do. */
  wake(): void;
  /** What it is told of may be another now, and what was in the way may be gone. */
  refresh(subscription: HookSubscription): void;
  /** Without work: the cursor follows the log, so that a start need not read it all. */
  follow(): Promise<void>;
  /** Lets the cursor go for others. */
  close(): Promise<void>;
}

/** When to go on: at once, when something happens, or at a time. */
type Next = "on" | "idle" | { readonly atMs: number };

const pageSize = 200;
/** How often it is looked whether another node still works. */
const lookMs = 3_000;
const followFrom = 200;
const lost = Symbol("another node owns it");

export function createLane(
  place: LanePlace,
  first: { readonly subscription: HookSubscription; readonly row: Rec<Cursor>; readonly isLive: boolean },
  deps: LaneDeps,
): Lane {
  const { clock, timers, host, events, settings, log } = deps;
  const { community } = place;
  let { subscription, isLive } = first;
  const { install, extension } = subscription;
  const target: HookTarget = { community, install, extension };
  const cursor = createOwnedCursor({ ...deps, ...deps.collections, leaseMs: settings.leaseMs }, target, first.row);
  const closing = new AbortController();
  /** Everything up to here is in `pending`, taken, or not for this install. */
  let scanned = first.row.value.index;
  let pending: EventRecord[] = [];
  let timer: { readonly cancel: () => void; readonly atMs: number } | undefined;
  let isRunning = false;
  let isAgain = false;
  let isResuming = subscription.isHeld;
  let done = Promise.resolve();

  function letGo(): void {
    pending = [];
    isLive = false;
  }

  function wake(): void {
    if (closing.signal.aborted || subscription.isHeld) return;
    isAgain = true;
    if (isRunning || timer !== undefined) return;
    isRunning = true;
    done = run();
  }

  function sleepUntil(atMs: number): void {
    const cancel = timers.after(Math.max(0, atMs - clock.now()), () => {
      timer = undefined;
      wake();
    });
    timer = { cancel, atMs };
  }

  function rouse(): void {
    timer?.cancel();
    timer = undefined;
    wake();
  }

  async function run(): Promise<void> {
    let next: Next = "on";
    do {
      isAgain = false;
      next = await step().catch((error: unknown): Next => {
        cursor.forget();
        log("warn", "an event could not be dispatched just now", { community, install, detail: String(error).slice(0, 300) });
        return { atMs: clock.now() + settings.troubleMs };
      });
    } while (!closing.signal.aborted && (next === "on" || (next === "idle" && isAgain)));
    isRunning = false;
    if (typeof next === "object" && !closing.signal.aborted) sleepUntil(next.atMs);
  }

  async function step(): Promise<Next> {
    if (subscription.isHeld) return "idle";
    const row = await cursor.read();
    if (row === undefined) return "idle";
    const takenUntil = cursor.takenUntil();
    if (takenUntil !== undefined) {
      letGo();
      scanned = row.index;
      cursor.forget();
      return { atMs: Math.min(takenUntil, clock.now() + lookMs) + Math.ceil(deps.random() * 100) };
    }
    const event = await nextAfter(row.index);
    if (event === undefined) return "idle";
    const { failing } = row;
    if (failing?.index === event.index && failing.nextMs > clock.now()) return { atMs: failing.nextMs };
    const claimed = cursor.isOwned() || (await cursor.claim((now) => movedTo(now, event.index - 1)));
    if (!claimed) return "on";
    return tell(event, failing?.index === event.index);
  }

  /** The first event after the cursor that this install is told of. */
  async function nextAfter(index: number): Promise<EventRecord | undefined> {
    scanned = Math.max(scanned, index);
    while (pending[0] !== undefined && pending[0].index <= index) pending.shift();
    if (isResuming) {
      isResuming = false;
      await skipBacklog(index);
    }
    while (pending.length === 0 && !isLive) {
      const page = await events.read(community, scanned, pageSize);
      for (const record of page) {
        if (isToldOf(subscription, record.topic, record.actor)) pending.push(record);
        scanned = Math.max(scanned, record.index);
      }
      isLive = page.length === 0 || scanned >= place.seen();
    }
    return pending[0];
  }

  /** After a long time of being held, the newest only: a community is not told what was news last month. */
  async function skipBacklog(index: number): Promise<void> {
    const from = place.seen() - settings.backlogMax;
    const skipped = from - index;
    if (skipped <= 0 || !(await cursor.claim((now) => ({ ...movedTo(now, from), skipped: now.skipped + skipped })))) return;
    pending = pending.filter((event) => event.index > from);
    scanned = Math.max(scanned, from);
    log("warn", "events were skipped for an install that was held", { community, install, skipped });
  }

  async function tell(event: EventRecord, isRepeat: boolean): Promise<Next> {
    const slot = await place.slots.take();
    let outcome: EventOutcome | typeof lost;
    try {
      // Others were told meanwhile, which takes time.
      if (closing.signal.aborted || !cursor.isOwned()) return "on";
      outcome = await invoked(event, isRepeat);
    } finally {
      slot.release();
    }
    return outcome === lost ? "on" : settle(event, outcome);
  }

  /** The lease is renewed as long as the call runs; without it the outcome is nobody's. */
  async function invoked(event: EventRecord, isRepeat: boolean): Promise<EventOutcome | typeof lost> {
    const control = new AbortController();
    const signal = AbortSignal.any([control.signal, closing.signal]);
    let renewing = Promise.resolve();
    let cancel = () => {};
    const renew = async () => {
      if (!(await cursor.save((now) => now).catch(() => true))) control.abort();
    };
    const beat = () => {
      cancel = timers.after(settings.leaseMs / 3, () => {
        renewing = renew();
        beat();
      });
    };
    beat();
    const given = new Promise<typeof lost>((resolve) => signal.addEventListener("abort", () => resolve(lost), { once: true }));
    try {
      return await Promise.race([host.invokeEvent(target, publicEventOf(event), { isRepeat, signal }), given]);
    } finally {
      cancel();
      await renewing;
    }
  }

  async function settle(event: EventRecord, outcome: EventOutcome): Promise<Next> {
    switch (outcome.kind) {
      case "wait":
        return { atMs: clock.now() + Math.max(outcome.afterMs, 100) };
      case "blocked":
        isResuming = true;
        return { atMs: clock.now() + settings.blockedMs };
      case "failed":
        return failed(event, outcome);
      case "done":
      case "skip":
        if (await cursor.save((now) => movedTo(now, event.index))) return "on";
        cursor.forget();
        return "on";
    }
  }

  async function failed(event: EventRecord, { code, detail }: { readonly code: string; readonly detail: string }): Promise<Next> {
    const before = (await cursor.read())?.failing;
    const nowMs = clock.now();
    const known = before?.index === event.index ? before : { attempts: 0, firstMs: nowMs };
    const attempts = known.attempts + 1;
    if (attempts < settings.attemptsMax) {
      const nextMs = nowMs + settings.retryMs * 2 ** (attempts - 1) * (0.75 + deps.random() / 2);
      const isKept = await cursor.save((now) => ({ ...now, failing: { index: event.index, attempts, firstMs: known.firstMs, nextMs } }));
      return isKept ? { atMs: nextMs } : "on";
    }
    const burial = await burialOf(deps, target, { event, attempts, code, detail, firstMs: known.firstMs, nowMs });
    const isBuried = await cursor.save((now) => ({ ...movedTo(now, event.index), dropped: now.dropped + burial.dropped }), burial.writes);
    if (isBuried) log("warn", "an event became a dead letter", { community, install, index: event.index, topic: event.topic, code });
    return "on";
  }

  return {
    wake,
    feed(event) {
      if (event.index <= scanned || !isLive) return;
      scanned = event.index;
      pending.push(event);
      if (pending.length > settings.pendingMax) {
        const [oldest] = pending;
        letGo();
        scanned = (oldest?.index ?? 1) - 1;
      }
      wake();
    },
    refresh(fresh) {
      const wasHeld = subscription.isHeld;
      subscription = fresh;
      if (fresh.isHeld) {
        isResuming = true;
        letGo();
        return;
      }
      if (wasHeld) cursor.forget();
      if (wasHeld || isResuming) rouse();
    },
    async follow() {
      const seen = place.seen();
      if (isRunning || timer !== undefined || !isLive || pending.length > 0) return;
      const row = await cursor.read();
      if (row === undefined || cursor.takenUntil() !== undefined || seen - row.index < followFrom) return;
      if (isRunning || pending.length > 0) return;
      await cursor.fold(seen);
    },
    async close() {
      closing.abort();
      timer?.cancel();
      await done;
      await cursor.release().catch(() => undefined);
    },
  };
}

function movedTo(cursor: Cursor, index: number): Cursor {
  if (index <= cursor.index) return cursor;
  const { failing, ...rest } = cursor;
  return { ...rest, index, ...(failing !== undefined && failing.index > index ? { failing } : {}) };
}
