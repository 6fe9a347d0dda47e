/**
 * What is inside a frame's payload: a content type, the content, and the key of a blob the frame refers to.
 *
 * Invariant: deterministic CBOR, one map; the blob's key travels only here, under the room's encryption, while its hash is in the frame's header. A
 * payload that cannot be read is a malformed frame, not a crash.
 */
import { AppError } from "@althing/contract";
import { cborHead, cborHeadBytes, cborNumberAt, concat, decodeCbor, encodeCbor, utf8 } from "@althing/crypto";

export interface Payload {
  readonly contentType: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly blobKey?: Uint8Array<ArrayBuffer>;
}

/** Content of `redact` frames: which message, and why. */
export interface Redaction {
  readonly target: string;
  readonly reason: string;
}

/** A map of two, and its first key. */
const bodyName = concat(Uint8Array.of(0xa2), encodeCbor("body"));
const typeName = encodeCbor("type");
/** Of applications' text. */
const decoder = new TextDecoder();
/** Of names: a byte order mark is part of them, and wrong. */
const exactDecoder = new TextDecoder("utf-8", { ignoreBOM: true });
const textTypes = /^(?:text\/|application\/json\b)/;
const contentTypePattern = /^[a-z0-9.+-]{1,64}\/[a-z0-9.+-]{1,64}(?:; ?[a-z]+=[a-z0-9-]{1,32})?$/;

export function encodePayload(payload: Payload): Uint8Array<ArrayBuffer> {
  const { contentType, bytes, blobKey } = payload;
  if (!contentTypePattern.test(contentType)) throw new AppError("frame.malformed", { detail: "the content type has a wrong form" });
  if (blobKey !== undefined) return encodeCbor({ body: bytes, type: contentType, blobKey });
  return concat(bodyName, cborHead(2, bytes.length), bytes, typeName, cborHead(3, contentType.length), utf8(contentType));
}

/**
 * A payload without a blob, recognised without parsing: two names in their places, two lengths in their shortest form, nothing behind them.
 * @returns undefined for all else, valid or not
 */
function readPlain(payload: Uint8Array): Payload | undefined {
  const length = cborNumberAt(payload, bodyName.length, 2);
  if (length < 0 || !standsAt(payload, 0, bodyName)) return undefined;
  const bodyAt = bodyName.length + cborHeadBytes(payload[bodyName.length] ?? 0);
  const textAt = bodyAt + length + typeName.length;
  const textLength = cborNumberAt(payload, textAt, 3);
  if (textLength < 0 || !standsAt(payload, bodyAt + length, typeName)) return undefined;
  const text = payload.subarray(textAt + cborHeadBytes(payload[textAt] ?? 0));
  if (text.length !== textLength) return undefined;
  const contentType = exactDecoder.decode(text);
  return contentTypePattern.test(contentType)
    ? { contentType, bytes: new Uint8Array(payload.subarray(bodyAt, bodyAt + length)) }
    : undefined;
}

function standsAt(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let index = 0; index < wanted.length; index += 1) if (bytes[at + index] !== wanted[index]) return false;
  return true;
}

/** @throws {frame.malformed} not the map this file writes */
export function decodePayload(bytes: Uint8Array<ArrayBuffer>): Payload {
  const plain = readPlain(bytes);
  if (plain !== undefined) return plain;
  let value: unknown;
  try {
    value = decodeCbor(bytes);
  } catch (cause) {
    throw new AppError("frame.malformed", { detail: "the payload is not canonical CBOR" }, { cause });
  }
  const map = fieldsOf(value);
  const { body, type, blobKey } = map;
  const wellFormed =
    body instanceof Uint8Array &&
    typeof type === "string" &&
    contentTypePattern.test(type) &&
    (blobKey === undefined || blobKey instanceof Uint8Array);
  if (!wellFormed) throw new AppError("frame.malformed", { detail: "the payload has other fields than body, type, blobKey" });
  return {
    contentType: type,
    bytes: new Uint8Array(body),
    ...(blobKey === undefined ? {} : { blobKey: new Uint8Array(blobKey) }),
  };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, field]) => [String(key), field]));
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** The text of a payload that says it is text, else `undefined`. */
export function textOf(payload: Payload): string | undefined {
  return textTypes.test(payload.contentType) ? decoder.decode(payload.bytes) : undefined;
}

export function encodeRedaction(redaction: Redaction): Payload {
  return { contentType: "application/json", bytes: utf8(JSON.stringify(redaction)) };
}

export function decodeRedaction(payload: Payload): Redaction {
  try {
    const value: unknown = JSON.parse(decoder.decode(payload.bytes));
    if (
      typeof value === "object" &&
      value !== null &&
      "target" in value &&
      "reason" in value &&
      typeof value.target === "string" &&
      typeof value.reason === "string"
    ) {
      return { target: value.target, reason: value.reason };
    }
  } catch (cause) {
    throw new AppError("frame.malformed", { detail: "a redaction is not JSON" }, { cause });
  }
  throw new AppError("frame.malformed", { detail: "a redaction names no message" });
}
