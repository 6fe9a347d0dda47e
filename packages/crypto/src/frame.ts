/**
 * Room frames: the form on the wire, and how one is opened.
 *
 * Invariant: a frame has one byte string; everything before the payload is authenticated with it (AAD), and everything before the signature is
 * signed, the NATS subject and the hash of the epoch record with it. So a frame cannot be moved to another room, subject, epoch or sender.
 * Form: CBOR array of 13 items, docs/architecture/room-frames.md has the schema. Replays, order and gaps are the receiver's state, not ours.
 */
import {
  AppError,
  limits,
  roomIdSchema,
  ulidSchema,
  type BlobHash,
  type EndpointId,
  type RoomId,
  type RoomPolicy,
  type SignPub,
} from "@althing/contract";
import * as primitives from "#primitives";
import { concat, fromBase64url, fromHex, toBase64url, toHex, utf8, type Bytes } from "./bytes.ts";
import { cborHead, decodeCbor, encodeCbor, type CborValue } from "./canonical.ts";
import { endpointOf } from "./identity.ts";
import { createKnownFrames } from "./known-frame.ts";
import { createLru, type Lru } from "./lru.ts";
import { chain, type MaybePromise } from "./maybe-promise.ts";
import type { AeadKey } from "./primitives.ts";
import type { EpochKey } from "./room-keys.ts";
import { isQuickKey, signedBytes, verify, verifyExactApart } from "./signing.ts";

export const frameTypes = ["msg", "invite", "join", "leave", "kick", "ack", "receipt", "redact"] as const;
export type FrameType = (typeof frameTypes)[number];

/** Frames of one stream under one key; far below what AES-GCM allows with counters as nonces. */
export const streamMaxFrames = 2 ** 32;

export interface BlobReference {
  readonly hash: BlobHash;
  /** Of the ciphertext. */
  readonly bytes: number;
}

export interface FrameHeader {
  readonly type: FrameType;
  readonly room: RoomId;
  /** The room's output subject. */
  readonly subject: string;
  /** 0 in a room without encryption. */
  readonly epoch: number;
  /** Hash of the epoch record, base64url; null in a room without encryption. */
  readonly epochHash: string | null;
  readonly sender: EndpointId;
  /** 16 bytes, drawn by each run of a client. */
  readonly stream: Uint8Array;
  /** From 0 on, without gaps, over the whole stream. */
  readonly counter: number;
  /** ULID. */
  readonly id: string;
  readonly blob?: BlobReference;
}

export interface OpenFrame extends FrameHeader {
  readonly payload: Bytes;
  /** false: any member could have written it under the sender's name (rooms with `sign: false`). */
  readonly authenticated: boolean;
}

export interface ParsedFrame extends FrameHeader {
  /** `<sender>/<stream in base64url>`. */
  readonly streamName: string;
  /** Ciphertext, or the payload in a room without encryption; may be a view of the frame's bytes. */
  readonly content: Uint8Array;
  readonly sig: Uint8Array | null;
  /** The frame's bytes before the content. */
  readonly aad: Uint8Array;
  /** The frame's bytes before the signature. */
  readonly signed: Uint8Array;
}

/** A signature that is verified apart from the rest, before the frame's turn. */
export interface FrameVerdict {
  readonly of: ParsedFrame;
  readonly signPub: SignPub;
  readonly good: Promise<boolean>;
}

export interface FrameContext {
  readonly room: RoomId;
  readonly subject: string;
  readonly policy: RoomPolicy;
  readonly senderSignPub: SignPub;
  /** Key of the epoch that the frame names; null in a room without encryption. */
  readonly epochKey: EpochKey | null;
  /** Counts for the frame and the key that it is of, and for nothing else. */
  readonly verdict?: FrameVerdict | undefined;
}

const itemCount = 13;
const headerCount = itemCount - 2;
const startCount = headerCount - 3;
const nullItem = Uint8Array.of(0xf6);
const noSalt = new Uint8Array(0);
const contentLabel = utf8("althing/content/v1\0");
/** Content keys by epoch key, so that they go when it goes; each holds the streams heard last. */
const contentKeys = new WeakMap<EpochKey, Lru<string, AeadKey>>();
const knownFrames = createKnownFrames(1_024);

function malformed(detail: string, cause?: unknown): AppError {
  return new AppError("frame.malformed", { detail }, cause === undefined ? {} : { cause });
}

function forged(detail: string): AppError {
  return new AppError("frame.forged", { detail });
}

function need(condition: boolean, detail: string): asserts condition {
  if (!condition) throw malformed(detail);
}

/** Must frames of this type be signed in rooms of this policy? Only messages may go unsigned. */
export function mustBeSigned(type: FrameType, policy: RoomPolicy): boolean {
  return policy.sign || type !== "msg";
}

/** The frame's bytes before its counter: what frames of one stream, epoch and type begin with. */
export function encodeFrameStart(header: Omit<FrameHeader, "counter" | "id" | "blob">): Bytes {
  const start = encodeCbor([
    1,
    header.type,
    header.room,
    header.subject,
    header.epoch,
    header.epochHash === null ? null : fromBase64url(header.epochHash),
    fromBase64url(header.sender),
    header.stream,
  ]);
  // Array heads of up to 23 items are one byte: this one counts the items that follow it.
  start[0] = (start[0] ?? 0) + (itemCount - startCount);
  return start;
}

/** The frame's bytes before its content. @param start of {@link encodeFrameStart} */
export function encodeFrameHeader(start: Uint8Array, { counter, id, blob }: Pick<FrameHeader, "counter" | "id" | "blob">): Bytes {
  const idBytes = utf8(id);
  const reference = blob === undefined ? nullItem : encodeCbor([fromHex(blob.hash), blob.bytes]);
  return concat(start, cborHead(0, counter), cborHead(3, idBytes.length), idBytes, reference);
}

function decodeBlob(value: CborValue | undefined): BlobReference | undefined {
  if (value === null) return undefined;
  need(Array.isArray(value) && value.length === 2, "the blob reference has another form");
  const [hash, bytes] = value as readonly CborValue[];
  need(hash instanceof Uint8Array && hash.length === 32 && typeof bytes === "number" && bytes >= 0, "the blob reference has another form");
  return { hash: toHex(hash) as BlobHash, bytes };
}

function decodeHeader(items: readonly CborValue[]): FrameHeader {
  const [version, type, room, subject, epoch, epochHash, sender, stream, counter, id, blobItem] = items;
  need(version === 1, "the version is unknown");
  need(typeof type === "string" && (frameTypes as readonly string[]).includes(type), "the type is unknown");
  need(typeof room === "string" && roomIdSchema.safeParse(room).success, "the room id has another form");
  need(typeof subject === "string" && /^[\x21-\x7e]{1,200}$/.test(subject), "the subject has another form");
  need(typeof epoch === "number" && epoch >= 0, "the epoch is no number");
  need(epochHash === null || (epochHash instanceof Uint8Array && epochHash.length === 32), "the record's hash has another form");
  need((epoch === 0) === (epochHash === null), "epoch and record's hash do not go together");
  need(sender instanceof Uint8Array && sender.length === 32, "the sender has another form");
  need(stream instanceof Uint8Array && stream.length === 16, "the stream has another form");
  need(typeof counter === "number" && counter >= 0 && counter < streamMaxFrames, "the counter is out of range");
  need(typeof id === "string" && ulidSchema.safeParse(id).success, "the id has another form");
  const blob = decodeBlob(blobItem);
  return {
    type: type as FrameType,
    room: room as RoomId,
    subject,
    epoch,
    epochHash: epochHash === null ? null : toBase64url(epochHash),
    sender: toBase64url(sender) as EndpointId,
    stream,
    counter,
    id,
    ...(blob === undefined ? {} : { blob }),
  };
}

/** Reads the form; nothing is verified yet. @throws {frame.malformed} */
export function parseFrame(bytes: Uint8Array): ParsedFrame {
  need(bytes.length <= limits.frameMaxBytes, `more than ${limits.frameMaxBytes} bytes`);
  const known = knownFrames.read(bytes);
  if (known === undefined) return parseAnyFrame(bytes);
  const { header, aadEnd, signedEnd } = known;
  return {
    type: header.type,
    room: header.room,
    subject: header.subject,
    epoch: header.epoch,
    epochHash: header.epochHash,
    sender: header.sender,
    streamName: header.streamName,
    stream: known.stream,
    counter: known.counter,
    id: known.id,
    content: known.content,
    sig: known.sig,
    aad: bytes.subarray(0, aadEnd),
    signed: bytes.subarray(0, signedEnd),
  };
}

/** The long way, through the library. @throws {frame.malformed} */
export function parseAnyFrame(bytes: Uint8Array): ParsedFrame {
  let items: CborValue;
  try {
    items = decodeCbor(bytes, limits.frameMaxBytes);
  } catch (cause) {
    throw malformed(cause instanceof Error ? cause.message : "unreadable", cause);
  }
  need(Array.isArray(items) && items.length === itemCount, `no array of ${itemCount} items`);
  const list = items as readonly CborValue[];
  const header = decodeHeader(list);
  const content = list[headerCount];
  const sig = list[headerCount + 1];
  need(content instanceof Uint8Array, "the content is no byte string");
  need(sig === null || (sig instanceof Uint8Array && sig.length === 64), "the signature has another form");
  const signedEnd = bytes.length - (sig === null ? 1 : cborHead(2, 64).length + 64);
  const aadEnd = signedEnd - content.length - cborHead(2, content.length).length;
  const { type, room, subject, epoch, epochHash, sender } = header;
  const streamName = `${sender}/${toBase64url(header.stream)}`;
  knownFrames.remember(bytes, { type, room, subject, epoch, epochHash, sender, streamName });
  return {
    ...header,
    streamName,
    content,
    sig,
    aad: bytes.subarray(0, aadEnd),
    signed: bytes.subarray(0, signedEnd),
  };
}

/** The key of one sender's stream in one epoch; derived once and kept with the epoch key. */
export function contentKeyOf(epochKey: EpochKey, place: Pick<ParsedFrame, "sender" | "stream" | "streamName">): MaybePromise<AeadKey> {
  let known = contentKeys.get(epochKey);
  if (known === undefined) contentKeys.set(epochKey, (known = createLru(256)));
  const cache = known;
  const cached = cache.get(place.streamName);
  if (cached !== undefined) return cached;
  const info = concat(contentLabel, fromBase64url(place.sender), place.stream, fromBase64url(epochKey.recordHash));
  const derived = chain(primitives.hkdfSha256(epochKey.key, noSalt, info, 32), (raw) => primitives.importAeadKey(raw));
  return chain(derived, (key) => {
    cache.set(place.streamName, key);
    return key;
  });
}

/** The counter as 96-bit nonce, big-endian. */
export function nonceOf(counter: number): Bytes {
  const nonce = new Uint8Array(12);
  for (let at = 11, rest = counter; rest > 0; at -= 1, rest = Math.floor(rest / 256)) nonce[at] = rest % 256;
  return nonce;
}

function checkPlace(parsed: ParsedFrame, context: FrameContext): void {
  if (parsed.room !== context.room) throw new AppError("frame.misplaced", { expected: parsed.room, observed: context.room });
  if (parsed.subject !== context.subject) throw new AppError("frame.misplaced", { expected: parsed.subject, observed: context.subject });
  if (parsed.sender !== endpointOf(context.senderSignPub)) throw forged("it names another sender");
  if (mustBeSigned(parsed.type, context.policy) !== (parsed.sig !== null))
    throw forged(parsed.sig === null ? "it is not signed" : "it is signed where messages are not");
  if (context.policy.encrypt !== (parsed.epochHash !== null))
    throw forged(context.policy.encrypt ? "it is not encrypted" : "it is encrypted where nothing is");
}

function checkSignature(parsed: ParsedFrame, { senderSignPub, verdict }: FrameContext): MaybePromise<boolean> {
  if (parsed.sig === null) return true;
  if (verdict?.of === parsed && verdict.signPub === senderSignPub) return verdict.good;
  return verify("frame", senderSignPub, parsed.signed, parsed.sig);
}

/**
 * Begins to verify a frame's signature on another thread; {@link openFrame} takes the verdict.
 * @returns undefined when it has none, and where verifying it at its turn costs less of the processor
 */
export function verifyFrameApart(parsed: ParsedFrame, signPub: SignPub): FrameVerdict | undefined {
  if (parsed.sig === null || isQuickKey(signPub)) return undefined;
  const good = verifyExactApart(signPub, signedBytes("frame", parsed.signed), parsed.sig);
  // Whoever takes the verdict hears of a failure; a frame that is dropped before must not make it unheard.
  good.catch(() => undefined);
  return { of: parsed, signPub, good };
}

/**
 * Verifies and decrypts.
 * @throws {frame.misplaced} it belongs to another room or subject
 * @throws {frame.forged} sender, signature, epoch or ciphertext does not fit
 * @throws {epoch.no_key} the room is encrypted and no key was given
 */
export function openFrame(parsed: ParsedFrame, context: FrameContext): MaybePromise<OpenFrame> {
  checkPlace(parsed, context);
  return chain(checkSignature(parsed, context), (good) => {
    if (!good) throw forged("its signature does not verify");
    return chain(openContent(parsed, context), (payload) => toOpenFrame(parsed, payload));
  });
}

function openContent(parsed: ParsedFrame, context: FrameContext): MaybePromise<Bytes> {
  if (!context.policy.encrypt) return new Uint8Array(parsed.content);
  const { epochKey } = context;
  if (epochKey === null) throw new AppError("epoch.no_key", { epoch: parsed.epoch, room: parsed.room });
  if (epochKey.epoch !== parsed.epoch || epochKey.recordHash !== parsed.epochHash) throw forged("it names another epoch record");
  const opened = chain(contentKeyOf(epochKey, parsed), (key) => key.open(nonceOf(parsed.counter), parsed.aad, parsed.content));
  return chain(opened, (payload) => {
    if (payload === undefined) throw forged("it does not decrypt");
    return payload;
  });
}

function toOpenFrame(parsed: ParsedFrame, payload: Bytes): OpenFrame {
  return {
    type: parsed.type,
    room: parsed.room,
    subject: parsed.subject,
    epoch: parsed.epoch,
    epochHash: parsed.epochHash,
    sender: parsed.sender,
    stream: parsed.stream,
    counter: parsed.counter,
    id: parsed.id,
    ...(parsed.blob === undefined ? {} : { blob: parsed.blob }),
    payload,
    authenticated: parsed.sig !== null,
  };
}
