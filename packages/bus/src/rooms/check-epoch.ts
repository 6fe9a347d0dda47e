/**
 * The hub's check of a proposed epoch.
 *
 * Invariant: a record is taken only if it is signed by the caller, follows the room's current one, and says exactly what the room will be after
 * the change: the same people, roles and published keys, one sealed copy each, a link where history is shared and nowhere else. Clients
 * check the chain again and trust none of this; the hub checks so that an honest room cannot be broken by one member's faulty client.
 */
import { AppError, type EndpointId, type EpochProposal, type RoomRole } from "@althing/contract";
import {
  checkTransition,
  decodeEpoch,
  fromBase64url,
  verifyEpochSignature,
  type EpochMember,
  type EpochReason,
  type EpochRecord,
} from "@althing/crypto";
import type { Caller } from "../caller.ts";
import type { Collections, RoomRow } from "../collections.ts";
import { everyRecord } from "../paging.ts";
import { invitableOf } from "../invitable.ts";
import { readRecord, type CheckedEpoch } from "./epoch-rows.ts";

/** The change that the record has to say: who is in with which role afterwards, compared with the rows now. */
export interface EpochChange {
  readonly reasons: readonly EpochReason[];
  readonly put?: { readonly endpoint: EndpointId; readonly role: RoomRole };
  readonly remove?: EndpointId;
}

function invalid(detail: string, cause?: unknown): AppError {
  return new AppError("room.epoch_invalid", { detail }, cause === undefined ? {} : { cause });
}

/** Runs a check of the shared library and gives its refusal the hub's code. */
async function asInvalid<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const detail = error instanceof AppError ? String(error.params["detail"] ?? error.message) : "the record cannot be read";
    throw invalid(detail, error);
  }
}

/** @throws {room.epoch_invalid} */
function checkSealed(proposal: EpochProposal, members: readonly EpochMember[]): void {
  const sealed = new Set(proposal.sealed.map((one) => one.endpoint));
  const exact =
    sealed.size === proposal.sealed.length && sealed.size === members.length && members.every((member) => sealed.has(member.endpoint));
  if (!exact) throw invalid("the sealed keys are not one for each member of the record");
}

/** The record's people and roles are those of the room after the change. @throws {room.epoch_invalid} {room.epoch_conflict} */
async function checkMembers(collections: Collections, room: RoomRow, record: EpochRecord, change: EpochChange): Promise<void> {
  const expected = new Map<EndpointId, RoomRole>();
  for await (const row of everyRecord(collections.members, [room.id])) expected.set(row.key[1] as EndpointId, row.value.role);
  if (change.put) expected.set(change.put.endpoint, change.put.role);
  if (change.remove) expected.delete(change.remove);
  for (const member of record.members) {
    // Somebody went while the record was made: it is late, not wrong.
    if (room.gone.includes(member.endpoint) && !expected.has(member.endpoint))
      throw new AppError("room.epoch_conflict", { observed: room.epoch, expected: record.epoch - 1 });
    if (expected.get(member.endpoint) !== member.role)
      throw invalid(`${member.handle} is in the record as ${member.role}, and not so in the room`);
    expected.delete(member.endpoint);
  }
  if (expected.size > 0) throw invalid(`${expected.size} members of the room are missing from the record`);
}

/** Whoever is new in the record, or stands there otherwise than before, stands there as published. @throws {room.epoch_invalid} {room.no_keys} */
async function checkIdentities(collections: Collections, previous: EpochRecord | null, record: EpochRecord): Promise<void> {
  const before = new Map(previous?.members.map((member) => [member.endpoint, member]));
  const same = (a: EpochMember | undefined, b: EpochMember) => a?.signPub === b.signPub && a.kexPub === b.kexPub && a.handle === b.handle;
  for (const member of record.members) {
    if (same(before.get(member.endpoint), member)) continue;
    const who = await invitableOf(collections, member.endpoint);
    if (who && !who.keys) throw new AppError("room.no_keys", { handle: who.handle });
    const published = who && who.signPub === member.signPub && who.keys?.kexPub === member.kexPub && who.handle === member.handle;
    if (!published) throw invalid(`the keys of ${member.handle} in the record are not the published ones`);
  }
}

function checkLink(room: RoomRow, proposal: EpochProposal, epoch: number): void {
  const wanted = room.policy.history === "shared" && epoch > 1;
  if (wanted !== (proposal.link !== undefined))
    throw invalid(wanted ? "history is shared, so the record needs a link" : "there must be no link");
}

/**
 * @param room the room as it is now (its first record: epoch 0)
 * @throws {room.epoch_required} {room.epoch_conflict} {room.epoch_invalid} {room.no_keys}
 */
export async function checkEpoch(
  collections: Collections,
  caller: Caller,
  room: RoomRow,
  proposal: EpochProposal | undefined,
  change: EpochChange,
): Promise<CheckedEpoch | undefined> {
  if (!room.policy.encrypt) {
    if (proposal) throw invalid("the room is not encrypted");
    return undefined;
  }
  if (!proposal) throw new AppError("room.epoch_required");
  const decoded = await asInvalid(() => decodeEpoch(fromBase64url(proposal.record)));
  const { record, hash } = decoded;
  if (record.room !== room.id || record.name !== room.name || record.suite !== room.suite) throw invalid("the record is of another room");
  const follows = record.epoch === room.epoch + 1 && record.previous === (room.epochHash ?? null);
  if (!follows) throw new AppError("room.epoch_conflict", { observed: room.epoch, expected: record.epoch - 1 });
  if (record.maker !== caller.endpoint) throw invalid("the record is not made by the caller");
  if (!(await verifyEpochSignature(decoded, caller.signPub))) throw invalid("the signature does not verify");
  if (!change.reasons.includes(record.reason)) throw invalid(`the reason ${record.reason} is not that of this change`);
  const text = room.epoch === 0 ? undefined : await readRecord(collections, room.id, room.epoch);
  const previous = text === undefined ? null : decodeEpoch(fromBase64url(text)).record;
  const gone = new Set(room.gone);
  checkPolicy(room, record);
  await checkMembers(collections, room, record, change);
  await asInvalid(() => checkTransition(previous, record, room.epochHash ?? null, gone));
  await checkIdentities(collections, previous, record);
  checkSealed(proposal, record.members);
  checkLink(room, proposal, record.epoch);
  return { epoch: record.epoch, hash, proposal };
}

function checkPolicy(room: RoomRow, record: EpochRecord): void {
  const { encrypt, persist, sign, history } = record.policy;
  const same =
    encrypt === room.policy.encrypt && persist === room.policy.persist && sign === room.policy.sign && history === room.policy.history;
  if (!same) throw invalid("the policy is not the room's");
}
