/**
 * Who is in a room: invite, kick, role, rekey, leave.
 *
 * Invariant: in an encrypted room each change but leaving brings the record that says it; leaving takes effect at once and leaves the record to
 * the next who sends. Somebody invited is a member from that moment (the record holds it, the access list too), and `joined` only says
 * whether it accepted. A room keeps an owner, unless the instance revoked the last one; then nobody becomes one, and the room ends with
 * its last member.
 */
import { AppError, type CommunityId, type EndpointId, type RoomId, type RoomMember } from "@althing/contract";
import { decodeInvite, verifyInvite, type EpochReason } from "@althing/crypto";
import { mayActOn } from "@althing/policy";
import type { Rec } from "@althing/store";
import type { Caller } from "../caller.ts";
import type { Chore, MemberRow, RoomRow } from "../collections.ts";
import { isoTime } from "../environment.ts";
import { invitableOf } from "../invitable.ts";
import { countUpTo, everyRecord } from "../paging.ts";
import type { Input, Output } from "../route-input.ts";
import { changeRoom, departure, withEpoch, writeRoom, type ChangeOptions, type Decided } from "./change-room.ts";
import { checkEpoch } from "./check-epoch.ts";
import { countJoined } from "./create-room.ts";
import { ending } from "./delete-room.ts";
import type { CheckedEpoch } from "./epoch-rows.ts";
import {
  belongsTo,
  lacking,
  memberKey,
  requireJoined,
  requireRight,
  roomIdOf,
  roomView,
  userRoomKey,
  type RoomsDeps,
  type Standing,
} from "./room-deps.ts";

type Membership = Output<"rooms.invite">;

async function membershipView(deps: RoomsDeps, standing: Standing | undefined): Promise<Membership> {
  if (!standing) throw new AppError("room.not_found", { room: "(left)" });
  return { room: await roomView(deps, standing), aclRevision: standing.room.revision };
}

async function memberOf(deps: RoomsDeps, room: RoomId, endpoint: EndpointId): Promise<Rec<MemberRow>> {
  const found = await deps.collections.members.get(memberKey(room, endpoint));
  if (!found) throw new AppError("room.not_member", { handle: endpoint });
  return found;
}

/** @throws {room.last_owner} nobody would be left who owns it */
async function keepAnOwner(deps: RoomsDeps, room: RoomId, leaving: EndpointId): Promise<void> {
  for await (const row of everyRecord(deps.collections.members, [room])) {
    if (row.value.role === "owner" && row.value.joined && row.key[1] !== leaving) return;
  }
  throw new AppError("room.last_owner");
}

/** The invitation is what its sender signed for this room, this record and this person. @throws {room.invite_invalid} */
async function checkStatement(caller: Caller, input: Input<"rooms.invite">, room: RoomRow, epoch: CheckedEpoch | undefined): Promise<void> {
  const invite = decodeInvite(input.statement);
  const fits =
    invite.room === room.id &&
    invite.name === room.name &&
    invite.invitee === input.endpoint &&
    invite.inviter === caller.endpoint &&
    invite.epoch === (epoch?.epoch ?? 0) &&
    invite.recordHash === (epoch?.hash ?? null);
  if (!fits) throw new AppError("room.invite_invalid", { detail: "it is of another invitation" });
  if (!(await verifyInvite(invite, caller.signPub)))
    throw new AppError("room.invite_invalid", { detail: "it is not signed by the caller" });
}

/** The server will be able to read the room, so somebody in it says that it may; and it never gets a say in who is in. @throws {room.extension_needs_consent} {request.invalid} */
function checkConsent({ role, serverCanRead }: Input<"rooms.invite">, handle: string): void {
  if (serverCanRead !== true) throw new AppError("room.extension_needs_consent", { handle });
  if (role !== "member") throw onlyMember();
}

const onlyMember = () =>
  new AppError(
    "request.invalid",
    { detail: "an extension is a plain member" },
    { faults: [{ path: "role", message: "an extension is a plain member" }] },
  );

/** Members from now on read frames from here on, where history is not shared. */
async function historyStart(deps: RoomsDeps, room: RoomRow): Promise<number> {
  return room.policy.persist && room.policy.history === "from-join" ? deps.stream.lastSeq() : 0;
}

/** The invited person's row, if it can be invited. */
async function invitee(deps: RoomsDeps, room: RoomRow, endpoint: EndpointId) {
  const { collections, limits } = deps;
  const who = await invitableOf(collections, endpoint);
  if (who?.isActive !== true) throw new AppError("user.not_found", { user: endpoint });
  const { handle } = who;
  if (await collections.members.get(memberKey(room.id, endpoint))) throw new AppError("room.already_member", { handle });
  // A guest's row is its check; of a room of the instance no extension is a part.
  const holds = who.community === undefined || who.community === room.community ? await belongsTo(deps, room, endpoint) : undefined;
  if (!holds) throw new AppError("room.not_in_community", { handle });
  if (room.policy.encrypt && !who.keys) throw new AppError("room.no_keys", { handle });
  if (room.members >= limits.roomMembersMax) throw new AppError("room.full", { limit: limits.roomMembersMax });
  const request = await collections.joinRequests.get([room.id, endpoint]);
  const rooms = await countJoined(deps, { endpoint });
  // Invitations are bounded apart from joined rooms, so that nobody can keep a person from joining by inviting it everywhere.
  const busy = request ? rooms.joined >= limits.roomsPerUserMax : rooms.all - rooms.joined >= limits.roomsPerUserMax;
  if (busy) throw new AppError("room.invitee_busy", { handle, limit: limits.roomsPerUserMax });
  return { who, request, holds: who.community === undefined ? [who.check, ...holds] : holds };
}

export async function invite(deps: RoomsDeps, caller: Caller, input: Input<"rooms.invite">, options: ChangeOptions): Promise<Membership> {
  const { collections, clock } = deps;
  const { endpoint, role } = input;
  const after = await deps.locks.run(`joins/${endpoint}`, () =>
    changeRoom(deps, caller, input.room, options, async (standing) => {
      await requireJoined(deps, standing, "room.invite");
      if (role !== "member") await requireRight(deps, standing, "room.roles");
      const room = standing.room.value;
      const { who, request, holds } = await invitee(deps, room, endpoint);
      const isExtension = who.community !== undefined;
      if (isExtension) checkConsent(input, who.handle);
      const epoch = await checkEpoch(collections, caller, room, input.epoch, { reasons: ["invite", "join"], put: { endpoint, role } });
      await checkStatement(caller, input, room, epoch);
      // Before the batch: whoever is in the room then is known to the access list.
      if (room.community !== undefined && !isExtension) await deps.learn(room.community, endpoint);
      const at = isoTime(clock.now());
      // An extension has nobody to accept for it.
      const joined = isExtension || request !== undefined;
      const next = withEpoch({ ...room, members: room.members + 1 }, epoch, at);
      const row: MemberRow = {
        role,
        joined,
        since: at,
        handle: who.handle,
        signPub: who.signPub,
        ...(isExtension ? { kind: "extension" as const } : {}),
        fromEpoch: next.epoch,
        afterSeq: await historyStart(deps, room),
        invite: input.statement,
      };
      return {
        room: next,
        epoch,
        writes: [
          ...holds,
          collections.members.toPut(memberKey(room.id, endpoint), row, 0),
          collections.userRooms.toPut(userRoomKey(endpoint, room.id), { joined }, 0),
          ...(request ? [collections.joinRequests.toDelete([room.id, endpoint], request.revision)] : []),
        ],
        access: [{ type: "member", room: room.id, endpoint, in: true }],
        notices: [
          { to: deps.index.membersOf(room.id), notice: { type: "room.changed", room: room.id, epoch: next.epoch } },
          { to: [endpoint], notice: { type: "room.added", room: room.id, epoch: next.epoch } },
        ],
      };
    }),
  );
  return membershipView(deps, after);
}

export async function kick(deps: RoomsDeps, caller: Caller, input: Input<"rooms.kick">, options: ChangeOptions): Promise<Membership> {
  const { endpoint } = input;
  const after = await changeRoom(deps, caller, input.room, options, async (standing) => {
    await requireJoined(deps, standing, "room.kick");
    const room = standing.room.value;
    const target = await memberOf(deps, room.id, endpoint);
    const may = endpoint !== caller.endpoint && mayActOn(standing.member.value.role, target.value.role);
    if (!may) throw await lacking(deps, room.id, "room.kick", "A member of a higher role");
    if (target.value.role === "owner") await keepAnOwner(deps, room.id, endpoint);
    const epoch = await checkEpoch(deps.collections, caller, room, input.epoch, { reasons: ["kick"], remove: endpoint });
    const out = departure(deps, room, endpoint);
    const next = withEpoch(out.room, epoch, isoTime(deps.clock.now()));
    const others = deps.index.membersOf(room.id).filter((member) => member !== endpoint);
    return {
      ...out,
      room: next,
      epoch,
      notices: [
        { to: others, notice: { type: "room.changed", room: room.id, epoch: next.epoch } },
        { to: [endpoint], notice: { type: "room.removed", room: room.id } },
      ],
    };
  });
  return membershipView(deps, after);
}

export async function changeRole(deps: RoomsDeps, caller: Caller, input: Input<"rooms.role">, options: ChangeOptions): Promise<Membership> {
  const { endpoint, role } = input;
  const after = await changeRoom(deps, caller, input.room, options, async (standing) => {
    await requireJoined(deps, standing, "room.roles");
    const room = standing.room.value;
    const target = await memberOf(deps, room.id, endpoint);
    if (target.value.kind === "extension" && role !== "member") throw onlyMember();
    const may = endpoint === caller.endpoint || mayActOn(standing.member.value.role, target.value.role);
    if (!may) throw await lacking(deps, room.id, "room.roles", "A member of a higher role");
    if (target.value.role === "owner" && role !== "owner") await keepAnOwner(deps, room.id, endpoint);
    const epoch = await checkEpoch(deps.collections, caller, room, input.epoch, { reasons: ["role"], put: { endpoint, role } });
    const next = withEpoch(room, epoch, isoTime(deps.clock.now()));
    return {
      room: next,
      epoch,
      writes: [deps.collections.members.toPut(memberKey(room.id, endpoint), { ...target.value, role }, target.revision)],
      access: [],
      notices: [{ to: deps.index.membersOf(room.id), notice: { type: "room.changed", room: room.id, epoch: next.epoch } }],
    };
  });
  return membershipView(deps, after);
}

const rekeyReasons: readonly EpochReason[] = ["rekey", "leave"];

/** Renews the key for exactly the people who are in the room; those gone fall out of the record. */
export async function rekey(deps: RoomsDeps, caller: Caller, input: Input<"rooms.rekey">, options: ChangeOptions): Promise<Membership> {
  const after = await changeRoom(deps, caller, input.room, options, async (standing) => {
    await requireJoined(deps, standing, "room.send");
    const room = standing.room.value;
    const epoch = await checkEpoch(deps.collections, caller, room, input.epoch, { reasons: rekeyReasons });
    const next = withEpoch(room, epoch, isoTime(deps.clock.now()));
    const notice = { type: "room.changed", room: room.id, epoch: next.epoch } as const;
    return { room: next, epoch, writes: [], access: [], notices: [{ to: deps.index.membersOf(room.id), notice }] };
  });
  return membershipView(deps, after);
}

/** Somebody goes: out of the rows and the access list at once; with the last one goes the room, which nobody could reach any more. */
async function going(
  deps: RoomsDeps,
  room: Rec<RoomRow>,
  endpoint: EndpointId,
  by?: EndpointId,
): Promise<{ decided: Decided; chore?: Chore }> {
  const { id, epoch } = room.value;
  const others = deps.index.membersOf(id).filter((member) => member !== endpoint);
  const removed = { to: [endpoint], notice: { type: "room.removed", room: id } } as const;
  const out = departure(deps, room.value, endpoint);
  // With extensions alone in it, nobody could reach the room any more.
  const stays = (row: Rec<MemberRow>) => row.key[1] !== endpoint && row.value.kind !== "extension";
  if ((await countUpTo(deps.collections.members, [id], 1, stays)) > 0) {
    return { decided: { ...out, notices: [{ to: others, notice: { type: "room.changed", room: id, epoch } }, removed] } };
  }
  const end = ending(deps, room);
  const told = { topic: "room.deleted", room: id, ...(by === undefined ? {} : { by }) } as const;
  return { decided: { writes: [...end.writes, ...out.writes], told, access: end.access, notices: [removed] }, chore: end.chore };
}

/** The community in whose log the going may have to be told. */
async function communityOf({ collections }: RoomsDeps, id: RoomId | undefined): Promise<CommunityId | undefined> {
  return id && (await collections.rooms.get([id]))?.value.community;
}

export async function leave(deps: RoomsDeps, caller: Caller, input: Input<"rooms.leave">): Promise<void> {
  let chore: Chore | undefined;
  const decide = async ({ room, member }: Standing) => {
    if (member.value.role === "owner" && member.value.joined) await keepAnOwner(deps, room.value.id, caller.endpoint);
    const gone = await going(deps, room, caller.endpoint, caller.endpoint);
    chore = gone.chore;
    return gone.decided;
  };
  const community = await communityOf(deps, await roomIdOf(deps.collections, input.room));
  await changeRoom(deps, caller, input.room, {}, decide, community);
  if (chore) await deps.chores.runSoon(chore);
}

/** Takes a person who was revoked, or who left the community, out of all its rooms (there), owner or not. Repeatable. */
export async function leaveAllRooms(deps: RoomsDeps, endpoint: EndpointId, community?: CommunityId): Promise<void> {
  const { collections } = deps;
  for await (const row of everyRecord(collections.userRooms, [endpoint])) {
    const id = row.key[1] as RoomId;
    const of = await communityOf(deps, id);
    if (community !== undefined && of !== community) continue;
    let chore: Chore | undefined;
    const decide = async () => {
      const room = await collections.rooms.get([id]);
      const member = await collections.members.get(memberKey(id, endpoint));
      if (!room || !member) return undefined;
      const { decided, chore: due } = await going(deps, room, endpoint);
      chore = due;
      const put = decided.room ? [collections.rooms.toPut([id], decided.room, room.revision)] : [];
      return { ...decided, writes: [...put, ...decided.writes] };
    };
    await writeRoom(deps, id, decide, of);
    if (chore) await deps.chores.runSoon(chore);
  }
  if (community !== undefined) await withdrawRequests(deps, endpoint, community);
}

/** Nobody can let somebody in who is not in the community. */
async function withdrawRequests({ collections }: RoomsDeps, endpoint: EndpointId, community: CommunityId): Promise<void> {
  for await (const row of everyRecord(collections.communityRooms, [community])) {
    const key = [row.key[1] ?? "", endpoint] as const;
    if (await collections.joinRequests.get(key)) await collections.joinRequests.delete(key);
  }
}

export function memberView(endpoint: EndpointId, row: MemberRow): RoomMember {
  return {
    endpoint,
    signPub: row.signPub,
    handle: row.handle,
    kind: row.kind ?? "person",
    role: row.role,
    joined: row.joined,
    since: row.since,
  };
}
