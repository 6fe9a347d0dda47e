/**
 * Sending: frames leave in the order of the calls, many at once, and each is confirmed or said to be unconfirmed.
 *
 * Invariant: a frame is sealed once and its bytes never change, so sending it again is harmless (receivers drop doubles by stream and counter).
 * In a room that persists, the echo on the output subject is the acknowledgement; without it history is asked, and what is not there is sent
 * again in order before anything newer. In a room that keeps nothing, the echo says that the server has read it, where the room is heard; else
 * the answer to a flush does, which costs both sides a message more.
 */
import { AppError, limits, type BlobHash } from "@althing/contract";
import { createFrameSealer, toBase64url, type FrameType } from "@althing/crypto";
import { isPassing, type Api } from "./api.ts";
import type { BusLink } from "./bus-link.ts";
import { endAlike, tailOf } from "./frame-tail.ts";
import { readHistoryPages } from "./history-pages.ts";
import { encodePayload, type Payload } from "./payload.ts";
import { newMessageId } from "./message-id.ts";
import { pause, unref, yieldTurn } from "./pause.ts";
import type { RoomCore } from "./room-core.ts";
import type { Arrival, RoomWire } from "./room-wire.ts";

export interface Sent {
  readonly id: string;
  /** Sequence in the room's history; absent where nothing is kept. */
  readonly seq?: number;
  /** Node that carried it. */
  readonly node?: string;
}

/** A frame of one's own, known without opening it again. */
export interface OwnFrame {
  readonly id: string;
  readonly type: FrameType;
  readonly epoch: number;
  readonly key: string;
  readonly counter: number;
  readonly payload: Payload;
  readonly blob: { readonly hash: BlobHash; readonly bytes: number } | undefined;
}

export interface Outgoing {
  readonly type: FrameType;
  readonly payload: Payload;
  readonly blob?: { readonly hash: BlobHash; readonly bytes: number };
  readonly id?: string;
}

export interface Outbox {
  send(outgoing: Outgoing): Promise<Sent>;
  /** Is this arrival the echo of a frame of this outbox? */
  echoed(arrival: Arrival): OwnFrame | undefined;
  /** The connection is new: whatever is unconfirmed is settled. */
  reconnected(): void;
  /** The server refused a publish of this room. */
  refused(): void;
  close(error: AppError): void;
}

export interface OutboxDeps {
  readonly core: RoomCore;
  readonly wire: RoomWire;
  readonly bus: BusLink;
  readonly api: Api;
  readonly rekey: () => Promise<void>;
  /** Makes sure that the room is heard: echoes are acknowledgements. */
  readonly listen: () => Promise<void>;
}

interface Item extends Outgoing {
  readonly id: string;
  readonly bornMs: number;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly resolve: (sent: Sent) => void;
  readonly reject: (error: unknown) => void;
  bytes?: Uint8Array<ArrayBuffer>;
  /** Under which it is under way. */
  key?: number | string;
  own?: OwnFrame;
  sentMs: number;
  attempts: number;
  onSettled?: () => void;
}

/** Frames under way at most; enough for the throughput of one connection, little enough to send again. */
const windowMax = 1_024;
/** Renewals in a row before one message: in a room that is being left by many, a few; more is a lie. */
const rekeysMax = 16;
/** Frames sealed in one go, about ten milliseconds of work. */
const burstMax = 128;
/** What a frame adds to its payload is less than this. */
const frameOverheadMaxBytes = 1_024;
/** Of publishes that the server refuses; what nobody answered is sent until `giveUpMs`, since electing a leader takes many attempts' time. */
const attemptsMax = 6;
/** Of the oldest frame, while nothing is known of it: a room without a leader is asked by one frame and not by all. */
const probeEveryMs = 250;
/** After a refused publish: doubled with each attempt, so that all of them span more than a second. */
const catchUpMs = 15;
/** A hub that restarts, a node that is replaced: within this time it counts as the same send. */
const giveUpMs = 30_000;

export function createOutbox(deps: OutboxDeps): Outbox {
  const { core, wire } = deps;
  const queue: Item[] = [];
  const underWay = new Map<number | string, Item>();
  let sealer: ReturnType<typeof createFrameSealer> | undefined;
  let sealerEpoch = -1;
  let streamKey = "";
  let draining = false;
  let launched = 0;
  let settling: Promise<void> | undefined;
  let flushing = false;
  let wake: (() => void) | undefined;
  let watchdog: ReturnType<typeof setInterval> | undefined;
  let floorSeq = 0;
  /** Refused publishes whose reason was asked for. */
  let refusalsAsked = 0;
  let closed: AppError | undefined;

  const persists = () => core.policy.persist;
  /** From the last seven bytes where they are signature or authentication tag, as good as random; else the whole frame. */
  const keyOf = (bytes: Uint8Array) => (core.policy.sign || core.policy.encrypt ? tailOf(bytes) : toBase64url(bytes));
  const room = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
    });
  const settleOne = (item: Item, error: unknown, seq?: number) => {
    if (item.key !== undefined) underWay.delete(item.key);
    item.onSettled?.();
    if (error === undefined) {
      const node = deps.bus.current?.node;
      item.resolve({ id: item.id, ...(seq === undefined ? {} : { seq }), ...(node === undefined ? {} : { node }) });
    } else {
      // Its counter stays unused by others: later frames take a new stream, so that receivers do not miss what was never sent.
      sealer = undefined;
      item.reject(error);
    }
    wake?.();
    wake = undefined;
  };
  const unconfirmed = (cause: unknown) => new AppError("client.send_unconfirmed", { timeoutMs: giveUpMs }, { cause });

  function refuseWhenStopped(): void {
    if (core.stopped !== undefined) throw core.stopped;
  }

  /** @throws {room.muted} */
  function refuseWhenMuted(): void {
    const until = core.info.mutedUntil;
    if (until !== undefined) throw new AppError("room.muted", { until });
  }

  /** Everything a frame may not leave without. */
  async function prepare(): Promise<void> {
    refuseWhenStopped();
    if (deps.bus.current === undefined) await deps.bus.connect();
    if (persists() && !wire.listening) await deps.listen();
    // That a mute is over only the server says: clocks differ, and it may have been lifted.
    if (core.stale || core.info.mutedUntil !== undefined) await core.refresh();
    refuseWhenMuted();
    for (let tries = 1; core.rekeyDue; tries += 1) {
      // A server that asks for another record after each one would keep this client sealing keys for ever.
      if (tries > rekeysMax) throw new AppError("client.bad_answer", { detail: "the server asks for a new key after each new key" });
      await deps.rekey();
      if (core.rekeyDue) await core.refresh();
    }
    refuseWhenStopped();
    if (sealer !== undefined && sealerEpoch === core.memory.epoch) return;
    // Frames of the epoch before settle first: order for each sender holds across the change of stream.
    while (underWay.size > 0) await room();
    const epoch = await core.sealKey();
    const stream = crypto.getRandomValues(new Uint8Array(16));
    sealerEpoch = core.memory.epoch;
    sealer = createFrameSealer({
      identity: core.identity,
      room: core.id,
      subject: core.info.subjects.subscribe,
      policy: core.policy,
      epoch,
      stream,
    });
    streamKey = `${core.identity.endpoint}/${toBase64url(stream)}`;
    floorSeq = Math.max(floorSeq, core.info.lastSeq);
  }

  const isReady = () =>
    sealer !== undefined &&
    sealerEpoch === core.memory.epoch &&
    core.stopped === undefined &&
    !core.stale &&
    core.info.mutedUntil === undefined &&
    !core.rekeyDue &&
    deps.bus.current !== undefined &&
    (!persists() || wire.listening);

  async function drain(): Promise<void> {
    draining = true;
    try {
      while (queue.length > 0) {
        if (settling !== undefined) await settling;
        if (closed !== undefined) throw closed;
        if (underWay.size >= windowMax) {
          await room();
          continue;
        }
        if (!isReady()) {
          await prepareWithin(queue[0]);
          continue;
        }
        const item = queue.shift();
        const pending = item === undefined ? undefined : launch(item);
        if (pending !== undefined) await pending;
        // Without an await between them, frames leave in few large writes; now and then the loop lets echoes in.
        else if ((launched += 1) % burstMax === 0) await yieldTurn();
      }
    } catch (error) {
      for (const item of queue.splice(0)) settleOne(item, error);
    } finally {
      draining = false;
    }
  }

  /** A short absence of the instance is waited for. */
  async function prepareWithin(item: Item | undefined): Promise<void> {
    try {
      await prepare();
    } catch (error) {
      if (!isPassing(error) || item === undefined || performance.now() - item.bornMs > giveUpMs) throw error;
      await pause(100);
    }
  }

  function launch(item: Item): Promise<void> | void {
    if (sealer === undefined) {
      queue.unshift(item);
      return;
    }
    const counter = sealer.counter;
    const sealed = sealer.seal({
      type: item.type,
      id: item.id,
      payload: item.body,
      ...(item.blob === undefined ? {} : { blob: item.blob }),
    });
    item.own = { id: item.id, type: item.type, epoch: sealerEpoch, key: streamKey, counter, payload: item.payload, blob: item.blob };
    core.countFrame();
    if (sealed instanceof Promise) return sealed.then((bytes) => publish(item, bytes));
    publish(item, sealed);
  }

  function publish(item: Item, bytes: Uint8Array<ArrayBuffer>): void {
    item.bytes = bytes;
    item.key = keyOf(bytes);
    underWay.set(item.key, item);
    // What was refused before says nothing of a frame that leaves alone.
    if (underWay.size === 1) refusalsAsked = wire.refusals;
    transmit(item);
    if (persists() || wire.heard) startWatchdog();
    else confirmByFlush();
  }

  function transmit(item: Item): void {
    item.sentMs = performance.now();
    item.attempts += 1;
    publishAgain(item);
  }

  function publishAgain(item: Item): void {
    try {
      if (item.bytes !== undefined) wire.publish(item.bytes);
    } catch {
      // Not connected: `reconnected` settles what is under way.
    }
  }

  function confirmByFlush(): void {
    if (!flushing) void flushAll();
  }

  /** One flush at a time confirms all that were published before it. */
  async function flushAll(): Promise<void> {
    flushing = true;
    try {
      while (underWay.size > 0 && settling === undefined) {
        const batch = [...underWay.values()];
        // Whatever was refused since somebody asked why counts: a refusal may come between two flushes, and be asked about during this one.
        const asked = refusalsAsked;
        await wire.flush();
        // The refusal came before the flush's answer, and is told a moment after it.
        await yieldTurn();
        if (wire.refusals !== asked) throw new AppError("auth.forbidden", { permission: "room.send", who: "An owner of the room" });
        for (const item of batch) settleOne(item, undefined);
      }
    } catch {
      settle();
    } finally {
      flushing = false;
    }
  }

  /** Looks until nothing is under way. One timer for all that is sent meanwhile: a timer a frame costs more than the look. */
  function startWatchdog(): void {
    if (watchdog !== undefined) return;
    watchdog = setInterval(() => {
      const oldest = underWay.values().next().value;
      if (oldest === undefined) stopWatchdog();
      else if (performance.now() - oldest.sentMs > limits.echoTimeoutMs) lookAfter();
    }, limits.echoTimeoutMs / 4);
    unref(watchdog);
  }

  /** No echo for long. History knows, where there is one; else the server is asked first whether it has read everything, before anything is sent twice. */
  function lookAfter(): void {
    if (persists() || !wire.listening) settle();
    else confirmByFlush();
  }

  function stopWatchdog(): void {
    clearInterval(watchdog);
    watchdog = undefined;
  }

  function settle(): void {
    if (underWay.size === 0 || closed !== undefined) return;
    settling ??= settleAll().finally(() => {
      settling = undefined;
      if (!persists() && underWay.size > 0) confirmByFlush();
    });
  }

  /** Which of those under way arrived, and the others once more, in order. */
  async function settleAll(): Promise<void> {
    for (let waitMs = 20; underWay.size > 0 && closed === undefined; waitMs = Math.min(waitMs * 2, 1_000)) {
      dropExpired();
      try {
        await deps.bus.ready();
        if (!wire.listening) await deps.listen();
        if (persists()) await findOut();
        await askWhyRefused();
        for (const item of underWay.values()) transmit(item);
        await wire.flush();
        return;
      } catch (error) {
        if (isFinal(error)) {
          for (const item of underWay.values()) settleOne(item, error);
          return;
        }
        await pause(waitMs);
      }
    }
  }

  /** A refused publish is either the access list catching up or a mute, and the server knows which. @throws {room.muted} */
  async function askWhyRefused(): Promise<void> {
    if (wire.refusals === refusalsAsked) return;
    const asked = wire.refusals;
    await core.refresh();
    refusalsAsked = asked;
    refuseWhenMuted();
    const tries = underWay.values().next().value?.attempts ?? 1;
    await pause(catchUpMs * 2 ** tries);
  }

  function dropExpired(): void {
    const isRefused = wire.refusals !== refusalsAsked;
    for (const item of underWay.values()) {
      if ((isRefused && item.attempts >= attemptsMax) || performance.now() - item.bornMs > giveUpMs)
        settleOne(item, unconfirmed(undefined));
    }
  }

  /**
   * What arrived, from history; or that the room takes messages again, which shows sooner where one node died: history needs leaders of other streams as
   * well. Meanwhile the oldest leaves again and again; when it comes, those behind it that did not may be sent again too.
   */
  async function findOut(): Promise<void> {
    const [oldest] = underWay.values();
    if (oldest === undefined) return;
    let isTaken = false;
    const taken = new Promise<void>((resolve) => {
      oldest.onSettled = () => {
        isTaken = true;
        resolve();
      };
    });
    const probe = setInterval(() => {
      if (!isTaken && wire.refusals === refusalsAsked) publishAgain(oldest);
    }, probeEveryMs);
    try {
      await Promise.race([confirmFromHistory(), taken]);
      // Sent again before, and lost again: all the others would be, too.
      if (!isTaken && oldest.attempts > 1) await Promise.race([taken, pause(limits.echoTimeoutMs)]);
    } finally {
      clearInterval(probe);
    }
  }

  async function confirmFromHistory(): Promise<void> {
    const wanted = new Map(
      [...underWay.values()].flatMap((item) => (item.bytes === undefined ? [] : [[toBase64url(item.bytes), item] as const])),
    );
    for await (const page of readHistoryPages(deps.api, core.id, floorSeq)) {
      for (const frame of page.frames) {
        const item = wanted.get(frame.frame);
        if (item !== undefined) settleOne(item, undefined, frame.seq);
      }
    }
  }

  return {
    send(outgoing) {
      if (closed !== undefined) return Promise.reject(closed);
      const body = encodePayload(outgoing.payload);
      if (body.length > limits.frameMaxBytes - frameOverheadMaxBytes) {
        return Promise.reject(new AppError("frame.too_large", { limit: limits.frameMaxBytes - frameOverheadMaxBytes }));
      }
      return new Promise((resolve, reject) => {
        queue.push({
          ...outgoing,
          id: outgoing.id ?? newMessageId(Date.now()),
          body,
          bornMs: performance.now(),
          resolve,
          reject,
          sentMs: 0,
          attempts: 0,
        });
        if (!draining) void drain();
      });
    },
    echoed(arrival) {
      if (underWay.size === 0 || arrival.bytes.length < 8) return undefined;
      const item = underWay.get(keyOf(arrival.bytes));
      if (item?.bytes === undefined || !endAlike(item.bytes, arrival.bytes)) return undefined;
      if (!persists()) settleOne(item, undefined);
      else if (arrival.seq !== undefined) {
        const oldest = underWay.values().next().value;
        if (oldest === item) floorSeq = Math.max(floorSeq, arrival.seq);
        // What one connection sends is stored in that order: what left before this one and did not come was lost, and each moment puts more behind it.
        const isOvertaken = oldest !== undefined && oldest !== item && oldest.sentMs < item.sentMs;
        settleOne(item, undefined, arrival.seq);
        if (isOvertaken) settle();
      }
      return item.own;
    },
    reconnected: settle,
    refused: () => void setTimeout(settle, 25),
    close(error) {
      closed = error;
      stopWatchdog();
      for (const item of [...queue.splice(0), ...underWay.values()]) settleOne(item, error);
    },
  };
}

/** Refusals that sending again does not mend. */
function isFinal(error: unknown): boolean {
  return error instanceof AppError && !isPassing(error) && error.code !== "nats.unavailable" && error.code !== "client.bad_answer";
}
