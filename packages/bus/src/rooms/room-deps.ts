/**
 * What the parts of the rooms share, and how a room and its caller are found.
 *
 * Invariant: who is not in a room learns nothing of it, not even that it exists, but by asking to join. Rows are read from the store each
 * time; the in-memory index serves the access list and notices only.
 */
import { AppError, roomIdSchema, type CommunityId, type EndpointId, type Room, type RoomId, type RoomPermission } from "@althing/contract";
import type { Rec, Store, Write } from "@althing/store";
import type { AccessIndex } from "../access-index.ts";
import type { Acl } from "../acl.ts";
import { authorizeRoom } from "@althing/policy";
import type { BusPeers } from "../bus.ts";
import { requireInstance, type Caller } from "../caller.ts";
import type { Chores } from "../chores.ts";
import type { Collections, MemberRow, RoomRow } from "../collections.ts";
import { isoTime, type BusConfig, type BusLimits, type Clock } from "../environment.ts";
import type { KeyedLock } from "../keyed-lock.ts";
import type { Notices } from "../notices.ts";
import type { RoomSubjects } from "../opaque-name.ts";
import type { RoomStream } from "../room-stream.ts";
import { everyRecord } from "../paging.ts";
import type { CommunityRooms } from "./community-rooms.ts";
import type { RoomUsage } from "../room-usage.ts";

export interface RoomsDeps {
  readonly store: Store;
  readonly collections: Collections;
  readonly index: AccessIndex;
  readonly acl: Acl;
  readonly notices: Notices;
  readonly chores: Chores;
  readonly clock: Clock;
  readonly locks: KeyedLock;
  readonly limits: BusLimits;
  readonly config: BusConfig;
  readonly stream: RoomStream;
  readonly usage: RoomUsage;
  readonly subjectsOf: (room: RoomId) => RoomSubjects;
  readonly communities: CommunityRooms;
  /** Where the state is shared. */
  readonly peers?: BusPeers | undefined;
  /** Has the access list know the person as a member of the community. */
  readonly learn: (community: CommunityId, endpoint: EndpointId) => Promise<void>;
}

/** A mute without end is shown as one until the end of the year 9999. */
const latestMs = Date.UTC(10_000, 0) - 1_000;

/** A room as its caller stands in it. */
export interface Standing {
  readonly room: Rec<RoomRow>;
  readonly member: Rec<MemberRow>;
  /** In a room of a community: for the batch, that the person is still a member there. */
  readonly holds: readonly Write[];
}

/** The id behind an id or a name; undefined when there is none. An id is upper case, a name lower case. */
export async function roomIdOf(collections: Collections, ref: string): Promise<RoomId | undefined> {
  const id = roomIdSchema.safeParse(ref);
  if (id.success) return id.data;
  return (await collections.roomNames.get([ref]))?.value.room;
}

/** That the person belongs to the room's community; undefined when it does not. */
export async function belongsTo(deps: RoomsDeps, room: RoomRow, endpoint: EndpointId): Promise<readonly Write[] | undefined> {
  if (room.community === undefined) return [];
  const check = await deps.communities.membership(room.community, endpoint);
  if (check !== undefined) return [check];
  // An extension is in its own community's rooms, and no member of the community.
  const guest = await deps.collections.guests.get([endpoint]);
  const isOfHere = guest?.value.community === room.community && guest.value.status === "active";
  return isOfHere ? [deps.collections.guests.toCheck([endpoint], guest.revision)] : undefined;
}

/** How the person stands in a room; undefined when it is not in it, or no longer in its community. */
export async function standingOf(deps: RoomsDeps, id: RoomId, endpoint: EndpointId): Promise<Standing | undefined> {
  const { collections } = deps;
  const [room, member] = await Promise.all([collections.rooms.get([id]), collections.members.get(memberKey(id, endpoint))]);
  const holds = room && member && (await belongsTo(deps, room.value, endpoint));
  return holds && { room, member, holds };
}

/** @throws {room.not_found} */
export async function standingIn(deps: RoomsDeps, caller: Caller, ref: string): Promise<Standing> {
  requireInstance(caller, "rooms.use");
  const id = await roomIdOf(deps.collections, ref);
  const standing = id && (await standingOf(deps, id, caller.endpoint));
  if (!standing) throw new AppError("room.not_found", { room: ref });
  return standing;
}

/** When a mute that still holds ends; undefined where nobody forbids the person to write. */
export async function muteIn(deps: RoomsDeps, room: RoomRow, endpoint: EndpointId): Promise<string | undefined> {
  if (room.community === undefined) return undefined;
  const untilMs = await deps.communities.mutedUntil(room.community, endpoint);
  return untilMs === undefined || untilMs <= deps.clock.now() ? undefined : isoTime(Math.min(untilMs, latestMs));
}

/** What a missing right is refused with: where there is no owner, nobody can ever grant it, and the caller is told so. */
export async function lacking(deps: RoomsDeps, room: RoomId, permission: RoomPermission, who: string): Promise<AppError> {
  for await (const row of everyRecord(deps.collections.members, [room])) {
    if (row.value.role === "owner") return new AppError("auth.forbidden", { permission, who });
  }
  return new AppError("room.ownerless");
}

/** The permission by role. @throws {auth.forbidden} {room.ownerless} */
export async function requireRight(deps: RoomsDeps, standing: Standing, permission: RoomPermission): Promise<void> {
  const decision = authorizeRoom(standing.member.value.role, permission);
  if (!decision.allowed) throw await lacking(deps, standing.room.value.id, permission, decision.who);
}

/** For whatever changes the room: the permission, and the invitation accepted. @throws {auth.forbidden} {room.ownerless} */
export async function requireJoined(deps: RoomsDeps, standing: Standing, permission: RoomPermission): Promise<void> {
  await requireRight(deps, standing, permission);
  if (!standing.member.value.joined) throw new AppError("auth.forbidden", { permission, who: "Accepting the invitation first" });
}

/** The room as the contract shows it to this caller. */
export async function roomView(deps: RoomsDeps, standing: Standing): Promise<Room> {
  const room = standing.room.value;
  const member = standing.member.value;
  const mutedUntil = await muteIn(deps, room, standing.member.key[1] as EndpointId);
  const usage = deps.usage.of(room.id);
  const subjects = deps.subjectsOf(room.id);
  return {
    id: room.id,
    name: room.name,
    policy: room.policy,
    suite: room.suite,
    createdBy: room.createdBy,
    createdAt: room.createdAt,
    epoch: room.epoch,
    ...(room.epochHash ? { epochHash: room.epochHash } : {}),
    ...(room.epochAt ? { epochAt: room.epochAt } : {}),
    rekeyNeeded: room.gone.length > 0,
    gone: [...room.gone],
    role: member.role,
    joined: member.joined,
    members: room.members,
    subjects: { publish: room.policy.persist ? subjects.input : subjects.output, subscribe: subjects.output },
    bytes: usage.bytes,
    lastSeq: usage.lastSeq,
    ...(member.invite ? { invite: member.invite } : {}),
    ...(room.community === undefined ? {} : { community: room.community }),
    ...(mutedUntil === undefined ? {} : { mutedUntil }),
    aclRevision: standing.room.revision,
    revision: standing.room.revision,
  };
}

export const memberKey = (room: RoomId, endpoint: EndpointId) => [room, endpoint] as const;
export const userRoomKey = (endpoint: EndpointId, room: RoomId) => [endpoint, room] as const;
