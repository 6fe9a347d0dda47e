/**
 * The frame of every change of a room's membership.
 *
 * Invariant: one change at a time in a room, in one batch with compare-and-set on the room's row, on the caller's own row, and on the epoch by
 * the record; then index, access list, notices, in this order. Of two proposals on the same epoch one is written, the other sees the
 * new epoch when it is decided again and is told `room.epoch_conflict`.
 */
import { AppError, type EndpointId, type Notice, type RoomId } from "@althing/contract";
import type { Write } from "@althing/store";
import type { AccessChange } from "../access-index.ts";
import type { Caller } from "../caller.ts";
import type { RoomRow } from "../collections.ts";
import { isoTime } from "../environment.ts";
import { retryConflicts } from "@althing/store";
import { freshCaller } from "../users.ts";
import { epochWrites, type CheckedEpoch } from "./epoch-rows.ts";
import { memberKey, roomIdOf, standingIn, userRoomKey, type RoomsDeps, type Standing } from "./room-deps.ts";

export interface ChangeOptions {
  /** Revision from `If-Match`. */
  readonly ifMatch?: number;
}

/** What a change wants written and told. */
export interface Decided {
  /** The room's row afterwards; absent when the writes end the room. */
  readonly room?: RoomRow;
  readonly epoch?: CheckedEpoch | undefined;
  readonly writes: readonly Write[];
  readonly access: readonly AccessChange[];
  readonly notices: readonly { readonly to: readonly EndpointId[]; readonly notice: Notice }[];
}

/** The room's row after an accepted record: whoever was gone is out of the record too. */
export function withEpoch(room: RoomRow, epoch: CheckedEpoch | undefined, at: string): RoomRow {
  return epoch ? { ...room, epoch: epoch.epoch, epochHash: epoch.hash, epochAt: at, gone: [] } : room;
}

/** Writes and room row of somebody's going; the next record must leave it out too unless this change brought one. */
export function departure(
  deps: RoomsDeps,
  room: RoomRow,
  endpoint: EndpointId,
): { room: RoomRow; writes: Write[]; access: AccessChange[] } {
  const { collections } = deps;
  const gone = room.policy.encrypt && !room.gone.includes(endpoint) ? [...room.gone, endpoint] : room.gone;
  return {
    room: { ...room, members: Math.max(0, room.members - 1), gone },
    writes: [collections.members.toDelete(memberKey(room.id, endpoint)), collections.userRooms.toDelete(userRoomKey(endpoint, room.id))],
    access: [{ type: "member", room: room.id, endpoint, in: false }],
  };
}

/** Runs `decide` on fresh rows under the room's lock and writes what it says. @returns the batch's revision */
export async function writeRoom(deps: RoomsDeps, room: RoomId, decide: () => Promise<Decided | undefined>): Promise<number> {
  const { collections, store, index, clock, notices, locks } = deps;
  return locks.run(`room/${room}`, () =>
    retryConflicts("the room", async () => {
      const decided = await decide();
      if (!decided) return 0;
      const at = isoTime(clock.now());
      const epoch = decided.epoch ? epochWrites(collections, room, decided.epoch, at) : [];
      const revision = await store.batch([...decided.writes, ...epoch]);
      index.apply(revision, decided.access);
      for (const { to, notice } of decided.notices) notices.send(to, notice);
      return revision;
    }),
  );
}

/**
 * A change asked for by a member.
 * @returns the caller's standing afterwards; undefined when it is no longer in the room
 * @throws {room.not_found} {request.precondition_failed} {auth.revoked} and what `decide` throws
 */
export async function changeRoom(
  deps: RoomsDeps,
  caller: Caller,
  ref: string,
  options: ChangeOptions,
  decide: (standing: Standing) => Promise<Decided>,
): Promise<Standing | undefined> {
  const { collections, acl } = deps;
  const id = await roomIdOf(collections, ref);
  if (!id) throw new AppError("room.not_found", { room: ref });
  await writeRoom(deps, id, async () => {
    const standing = await standingIn(collections, caller, id);
    if (options.ifMatch !== undefined && options.ifMatch !== standing.room.revision) {
      throw new AppError("request.precondition_failed", { expected: options.ifMatch, observed: standing.room.revision });
    }
    const decided = await decide(standing);
    const { check } = await freshCaller(collections, caller);
    const row = decided.room ? [collections.rooms.toPut([id], decided.room, standing.room.revision)] : [];
    return { ...decided, writes: [check, ...row, ...decided.writes] };
  });
  await acl.settle();
  const [room, member] = await Promise.all([collections.rooms.get([id]), collections.members.get(memberKey(id, caller.endpoint))]);
  return room && member ? { room, member } : undefined;
}
