/**
 * Keys as byte strings whose plain order is the order of the segments.
 *
 * A key becomes the UTF-8 bytes of its segments, each ended by one NUL. NUL is refused inside a segment and sorts below every other
 * byte, so comparing bytes compares segment by segment and a key sorts before the keys it is a prefix of. The bytes are held
 * in a string of one character a byte (latin1): `<` on it is `memcmp`, whereas `<` on the original would order by UTF-16 code
 * units and put U+E000–U+FFFF after emoji. Full keys begin with the collection's name as one more segment.
 */
import { AppError } from "@althing/contract";
import { storeLimits } from "./store-limits.ts";
import type { Key } from "./types.ts";

const plainSegment = /^[\x01-\x7f]+$/;
const collectionName = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** For error texts: bounded, printable. */
export function printKey(key: unknown): string {
  const text = JSON.stringify(key) ?? String(key);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function encodeSegment(segment: unknown, key: unknown): string {
  const refuse = (detail: string): never => {
    throw new AppError("store.key_invalid", { key: printKey(key), detail });
  };
  if (typeof segment !== "string") return refuse("a segment is no string");
  if (segment.length === 0) return refuse("a segment is empty");
  if (plainSegment.test(segment))
    return segment.length > storeLimits.keySegmentMaxBytes ? refuse("a segment has more than 255 bytes") : segment;
  if (segment.includes("\0")) return refuse("a segment contains NUL");
  if (!segment.isWellFormed()) return refuse("a segment is not valid Unicode");
  const bytes = Buffer.from(segment, "utf8");
  if (bytes.length > storeLimits.keySegmentMaxBytes) return refuse("a segment has more than 255 bytes");
  return bytes.toString("latin1");
}

/**
 * Leading segments of keys, in order-keeping form; none at all gives the empty string.
 * @throws {store.key_invalid}
 */
export function encodePrefix(segments: readonly string[]): string {
  if (!Array.isArray(segments) || segments.length > storeLimits.keySegmentsMax) {
    throw new AppError("store.key_invalid", { key: printKey(segments), detail: "more than 16 segments" });
  }
  let encoded = "";
  for (const segment of segments) encoded += `${encodeSegment(segment, segments)}\0`;
  return encoded;
}

/** @throws {store.key_invalid} */
export function encodeKey(key: Key): string {
  if (!Array.isArray(key) || key.length === 0) throw new AppError("store.key_invalid", { key: printKey(key), detail: "no segments" });
  return encodePrefix(key);
}

export function decodeKey(encoded: string): Key {
  const segments = encoded.slice(0, -1).split("\0");
  return segments.map((s) => (plainSegment.test(s) ? s : Buffer.from(s, "latin1").toString("utf8"))) as unknown as Key;
}

/** @throws {store.key_invalid} the name of the collection is not well formed */
export function collectionPrefix(name: string): string {
  if (!collectionName.test(name))
    throw new AppError("store.key_invalid", { key: printKey(name), detail: "a collection is 1–63 of a–z 0–9 -" });
  return `${name}\0`;
}

/** The first string after everything that begins with `prefix` (which ends in NUL). */
export function prefixEnd(prefix: string): string {
  return `${prefix.slice(0, -1)}\x01`;
}
