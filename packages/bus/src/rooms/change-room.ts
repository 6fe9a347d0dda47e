/**
 * The frame of every change of a room's membership.
 *
 * Invariant: one change at a time in a room, in one batch with compare-and-set on the room's row, on the caller's own row, and on the epoch by
 * the record; then index, access list, notices, in this order. Of two proposals on the same epoch one is written, the other sees the
 * new epoch when it is decided again and is told `room.epoch_conflict`.
 */
import { AppError, type CommunityId, type EndpointId, type Notice, type RoomId } from "@althing/contract";
import type { Write } from "@althing/store";
import type { AccessChange } from "../access-index.ts";
import type { Caller } from "../caller.ts";
import type { RoomRow } from "../collections.ts";
import { isoTime } from "../environment.ts";
import { retryConflicts } from "@althing/store";
import { freshCaller } from "../users.ts";
import { epochWrites, type CheckedEpoch } from "./epoch-rows.ts";
import type { RoomTold } from "./community-rooms.ts";
import { memberKey, roomIdOf, standingIn, standingOf, userRoomKey, type RoomsDeps, type Standing } from "./room-deps.ts";

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
  /** What the community's log tells of it; written only where the change was begun with the community. */
  readonly told?: RoomTold | undefined;
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

/**
 * Runs `decide` on fresh rows under the room's lock and writes what it says.
 * @param community of the room, for a change that its log may have to tell
 */
export async function writeRoom(
  deps: RoomsDeps,
  room: RoomId,
  decide: () => Promise<Decided | undefined>,
  community?: CommunityId,
): Promise<void> {
  const { collections, store, index, clock, notices, locks, communities } = deps;
  const writesOf = (decided: Decided) => {
    const epoch = decided.epoch ? epochWrites(collections, room, decided.epoch, isoTime(clock.now())) : [];
    return [...decided.writes, ...epoch];
  };
  await locks.run(`room/${room}`, async () => {
    let done: Decided | undefined;
    let revision = 0;
    if (community === undefined) {
      await retryConflicts("the room", async () => {
        done = await decide();
        if (done) revision = await store.batch(writesOf(done));
      });
    } else {
      await communities.act(community, async () => {
        done = await decide();
        return { writes: done ? writesOf(done) : [], told: done?.told };
      });
      revision = await revisionOf(deps, room);
    }
    if (!done) return;
    index.apply(revision, done.access);
    for (const { to, notice } of done.notices) notices.send(to, notice);
  });
}

/** Of the batch that changed or ended the room: the one record of it that every such batch writes. */
export async function revisionOf({ collections }: RoomsDeps, room: RoomId): Promise<number> {
  const record = (await collections.rooms.get([room])) ?? (await collections.roomGraves.get([room]));
  return record?.revision ?? 0;
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
  community?: CommunityId,
): Promise<Standing | undefined> {
  const { collections, acl } = deps;
  const id = await roomIdOf(collections, ref);
  if (!id) throw new AppError("room.not_found", { room: ref });
  const decideAsked = async () => {
    const standing = await standingIn(deps, caller, id);
    if (options.ifMatch !== undefined && options.ifMatch !== standing.room.revision) {
      throw new AppError("request.precondition_failed", { expected: options.ifMatch, observed: standing.room.revision });
    }
    const decided = await decide(standing);
    const { check } = await freshCaller(collections, caller);
    const row = decided.room ? [collections.rooms.toPut([id], decided.room, standing.room.revision)] : [];
    return { ...decided, writes: [check, ...standing.holds, ...row, ...decided.writes] };
  };
  await writeRoom(deps, id, decideAsked, community);
  await acl.settle();
  return standingOf(deps, id, caller.endpoint);
}
