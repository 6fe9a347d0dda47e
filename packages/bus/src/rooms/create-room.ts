/**
 * Founding a room.
 *
 * Invariant: id and name are taken, the founder made owner, and the first epoch written in one batch or not at all. The client chooses the id
 * (the first record signs it); an id that ever was a room is refused for ever, because its opaque subject would be the same.
 */
import { AppError, hasCode } from "@althing/contract";
import { requireInstance, type Caller } from "../caller.ts";
import type { MemberRow, RoomRow } from "../collections.ts";
import { isoTime } from "../environment.ts";
import { countUpTo } from "../paging.ts";
import { retryConflicts } from "@althing/store";
import type { Input, Output } from "../route-input.ts";
import { freshCaller } from "../users.ts";
import { checkEpoch } from "./check-epoch.ts";
import { epochWrites } from "./epoch-rows.ts";
import { memberKey, roomView, userRoomKey, type RoomsDeps } from "./room-deps.ts";

/** Rooms the person has joined; invitations are counted by `invite`. */
export async function countJoined(deps: RoomsDeps, caller: Pick<Caller, "endpoint">): Promise<{ joined: number; all: number }> {
  let joined = 0;
  const all = await countUpTo(deps.collections.userRooms, [caller.endpoint], Number.POSITIVE_INFINITY, (record) => {
    if (record.value.joined) joined++;
    return true;
  });
  return { joined, all };
}

async function refuseTaken(deps: RoomsDeps, input: Input<"rooms.create">): Promise<void> {
  const { collections } = deps;
  if (await collections.roomNames.get([input.name])) throw new AppError("room.name_taken", { name: input.name });
  const known = (await collections.rooms.get([input.id])) ?? (await collections.roomGraves.get([input.id]));
  if (known) throw new AppError("request.conflict", { detail: "this room id was used before" });
}

/** @throws {auth.forbidden} {room.must_encrypt} {room.too_many} {room.name_taken} {room.epoch_required} {room.epoch_invalid} {room.no_keys} */
export async function createRoom(deps: RoomsDeps, caller: Caller, input: Input<"rooms.create">): Promise<Output<"rooms.create">> {
  const { collections, store, index, acl, clock, limits, locks } = deps;
  requireInstance(caller, "rooms.create");
  if (deps.config.exposed && !input.policy.encrypt) throw new AppError("room.must_encrypt");
  const { id } = input;
  await locks.run(`joins/${caller.endpoint}`, () =>
    retryConflicts("the room", async () => {
      await refuseTaken(deps, input);
      if ((await countJoined(deps, caller)).joined >= limits.roomsPerUserMax)
        throw new AppError("room.too_many", { limit: limits.roomsPerUserMax });
      const { user, check } = await freshCaller(collections, caller);
      const at = isoTime(clock.now());
      const blank: RoomRow = {
        id,
        name: input.name,
        policy: input.policy,
        suite: input.suite,
        createdBy: caller.endpoint,
        createdAt: at,
        epoch: 0,
        gone: [],
        members: 1,
      };
      const epoch = await checkEpoch(collections, caller, blank, input.epoch, {
        reasons: ["create"],
        put: { endpoint: caller.endpoint, role: "owner" },
      });
      const room: RoomRow = epoch ? { ...blank, epoch: epoch.epoch, epochHash: epoch.hash, epochAt: at } : blank;
      const owner: MemberRow = {
        role: "owner",
        joined: true,
        since: at,
        handle: user.handle,
        signPub: user.signPub,
        fromEpoch: room.epoch,
        afterSeq: 0,
      };
      const writes = [
        check,
        collections.rooms.toPut([id], room, 0),
        collections.roomNames.toPut([input.name], { room: id }, 0),
        collections.roomGraves.toCheck([id], 0),
        collections.members.toPut(memberKey(id, caller.endpoint), owner, 0),
        collections.userRooms.toPut(userRoomKey(caller.endpoint, id), { joined: true }, 0),
        ...(epoch ? epochWrites(collections, id, epoch, at) : []),
      ];
      try {
        const revision = await store.batch(writes);
        index.apply(revision, [
          { type: "room", room: id, persisted: input.policy.persist },
          { type: "member", room: id, endpoint: caller.endpoint, in: true },
        ]);
      } catch (error) {
        if (hasCode(error, "store.conflict")) await refuseTaken(deps, input);
        throw error;
      }
    }),
  );
  await acl.settle();
  const [room, member] = await Promise.all([collections.rooms.get([id]), collections.members.get(memberKey(id, caller.endpoint))]);
  if (!room || !member) throw new AppError("room.not_found", { room: input.name });
  return roomView(deps, { room, member });
}
