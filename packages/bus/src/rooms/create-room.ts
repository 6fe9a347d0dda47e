/**
 * Founding a room.
 *
 * Invariant: id and name are taken, the founder made owner, and the first epoch written in one batch or not at all. The client chooses the id
 * (the first record signs it); an id that ever was a room is refused for ever, because its opaque subject would be the same. In a community the
 * event that tells of it is in the same batch.
 */
import { AppError, type CommunityId } from "@althing/contract";
import { requireInstance, type Caller } from "../caller.ts";
import type { MemberRow, RoomRow } from "../collections.ts";
import { isoTime } from "../environment.ts";
import { countUpTo } from "../paging.ts";
import { retryConflicts, type Write } from "@althing/store";
import type { Input, Output } from "../route-input.ts";
import { freshCaller } from "../users.ts";
import { revisionOf } from "./change-room.ts";
import { checkEpoch } from "./check-epoch.ts";
import { epochWrites } from "./epoch-rows.ts";
import { belongsTo, memberKey, roomView, standingOf, userRoomKey, type RoomsDeps } from "./room-deps.ts";

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

/** Everything that founds the room, on fresh rows. @throws {room.too_many} {room.name_taken} {room.epoch_required} {room.epoch_invalid} {room.no_keys} */
async function founding(
  deps: RoomsDeps,
  caller: Caller,
  input: Input<"rooms.create">,
  community: CommunityId | undefined,
): Promise<readonly Write[]> {
  const { collections, clock, limits } = deps;
  const { id } = input;
  await refuseTaken(deps, input);
  if ((await countJoined(deps, caller)).joined >= limits.roomsPerUserMax)
    throw new AppError("room.too_many", { limit: limits.roomsPerUserMax });
  const { user, check } = await freshCaller(collections, caller);
  const at = isoTime(clock.now());
  const blank: RoomRow = {
    ...{ id, name: input.name, policy: input.policy, suite: input.suite, createdBy: caller.endpoint, createdAt: at },
    ...{ epoch: 0, gone: [], members: 1 },
    ...(community === undefined ? {} : { community }),
  };
  const holds = await belongsTo(deps, blank, caller.endpoint);
  if (!holds) throw new AppError("room.not_in_community", { handle: caller.handle });
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
  return [
    check,
    ...holds,
    collections.rooms.toPut([id], room, 0),
    collections.roomNames.toPut([input.name], { room: id }, 0),
    collections.roomGraves.toCheck([id], 0),
    collections.members.toPut(memberKey(id, caller.endpoint), owner, 0),
    collections.userRooms.toPut(userRoomKey(caller.endpoint, id), { joined: true }, 0),
    ...(community === undefined ? [] : [collections.communityRooms.toPut([community, id], {}, 0)]),
    ...(epoch ? epochWrites(collections, id, epoch, at) : []),
  ];
}

/** The community in which the room is to be founded, if the caller may and its filters do not object. */
async function communityFor(deps: RoomsDeps, caller: Caller, input: Input<"rooms.create">): Promise<CommunityId | undefined> {
  if (input.community === undefined) return undefined;
  const community = await deps.communities.mayCreate(caller, input.community);
  const { encrypt, persist } = input.policy;
  await deps.communities.beforeCreate(caller, community, { name: input.name, encrypt, persist });
  return community;
}

/**
 * @throws {auth.forbidden} {room.must_encrypt} {room.too_many} {room.name_taken} {room.epoch_required} {room.epoch_invalid} {room.no_keys}
 * @throws {community.not_found} {filter.refused} {filter.failed} {room.filter_differs} {room.not_in_community}
 */
export async function createRoom(deps: RoomsDeps, caller: Caller, input: Input<"rooms.create">): Promise<Output<"rooms.create">> {
  const { store, index, acl, locks, communities } = deps;
  requireInstance(caller, "rooms.create");
  if (deps.config.exposed && !input.policy.encrypt) throw new AppError("room.must_encrypt");
  const { id } = input;
  const community = await communityFor(deps, caller, input);
  await locks.run(`joins/${caller.endpoint}`, async () => {
    if (community === undefined)
      await retryConflicts("the room", async () => void (await store.batch(await founding(deps, caller, input, undefined))));
    else {
      await communities.act(community, async () => {
        await communities.mayCreate(caller, community);
        const writes = await founding(deps, caller, input, community);
        return { writes, told: { topic: "room.created", room: id, by: caller.endpoint } };
      });
    }
    index.apply(await revisionOf(deps, id), [
      { type: "room", room: id, persisted: input.policy.persist, community },
      { type: "member", room: id, endpoint: caller.endpoint, in: true },
    ]);
    if (community !== undefined) await deps.learn(community, caller.endpoint);
  });
  await acl.settle();
  const standing = await standingOf(deps, id, caller.endpoint);
  if (!standing) throw new AppError("room.not_found", { room: input.name });
  return roomView(deps, standing);
}
