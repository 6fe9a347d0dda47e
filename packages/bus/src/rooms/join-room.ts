/**
 * Coming in by oneself: accepting an invitation, or asking to be let in.
 *
 * Invariant: the hub lets nobody in who was not invited by somebody who may: a request is a row that an owner's client answers with an invite,
 * which in an encrypted room is a signed record. The number of waiting requests is bounded, because strangers write them.
 */
import { AppError, type EndpointId, type RoomId } from "@althing/contract";
import { authorizeRoom } from "@althing/policy";
import { requireInstance, type Caller } from "../caller.ts";
import { isoTime } from "../environment.ts";
import { countUpTo, everyRecord } from "../paging.ts";
import { retryConflicts } from "@althing/store";
import type { Input, Output } from "../route-input.ts";
import { freshCaller, userByEndpoint } from "../users.ts";
import { countJoined } from "./create-room.ts";
import {
  belongsTo,
  memberKey,
  requireJoined,
  roomIdOf,
  roomView,
  standingIn,
  standingOf,
  userRoomKey,
  type RoomsDeps,
  type Standing,
} from "./room-deps.ts";

async function accept(deps: RoomsDeps, caller: Caller, room: RoomId): Promise<void> {
  const { collections, store, limits } = deps;
  await retryConflicts("your membership", async () => {
    const member = await collections.members.get(memberKey(room, caller.endpoint));
    if (!member) throw new AppError("room.not_found", { room });
    if (member.value.joined) return;
    const row = await collections.rooms.get([room]);
    const holds = row && (await belongsTo(deps, row.value, caller.endpoint));
    if (!holds) throw new AppError("room.not_in_community", { handle: caller.handle });
    if ((await countJoined(deps, caller)).joined >= limits.roomsPerUserMax)
      throw new AppError("room.too_many", { limit: limits.roomsPerUserMax });
    await store.batch([
      ...holds,
      collections.members.toPut(memberKey(room, caller.endpoint), { ...member.value, joined: true }, member.revision),
      collections.userRooms.toPut(userRoomKey(caller.endpoint, room), { joined: true }),
    ]);
    deps.notices.send(deps.index.membersOf(room), { type: "room.changed", room });
  });
}

async function ask(deps: RoomsDeps, caller: Caller, room: RoomId): Promise<void> {
  const { collections, store, limits, clock } = deps;
  await retryConflicts("your request", async () => {
    const row = await collections.rooms.get([room]);
    const holds = row && (await belongsTo(deps, row.value, caller.endpoint));
    if (!holds) throw new AppError("room.not_in_community", { handle: caller.handle });
    if (await collections.joinRequests.get([room, caller.endpoint])) return;
    const waiting = await countUpTo(collections.joinRequests, [room], limits.joinRequestsMax);
    if (waiting >= limits.joinRequestsMax) throw new AppError("room.requests_full", { limit: limits.joinRequestsMax });
    const { check } = await freshCaller(collections, caller);
    const request = { handle: caller.handle, at: isoTime(clock.now()) };
    await store.batch([
      check,
      ...holds,
      collections.joinRequests.toPut([room, caller.endpoint], request, 0),
      collections.roomGraves.toCheck([room], 0),
    ]);
    deps.notices.send(await whoMayInvite(deps, room), { type: "room.request", room });
  });
}

async function whoMayInvite(deps: RoomsDeps, room: RoomId): Promise<EndpointId[]> {
  const found: EndpointId[] = [];
  for await (const row of everyRecord(deps.collections.members, [room])) {
    if (row.value.joined && authorizeRoom(row.value.role, "room.invite").allowed) found.push(row.key[1] as EndpointId);
  }
  return found;
}

/** The room as somebody who has joined it stands in it; undefined for others. @throws {room.not_found} there is no such room */
async function joinedStanding(deps: RoomsDeps, caller: Caller, id: RoomId, ref: string): Promise<Standing | undefined> {
  if (!(await deps.collections.rooms.get([id]))) throw new AppError("room.not_found", { room: ref });
  const standing = await standingOf(deps, id, caller.endpoint);
  return standing?.member.value.joined ? standing : undefined;
}

export async function join(deps: RoomsDeps, caller: Caller, input: Input<"rooms.join">): Promise<Output<"rooms.join">> {
  const { collections, locks } = deps;
  requireInstance(caller, "rooms.use");
  const id = await roomIdOf(collections, input.room);
  if (!id) throw new AppError("room.not_found", { room: input.room });
  // Asking again, after a lost answer, waits for nobody.
  const before = await joinedStanding(deps, caller, id, input.room);
  if (before) return { status: "joined", room: await roomView(deps, before) };
  const invited = await locks.run(`joins/${caller.endpoint}`, () =>
    locks.run(`room/${id}`, async () => {
      const member = await collections.members.get(memberKey(id, caller.endpoint));
      await (member ? accept(deps, caller, id) : ask(deps, caller, id));
      return member !== undefined;
    }),
  );
  if (!invited) return { status: "requested" };
  return { status: "joined", room: await roomView(deps, await standingIn(deps, caller, id)) };
}

export async function requests(deps: RoomsDeps, caller: Caller, input: Input<"rooms.requests">): Promise<Output<"rooms.requests">> {
  const { collections } = deps;
  const standing = await standingIn(deps, caller, input.room);
  await requireJoined(deps, standing, "room.invite");
  const found: Output<"rooms.requests">["requests"] = [];
  for await (const row of everyRecord(collections.joinRequests, [standing.room.value.id])) {
    const endpoint = row.key[1] as EndpointId;
    const isActive = (await userByEndpoint(collections, endpoint))?.value.status === "active";
    if (isActive && (await belongsTo(deps, standing.room.value, endpoint))) found.push({ endpoint, ...row.value });
  }
  return { requests: found };
}

export async function decline(deps: RoomsDeps, caller: Caller, input: Input<"rooms.decline">): Promise<void> {
  const { collections } = deps;
  const standing = await standingIn(deps, caller, input.room);
  await requireJoined(deps, standing, "room.invite");
  const key = [standing.room.value.id, input.endpoint] as const;
  await deps.locks.run(`room/${standing.room.value.id}`, async () => {
    if (!(await collections.joinRequests.get(key))) throw new AppError("room.not_member", { handle: input.endpoint });
    await collections.joinRequests.delete(key);
  });
}
