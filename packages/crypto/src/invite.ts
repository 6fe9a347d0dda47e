/**
 * Statements of invitation: an inviter's signed word that a person is asked into a room at a certain epoch record.
 *
 * Invariant: the statement names room, record and invitee, so that a server can neither pass it to somebody else nor show the invitee another
 * room or an older one under it. Form: CBOR `[body, signature]` in base64url, the body an array; docs/architecture/room-keys.md has the schema.
 */
import {
  AppError,
  endpointIdSchema,
  roomIdSchema,
  roomNameSchema,
  type EndpointId,
  type RoomId,
  type RoomName,
  type SignPub,
} from "@althing/contract";
import { fromBase64url, fromHex, toBase64url, toHex, type Bytes } from "./bytes.ts";
import { decodeCbor, encodeCbor, type CborValue } from "./canonical.ts";
import { endpointOf, endpointOfRaw, type Identity } from "./identity.ts";
import type { MaybePromise } from "./maybe-promise.ts";
import { verify } from "./signing.ts";

export interface InviteStatement {
  readonly room: RoomId;
  readonly name: RoomName;
  /** Epoch of the record that has the invitee in it; 0 in a room without encryption. */
  readonly epoch: number;
  /** Hash of that record, base64url; null in a room without encryption. */
  readonly recordHash: string | null;
  readonly invitee: EndpointId;
  readonly inviter: EndpointId;
  readonly inviterSignPub: SignPub;
  /** ISO 8601, UTC. */
  readonly at: string;
}

export interface DecodedInvite extends InviteStatement {
  readonly body: Bytes;
  readonly sig: Bytes;
}

const statementMaxBytes = 2_048;

function invalid(detail: string, cause?: unknown): AppError {
  return new AppError("room.invite_invalid", { detail }, cause === undefined ? {} : { cause });
}

function need(condition: boolean, detail: string): asserts condition {
  if (!condition) throw invalid(detail);
}

/** What an inviter states; the inviter itself is the identity that signs, and may only be named as such. */
export type InviteToState = Omit<InviteStatement, "inviter" | "inviterSignPub"> & Partial<InviteStatement>;

/** Signs as the inviter. @throws {room.invite_invalid} a statement that would not decode, or that names another inviter */
export async function encodeInvite(identity: Identity, statement: InviteToState): Promise<string> {
  const { room, name, epoch, recordHash, invitee, at, inviter = identity.endpoint, inviterSignPub = identity.signPub } = statement;
  need(inviter === identity.endpoint && inviterSignPub === identity.signPub, "its inviter is someone else");
  const hash = recordHash === null ? null : fromBase64url(recordHash);
  const body = encodeCbor([1, room, name, epoch, hash, fromBase64url(invitee), fromHex(identity.signPub), at]);
  const text = toBase64url(encodeCbor([body, await identity.sign("invite", body)]));
  decodeInvite(text);
  return text;
}

function decodeBody(value: CborValue): InviteStatement {
  need(Array.isArray(value) && value.length === 8, "the body has another form");
  const [version, room, name, epoch, hash, invitee, signPub, at] = value as readonly CborValue[];
  need(version === 1, "the version is unknown");
  need(typeof room === "string" && roomIdSchema.safeParse(room).success, "the room id has another form");
  need(typeof name === "string" && roomNameSchema.safeParse(name).success, "the room's name has another form");
  need(typeof epoch === "number" && epoch >= 0, "the epoch is no number");
  need(hash === null || (hash instanceof Uint8Array && hash.length === 32), "the record's hash has another form");
  need((epoch === 0) === (hash === null), "epoch and record's hash do not go together");
  need(invitee instanceof Uint8Array && endpointIdSchema.safeParse(toBase64url(invitee)).success, "the invitee has another form");
  need(signPub instanceof Uint8Array && signPub.length === 32, "the inviter's key has another form");
  need(typeof at === "string" && /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z$/.test(at), "the time has another form");
  return {
    room: room as RoomId,
    name: name as RoomName,
    epoch,
    recordHash: hash === null ? null : toBase64url(hash),
    invitee: toBase64url(invitee) as EndpointId,
    inviter: endpointOfRaw(signPub),
    inviterSignPub: toHex(signPub) as SignPub,
    at,
  };
}

/** Reads a statement; nothing is verified yet. @throws {room.invite_invalid} */
export function decodeInvite(text: string): DecodedInvite {
  try {
    const outer = decodeCbor(fromBase64url(text), statementMaxBytes);
    need(Array.isArray(outer) && outer.length === 2, "it is no pair of body and signature");
    const [body, sig] = outer as readonly CborValue[];
    need(body instanceof Uint8Array && sig instanceof Uint8Array && sig.length === 64, "it is no pair of body and signature");
    return { ...decodeBody(decodeCbor(body, statementMaxBytes)), body: new Uint8Array(body), sig: new Uint8Array(sig) };
  } catch (error) {
    if (error instanceof AppError && error.code === "room.invite_invalid") throw error;
    throw invalid(error instanceof Error ? error.message : "it cannot be read", error);
  }
}

/**
 * Did the inviter sign it?
 * @param inviterSignPub the key pinned for the inviter, when there is one: the statement must name it
 */
export function verifyInvite(invite: DecodedInvite, inviterSignPub: SignPub = invite.inviterSignPub): MaybePromise<boolean> {
  return invite.inviter === endpointOf(inviterSignPub) && verify("invite", inviterSignPub, invite.body, invite.sig);
}
