/**
 * What the parts of the rooms share, and how a room and its caller are found.
 *
 * Invariant: who is not in a room learns nothing of it, not even that it exists, but by asking to join. Rows are read from the store each
 * time; the in-memory index serves the access list and notices only.
 */
import { AppError, roomIdSchema, type EndpointId, type Room, type RoomId, type RoomPermission } from "@althing/contract";
import type { Rec, Store } from "@althing/store";
import type { AccessIndex } from "../access-index.ts";
import type { Acl } from "../acl.ts";
import { authorizeRoom } from "@althing/policy";
import { requireInstance, type Caller } from "../caller.ts";
import type { Chores } from "../chores.ts";
import type { Collections, MemberRow, RoomRow } from "../collections.ts";
import type { BusConfig, BusLimits, Clock } from "../environment.ts";
import type { KeyedLock } from "../keyed-lock.ts";
import type { Notices } from "../notices.ts";
import type { RoomSubjects } from "../opaque-name.ts";
import type { RoomStream } from "../room-stream.ts";
import { everyRecord } from "../paging.ts";
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
}

/** A room as its caller stands in it. */
export interface Standing {
  readonly room: Rec<RoomRow>;
  readonly member: Rec<MemberRow>;
}

/** The id behind an id or a name; undefined when there is none. An id is upper case, a name lower case. */
export async function roomIdOf(collections: Collections, ref: string): Promise<RoomId | undefined> {
  const id = roomIdSchema.safeParse(ref);
  if (id.success) return id.data;
  return (await collections.roomNames.get([ref]))?.value.room;
}

/** @throws {room.not_found} */
export async function standingIn(collections: Collections, caller: Caller, ref: string): Promise<Standing> {
  requireInstance(caller, "rooms.use");
  const id = await roomIdOf(collections, ref);
  const room = id && (await collections.rooms.get([id]));
  const member = id && (await collections.members.get([id, caller.endpoint]));
  if (!room || !member) throw new AppError("room.not_found", { room: ref });
  return { room, member };
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
export function roomView(deps: RoomsDeps, standing: Standing): Room {
  const room = standing.room.value;
  const member = standing.member.value;
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
    aclRevision: standing.room.revision,
    revision: standing.room.revision,
  };
}

export const memberKey = (room: RoomId, endpoint: EndpointId) => [room, endpoint] as const;
export const userRoomKey = (endpoint: EndpointId, room: RoomId) => [endpoint, room] as const;
