/**
 * The rooms' face: one method a route, input flat, answer as the contract has it.
 *
 * Invariant: the hub holds no key of an encrypted room and reads no frame; it keeps order (one change after another), rights (who may), and
 * completeness (record, rows, access list and history agree). See docs/architecture/rooms.md.
 */
import { AppError, type CommunityId, type EndpointId, type Room, type RoomId } from "@althing/contract";
import { requireInstance, type Caller } from "../caller.ts";
import { countUpTo } from "../paging.ts";
import type { Input, Output } from "../route-input.ts";
import type { ChangeOptions } from "./change-room.ts";
import { createRoom } from "./create-room.ts";
import { deleteRoom } from "./delete-room.ts";
import { epochs, history } from "./history.ts";
import { decline, join, requests } from "./join-room.ts";
import { changeRole, invite, kick, leave, memberView, rekey } from "./membership.ts";
import { roomsOfCommunity } from "./list-rooms.ts";
import { muteIn, roomView, standingIn, standingOf, type RoomsDeps } from "./room-deps.ts";

export interface Rooms {
  create(caller: Caller, input: Input<"rooms.create">): Promise<Output<"rooms.create">>;
  /** @throws {auth.forbidden} somebody else's list */
  mine(caller: Caller, input: Input<"rooms.mine">): Promise<Output<"rooms.mine">>;
  /** Rooms of a community: all for whoever runs them, else those the caller is in. @throws {community.not_found} */
  ofCommunity(caller: Caller, input: Input<"rooms.ofCommunity">): Promise<Output<"rooms.ofCommunity">>;
  /** How many rooms a community has; counted to `max`. */
  countOf(community: CommunityId, max: number): Promise<number>;
  get(caller: Caller, input: Input<"rooms.get">): Promise<Output<"rooms.get">>;
  delete(caller: Caller, input: Input<"rooms.delete">): Promise<void>;
  members(caller: Caller, input: Input<"rooms.members">): Promise<Output<"rooms.members">>;
  invite(caller: Caller, input: Input<"rooms.invite">, options?: ChangeOptions): Promise<Output<"rooms.invite">>;
  join(caller: Caller, input: Input<"rooms.join">): Promise<Output<"rooms.join">>;
  requests(caller: Caller, input: Input<"rooms.requests">): Promise<Output<"rooms.requests">>;
  decline(caller: Caller, input: Input<"rooms.decline">): Promise<void>;
  leave(caller: Caller, input: Input<"rooms.leave">): Promise<void>;
  kick(caller: Caller, input: Input<"rooms.kick">, options?: ChangeOptions): Promise<Output<"rooms.kick">>;
  role(caller: Caller, input: Input<"rooms.role">, options?: ChangeOptions): Promise<Output<"rooms.role">>;
  rekey(caller: Caller, input: Input<"rooms.rekey">, options?: ChangeOptions): Promise<Output<"rooms.rekey">>;
  epochs(caller: Caller, input: Input<"rooms.epochs">): Promise<Output<"rooms.epochs">>;
  history(caller: Caller, input: Input<"rooms.history">): Promise<Output<"rooms.history">>;
}

/** Who begins to listen begins behind the newest message; what was counted is some moments old. */
async function withItsEnd({ stream }: RoomsDeps, room: Room): Promise<Room> {
  return room.policy.persist ? { ...room, lastSeq: await stream.newest(room.subjects.publish) } : room;
}

async function mine(deps: RoomsDeps, caller: Caller, input: Input<"rooms.mine">): Promise<Output<"rooms.mine">> {
  requireInstance(caller, "rooms.use");
  if (input.endpoint !== caller.endpoint) throw new AppError("auth.forbidden", { permission: "rooms.use", who: "Nobody but that person" });
  const { collections } = deps;
  const page = await collections.userRooms.list({
    prefix: [caller.endpoint],
    limit: input.limit,
    ...(input.after ? { after: [caller.endpoint, input.after] } : {}),
  });
  const found = await Promise.all(
    page.records.map(async (record) => {
      const id = record.key[1] as RoomId;
      // A row may outlive its room, or the person's membership in the community, for the moment that clearing takes.
      const standing = await standingOf(deps, id, caller.endpoint);
      return standing ? [await roomView(deps, standing)] : [];
    }),
  );
  const last = page.records.at(-1)?.key[1];
  return { rooms: found.flat(), ...(page.next && last ? { next: last as RoomId } : {}) };
}

async function members(deps: RoomsDeps, caller: Caller, input: Input<"rooms.members">): Promise<Output<"rooms.members">> {
  const { room } = await standingIn(deps, caller, input.room);
  const id = room.value.id;
  const list = [];
  let after: readonly [string, ...string[]] | undefined = input.after ? [id, input.after] : undefined;
  let more = true;
  while (more && list.length < input.limit) {
    const page = await deps.collections.members.list({
      prefix: [id],
      limit: Math.min(1_000, input.limit - list.length),
      ...(after ? { after } : {}),
    });
    list.push(...page.records.map((row) => memberView(row.key[1] as EndpointId, row.value)));
    after = page.next;
    more = page.next !== undefined;
  }
  const last = list.at(-1)?.endpoint;
  return { members: list, ...(more && last ? { next: last } : {}) };
}

export function createRooms(deps: RoomsDeps): Rooms {
  return {
    create: (caller, input) => createRoom(deps, caller, input),
    mine: (caller, input) => mine(deps, caller, input),
    ofCommunity: (caller, input) => roomsOfCommunity(deps, caller, input),
    countOf: (community, max) => countUpTo(deps.collections.communityRooms, [community], max),
    get: async (caller, input) => withItsEnd(deps, await roomView(deps, await standingIn(deps, caller, input.room))),
    delete: (caller, input) => deleteRoom(deps, caller, input),
    members: (caller, input) => members(deps, caller, input),
    invite: (caller, input, options = {}) => invite(deps, caller, input, options),
    join: (caller, input) => join(deps, caller, input),
    requests: (caller, input) => requests(deps, caller, input),
    decline: (caller, input) => decline(deps, caller, input),
    leave: (caller, input) => leave(deps, caller, input),
    kick: (caller, input, options = {}) => kick(deps, caller, input, options),
    role: (caller, input, options = {}) => changeRole(deps, caller, input, options),
    rekey: (caller, input, options = {}) => rekey(deps, caller, input, options),
    epochs: (caller, input) => epochs(deps, caller, input),
    history: (caller, input) => history(deps, caller, input),
  };
}

/** For blobs: the room, if the caller is in it and it takes more. */
export function roomForBlob(deps: RoomsDeps): (caller: Caller, ref: string) => Promise<RoomId> {
  return async (caller, ref) => {
    const { room } = await standingIn(deps, caller, ref);
    const until = await muteIn(deps, room.value, caller.endpoint);
    if (until !== undefined) throw new AppError("room.muted", { until });
    if (deps.usage.isFull(room.value.id)) throw new AppError("room.quota", { limit: deps.limits.roomMaxBytes });
    return room.value.id;
  };
}

/** For blobs: is the caller in the room? */
export function isReader(deps: RoomsDeps): (caller: Caller, room: RoomId) => Promise<boolean> {
  return async (caller, room) => (await standingOf(deps, room, caller.endpoint)) !== undefined;
}
