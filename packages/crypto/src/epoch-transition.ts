/**
 * Which epoch record may follow which: the rules of membership, as pure functions.
 *
 * Invariant: hub and clients decide by this code, so that a client never needs to trust the hub's word for who is in a room. A record does one
 * thing, named by its reason: an owner may invite, kick, change roles; a moderator may add members and remove plain members; anybody in the room
 * may renew the key and drop those who are gone. Room, name, policy and suite never change. Only a record that drops who is gone may leave
 * the room without an owner, and an ownerless room stays so for ever: a rule of succession would let a server and one member who act
 * together take the room over by calling its owner gone (docs/architecture/room-keys.md, "Rooms without an owner"). An extension is a plain member
 * and makes no record.
 */
import { isExtensionHandle, limits, type EndpointId, type RoomRole } from "@althing/contract";
import { areSortedMembers, forgedEpoch, type EpochMember, type EpochRecord } from "./epoch.ts";

interface Changes {
  readonly added: readonly EpochMember[];
  readonly removed: readonly EpochMember[];
  readonly roles: number;
}

function changesOf(previous: EpochRecord, next: EpochRecord): Changes {
  const before = new Map(previous.members.map((member) => [member.endpoint, member]));
  const added: EpochMember[] = [];
  let roles = 0;
  for (const member of next.members) {
    const old = before.get(member.endpoint);
    if (old === undefined) {
      added.push(member);
      continue;
    }
    before.delete(member.endpoint);
    if (old.signPub !== member.signPub || old.kexPub !== member.kexPub || old.handle !== member.handle)
      throw forgedEpoch("a member's keys or handle changed", next);
    if (old.role !== member.role) roles += 1;
  }
  return { added, removed: [...before.values()], roles };
}

function samePolicy(a: EpochRecord, b: EpochRecord): boolean {
  return (
    a.policy.encrypt === b.policy.encrypt &&
    a.policy.persist === b.policy.persist &&
    a.policy.sign === b.policy.sign &&
    a.policy.history === b.policy.history
  );
}

function checkChain(previous: EpochRecord, next: EpochRecord, previousHash: string): void {
  if (next.version !== previous.version || next.suite !== previous.suite) throw forgedEpoch("the version or suite changed", next);
  if (next.room !== previous.room || next.name !== previous.name) throw forgedEpoch("it is of another room", next);
  if (!samePolicy(previous, next)) throw forgedEpoch("the policy changed", next);
  if (next.epoch !== previous.epoch + 1) throw forgedEpoch(`it does not follow epoch ${previous.epoch}`, next);
  if (next.previous !== previousHash) throw forgedEpoch("it follows another record", next);
}

function checkShape(next: EpochRecord): void {
  const { length } = next.members;
  if (length < 1 || length > limits.roomMembersMax) throw forgedEpoch(`there are not 1 to ${limits.roomMembersMax} members`, next);
  if (!areSortedMembers(next.members)) throw forgedEpoch("the members are not sorted, or one is there twice", next);
  // The server holds an extension's keys: with a role, or a record of its own, it would decide who is in the room.
  for (const { endpoint, handle, role } of next.members) {
    if (!isExtensionHandle(handle)) continue;
    if (role !== "member") throw forgedEpoch("an extension is more than a plain member", next);
    if (endpoint === next.maker) throw forgedEpoch("an extension made it", next);
  }
}

/** An owner goes from the last seat only by being gone; by the rules of `checkReason` none comes back but by another owner's hand. */
function checkOwners(previous: EpochRecord, next: EpochRecord): void {
  const owned = (record: EpochRecord) => record.members.some((member) => member.role === "owner");
  const dropsGone = next.reason === "leave" || next.reason === "rekey";
  if (!dropsGone && owned(previous) && !owned(next)) throw forgedEpoch("no owner remains", next);
}

/** What each reason changes, and who may. */
function checkReason(role: RoomRole, next: EpochRecord, changes: Changes, gone: ReadonlySet<EndpointId> | undefined): void {
  const { added, removed, roles } = changes;
  const only = (fits: boolean) => {
    if (!fits) throw forgedEpoch(`a record for ${next.reason} changes something else`, next);
  };
  const allowed = (fits: boolean) => {
    if (!fits) throw forgedEpoch(`a ${role} may not make it`, next);
  };
  switch (next.reason) {
    case "create":
      throw forgedEpoch("a room is created once", next);
    case "invite":
    case "join":
      only(added.length > 0 && removed.length === 0 && roles === 0);
      return allowed(role === "owner" || (role === "moderator" && added.every((member) => member.role === "member")));
    case "kick":
      only(added.length === 0 && removed.length > 0 && roles === 0);
      return allowed(role === "owner" || (role === "moderator" && removed.every((member) => member.role === "member")));
    case "role":
      only(added.length === 0 && removed.length === 0 && roles > 0);
      return allowed(role === "owner");
    case "leave":
    case "rekey":
      only(added.length === 0 && roles === 0 && (next.reason === "rekey" || removed.length > 0));
      if (gone !== undefined && removed.some((member) => !gone.has(member.endpoint)))
        throw forgedEpoch("it removes someone who is not gone", next);
  }
}

/**
 * May `next` follow `previous` (null: may it be the first)? The maker's signature is checked apart.
 * @param previousHash hash of `previous`; ignored for the first record
 * @param gone who left or was revoked, where that is known (the hub): `leave` and `rekey` remove nobody else
 * @throws {epoch.forged}
 */
export function checkTransition(
  previous: EpochRecord | null,
  next: EpochRecord,
  previousHash: string | null,
  gone?: ReadonlySet<EndpointId>,
): void {
  checkShape(next);
  const makerInNext = next.members.find((member) => member.endpoint === next.maker);
  if (makerInNext === undefined) throw forgedEpoch("its maker is not a member", next);
  if (previous === null) {
    if (next.epoch !== 1 || next.previous !== null || next.reason !== "create") throw forgedEpoch("it is no first record", next);
    if (makerInNext.role !== "owner") throw forgedEpoch("its maker is not an owner", next);
    return;
  }
  checkChain(previous, next, previousHash ?? "");
  const maker = previous.members.find((member) => member.endpoint === next.maker);
  if (maker === undefined) throw forgedEpoch("its maker was not a member", next);
  checkReason(maker.role, next, changesOf(previous, next), gone);
  checkOwners(previous, next);
}
