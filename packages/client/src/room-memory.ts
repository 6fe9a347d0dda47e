/**
 * What a client remembers of one room, and how two memories of it become one.
 *
 * Invariant: every field only grows, so `merge` is commutative, associative and idempotent: entries may be applied twice, late, or by another
 * process. The one thing that cannot be merged is two different records for one epoch: that is a fork, and is said.
 */
import { AppError, roomPolicySchema, type RoomId, type RoomPolicy } from "@althing/contract";

export interface StreamMemory {
  readonly epoch: number;
  /** The counter expected next. */
  readonly next: number;
}

export interface RoomMemory {
  readonly version: 1;
  policy: RoomPolicy | undefined;
  /** Highest verified epoch and its record's hash; 0 and null before the first, and in rooms that are not encrypted. */
  epoch: number;
  hash: string | null;
  /** Endpoints that may invite by that record: nobody else can vouch for the room when this identity comes back to it. */
  inviters?: readonly string[] | undefined;
  /** Everything up to this sequence was delivered or dropped for good. `undefined`: nothing was ever subscribed. */
  cursor: number | undefined;
  /** Highest sequence ever handled; below it a frame that comes again is a repetition by catching up, not an attack. */
  high: number;
  /** Streams of later epochs must begin at counter 0; those of this epoch and before may have begun unseen. */
  baselineEpoch: number;
  /** Highest epoch of a delivered frame. */
  receiveEpoch: number;
  streams: Record<string, StreamMemory>;
}

/** Counters are kept for this many epochs below the highest delivered one; frames of older epochs are replays. */
export const epochWindow = 2;

/** What is appended after each delivered frame. */
export interface RoomEntry {
  readonly c?: number;
  readonly h?: number;
  readonly k?: string;
  readonly e?: number;
  readonly n?: number;
}

export function emptyRoomMemory(): RoomMemory {
  return {
    version: 1,
    policy: undefined,
    epoch: 0,
    hash: null,
    cursor: undefined,
    high: 0,
    baselineEpoch: 0,
    receiveEpoch: 0,
    streams: {},
  };
}

/** @throws {state.corrupt} the stored value is not what `RoomMemory` writes */
export function readRoomMemory(room: RoomId, stored: unknown, entries: readonly unknown[]): RoomMemory {
  const memory = stored === undefined ? emptyRoomMemory() : parseRoomMemory(room, stored);
  for (const entry of entries) applyEntry(room, memory, entry);
  prune(memory);
  return memory;
}

function applyEntry(room: RoomId, memory: RoomMemory, entry: unknown): void {
  if (typeof entry !== "object" || entry === null) throw corrupt(room, "an entry is no object");
  const { c, h, k, e, n } = entry as RoomEntry;
  for (const value of [c, h, e, n]) if (value !== undefined && !isCount(value)) throw corrupt(room, "an entry has a wrong number");
  if (c !== undefined) memory.cursor = Math.max(memory.cursor ?? 0, c);
  if (h !== undefined) memory.high = Math.max(memory.high, h);
  if (k === undefined || e === undefined || n === undefined) return;
  memory.receiveEpoch = Math.max(memory.receiveEpoch, e);
  raise(memory, String(k), { epoch: e, next: n });
}

/** @throws {epoch.forked} both know the same epoch with different records */
export function mergeRoomMemory(room: RoomId, a: RoomMemory, b: RoomMemory): RoomMemory {
  if (a.epoch === b.epoch && a.hash !== b.hash && a.hash !== null && b.hash !== null)
    throw new AppError("epoch.forked", { room, epoch: a.epoch });
  const higher = a.epoch > b.epoch || (a.epoch === b.epoch && a.hash !== null) ? a : b;
  const merged: RoomMemory = {
    version: 1,
    policy: a.policy ?? b.policy,
    epoch: higher.epoch,
    hash: higher.hash,
    ...(higher.inviters === undefined ? {} : { inviters: higher.inviters }),
    cursor: a.cursor === undefined ? b.cursor : Math.max(a.cursor, b.cursor ?? 0),
    high: Math.max(a.high, b.high),
    baselineEpoch: Math.max(a.baselineEpoch, b.baselineEpoch),
    receiveEpoch: Math.max(a.receiveEpoch, b.receiveEpoch),
    streams: { ...a.streams },
  };
  for (const [key, stream] of Object.entries(b.streams)) raise(merged, key, stream);
  prune(merged);
  return merged;
}

function raise(memory: RoomMemory, key: string, stream: StreamMemory): void {
  const known = memory.streams[key];
  if (known === undefined || known.next < stream.next) memory.streams[key] = stream;
}

/** Forgets streams whose epoch is so old that any frame of it is dropped. */
export function prune(memory: RoomMemory): void {
  for (const [key, stream] of Object.entries(memory.streams)) {
    if (stream.epoch < memory.receiveEpoch - epochWindow) delete memory.streams[key];
  }
}

function parseRoomMemory(room: RoomId, stored: unknown): RoomMemory {
  if (typeof stored !== "object" || stored === null) throw corrupt(room, "it is no object");
  const value = stored as Partial<Record<keyof RoomMemory, unknown>>;
  if (value.version !== 1) throw corrupt(room, `version ${String(value.version)} is unknown`);
  const { epoch, hash, cursor, high, baselineEpoch, receiveEpoch, streams } = value;
  const numbers = [epoch, high, baselineEpoch, receiveEpoch, ...(cursor === undefined ? [] : [cursor])];
  if (!numbers.every(isCount) || !(hash === null || typeof hash === "string")) throw corrupt(room, "a field has a wrong type");
  const { inviters } = value;
  const areNames = inviters === undefined || (Array.isArray(inviters) && inviters.every((one) => typeof one === "string"));
  if (!areNames) throw corrupt(room, "the inviters have a wrong form");
  if (typeof streams !== "object" || streams === null) throw corrupt(room, "the streams are missing");
  const wellFormed = Object.values(streams).every(
    (s: unknown) => typeof s === "object" && s !== null && "epoch" in s && "next" in s && isCount(s.epoch) && isCount(s.next),
  );
  if (!wellFormed) throw corrupt(room, "a stream has a wrong form");
  const policy = value.policy === undefined ? undefined : roomPolicySchema.safeParse(value.policy);
  if (policy?.success === false) throw corrupt(room, "the policy has a wrong form");
  return { ...(value as RoomMemory), policy: policy?.data, streams: { ...(streams as Record<string, StreamMemory>) } };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function corrupt(room: RoomId, detail: string): AppError {
  return new AppError("state.corrupt", { path: `room/${room}`, detail });
}
