/**
 * Who is in a room: invite, kick, role, rekey, leave.
 *
 * Invariant: in an encrypted room each change but leaving brings the record that says it; leaving takes effect at once and leaves the record to
 * the next who sends. Somebody invited is a member from that moment (the record holds it, the access list too), and `joined` only says
 * whether it accepted. A room keeps an owner, unless the instance revoked the last one; then nobody becomes one, and the room ends with
 * its last member.
 */
import { AppError, type EndpointId, type RoomId, type RoomMember } from "@althing/contract";
import { decodeInvite, verifyInvite, type EpochReason } from "@althing/crypto";
import { mayActOn } from "@althing/policy";
import type { Rec } from "@althing/store";
import type { Caller } from "../caller.ts";
import type { Chore, MemberRow, RoomRow } from "../collections.ts";
import { isoTime } from "../environment.ts";
import { countUpTo, everyRecord } from "../paging.ts";
import type { Input, Output } from "../route-input.ts";
import { userByEndpoint } from "../users.ts";
import { changeRoom, departure, withEpoch, writeRoom, type ChangeOptions, type Decided } from "./change-room.ts";
import { checkEpoch } from "./check-epoch.ts";
import { countJoined } from "./create-room.ts";
import { ending } from "./delete-room.ts";
import type { CheckedEpoch } from "./epoch-rows.ts";
import { lacking, memberKey, requireJoined, requireRight, roomView, userRoomKey, type RoomsDeps, type Standing } from "./room-deps.ts";

type Membership = Output<"rooms.invite">;

function membershipView(deps: RoomsDeps, standing: Standing | undefined): Membership {
  if (!standing) throw new AppError("room.not_found", { room: "(left)" });
  return { room: roomView(deps, standing), aclRevision: standing.room.revision };
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

/** Members from now on read frames from here on, where history is not shared. */
async function historyStart(deps: RoomsDeps, room: RoomRow): Promise<number> {
  return room.policy.persist && room.policy.history === "from-join" ? deps.stream.lastSeq() : 0;
}

/** The invited person's row, if it can be invited. */
async function invitee(deps: RoomsDeps, room: RoomRow, endpoint: EndpointId) {
  const { collections, limits } = deps;
  const user = await userByEndpoint(collections, endpoint);
  if (user?.value.status !== "active") throw new AppError("user.not_found", { user: endpoint });
  const { handle } = user.value;
  if (await collections.members.get(memberKey(room.id, endpoint))) throw new AppError("room.already_member", { handle });
  if (room.policy.encrypt && !user.value.keys) throw new AppError("room.no_keys", { handle });
  if (room.members >= limits.roomMembersMax) throw new AppError("room.full", { limit: limits.roomMembersMax });
  const request = await collections.joinRequests.get([room.id, endpoint]);
  const rooms = await countJoined(deps, { endpoint });
  // Invitations are bounded apart from joined rooms, so that nobody can keep a person from joining by inviting it everywhere.
  const busy = request ? rooms.joined >= limits.roomsPerUserMax : rooms.all - rooms.joined >= limits.roomsPerUserMax;
  if (busy) throw new AppError("room.invitee_busy", { handle, limit: limits.roomsPerUserMax });
  return { user, request };
}

export async function invite(deps: RoomsDeps, caller: Caller, input: Input<"rooms.invite">, options: ChangeOptions): Promise<Membership> {
  const { collections, clock } = deps;
  const { endpoint, role } = input;
  const after = await deps.locks.run(`joins/${endpoint}`, () =>
    changeRoom(deps, caller, input.room, options, async (standing) => {
      await requireJoined(deps, standing, "room.invite");
      if (role !== "member") await requireRight(deps, standing, "room.roles");
      const room = standing.room.value;
      const { user, request } = await invitee(deps, room, endpoint);
      const epoch = await checkEpoch(collections, caller, room, input.epoch, { reasons: ["invite", "join"], put: { endpoint, role } });
      await checkStatement(caller, input, room, epoch);
      const at = isoTime(clock.now());
      const joined = request !== undefined;
      const next = withEpoch({ ...room, members: room.members + 1 }, epoch, at);
      const row: MemberRow = {
        role,
        joined,
        since: at,
        handle: user.value.handle,
        signPub: user.value.signPub,
        fromEpoch: next.epoch,
        afterSeq: await historyStart(deps, room),
        invite: input.statement,
      };
      return {
        room: next,
        epoch,
        writes: [
          collections.users.toCheck([user.value.signPub], user.revision),
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
async function going(deps: RoomsDeps, room: Rec<RoomRow>, endpoint: EndpointId): Promise<{ decided: Decided; chore?: Chore }> {
  const { id, epoch } = room.value;
  const others = deps.index.membersOf(id).filter((member) => member !== endpoint);
  const removed = { to: [endpoint], notice: { type: "room.removed", room: id } } as const;
  const out = departure(deps, room.value, endpoint);
  if ((await countUpTo(deps.collections.members, [id], 2)) > 1) {
    return { decided: { ...out, notices: [{ to: others, notice: { type: "room.changed", room: id, epoch } }, removed] } };
  }
  const end = ending(deps, room);
  return { decided: { writes: [...end.writes, ...out.writes], access: end.access, notices: [removed] }, chore: end.chore };
}

export async function leave(deps: RoomsDeps, caller: Caller, input: Input<"rooms.leave">): Promise<void> {
  let chore: Chore | undefined;
  await changeRoom(deps, caller, input.room, {}, async ({ room, member }) => {
    if (member.value.role === "owner" && member.value.joined) await keepAnOwner(deps, room.value.id, caller.endpoint);
    const gone = await going(deps, room, caller.endpoint);
    chore = gone.chore;
    return gone.decided;
  });
  if (chore) await deps.chores.runSoon(chore);
}

/** Takes a revoked person out of all its rooms, owner or not. Repeatable. */
export async function leaveAllRooms(deps: RoomsDeps, endpoint: EndpointId): Promise<void> {
  const { collections } = deps;
  for await (const row of everyRecord(collections.userRooms, [endpoint])) {
    const id = row.key[1] as RoomId;
    let chore: Chore | undefined;
    await writeRoom(deps, id, async () => {
      const room = await collections.rooms.get([id]);
      const member = await collections.members.get(memberKey(id, endpoint));
      if (!room || !member) return undefined;
      const { decided, chore: due } = await going(deps, room, endpoint);
      chore = due;
      const put = decided.room ? [collections.rooms.toPut([id], decided.room, room.revision)] : [];
      return { ...decided, writes: [...put, ...decided.writes] };
    });
    if (chore) await deps.chores.runSoon(chore);
  }
}

export function memberView(endpoint: EndpointId, row: MemberRow): RoomMember {
  return { endpoint, signPub: row.signPub, handle: row.handle, role: row.role, joined: row.joined, since: row.since };
}
