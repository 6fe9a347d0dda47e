/**
 * Public events as they happen: `GET …/events/stream`, server-sent events over a signed request.
 *
 * Invariant: a stream is a cursor into the log and nothing else: it reads on from the store, so no event is lost or doubled whoever wrote it and wherever a
 * reader goes on, and a reader that is slow holds one small page in memory. Whether it may still read is asked anew more than twice a second if anything in the
 * state changed, and before events that tell of members or roles; whoever may not is cut within two seconds, and so is everybody when that cannot be known.
 * docs/architecture/events.md.
 */
import type { ServerResponse } from "node:http";
import type { Caller } from "@althing/bus";
import { publicEventOf, type EventLog, type EventReader } from "@althing/community";
import { AppError, limits, toProblem, type CommunityId, type SignPub } from "@althing/contract";
import type { Store } from "@althing/store";
import { toAppError } from "./problem-answer.ts";

/** An answer that goes on: whoever sends it gives the response away once its head is written. */
export interface LiveAnswer {
  readonly live: (response: ServerResponse, requestId: string) => void;
}

export const isLiveAnswer = (value: unknown): value is LiveAnswer =>
  typeof value === "object" && value !== null && "live" in value && typeof value.live === "function";

export interface EventStreamRequest {
  readonly caller: Caller;
  /** Id or name. */
  readonly community: string;
  /** Index of the last event that the reader has; absent: from now on. */
  readonly after: number | undefined;
}

export interface EventStreams {
  /** @throws {community.not_found} {auth.forbidden} {event.not_found} {event.streams_per_user} {event.streams_full} {system.stopping} */
  open(request: EventStreamRequest): Promise<LiveAnswer>;
  readonly size: number;
  /** Ends all; their readers are told that the node is stopping. */
  close(): void;
}

export interface EventStreamTimes {
  /** How often standing is looked at. */
  readonly recheckMs: number;
  /** A look that takes longer counts as refused. */
  readonly recheckTimeoutMs: number;
  readonly heartbeatMs: number;
  /** How long a reader may take nothing of what waits for it. */
  readonly stalledMs: number;
  /** What a cut reader gets to take its reason. */
  readonly graceMs: number;
}

export interface EventStreamsOptions {
  readonly events: EventLog;
  readonly reader: EventReader;
  readonly store: Pick<Store, "revision">;
  /** The active user of a key. @throws {auth.unknown_user} {auth.revoked} */
  readonly findCaller: (signPub: SignPub) => Promise<Caller>;
  /** Does this node serve now? @throws {system.unavailable} {system.stopping} */
  readonly checkServing: () => void;
  readonly onFailure: (error: unknown) => void;
  readonly times?: Partial<EventStreamTimes>;
  readonly perUserMax?: number;
  readonly perHubMax?: number;
}

export const eventStreamTimes: EventStreamTimes = {
  recheckMs: 400,
  recheckTimeoutMs: 700,
  heartbeatMs: 10_000,
  stalledMs: 10_000,
  graceMs: 2_000,
};
/** Events that one stream holds in memory at a time. */
const pageMax = 20;
const followRetryMs = 250;

interface Reader {
  readonly caller: Caller;
  readonly community: CommunityId;
  cursor: number;
  /** Ends the stream with a reason; whatever was not written yet is not written any more. */
  cut(error: unknown): void;
  wake(): void;
  beat(): void;
}

/** Events after which somebody's standing may be another. */
const touchesStanding = (topic: string): boolean => /^(?:member|role|community|moderation)\./.test(topic);

export function createEventStreams(options: EventStreamsOptions): EventStreams {
  const { events, reader, store } = options;
  const times = { ...eventStreamTimes, ...options.times };
  const { perUserMax = limits.eventStreamsPerUserMax, perHubMax = limits.eventStreamsPerHubMax } = options;
  const readers = new Set<Reader>();
  const held = new Map<string, number>();
  const ended = new AbortController();
  let taken = 0;
  let timers: readonly NodeJS.Timeout[] = [];
  let looked: { readonly revision: number; readonly readers: number } | undefined;
  let lookingSinceMs: number | undefined;
  let opened = 0;

  /** @returns how to give the place back, once */
  function takePlace({ endpoint }: Caller): () => void {
    const own = held.get(endpoint) ?? 0;
    if (own >= perUserMax) throw new AppError("event.streams_per_user", { limit: perUserMax });
    if (taken >= perHubMax) throw new AppError("event.streams_full", { limit: perHubMax }, { retryAfterSeconds: 5 });
    held.set(endpoint, own + 1);
    taken += 1;
    let isGiven = false;
    return () => {
      if (isGiven) return;
      isGiven = true;
      taken -= 1;
      const left = (held.get(endpoint) ?? 1) - 1;
      if (left > 0) held.set(endpoint, left);
      else held.delete(endpoint);
    };
  }

  async function mayRead({ caller, community }: Pick<Reader, "caller" | "community">): Promise<void> {
    await reader.admit(await options.findCaller(caller.signPub), { community });
  }

  const cutAll = (error: unknown): void => {
    for (const one of readers) one.cut(error);
  };

  /** One question for each person and community; none while nothing in the whole state has changed. */
  async function lookAtStanding(): Promise<void> {
    const revision = await store.revision();
    const now = { revision, readers: opened };
    if (looked?.revision === revision && looked.readers === opened) return;
    const asked = new Map<string, Promise<void>>();
    await Promise.all(
      [...readers].map(async (one) => {
        const key = `${one.caller.signPub}/${one.community}`;
        const answer = asked.get(key) ?? mayRead(one);
        asked.set(key, answer);
        try {
          await answer;
        } catch (error) {
          one.cut(error);
        }
      }),
    );
    looked = now;
  }

  function look(): void {
    try {
      options.checkServing();
    } catch (error) {
      cutAll(error);
      return;
    }
    const nowMs = performance.now();
    if (lookingSinceMs !== undefined) {
      if (nowMs - lookingSinceMs <= times.recheckTimeoutMs) return;
      // After a stall of this process the answer may have come and wait to be read.
      const sinceMs = lookingSinceMs;
      setImmediate(() => {
        if (lookingSinceMs === sinceMs) cutAll(unknowable());
      });
      return;
    }
    lookingSinceMs = nowMs;
    lookAtStanding()
      .catch((error: unknown) => {
        options.onFailure(error);
        cutAll(unknowable());
      })
      .finally(() => (lookingSinceMs = undefined));
  }

  /** Wakes the readers of a community that has grown; after a gap all of them, and they read what is there. */
  async function follow(): Promise<void> {
    while (!ended.signal.aborted) {
      try {
        const grown = events.follow(ended.signal);
        for (const one of readers) one.wake();
        for await (const community of grown) for (const one of readers) if (one.community === community) one.wake();
      } catch (error) {
        options.onFailure(error);
      }
      if (!ended.signal.aborted) await new Promise((resolve) => setTimeout(resolve, followRetryMs).unref());
    }
  }

  function start(): void {
    if (timers.length > 0) return;
    timers = [
      setInterval(look, times.recheckMs).unref(),
      setInterval(() => {
        for (const one of readers) one.beat();
      }, times.heartbeatMs).unref(),
    ];
    void follow();
  }

  return {
    get size() {
      return taken;
    },
    async open({ caller, community: ref, after }) {
      if (ended.signal.aborted) throw new AppError("system.stopping");
      const community = await reader.admit(caller, { community: ref });
      const head = await events.head(community);
      if (after !== undefined && after > head.index) throw new AppError("event.not_found", { index: after });
      const giveBack = takePlace(caller);
      start();
      return {
        live(response, requestId) {
          // The reader may be gone, or the node begun to stop, while the request was answered.
          if (response.destroyed) return giveBack();
          const one = createReader({ caller, community, cursor: after ?? head.index, response, requestId, times, events, mayRead });
          readers.add(one);
          opened += 1;
          response.once("close", () => {
            readers.delete(one);
            giveBack();
          });
          if (ended.signal.aborted) one.cut(new AppError("system.stopping"));
          else one.wake();
        },
      };
    },
    close() {
      for (const timer of timers) clearInterval(timer);
      ended.abort();
      cutAll(new AppError("system.stopping"));
    },
  };
}

const unknowable = (): AppError =>
  new AppError("system.unavailable", { detail: "who may read cannot be looked up" }, { retryAfterSeconds: 1 });

interface ReaderParts extends Pick<Reader, "caller" | "community" | "cursor"> {
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly times: EventStreamTimes;
  readonly events: EventLog;
  readonly mayRead: (reader: Pick<Reader, "caller" | "community">) => Promise<void>;
}

function createReader({ caller, community, cursor, response, requestId, times, events, mayRead }: ReaderParts): Reader {
  let isOver = false;
  let isRunning = false;
  let isWoken = false;

  /** @throws {event.stream_slow} */
  async function write(text: string): Promise<void> {
    if (isOver || response.write(text)) return;
    await new Promise<void>((resolve, reject) => {
      const end = (work: () => void) => () => {
        clearTimeout(timer);
        response.off("drain", drained);
        response.off("close", drained);
        work();
      };
      const drained = end(resolve);
      const timer = setTimeout(
        end(() => reject(new AppError("event.stream_slow", { limitMs: times.stalledMs }))),
        times.stalledMs,
      );
      response.once("drain", drained);
      response.once("close", drained);
    });
  }

  /** Writes what there is; woken meanwhile, looks again. */
  async function run(): Promise<void> {
    while (isWoken && !isOver) {
      isWoken = false;
      for (let page = await events.read(community, one.cursor, pageMax); page.length > 0 && !isOver;) {
        if (page.some(({ topic }) => touchesStanding(topic))) await mayRead(one);
        for (const record of page) {
          if (isOver) return;
          await write(`id: ${record.index}\ndata: ${JSON.stringify(publicEventOf(record))}\n\n`);
          one.cursor = record.index;
        }
        page = await events.read(community, one.cursor, pageMax);
      }
    }
  }

  const one: Reader = {
    caller,
    community,
    cursor,
    cut(error) {
      if (isOver) return;
      isOver = true;
      const problem = toProblem(toAppError(error, requestId), requestId);
      response.end(`event: cut\ndata: ${JSON.stringify(problem)}\n\n`);
      const timer = setTimeout(() => response.destroy(), times.graceMs).unref();
      response.once("close", () => clearTimeout(timer));
    },
    wake() {
      isWoken = true;
      if (isRunning || isOver) return;
      isRunning = true;
      run()
        .catch((error: unknown) => one.cut(error))
        .finally(() => {
          isRunning = false;
          if (isWoken && !isOver) one.wake();
        });
    },
    beat() {
      // What waits is sign of life enough, and must not grow; a look at the log makes good for a hint that was lost.
      if (!isOver && !response.writableNeedDrain) response.write(": beat\n\n");
      one.wake();
    },
  };
  response.once("close", () => (isOver = true));
  response.on("error", () => undefined);
  // So a reader that is cut before its first event knows where to go on.
  response.write(`retry: 1000\nid: ${cursor}\nevent: open\ndata: {"index":${cursor}}\n\n`);
  return one;
}
