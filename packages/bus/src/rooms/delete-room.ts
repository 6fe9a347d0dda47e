/**
 * Deleting a room with all that belongs to it: by an owner, or because nobody is left in it.
 *
 * Invariant: one batch takes the room and its name away, digs its grave and leaves the chore; from then on nobody can do anything with it. The
 * chore first has the access list reloaded and purges the subject only then, so that no message can come after the purge; every step may
 * be repeated, so a kill anywhere is mended at the next start.
 */
import { AppError, hasCode, type CommunityId, type EndpointId, type RoomId } from "@althing/contract";
import type { Collection, Key, Rec, Write } from "@althing/store";
import type { AccessChange } from "../access-index.ts";
import type { Blobs } from "../blobs.ts";
import { requireInstance, type Caller } from "../caller.ts";
import type { Chore, RoomRow } from "../collections.ts";
import { isoTime } from "../environment.ts";
import { everyRecord } from "../paging.ts";
import type { Input } from "../route-input.ts";
import { freshCaller } from "../users.ts";
import { writeRoom } from "./change-room.ts";
import { requireJoined, roomIdOf, standingIn, userRoomKey, type RoomsDeps } from "./room-deps.ts";

const batchWritesMax = 900;

/** What the batch that ends a room writes, and the chore to be run after it. */
export function ending(deps: RoomsDeps, room: Rec<RoomRow>): { writes: Write[]; access: AccessChange[]; chore: Chore } {
  const { collections, chores, clock } = deps;
  const { id, name, policy, community } = room.value;
  const chore = { kind: "clear-room", room: id, persisted: policy.persist } as const;
  const writes = [
    collections.rooms.toDelete([id], room.revision),
    collections.roomNames.toDelete([name]),
    collections.roomGraves.toPut([id], { at: isoTime(clock.now()) }),
    chores.toPut(chore),
    ...(community === undefined ? [] : [collections.communityRooms.toDelete([community, id])]),
  ];
  return { writes, access: [{ type: "room-gone", room: id }], chore };
}

/** May the caller run the rooms of this community? Who does not see the community may not. */
async function manages(deps: RoomsDeps, caller: Caller, community: CommunityId): Promise<boolean> {
  try {
    return (await deps.communities.standing(caller, community)).manages;
  } catch (error) {
    if (hasCode(error, "community.not_found")) return false;
    throw error;
  }
}

/** By an owner of the room, or by whoever runs its community's rooms. @throws {room.not_found} {auth.forbidden} {room.ownerless} */
async function mayDelete(deps: RoomsDeps, caller: Caller, id: RoomId): Promise<Rec<RoomRow>> {
  requireInstance(caller, "rooms.use");
  const room = await deps.collections.rooms.get([id]);
  if (room?.value.community !== undefined && (await manages(deps, caller, room.value.community))) return room;
  const standing = await standingIn(deps, caller, id);
  await requireJoined(deps, standing, "room.delete");
  return standing.room;
}

/** @throws {room.not_found} {auth.forbidden} {room.ownerless} */
export async function deleteRoom(deps: RoomsDeps, caller: Caller, input: Input<"rooms.delete">): Promise<void> {
  const { collections, index, chores } = deps;
  const id = await roomIdOf(collections, input.room);
  const room = id && (await collections.rooms.get([id]));
  if (!id || !room) throw new AppError("room.not_found", { room: input.room });
  let chore: Chore | undefined;
  const decide = async () => {
    const found = await mayDelete(deps, caller, id);
    const { check } = await freshCaller(collections, caller);
    const end = ending(deps, found);
    chore = end.chore;
    return {
      writes: [check, ...end.writes],
      told: { topic: "room.deleted", room: id, by: caller.endpoint },
      access: end.access,
      notices: [{ to: index.membersOf(id), notice: { type: "room.deleted", room: id } }],
    } as const;
  };
  await writeRoom(deps, id, decide, room.value.community);
  if (chore) await chores.runSoon(chore);
}

async function removeAll<T>(
  deps: RoomsDeps,
  collection: Collection<T>,
  prefix: readonly string[],
  also: (key: Key) => readonly Write[] = () => [],
): Promise<void> {
  let writes: Write[] = [];
  for await (const record of everyRecord(collection, prefix)) {
    writes.push(collection.toDelete(record.key), ...also(record.key));
    if (writes.length < batchWritesMax) continue;
    await deps.store.batch(writes);
    writes = [];
  }
  if (writes.length > 0) await deps.store.batch(writes);
}

/** What `deleteRoom` promised. Repeatable. @throws {nats.unavailable} */
export async function clearRoom(deps: RoomsDeps, blobs: Blobs, room: RoomId, persisted: boolean): Promise<void> {
  const { collections, acl, stream, usage, subjectsOf } = deps;
  const revision = await acl.request();
  // A server of another node may still admit messages to the room.
  await deps.peers?.haveInForce(revision);
  if (persisted) await stream.purge(subjectsOf(room).input);
  usage.forget(room);
  await removeAll(deps, collections.usage, [room]);
  await removeAll(deps, collections.joinRequests, [room]);
  await removeAll(deps, collections.epochParts, [room]);
  await removeAll(deps, collections.epochs, [room]);
  await removeAll(deps, collections.members, [room], (key) => [collections.userRooms.toDelete(userRoomKey(key[1] as EndpointId, room))]);
  await blobs.forgetRoom(room);
}
