/**
 * The rooms of a community, as a list.
 *
 * Invariant: who runs the community's rooms sees that they are there, how they are set and how many are in; never who, never a key, a record or a
 * frame. Everybody else sees those they are in.
 */
import type { CommunityId, CommunityRoom, EndpointId, RoomId } from "@althing/contract";
import { requireInstance, type Caller } from "../caller.ts";
import { everyRecord } from "../paging.ts";
import type { Input, Output } from "../route-input.ts";
import { memberKey, type RoomsDeps } from "./room-deps.ts";

async function view(deps: RoomsDeps, id: RoomId, community: CommunityId, endpoint: EndpointId): Promise<CommunityRoom | undefined> {
  const { collections } = deps;
  const [room, member] = await Promise.all([collections.rooms.get([id]), collections.members.get(memberKey(id, endpoint))]);
  // A room of another community, or one that ended between the two looks.
  if (room?.value.community !== community) return undefined;
  const { name, policy, createdAt, members, gone } = room.value;
  return {
    ...{ id, name, policy, createdAt, members, rekeyNeeded: gone.length > 0, bytes: deps.usage.of(id).bytes },
    ...(member === undefined ? {} : { role: member.value.role, joined: member.value.joined }),
    revision: room.revision,
  };
}

/** @throws {community.not_found} */
export async function roomsOfCommunity(
  deps: RoomsDeps,
  caller: Caller,
  input: Input<"rooms.ofCommunity">,
): Promise<Output<"rooms.ofCommunity">> {
  requireInstance(caller, "rooms.use");
  const { collections } = deps;
  const { community, manages } = await deps.communities.standing(caller, input.community);
  const [rows, prefix] = manages ? [collections.communityRooms, community] : [collections.userRooms, caller.endpoint];
  const rooms: CommunityRoom[] = [];
  for await (const row of everyRecord<unknown>(rows, [prefix], input.after && [prefix, input.after])) {
    const shown = await view(deps, row.key[1] as RoomId, community, caller.endpoint);
    if (shown === undefined) continue;
    if (rooms.length >= input.limit) return { rooms, ...(rooms.at(-1) === undefined ? {} : { next: rooms.at(-1)?.id }) };
    rooms.push(shown);
  }
  return { rooms };
}
