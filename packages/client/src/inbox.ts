/**
 * Receiving: one queue for a room, from raw arrivals to the application's handlers.
 *
 * Invariant: a frame is handed out once for a client state and in order for each sender; its place is committed after the handler is done, so a crash
 * may repeat that one message and never lose one. The server's sequence numbers tell when to read history; stream counters decide what is new.
 */
import { AppError, hasCode, isAppError } from "@althing/contract";
import { chain, fromBase64url, parseFrame, type FrameVerdict, type MaybePromise, type ParsedFrame } from "@althing/crypto";
import { isPassing, type Api } from "./api.ts";
import { createGapFinder } from "./gap-finder.ts";
import { createHeldWatch } from "./held-watch.ts";
import { readHistoryPages, readLastFrames, type HistoryPage } from "./history-pages.ts";
import type { OwnFrame } from "./outbox.ts";
import { pause } from "./pause.ts";
import { createRedactions, type Redactions } from "./redactions.ts";
import type { RoomCore } from "./room-core.ts";
import { factsOf, toEvent, type FrameFacts, type RoomEvent } from "./room-events.ts";
import { placeOf, type Origin, type RoomOpener } from "./room-opener.ts";
import type { Arrival } from "./room-wire.ts";
import { createSequencer, type Place, type Placed } from "./sequencer.ts";
import { inStreamOrder } from "./stream-order.ts";
import { createTaskQueue, type Task } from "./task-queue.ts";

export type Since = "now" | "cursor" | "start" | { readonly last: number };
export type RoomHandler = (event: RoomEvent) => void | Promise<void>;

export interface RoomSubscription {
  close(): Promise<void>;
  /** Fulfilled on close; rejected with what the handler threw, which ends the subscription before its message is committed. */
  readonly done: Promise<void>;
}

export interface InboxDeps {
  readonly core: RoomCore;
  readonly api: Api;
  readonly opener: RoomOpener;
  /** Makes sure that the room is heard. */
  readonly listen: () => Promise<void>;
}

export interface Inbox {
  readonly active: boolean;
  attach(handler: RoomHandler, since: Since): Promise<RoomSubscription>;
  arrive(arrival: Arrival, own: OwnFrame | undefined): void;
  /** The connection is new: what was stored meanwhile is read. */
  reconnected(): void;
  /** During a renewal both connections deliver: repetitions are no attack. */
  overlap(on: boolean): void;
  close(): Promise<void>;
}

interface Item {
  readonly facts: FrameFacts;
  readonly at: string | undefined;
}

/** A frame that was read before its turn. */
interface Begun {
  readonly parsed: ParsedFrame;
  readonly verdict: FrameVerdict | undefined;
}

interface Attached {
  readonly handler: RoomHandler;
  readonly settle: (error?: unknown) => void;
}

/** Frames whose signatures are verified on other threads before their turn; the pool serves files too, and must not wait long for us. */
const aheadMax = 64;

export function createInbox(deps: InboxDeps): Inbox {
  const { core } = deps;
  const persists = () => core.policy.persist;
  const sequencer = createSequencer<Item>(core.memory, core.info.policy.persist);
  const redactions: Redactions = createRedactions(core);
  const handlers = new Set<Attached>();
  const tasks = createTaskQueue({ aheadMax, onFailure: (error) => end(error) });
  let received = core.memory.cursor ?? 0;
  let overlapping = false;
  let closed = false;
  /** The last handler threw: its message stays uncommitted. */
  let failed = false;
  const heldWatch = createHeldWatch({
    heldSinceMs: () => sequencer.heldSinceMs,
    isSeveral: () => deps.api.isSeveral === true,
    enqueue: (run) => enqueue({ run }),
    look,
  });
  const stopEpochs = core.onEpoch((change) => enqueue({ run: () => hand({ kind: "epoch", ...change }) }));

  function enqueue(task: Task): void {
    if (handlers.size === 0) return;
    tasks.push(task);
  }

  /** A fault of this client, its state or the instance: whoever listens is told, and nothing is committed. */
  function end(error: unknown): void {
    tasks.clear();
    failed = error !== undefined;
    for (const attached of handlers) attached.settle(closed ? undefined : error);
    handlers.clear();
  }

  /** The hub may be away for a moment: a frame is not dropped for that. What is there at once did not ask the hub. */
  function patiently<T>(task: () => MaybePromise<T>): MaybePromise<T> {
    const pending = task();
    return pending instanceof Promise ? insist(pending, task) : pending;
  }

  const openPatiently = (parsed: ParsedFrame, origin: Origin, verdict: FrameVerdict | undefined) =>
    patiently(() => deps.opener.open(parsed, origin, verdict));

  async function insist<T>(first: Promise<T>, task: () => MaybePromise<T>): Promise<T> {
    let pending: MaybePromise<T> = first;
    for (let waitMs = 50; ; waitMs = Math.min(waitMs * 2, 1_000)) {
      try {
        return await pending;
      } catch (error) {
        if (closed || !isPassing(error)) throw error;
      }
      await pause(waitMs);
      pending = task();
    }
  }

  /** To every handler in turn. One that throws is detached; when none is left, nothing is committed any more. */
  async function hand(event: RoomEvent): Promise<void> {
    for (const attached of handlers) {
      try {
        const pending = attached.handler(event);
        if (pending !== undefined) await pending;
      } catch (error) {
        handlers.delete(attached);
        attached.settle(error);
        failed = handlers.size === 0;
      }
    }
    if (handlers.size === 0) tasks.clear();
  }

  async function deliver(placed: Placed<Item>): Promise<void> {
    const { facts, at } = placed.item;
    try {
      const admitted = redactions.admit(toEvent(facts, placed.seq, at));
      await hand(admitted instanceof Promise ? await admitted : admitted);
    } catch (error) {
      drop(error);
    }
    if (failed) return;
    if (facts.sender !== core.identity.endpoint) core.countFrame();
    const stored = core.append(sequencer.commit(placed));
    if (stored !== undefined) await stored;
  }

  function drop(error: unknown): void {
    if (hasCode(error, "epoch.no_key")) core.counter.count("no-key");
    else if (isAppError(error) && /^(?:frame|epoch|pin)\./.test(error.code)) core.dropped(error);
    else throw error;
  }

  /** One frame, from wherever, to its place in the order. */
  async function take(arrival: Arrival, own: OwnFrame | undefined, origin: Origin, before?: Begun): Promise<void> {
    try {
      const parsed = own === undefined ? (before?.parsed ?? parseFrame(arrival.bytes)) : undefined;
      const place: Place =
        own === undefined
          ? placeOf(parsed as ParsedFrame, arrival.seq)
          : { key: own.key, epoch: own.epoch, counter: own.counter, seq: arrival.seq };
      const old = sequencer.isOld(place);
      if (old !== undefined) repeated(old);
      else {
        const facts =
          own === undefined ? chain(openPatiently(parsed as ParsedFrame, origin, before?.verdict), factsOf) : ownFacts(core, own);
        const offer = sequencer.offer(place, { facts: facts instanceof Promise ? await facts : facts, at: arrival.at }, performance.now());
        core.missed(offer.gaps);
        for (const placed of offer.ready) await deliver(placed);
        if (offer.verdict === "held") heldWatch.watch();
        if (offer.verdict === "deliver" || offer.verdict === "held") return;
      }
    } catch (error) {
      drop(error);
    }
    if (arrival.seq !== undefined && !failed) await core.append(sequencer.pass(arrival.seq));
  }

  function repeated(verdict: "replay" | "repeated" | "deliver" | "held"): void {
    if (verdict === "replay" && !overlapping) core.dropped(new AppError("frame.replayed"));
    else core.counter.count("repeated");
  }

  /** Something is missing before what is held: history may have what NATS did not bring; in the end it is said to be missing. */
  async function look(): Promise<void> {
    await readStored(core.memory.cursor ?? 0);
    const { ready, gaps } = sequencer.giveUp(heldWatch.overSinceMs());
    core.missed(gaps);
    for (const placed of ready) await deliver(placed);
  }

  /** Reads history after `from` and takes in every frame of it. @param until a sequence that is known to be there */
  async function readStored(from: number, until = from): Promise<void> {
    let askedMs = performance.now();
    await patiently(async () => {
      for await (const page of readHistoryPages(deps.api, core.id, from, { until })) {
        heldWatch.answered(performance.now() - askedMs);
        checkEnd(page, from);
        for (const stored of page.frames) {
          received = Math.max(received, stored.seq);
          await take(
            {
              bytes: fromBase64url(stored.frame),
              seq: stored.seq,
              previous: stored.previous,
              at: stored.at,
            },
            undefined,
            "stored",
          );
          if (handlers.size === 0) return;
        }
        askedMs = performance.now();
      }
    });
  }

  /** History ends before what was delivered: it was cut back (an old backup, or a lie). Said, and followed from there: counters drop what comes again. */
  function checkEnd(page: HistoryPage, from: number): void {
    if (page.lastSeq >= from) return;
    received = page.lastSeq;
    core.memory.cursor = page.lastSeq;
    core.memory.high = page.lastSeq;
    core.dropped(new AppError("frame.gap", { count: "Some", sender: core.info.name }));
  }

  function takeLive(arrival: Arrival, own: OwnFrame | undefined, before: Begun | undefined): Promise<void> {
    if (persists()) return takeNumbered(arrival, own, before);
    return take(arrival, own, "live", before);
  }

  async function takeNumbered(arrival: Arrival, own: OwnFrame | undefined, before: Begun | undefined): Promise<void> {
    if (arrival.seq === undefined || arrival.previous === undefined) {
      core.dropped(new AppError("frame.misplaced", { expected: "the room's stream", observed: "a message without a sequence" }));
      return;
    }
    if (arrival.previous > received) await readStored(received, arrival.previous);
    received = Math.max(received, arrival.seq);
    await take(arrival, own, "live", before);
  }

  /** A live frame in the queue. Read before its turn, it is still checked at its turn; what cannot be read is said then. */
  function liveTask(arrival: Arrival, own: OwnFrame | undefined): Task {
    let before: Begun | undefined;
    return {
      run: () => takeLive(arrival, own, before),
      begin() {
        if (own !== undefined) return;
        try {
          const parsed = parseFrame(arrival.bytes);
          const old = sequencer.isOld(placeOf(parsed, persists() ? arrival.seq : undefined));
          before = { parsed, verdict: old === undefined ? deps.opener.begin(parsed) : undefined };
        } catch {
          before = undefined;
        }
      },
    };
  }

  /** Frames of a page; what cannot be read is dropped. */
  function readable(page: HistoryPage) {
    return page.frames.flatMap((stored) => {
      received = Math.max(received, stored.seq);
      try {
        const parsed = parseFrame(fromBase64url(stored.frame));
        return [{ stored, parsed, place: placeOf(parsed, stored.seq) }];
      } catch (error) {
        drop(error);
        return [];
      }
    });
  }

  /** What an explicit `start` or `last` shows: history as it is, whatever was delivered before. */
  async function replayTo(attached: Attached, pages: AsyncIterable<HistoryPage> | Iterable<HistoryPage>): Promise<void> {
    const seen = new Set<string>();
    const finder = createGapFinder();
    for await (const page of pages) {
      for (const { stored, parsed, place } of inStreamOrder(readable(page))) {
        try {
          const name = `${place.key}/${place.counter}`;
          if (seen.has(name)) continue;
          seen.add(name);
          const opened = await deps.opener.open(parsed, "stored");
          finder.saw(place);
          await attached.handler(await redactions.admit(toEvent(factsOf(opened), stored.seq, stored.at)));
          await core.append(sequencer.commit(place));
        } catch (error) {
          drop(error);
        }
      }
    }
    core.missed(finder.gaps());
  }

  async function start(attached: Attached, since: Since): Promise<void> {
    await deps.listen();
    if (!persists()) {
      sequencer.float(core.memory.epoch);
      return;
    }
    if (since === "now") {
      const { lastSeq } = await core.refresh();
      sequencer.float(core.memory.epoch);
      received = lastSeq;
      await core.append(sequencer.pass(lastSeq));
    } else if (since === "start") {
      await replayTo(attached, readHistoryPages(deps.api, core.id, 0));
    } else if (since !== "cursor") {
      sequencer.float(core.memory.epoch);
      await replayTo(attached, [await readLastFrames(deps.api, core.id, since.last)]);
    } else {
      core.memory.cursor ??= 0;
      received = core.memory.cursor;
    }
    await readStored(received);
  }

  return {
    get active() {
      return handlers.size > 0;
    },
    async attach(handler, since) {
      let settle: Attached["settle"] = () => undefined;
      const done = new Promise<void>((resolve, reject) => {
        settle = (error) => (error === undefined ? resolve() : reject(error));
      });
      const attached: Attached = { handler, settle };
      const first = handlers.size === 0;
      failed = false;
      handlers.add(attached);
      await new Promise<void>((resolve, reject) => {
        const run = async () => {
          try {
            if (first) {
              await start(attached, since);
              heldWatch.anew();
            }
            resolve();
          } catch (error) {
            handlers.delete(attached);
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        };
        enqueue({ run });
      });
      return {
        done,
        async close() {
          handlers.delete(attached);
          if (handlers.size === 0) tasks.clear();
          await tasks.running;
          await core.save();
          settle();
        },
      };
    },
    arrive: (arrival, own) => enqueue(liveTask(arrival, own)),
    reconnected: () => enqueue({ run: () => (persists() ? readStored(received) : undefined) }),
    overlap(on) {
      overlapping = on;
    },
    async close() {
      closed = true;
      stopEpochs();
      heldWatch.close();
      end(undefined);
      await tasks.running;
    },
  };
}

function ownFacts(core: RoomCore, own: OwnFrame): FrameFacts {
  const handle = core.book.top?.members.get(core.identity.endpoint)?.handle;
  return {
    id: own.id,
    type: own.type,
    epoch: own.epoch,
    sender: core.identity.endpoint,
    handle,
    authenticated: core.policy.sign || own.type !== "msg",
    payload: own.payload,
    blob: own.blob,
  };
}
