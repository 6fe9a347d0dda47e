/**
 * Keys of encrypted rooms. Suite `hpke-v1`: a fresh 32-byte key an epoch, sealed to every member with HPKE.
 *
 * Invariant: the record commits to its key (`keyCheck`), so that all members who can open their copy have the same key or notice. A copy opens
 * only for its room, epoch, maker and recipient. With `shared` history a link carries the key before under the key of now; in `from-join` rooms
 * none is made and none is opened. Another suite (MLS) fits the same interface with the same records.
 */
import {
  AppError,
  type EndpointId,
  type EpochProposal,
  type KexPub,
  type RoomId,
  type RoomName,
  type RoomPolicy,
  type SealedKey,
} from "@althing/contract";
import * as primitives from "#primitives";
import { concat, equalBytes, fromBase64url, fromHex, randomBytes, toBase64url, utf8, type Bytes } from "./bytes.ts";
import { encodeCbor } from "./canonical.ts";
import {
  encodeEpoch,
  decodeEpoch,
  forgedEpoch,
  sortMembers,
  type DecodedEpoch,
  type EpochMember,
  type EpochReason,
  type EpochRecord,
} from "./epoch.ts";
import { checkTransition } from "./epoch-transition.ts";
import { sealTo } from "./hpke.ts";
import type { Identity } from "./identity.ts";

/** A key with the record it belongs to. Keep the object: content keys are cached by it. */
export interface EpochKey {
  readonly epoch: number;
  /** 32 bytes; secret. */
  readonly key: Uint8Array;
  readonly recordHash: string;
}

export interface ProposeEpoch {
  /** The record before; `key` when a link can be made. Absent for the first. */
  readonly previous?: { readonly record: EpochRecord; readonly hash: string; readonly key?: Uint8Array };
  readonly room: RoomId;
  readonly name: RoomName;
  readonly policy: RoomPolicy;
  readonly members: readonly EpochMember[];
  readonly reason: EpochReason;
  readonly identity: Identity;
  /** Unix milliseconds. */
  readonly now: number;
  /** Link to the key before; has no effect unless the policy's history is shared. */
  readonly link: boolean;
  readonly prevMessages?: number;
}

export interface ProposedEpoch {
  readonly proposal: EpochProposal;
  readonly record: EpochRecord;
  readonly hash: string;
  readonly key: Bytes;
}

/** What a suite does; `hpke-v1` is the first. */
export interface RoomKeys {
  readonly suite: EpochRecord["suite"];
  propose(input: ProposeEpoch): Promise<ProposedEpoch>;
  open(identity: Identity, decoded: DecodedEpoch, sealed: SealedKey): Promise<Bytes>;
  openLink(link: Uint8Array, key: Uint8Array, next: DecodedEpoch, previous?: DecodedEpoch): Promise<Bytes>;
}

const noSalt = new Uint8Array(0);
/** A link key seals one message ever, so its nonce may be constant. */
const linkNonce = new Uint8Array(12);
const sealsAtOnce = 64;

function roomContext(label: string, room: RoomId, epoch: number): Bytes {
  return concat(utf8(`althing/${label}/v1\0`), encodeCbor([room, epoch]));
}

async function keyCheckOf(key: Uint8Array, room: RoomId, epoch: number): Promise<Bytes> {
  return primitives.hkdfSha256(key, noSalt, roomContext("keycheck", room, epoch), 32);
}

function sealInfo(record: Pick<EpochRecord, "room" | "epoch" | "maker">, recipient: EndpointId): Bytes {
  return concat(
    utf8("althing/room-key/v1\0"),
    encodeCbor([record.room, record.epoch, fromBase64url(record.maker), fromBase64url(recipient)]),
  );
}

async function linkAead(
  key: Uint8Array,
  record: EpochRecord,
): Promise<{ aead: Awaited<ReturnType<typeof primitives.importAeadKey>>; aad: Bytes }> {
  const aead = await primitives.importAeadKey(await primitives.hkdfSha256(key, noSalt, roomContext("link", record.room, record.epoch), 32));
  return { aead, aad: encodeCbor([record.room, record.epoch, record.previous === null ? null : fromBase64url(record.previous)]) };
}

async function sealToMember(record: EpochRecord, member: { endpoint: EndpointId; kexPub: KexPub }, key: Uint8Array): Promise<SealedKey> {
  const { enc, ct } = await sealTo(fromHex(member.kexPub), sealInfo(record, member.endpoint), key);
  return { endpoint: member.endpoint, enc: toBase64url(enc), ct: toBase64url(ct) };
}

async function sealToAll(record: EpochRecord, key: Uint8Array): Promise<SealedKey[]> {
  const sealed: SealedKey[] = [];
  for (let start = 0; start < record.members.length; start += sealsAtOnce) {
    const part = record.members.slice(start, start + sealsAtOnce);
    sealed.push(...(await Promise.all(part.map((member) => sealToMember(record, member, key)))));
  }
  return sealed;
}

/**
 * Makes the next epoch: record, fresh key, one sealed copy a member, link.
 * @throws {epoch.forged} a change that the maker may not make
 */
export async function proposeEpoch(input: ProposeEpoch): Promise<ProposedEpoch> {
  const { previous, identity } = input;
  const key = randomBytes(32);
  const epoch = (previous?.record.epoch ?? 0) + 1;
  const record: EpochRecord = {
    version: 1,
    suite: "hpke-v1",
    room: input.room,
    name: input.name,
    policy: input.policy,
    epoch,
    previous: previous?.hash ?? null,
    reason: input.reason,
    members: sortMembers(input.members),
    maker: identity.endpoint,
    at: new Date(input.now).toISOString(),
    keyCheck: toBase64url(await keyCheckOf(key, input.room, epoch)),
    ...(input.prevMessages === undefined ? {} : { prevMessages: input.prevMessages }),
  };
  checkTransition(previous?.record ?? null, record, previous?.hash ?? null);
  const { bytes, hash } = await encodeEpoch(record, identity);
  const sealed = await sealToAll(record, key);
  const proposal: EpochProposal = { record: toBase64url(bytes), sealed };
  if (input.link && input.policy.history === "shared" && previous?.key !== undefined) {
    const { aead, aad } = await linkAead(key, record);
    proposal.link = toBase64url(await aead.seal(linkNonce, aad, previous.key));
  }
  return { proposal, record, hash, key };
}

async function checkKey(key: Uint8Array, record: EpochRecord): Promise<void> {
  const fits = key.length === 32 && equalBytes(await keyCheckOf(key, record.room, record.epoch), fromBase64url(record.keyCheck));
  if (!fits) throw forgedEpoch("its key is not the one it commits to", record);
}

/**
 * This identity's copy of the epoch's key.
 * @throws {epoch.no_key} the copy is for somebody else
 * @throws {epoch.forged} the copy does not open, or is not the key the record commits to
 */
export async function openEpochKey(identity: Identity, decoded: DecodedEpoch, sealed: SealedKey): Promise<Bytes> {
  const { record } = decoded;
  if (sealed.endpoint !== identity.endpoint) throw new AppError("epoch.no_key", { epoch: record.epoch, room: record.room });
  let key: Bytes;
  try {
    key = await identity.openSealed(sealInfo(record, identity.endpoint), fromBase64url(sealed.enc), fromBase64url(sealed.ct));
  } catch (cause) {
    throw forgedEpoch("its sealed key does not open", record, cause);
  }
  await checkKey(key, record);
  return key;
}

/**
 * The key of the epoch before, from the link of a room with shared history.
 * @param key of `next`
 * @param previous the record before, when at hand: the key is checked against its commitment
 * @throws {epoch.forged}
 */
export async function openLink(link: Uint8Array, key: Uint8Array, next: DecodedEpoch, previous?: DecodedEpoch): Promise<Bytes> {
  const { record } = next;
  if (record.policy.history !== "shared" || record.previous === null) throw forgedEpoch("it may have no link", record);
  if (previous !== undefined && previous.hash !== record.previous) throw forgedEpoch("its link leads to another record", record);
  const { aead, aad } = await linkAead(key, record);
  const before = await aead.open(linkNonce, aad, link);
  if (before === undefined) throw forgedEpoch("its link does not open", record);
  if (before.length !== 32) throw forgedEpoch("its link holds no key", record);
  if (previous !== undefined) await checkKey(before, previous.record);
  return before;
}

/** Suite `hpke-v1`. */
export const hpkeV1: RoomKeys = { suite: "hpke-v1", propose: proposeEpoch, open: openEpochKey, openLink };

/** The decoded record of a proposal. @throws {epoch.forged} */
export function decodeProposal(proposal: EpochProposal): DecodedEpoch {
  let bytes: Bytes;
  try {
    bytes = fromBase64url(proposal.record);
  } catch (cause) {
    throw forgedEpoch("it is not base64url", undefined, cause);
  }
  return decodeEpoch(bytes);
}
