/**
 * The state of one room in this client: what the server says, what was verified, what is remembered, and whether sending is safe.
 *
 * Invariant: the verified record decides who is a member, under which policy and key; the server's answer only says that there may be something
 * new. An error of class `epoch.*` or `pin.*` stops sending until a new client was made: a person has to look first.
 */
import { AppError, isAppError, limits, type EndpointId, type Room, type RoomId, type RoomPolicy } from "@althing/contract";
import { decodeInvite, verifyInvite, type EpochKey, type Identity } from "@althing/crypto";
import type { Api } from "./api.ts";
import { createEpochBook, invitersOf, type EpochBook, type EpochChange, type VerifiedEpoch } from "./epoch-book.ts";
import { askUntilCurrent } from "./lagging-node.ts";
import type { Pins } from "./pins.ts";
import { createDirectory, type Directory } from "./room-directory.ts";
import { emptyRoomMemory, mergeRoomMemory, readRoomMemory, type RoomEntry, type RoomMemory } from "./room-memory.ts";
import type { Gap } from "./sequencer.ts";
import type { ClientState } from "./state.ts";
import { createCounter, type ClientWarning, type Counter } from "./warnings.ts";

export interface RoomCoreDeps {
  readonly api: Api;
  readonly identity: Identity;
  readonly pins: Pins;
  readonly state: ClientState;
  /** Milliseconds since 1970: dates epoch records, and judges their age. */
  readonly now: () => number;
  readonly warn: (warning: ClientWarning) => void;
  /** Older knowledge of a room is renewed before anything is sent, because a server may keep its notices back. */
  readonly roomFreshMs: number;
}

export interface RoomCore {
  readonly id: RoomId;
  readonly identity: Identity;
  readonly memory: RoomMemory;
  readonly book: EpochBook;
  readonly directory: Directory;
  readonly counter: Counter;
  /** The server's last answer; its epoch was verified. */
  readonly info: Room;
  readonly policy: RoomPolicy;
  /** Asks the server and verifies what is new. `least`: an epoch that must exist. */
  refresh(least?: number): Promise<Room>;
  /** Takes in an answer that came with a change of one's own. @throws {epoch.forged} it contradicts what was verified */
  take(room: Room): void;
  /** Something may have changed: the next send asks first. */
  invalidate(): void;
  /** Must a new epoch be made, or the room be read again, before a frame may leave? */
  readonly stale: boolean;
  readonly rekeyDue: boolean;
  /** Why sending stopped. */
  readonly stopped: AppError | undefined;
  countFrame(): void;
  sealKey(): Promise<EpochKey | null>;
  onEpoch(listener: (change: EpochChange) => void): () => void;
  append(entry: RoomEntry): void | Promise<void>;
  save(): Promise<void>;
  /** Stops sending, and says why; the first reason stays. */
  stop(error: AppError): AppError;
  /** Counts a dropped frame and says the first ones. */
  dropped(error: AppError): void;
  /** Says which senders' frames are missing. */
  missed(gaps: readonly Gap[]): void;
}

/** How far ahead a record's time may be: more than clocks of members differ whose signed requests one hub takes. */
const epochAheadMaxMs = 5 * 60 * 1_000;
/** An epoch's end folds them; where there are no epochs, or one is long, so many do. */
const foldAfterEntries = limits.epochMaxMessages;
/** What a person has to look at before anything more is sent. */
const stopping = /^(?:epoch\.(?:forged|forked|rolled_back)|pin\.)/;

export async function openRoomCore(deps: RoomCoreDeps, first: Room): Promise<RoomCore> {
  const name = `room/${first.id}`;
  const memory = readRoomMemory(first.id, await deps.state.load(name), await deps.state.entries(name));
  const counter = createCounter();
  const listeners = new Set<(change: EpochChange) => void>();
  let info = first;
  let stale = false;
  let stopped: AppError | undefined;
  let readAtMs = performance.now();
  let frames = 0;
  let refreshing: Promise<Room> | undefined;

  const countKnown = (epoch: number) => Object.values(memory.streams).reduce((sum, one) => sum + (one.epoch === epoch ? one.next : 0), 0);
  let appended = 0;
  const save = () => {
    appended = 0;
    return deps.state.update(name, (stored, entries) => {
      const merged = mergeRoomMemory(
        first.id,
        memory,
        stored === undefined ? emptyRoomMemory() : readRoomMemory(first.id, stored, entries),
      );
      Object.assign(memory, merged);
      return merged;
    });
  };

  const book = createEpochBook({
    api: deps.api,
    identity: deps.identity,
    pins: deps.pins,
    room: first.id,
    pinned: () => memory,
    onFirstSight: () => warnFirstSight(deps, first),
    async onAdvance(top, changes) {
      memory.epoch = top.record.epoch;
      memory.hash = top.hash;
      memory.inviters = invitersOf(top);
      memory.policy = top.record.policy;
      frames = countKnown(memory.epoch);
      await save();
      for (const change of changes) for (const listener of listeners) listener(change);
    },
  });

  const stop = (error: AppError): AppError => {
    if (stopped === undefined) {
      stopped = error;
      deps.warn(error);
    }
    return error;
  };
  const stopAt = (error: unknown): unknown => (isAppError(error) && stopping.test(error.code) ? stop(error) : error);
  const guard = async <T>(task: () => Promise<T>): Promise<T> => {
    try {
      return await task();
    } catch (error) {
      throw stopAt(error);
    }
  };

  const readCurrent = (known: number): Promise<Room> =>
    askUntilCurrent(
      deps.api,
      () => deps.api.call("rooms.get", { params: { room: first.id } }),
      ({ epoch }) => epoch < Math.max(known, memory.epoch),
    );

  async function read(least: number): Promise<Room> {
    const known = book.top?.record.epoch ?? 0;
    const room = await readCurrent(known);
    // A change of one's own overtook this answer: it is old, and no lie.
    if (room.epoch >= known && room.epoch < (book.top?.record.epoch ?? 0)) return read(least);
    await guard(async () => {
      checkIdentity(first, room, memory);
      if (room.policy.encrypt) checkRecord(room, await book.sync(room, least));
    });
    info = room;
    stale = false;
    // From the answer on, not from the question: a slow server would otherwise be asked again for ever.
    readAtMs = performance.now();
    return room;
  }

  const core: RoomCore = {
    id: first.id,
    identity: deps.identity,
    memory,
    book,
    directory: createDirectory(
      deps.api,
      deps.pins,
      first.id,
      () => book.top,
      () => core.refresh(),
      ({ handle }) =>
        void stop(
          new AppError("epoch.forged", {
            room: first.id,
            epoch: memory.epoch,
            detail: `the server lists ${handle}, whom the record does not name`,
          }),
        ),
    ),
    counter,
    get info() {
      return info;
    },
    get policy() {
      return book.top?.record.policy ?? info.policy;
    },
    async refresh(least = 0) {
      refreshing ??= read(least).finally(() => {
        refreshing = undefined;
      });
      const room = await refreshing;
      return room.epoch < least ? read(least) : room;
    },
    take(room) {
      const { top } = book;
      try {
        checkIdentity(first, room, memory);
        if (top !== undefined) checkRecord(room, top);
      } catch (error) {
        throw stopAt(error);
      }
      info = room;
      stale = top !== undefined && room.epoch !== top.record.epoch;
      readAtMs = performance.now();
    },
    invalidate() {
      stale = true;
    },
    get stale() {
      return stale || performance.now() - readAtMs > deps.roomFreshMs;
    },
    get rekeyDue() {
      const { top } = book;
      if (top === undefined) return false;
      const due = info.rekeyNeeded || frames >= limits.epochMaxMessages || isAged(top, deps.now());
      return due || info.gone.some((endpoint) => top.members.has(endpoint));
    },
    get stopped() {
      return stopped;
    },
    countFrame() {
      frames += 1;
    },
    sealKey: async () => (book.top === undefined ? null : guard(() => book.key(memory.epoch))),
    onEpoch(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    append(entry) {
      const isNoted = deps.state.append(name, entry);
      appended += 1;
      // A failure costs nothing: the entries stay, and the next fold takes them in.
      if (appended >= foldAfterEntries) void save().catch(() => undefined);
      return isNoted;
    },
    save,
    stop,
    dropped(error) {
      if (stopping.test(error.code)) stop(error);
      else if (counter.count(error.code)) deps.warn(error);
    },
    missed(gaps) {
      for (const gap of gaps) {
        const sender = gap.key.slice(0, gap.key.indexOf("/")) as EndpointId;
        core.dropped(new AppError("frame.gap", { count: gap.count, sender: book.top?.members.get(sender)?.handle ?? sender }));
      }
    },
  };
  await guard(async () => {
    if (first.epoch < memory.epoch && deps.api.isSeveral === true) info = await readCurrent(0);
    checkIdentity(first, info, memory);
    await deps.pins.pinRoom(first.name, first.id);
    if (first.policy.encrypt) checkRecord(info, await book.sync(info));
    else if (!(await checkPlain(deps, first, memory))) warnFirstSight(deps, first);
  });
  if (memory.policy === undefined) {
    memory.policy = first.policy;
    await save();
  }
  return core;
}

/** What a room once was it stays: in particular it never turns into one that is not encrypted. */
function checkIdentity(first: Room, room: Room, memory: RoomMemory): void {
  if (room.id !== first.id || room.name !== first.name)
    throw new AppError("client.bad_answer", { detail: "another room than the one asked for" });
  const { publish, subscribe } = first.subjects;
  if (room.subjects.publish !== publish || room.subjects.subscribe !== subscribe)
    throw new AppError("client.bad_answer", { detail: "the room's subjects changed" });
  const before = memory.policy;
  if (before === undefined) return;
  const same =
    before.encrypt === room.policy.encrypt &&
    before.persist === room.policy.persist &&
    before.sign === room.policy.sign &&
    before.history === room.policy.history;
  if (!same) throw new AppError("epoch.forged", { room: first.id, epoch: room.epoch, detail: "the room's policy changed" });
}

/** What the server says beside the record may not contradict it: name, policy, hash, and how many are in. */
function checkRecord(room: Room, top: VerifiedEpoch): void {
  const { policy, name, epoch } = top.record;
  const forged = (detail: string) => new AppError("epoch.forged", { room: room.id, epoch: room.epoch, detail });
  const same =
    policy.encrypt === room.policy.encrypt &&
    policy.persist === room.policy.persist &&
    policy.sign === room.policy.sign &&
    policy.history === room.policy.history &&
    name === room.name;
  if (!same) throw forged("the server gives it another name or policy");
  if (room.epoch !== epoch) return;
  if (room.epochHash !== undefined && room.epochHash !== top.hash) throw new AppError("epoch.forked", { room: room.id, epoch });
  if (room.members + goneOf(room, top).size !== top.members.size) throw forged("the server counts other members than the record names");
}

/**
 * A room without encryption has no epochs, and nobody was invited to one: an invitation carries the hash of the record, signed by a member.
 * So whoever did not found the room has an invitation that says it is plain; a server that keeps the invitation back wants plaintext.
 * @returns does anybody known from before say so?
 */
async function checkPlain(deps: RoomCoreDeps, room: Room, memory: RoomMemory): Promise<boolean> {
  const forged = (detail: string) =>
    new AppError("epoch.forged", { room: room.id, epoch: room.epoch, detail: `the server says that it is not encrypted, ${detail}` });
  const invite = room.invite === undefined ? undefined : decodeInvite(room.invite);
  if (room.epoch > 0 || room.epochHash !== undefined || (invite !== undefined && invite.recordHash !== null))
    throw forged("and it has a record");
  if (memory.policy !== undefined) return true;
  const { endpoint } = deps.identity;
  if (invite === undefined) {
    if (room.createdBy !== endpoint) throw forged("and shows no invitation that says so");
    return false;
  }
  const fits = invite.room === room.id && invite.name === room.name && invite.invitee === endpoint;
  if (!fits || !(await verifyInvite(invite))) throw forged("and shows an invitation that is not valid");
  return deps.pins.knows(invite.inviter);
}

function warnFirstSight(deps: RoomCoreDeps, room: Room): void {
  deps.warn({
    code: "first-sight",
    room: room.id,
    message: `${room.name} is seen for the first time here, and nobody known from before vouches for it: compare a safety number with another member.`,
  });
}

/**
 * Must the key be renewed for its age? A record's time is its maker's word: one from further ahead than clocks differ says nothing about the age, and
 * would put renewal off for as long as the maker likes. So such a key is renewed at once. It is not refused: then one member could end the room for all.
 */
function isAged({ atMs }: VerifiedEpoch, nowMs: number): boolean {
  return nowMs - atMs > limits.epochMaxAgeSeconds * 1_000 || atMs - nowMs > epochAheadMaxMs;
}

/** Endpoints that the server says are gone, and that the record still names. */
export function goneOf(room: Room, top: VerifiedEpoch): ReadonlySet<EndpointId> {
  return new Set(room.gone.filter((endpoint) => top.members.has(endpoint)));
}
