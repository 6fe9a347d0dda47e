/**
 * Deterministic CBOR (RFC 8949 §4.2.1), the one encoding of everything that is signed or hashed.
 *
 * Invariant: one value, one byte string. A decoder that only decodes would take indefinite lengths, long integers or unsorted keys, and two
 * readers could hash the same record differently; so decoding encodes again and refuses any difference. Values are null, booleans, integers
 * within 2^53, well-formed text, bytes, arrays and maps with text keys: no tags, no floats, no `undefined`.
 */
import { AppError } from "@althing/contract";
import { decode, encode, rfc8949EncodeOptions, Tokenizer, Type, type Token } from "cborg";
import { equalBytes, type Bytes } from "./bytes.ts";

export type CborValue = null | boolean | number | string | Uint8Array | readonly CborValue[] | { readonly [key: string]: CborValue };

const maxDepth = 16;

const decodeOptions = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
  rejectDuplicateMapKeys: true,
} as const;

function refused(detail: string, cause?: unknown): AppError {
  return new AppError("request.malformed", { detail: `CBOR: ${detail}` }, cause === undefined ? {} : { cause });
}

/** Counts open containers while the tokens pass, so that nesting is refused before the decoder's recursion has gone deep. */
class ShallowTokenizer extends Tokenizer {
  readonly #open: number[] = [];

  override next(): Token {
    const token = super.next();
    const open = this.#open;
    const last = open.length - 1;
    if (last >= 0) open[last] = (open[last] as number) - 1;
    const isMap = Type.equals(token.type, Type.map);
    if (isMap || Type.equals(token.type, Type.array)) {
      const items = token.value as number;
      open.push(isMap ? items * 2 : items);
      if (open.length > maxDepth) throw new RangeError(`nested deeper than ${maxDepth}`);
    }
    while (open.length > 0 && open[open.length - 1] === 0) open.pop();
    return token;
  }
}

function check(value: unknown, depth: number): void {
  if (value === null || typeof value === "boolean" || value instanceof Uint8Array) return;
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw new RangeError("a number that is no integer within 2^53");
    return;
  }
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw new RangeError("text that is not well-formed");
    return;
  }
  if (typeof value !== "object") throw new TypeError(`a value of type ${typeof value}`);
  if (depth >= maxDepth) throw new RangeError(`nested deeper than ${maxDepth}`);
  if (Array.isArray(value)) {
    for (const item of value) check(item, depth + 1);
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw new TypeError("an object that is not plain");
  for (const [key, item] of Object.entries(value)) {
    check(key, depth + 1);
    check(item, depth + 1);
  }
}

/** @throws {request.malformed} a value outside the subset */
export function encodeCbor(value: CborValue): Bytes {
  try {
    check(value, 0);
    return encode(value, rfc8949EncodeOptions);
  } catch (cause) {
    throw refused(cause instanceof Error ? cause.message : "cannot encode", cause);
  }
}

/** What stands before the bytes of an item (RFC 8949 §3), in its shortest form. @param value below 2^32: a length, or an integer that is all of the item */
export function cborHead(major: 0 | 2 | 3, value: number): Bytes {
  const type = major << 5;
  if (value < 24) return Uint8Array.of(type | value);
  if (value < 0x100) return Uint8Array.of(type | 24, value);
  if (value < 0x1_0000) return Uint8Array.of(type | 25, value >> 8, value);
  return Uint8Array.of(type | 26, value >> 24, value >> 16, value >> 8, value);
}

/** Length of the head of an integer, byte string or text, by its first byte; 9 for all that {@link cborHead} does not write. */
export function cborHeadBytes(first: number): number {
  const kind = first & 0x1f;
  return kind < 24 ? 1 : kind === 24 ? 2 : kind === 25 ? 3 : kind === 26 ? 5 : 9;
}

/** Reads what {@link cborHead} writes. @returns −1 for any other bytes, in particular a form that is not the shortest, and for bytes that end before */
export function cborNumberAt(bytes: Uint8Array, at: number, major: 0 | 2 | 3): number {
  const first = bytes[at] ?? 0xff;
  const size = cborHeadBytes(first);
  if (first >> 5 !== major || size === 9 || at + size > bytes.length) return -1;
  if (size === 1) return first & 0x1f;
  let value = 0;
  for (let index = 1; index < size; index++) value = value * 256 + (bytes[at + index] ?? 0);
  return value < (size === 2 ? 24 : size === 3 ? 0x100 : 0x1_0000) ? -1 : value;
}

/**
 * @param maxBytes refuse more without reading it
 * @throws {request.malformed} anything but the deterministic encoding of one value of the subset
 */
export function decodeCbor(bytes: Uint8Array, maxBytes = 1024 * 1024): CborValue {
  if (bytes.length > maxBytes) throw refused(`more than ${maxBytes} bytes`);
  let value: CborValue;
  let again: Uint8Array;
  try {
    const source = bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes);
    value = decode(source, { ...decodeOptions, tokenizer: new ShallowTokenizer(source, decodeOptions) }) as CborValue;
    check(value, 0);
    again = encode(value, rfc8949EncodeOptions);
  } catch (cause) {
    throw refused(cause instanceof Error ? cause.message : "cannot decode", cause);
  }
  if (!equalBytes(again, bytes)) throw refused("not the deterministic encoding");
  return value;
}
