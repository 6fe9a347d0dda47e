/**
 * Public events of a community, as they happen and as an export.
 *
 * Invariant: what is yielded has every index once and in order: a stream that breaks off is opened again after the last event that came, at whatever address
 * answers; a server that leaves one out or tells one twice in another place is not believed. Memory is bounded whatever the server sends.
 */
import {
  AppError,
  eventStreamOpenSchema,
  fromProblem,
  hasCode,
  isAppError,
  problemSchema,
  publicEventSchema,
  type EventRecord,
  type PublicEvent,
} from "@althing/contract";
import { isPassing, type Api, type StreamApi } from "./api.ts";

export interface FollowOptions {
  /** Index of the last event that is known; 0: from the first; absent: what happens from now on. */
  readonly after?: number;
  readonly signal?: AbortSignal;
  /** The stream is being opened again. */
  readonly onTrouble?: (error: AppError) => void;
}

export interface FollowTimes {
  /** Without a byte for so long the stream is taken for dead; the server beats every ten seconds. */
  readonly silentMs: number;
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
}

const defaultTimes: FollowTimes = { silentMs: 30_000, retryMinMs: 250, retryMaxMs: 5_000 };
const frameMaxChars = 64 * 1024;

interface Frame {
  readonly event: string;
  readonly data: string;
}

/**
 * Events as they happen, until the signal ends it.
 * @throws what the route refuses for good; {client.bad_answer} the server left an event out
 * @example
 * for await (const event of client.followEvents("garden", { after: 0 })) console.log(event.index, event.summary);
 */
export async function* followEvents(
  api: StreamApi,
  community: string,
  { after, signal, onTrouble }: FollowOptions = {},
  times: FollowTimes = defaultTimes,
): AsyncGenerator<PublicEvent> {
  const place: Place = { cursor: after, isOpen: false, wasOpen: false };
  const isEnded = (): boolean => signal?.aborted === true;
  for (let failures = 0; !isEnded();) {
    try {
      for await (const event of openOnce(api, community, place, signal, times)) {
        failures = 0;
        yield event;
      }
      throw new AppError("client.unreachable", { detail: "the stream of events ended" });
    } catch (error) {
      if (isEnded()) return;
      if (!isAppError(error) || !mayResume(error, place)) throw error;
      onTrouble?.(error);
      const waitMs = Math.min(times.retryMaxMs, times.retryMinMs * 2 ** failures) * (0.5 + Math.random() / 2);
      failures += 1;
      await pause(waitMs, signal);
    }
  }
}

/** The same, ended by the client's end as well: an open answer would hold that up. */
export const untilClosed = (closed: AbortSignal, options: FollowOptions = {}): FollowOptions => ({
  ...options,
  signal: options.signal === undefined ? closed : AbortSignal.any([options.signal, closed]),
});

interface Place {
  cursor: number | undefined;
  /** The stream of now has said where it begins. */
  isOpen: boolean;
  /** Some stream has. */
  wasOpen: boolean;
}

/** A place that is taken may be our own, of a connection that broke off and that the server still holds. */
const mayResume = (error: AppError, { wasOpen }: Place): boolean =>
  isPassing(error) || hasCode(error, "event.stream_slow") || (wasOpen && hasCode(error, "event.streams_per_user"));

async function* openOnce(
  api: StreamApi,
  community: string,
  place: Place,
  signal: AbortSignal | undefined,
  { silentMs }: FollowTimes,
): AsyncGenerator<PublicEvent> {
  place.isOpen = false;
  const silence = new AbortController();
  const ended = signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]);
  let timer = setTimeout(() => silence.abort(), silentMs);
  const onBytes = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), silentMs);
  };
  try {
    const query = place.cursor === undefined ? {} : { after: place.cursor };
    const parts = await api.open("events.stream", { params: { community }, query }, { signal: ended });
    for await (const frame of framesOf(parts, onBytes)) {
      const event = readFrame(frame, place);
      if (event !== undefined) yield event;
    }
  } catch (error) {
    if (isAppError(error)) throw error;
    const detail = silence.signal.aborted ? `silent for ${silentMs} ms` : error instanceof Error ? error.message : String(error);
    throw new AppError("client.unreachable", { detail: `the stream of events broke off: ${detail}` }, { cause: error });
  } finally {
    clearTimeout(timer);
    // A consumer that stops in the middle ends the request with it.
    silence.abort();
  }
}

/** @returns the event, if it is one that has not come yet */
function readFrame({ event, data }: Frame, place: Place): PublicEvent | undefined {
  if (event === "open") {
    const { index } = checked(eventStreamOpenSchema, data);
    if (place.cursor !== undefined && index !== place.cursor)
      throw badAnswer(`asked for events after ${place.cursor}, got them after ${index}`);
    place.cursor = index;
    place.isOpen = true;
    place.wasOpen = true;
    return undefined;
  }
  if (event === "cut") throw fromProblem(checked(problemSchema, data)) ?? badAnswer("cut for a reason that is not known here");
  if (event !== "message") return undefined;
  const found = checked(publicEventSchema, data);
  if (place.cursor === undefined || !place.isOpen) throw badAnswer("an event before the stream was opened");
  if (found.index <= place.cursor) return undefined;
  if (found.index !== place.cursor + 1) throw badAnswer(`event ${place.cursor + 1} is missing before ${found.index}`);
  place.cursor = found.index;
  return found;
}

const badAnswer = (detail: string): AppError => new AppError("client.bad_answer", { detail: `events.stream: ${detail}` });

interface Checking<T> {
  safeParse(value: unknown): { readonly success: true; readonly data: T } | { readonly success: false };
}

/** @throws {client.bad_answer} */
function checked<T>(schema: Checking<T>, text: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw badAnswer("data that is no JSON");
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw badAnswer("data that does not fit the contract");
}

/**
 * Server-sent events as the HTML standard reads them; comments are dropped.
 * @throws {client.bad_answer} a frame of more than 64 Ki characters, or bytes that are no UTF-8
 */
export async function* framesOf(parts: AsyncIterable<Uint8Array>, onBytes: () => void = () => undefined): AsyncGenerator<Frame> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let lines: string[] = [];
  let size = 0;
  for await (const part of parts) {
    onBytes();
    try {
      text += decoder.decode(part, { stream: true });
    } catch {
      throw badAnswer("bytes that are no UTF-8");
    }
    // A carriage return at the end may be half of a line break.
    const ready = text.endsWith("\r") ? text.slice(0, -1) : text;
    const whole = ready.split(/\r\n|\n|\r/);
    const rest = whole.pop() ?? "";
    text = rest + text.slice(ready.length);
    for (const line of whole) {
      if (line === "") {
        const frame = frameOf(lines);
        lines = [];
        size = 0;
        if (frame !== undefined) yield frame;
      } else if (!line.startsWith(":")) {
        lines.push(line);
        size += line.length;
      }
      if (size > frameMaxChars) throw badAnswer("an event of more than 64 KiB");
    }
    if (size + text.length > frameMaxChars) throw badAnswer("an event of more than 64 KiB");
  }
}

function frameOf(lines: readonly string[]): Frame | undefined {
  let event = "message";
  const data: string[] = [];
  for (const line of lines) {
    const [, name, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (name === "event") event = value;
    else if (name === "data") data.push(value);
  }
  return data.length === 0 ? undefined : { event, data: data.join("\n") };
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end, { once: true });
  });
}

const exportPage = 500;

/**
 * The whole log as it is kept, for `verifyChain` or a file.
 * @throws {community.not_found} {auth.forbidden} {client.bad_answer}
 */
export async function* exportEvents(api: Pick<Api, "call">, community: string, after = 0): AsyncGenerator<EventRecord> {
  for (let cursor: number | undefined = after; cursor !== undefined;) {
    const page: { readonly events: readonly EventRecord[]; readonly next?: number | undefined } = await api.call("events.export", {
      params: { community },
      query: { after: cursor, limit: exportPage },
    });
    yield* page.events;
    if (page.next !== undefined && page.next <= cursor)
      throw new AppError("client.bad_answer", { detail: "events.export: the cursor does not go forwards" });
    cursor = page.next;
  }
}
