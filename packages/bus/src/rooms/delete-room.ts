/**
 * Deleting a room with all that belongs to it: by an owner, or because nobody is left in it.
 *
 * Invariant: one batch takes the room and its name away, digs its grave and leaves the chore; from then on nobody can do anything with it. The
 * chore first has the access list reloaded and purges the subject only then, so that no message can come after the purge; every step may
 * be repeated, so a kill anywhere is mended at the next start.
 */
import type { EndpointId, RoomId } from "@althing/contract";
import { AppError } from "@althing/contract";
import type { Collection, Key, Rec, Write } from "@althing/store";
import type { AccessChange } from "../access-index.ts";
import type { Blobs } from "../blobs.ts";
import type { Caller } from "../caller.ts";
import type { Chore, RoomRow } from "../collections.ts";
import { isoTime } from "../environment.ts";
import { everyRecord } from "../paging.ts";
import { retryConflicts } from "@althing/store";
import type { Input } from "../route-input.ts";
import { freshCaller } from "../users.ts";
import { requireJoined, roomIdOf, standingIn, userRoomKey, type RoomsDeps } from "./room-deps.ts";

const batchWritesMax = 900;

/** What the batch that ends a room writes, and the chore to be run after it. */
export function ending(deps: RoomsDeps, room: Rec<RoomRow>): { writes: Write[]; access: AccessChange[]; chore: Chore } {
  const { collections, chores, clock } = deps;
  const { id, name, policy } = room.value;
  const chore = { kind: "clear-room", room: id, persisted: policy.persist } as const;
  const writes = [
    collections.rooms.toDelete([id], room.revision),
    collections.roomNames.toDelete([name]),
    collections.roomGraves.toPut([id], { at: isoTime(clock.now()) }),
    chores.toPut(chore),
  ];
  return { writes, access: [{ type: "room-gone", room: id }], chore };
}

/** @throws {room.not_found} {auth.forbidden} {room.ownerless} */
export async function deleteRoom(deps: RoomsDeps, caller: Caller, input: Input<"rooms.delete">): Promise<void> {
  const { collections, store, index, chores, locks, notices } = deps;
  const id = await roomIdOf(collections, input.room);
  if (!id) throw new AppError("room.not_found", { room: input.room });
  const chore = await locks.run(`room/${id}`, () =>
    retryConflicts("the room", async () => {
      const standing = await standingIn(collections, caller, id);
      await requireJoined(deps, standing, "room.delete");
      const { check } = await freshCaller(collections, caller);
      const end = ending(deps, standing.room);
      const members = index.membersOf(id);
      const revision = await store.batch([check, ...end.writes]);
      index.apply(revision, end.access);
      notices.send(members, { type: "room.deleted", room: id });
      return end.chore;
    }),
  );
  await chores.runSoon(chore);
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
  await acl.request();
  if (persisted) await stream.purge(subjectsOf(room).input);
  usage.forget(room);
  await removeAll(deps, collections.usage, [room]);
  await removeAll(deps, collections.joinRequests, [room]);
  await removeAll(deps, collections.epochParts, [room]);
  await removeAll(deps, collections.epochs, [room]);
  await removeAll(deps, collections.members, [room], (key) => [collections.userRooms.toDelete(userRoomKey(key[1] as EndpointId, room))]);
  await blobs.forgetRoom(room);
}
