/**
 * Epoch records: who is in a room, signed, each naming the one before it.
 *
 * Invariant: a record that decodes has sorted, distinct members with sound keys, and one byte string; endpoint ids are not stored but computed
 * from the signing keys, so that id and key cannot disagree. The hash covers the body alone, so that the signature's bytes do not matter to the
 * chain. Form: CBOR `[body, signature]`, both byte strings, the body a map; docs/architecture/room-keys.md has the schema.
 */
import {
  AppError,
  memberHandleSchema,
  limits,
  roomIdSchema,
  roomNameSchema,
  roomRoles,
  type EndpointId,
  type Handle,
  type KexPub,
  type RoomId,
  type RoomName,
  type RoomPolicy,
  type RoomRole,
  type SignPub,
} from "@althing/contract";
import * as primitives from "#primitives";
import { fromBase64url, fromHex, toBase64url, toHex, type Bytes } from "./bytes.ts";
import { decodeCbor, encodeCbor, type CborValue } from "./canonical.ts";
import { endpointOfRaw, type Identity } from "./identity.ts";
import type { MaybePromise } from "./maybe-promise.ts";
import { verify } from "./signing.ts";
import { isSoundKexPub, isSoundSignPub } from "./weak-points.ts";

export const epochReasons = ["create", "invite", "join", "kick", "leave", "rekey", "role"] as const;
export type EpochReason = (typeof epochReasons)[number];

export interface EpochMember {
  readonly endpoint: EndpointId;
  readonly signPub: SignPub;
  readonly kexPub: KexPub;
  readonly handle: Handle;
  readonly role: RoomRole;
}

export interface EpochRecord {
  readonly version: 1;
  readonly suite: "hpke-v1";
  readonly room: RoomId;
  readonly name: RoomName;
  readonly policy: RoomPolicy;
  /** From 1 on. */
  readonly epoch: number;
  /** Hash of the record before this one; null in the first. */
  readonly previous: string | null;
  readonly reason: EpochReason;
  /** Sorted by endpoint id (ASCII order), distinct. */
  readonly members: readonly EpochMember[];
  readonly maker: EndpointId;
  /** ISO 8601, UTC; the maker's clock. */
  readonly at: string;
  /** Commitment to the epoch key, base64url. */
  readonly keyCheck: string;
  /** Messages that the maker had seen in the epoch before. */
  readonly prevMessages?: number;
}

export interface DecodedEpoch {
  readonly record: EpochRecord;
  /** sha256 of `body`, base64url. */
  readonly hash: string;
  readonly body: Bytes;
  readonly sig: Bytes;
}

const recordMaxBytes = 1024 * 1024;
const bodyKeys = ["at", "epoch", "keyCheck", "maker", "members", "name", "policy", "previous", "reason", "room", "suite", "v"];
const knownRoles: ReadonlySet<string> = new Set(roomRoles);
const policyKeys = ["encrypt", "history", "persist", "sign"];
const timeForm = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z$/;

type Fields = { readonly [key: string]: CborValue };

/** @throws {epoch.forged} */
export function forgedEpoch(detail: string, record?: Pick<EpochRecord, "epoch" | "room">, cause?: unknown): AppError {
  return new AppError(
    "epoch.forged",
    { epoch: record?.epoch ?? "?", room: record?.room ?? "a room", detail },
    cause === undefined ? {} : { cause },
  );
}

function need(condition: boolean, detail: string): asserts condition {
  if (!condition) throw forgedEpoch(detail);
}

function isMap(value: CborValue | undefined): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function hash32(value: CborValue | undefined, what: string): string {
  need(value instanceof Uint8Array && value.length === 32, `${what} is no hash`);
  return toBase64url(value);
}

function decodeMember(value: CborValue): EpochMember {
  need(Array.isArray(value) && value.length === 4, "a member has another form");
  const [signPub, kexPub, handle, role] = value as readonly CborValue[];
  need(signPub instanceof Uint8Array && isSoundSignPub(signPub), "a member's signing key is unsound");
  need(kexPub instanceof Uint8Array && isSoundKexPub(kexPub), "a member's key-agreement key is unsound");
  need(typeof handle === "string" && memberHandleSchema.safeParse(handle).success, "a member's handle has another form");
  need(typeof role === "string" && knownRoles.has(role), "a member's role is unknown");
  return {
    endpoint: endpointOfRaw(signPub),
    signPub: toHex(signPub) as SignPub,
    kexPub: toHex(kexPub) as KexPub,
    handle: handle as Handle,
    role: role as RoomRole,
  };
}

function decodePolicy(value: CborValue | undefined): RoomPolicy {
  need(isMap(value) && Object.keys(value).sort().join() === policyKeys.join(), "the policy has another form");
  const { encrypt, persist, sign, history } = value;
  need(typeof encrypt === "boolean" && typeof persist === "boolean" && typeof sign === "boolean", "the policy has another form");
  need(history === "shared" || history === "from-join", "the policy has another form");
  return { encrypt, persist, sign, history };
}

function decodeBody(value: CborValue): EpochRecord {
  need(isMap(value), "the body is no map");
  const keys = Object.keys(value).filter((key) => key !== "prevMessages");
  need(keys.sort().join() === bodyKeys.join(), "the body has other fields");
  const { v, suite, room, name, epoch, previous, reason, members, maker, at, prevMessages } = value;
  need(v === 1, "the version is unknown");
  need(suite === "hpke-v1", "the suite is unknown");
  need(typeof room === "string" && roomIdSchema.safeParse(room).success, "the room id has another form");
  need(typeof name === "string" && roomNameSchema.safeParse(name).success, "the room's name has another form");
  need(typeof epoch === "number" && epoch >= 1, "the epoch is no positive number");
  need(typeof reason === "string" && (epochReasons as readonly string[]).includes(reason), "the reason is unknown");
  need(typeof at === "string" && timeForm.test(at) && !Number.isNaN(Date.parse(at)), "the time has another form");
  need(prevMessages === undefined || (typeof prevMessages === "number" && prevMessages >= 0), "the count of messages is no number");
  need(
    Array.isArray(members) && members.length >= 1 && members.length <= limits.roomMembersMax,
    `there are not 1 to ${limits.roomMembersMax} members`,
  );
  const record: EpochRecord = {
    version: 1,
    suite,
    room: room as RoomId,
    name: name as RoomName,
    policy: decodePolicy(value["policy"]),
    epoch,
    previous: previous === null ? null : hash32(previous, "the previous hash"),
    reason: reason as EpochReason,
    members: (members as readonly CborValue[]).map(decodeMember),
    maker: hash32(maker, "the maker") as EndpointId,
    at,
    keyCheck: hash32(value["keyCheck"], "the key check"),
    ...(prevMessages === undefined ? {} : { prevMessages }),
  };
  need(areSortedMembers(record.members), "the members are not sorted, or one is there twice");
  return record;
}

/** Are the members in strictly ascending order of endpoint id? */
export function areSortedMembers(members: readonly EpochMember[]): boolean {
  return members.every((member, index) => index === 0 || (members[index - 1] as EpochMember).endpoint < member.endpoint);
}

/** Sorted as records want them. */
export function sortMembers(members: readonly EpochMember[]): EpochMember[] {
  return [...members].sort((a, b) => (a.endpoint < b.endpoint ? -1 : a.endpoint > b.endpoint ? 1 : 0));
}

function encodeBody(record: EpochRecord): Bytes {
  const { policy } = record;
  return encodeCbor({
    v: record.version,
    suite: record.suite,
    room: record.room,
    name: record.name,
    policy: { encrypt: policy.encrypt, persist: policy.persist, sign: policy.sign, history: policy.history },
    epoch: record.epoch,
    previous: record.previous === null ? null : fromBase64url(record.previous),
    reason: record.reason,
    members: record.members.map((member) => [fromHex(member.signPub), fromHex(member.kexPub), member.handle, member.role]),
    maker: fromBase64url(record.maker),
    at: record.at,
    keyCheck: fromBase64url(record.keyCheck),
    ...(record.prevMessages === undefined ? {} : { prevMessages: record.prevMessages }),
  });
}

/**
 * Signs a record as its maker.
 * @throws {epoch.forged} a record that would not decode, or that names another maker
 */
export async function encodeEpoch(record: EpochRecord, identity: Identity): Promise<{ bytes: Bytes; hash: string }> {
  if (record.maker !== identity.endpoint) throw forgedEpoch("its maker is someone else", record);
  for (const member of record.members) {
    if (endpointOfRaw(fromHex(member.signPub)) !== member.endpoint) throw forgedEpoch("a member's endpoint id is not of its key", record);
  }
  const body = encodeBody(record);
  const bytes = encodeCbor([body, await identity.sign("epoch", body)]);
  return { bytes, hash: decodeEpoch(bytes).hash };
}

/** Reads a record; says nothing yet about who signed it or whether it may follow another. @throws {epoch.forged} */
export function decodeEpoch(bytes: Uint8Array): DecodedEpoch {
  try {
    const outer = decodeCbor(bytes, recordMaxBytes);
    need(Array.isArray(outer) && outer.length === 2, "it is no pair of body and signature");
    const [body, sig] = outer as readonly CborValue[];
    need(body instanceof Uint8Array && sig instanceof Uint8Array && sig.length === 64, "it is no pair of body and signature");
    const record = decodeBody(decodeCbor(body, recordMaxBytes));
    return { record, hash: toBase64url(primitives.sha256Now(body)), body: new Uint8Array(body), sig: new Uint8Array(sig) };
  } catch (error) {
    if (error instanceof AppError && error.code === "epoch.forged") throw error;
    throw forgedEpoch(error instanceof Error ? error.message : "it cannot be read", undefined, error);
  }
}

/** Did the maker named in the record sign it with `makerSignPub`? */
export function verifyEpochSignature(decoded: DecodedEpoch, makerSignPub: SignPub): MaybePromise<boolean> {
  return endpointOfRaw(fromHex(makerSignPub)) === decoded.record.maker && verify("epoch", makerSignPub, decoded.body, decoded.sig);
}
