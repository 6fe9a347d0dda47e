/**
 * TextEncoder and TextDecoder for QuickJS, which has neither.
 *
 * Invariant: no loop over bytes in JavaScript on well-formed text: a guest pays fuel for every instruction of its interpreter, so a megabyte walked
 * byte by byte would end it. The work is done by the engine's native functions; only malformed UTF-8 takes the slow way (WHATWG Encoding §4, U+FFFD for
 * each maximal subpart).
 */
/// <reference lib="esnext.typedarrays" />

/** UTF-8 only, as the standard has it. Lone surrogates become U+FFFD. */
export class TextEncoder {
  readonly encoding = "utf-8";

  encode(text = ""): Uint8Array {
    const wellFormed = String(text).toWellFormed();
    return Uint8Array.fromBase64(btoa(unescape(encodeURIComponent(wellFormed))));
  }

  /** Writes whole characters as long as they fit. */
  encodeInto(text: string, target: Uint8Array): { read: number; written: number } {
    let read = 0;
    let written = 0;
    for (const character of String(text)) {
      const bytes = this.encode(character);
      if (written + bytes.length > target.length) break;
      target.set(bytes, written);
      written += bytes.length;
      read += character.length;
    }
    return { read, written };
  }
}

/** [lowest lead byte, length, range of the second byte] of each row of Unicode's table of well-formed sequences. */
const rows = [
  [0xc2, 2, 0x80, 0xbf],
  [0xe0, 3, 0xa0, 0xbf],
  [0xe1, 3, 0x80, 0xbf],
  [0xed, 3, 0x80, 0x9f],
  [0xee, 3, 0x80, 0xbf],
  [0xf0, 4, 0x90, 0xbf],
  [0xf1, 4, 0x80, 0xbf],
  [0xf4, 4, 0x80, 0x8f],
  [0xf5, 0, 0, 0],
] as const;

/** How many bytes at `at` belong together, and whether they are a character. */
function sequenceAt(bytes: Uint8Array, at: number): { length: number; isWhole: boolean } {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return { length: 1, isWhole: true };
  const row = rows.findLast(([lowest]) => lead >= lowest);
  if (row === undefined || row[1] === 0) return { length: 1, isWhole: false };
  const [, needed, low, high] = row;
  for (let index = 1; index < needed; index++) {
    const byte = bytes[at + index] ?? -1;
    if (byte < (index === 1 ? low : 0x80) || byte > (index === 1 ? high : 0xbf)) return { length: index, isWhole: false };
  }
  return { length: needed, isWhole: true };
}

/** Every maximal malformed part replaced by EF BF BD, so that the rest can be decoded natively. */
function repaired(bytes: Uint8Array, isFatal: boolean): Uint8Array {
  const out: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const { length, isWhole } = sequenceAt(bytes, at);
    if (!isWhole && isFatal) throw new TypeError("the bytes are not UTF-8");
    if (isWhole) out.push(...bytes.subarray(at, at + length));
    else out.push(0xef, 0xbf, 0xbd);
    at += length;
  }
  return Uint8Array.from(out);
}

const decodeNative = (bytes: Uint8Array) => decodeURIComponent(escape(atob(bytes.toBase64())));

function asBytes(input: ArrayBuffer | ArrayBufferView): Uint8Array {
  return input instanceof ArrayBuffer ? new Uint8Array(input) : new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
}

export interface DecoderOptions {
  readonly fatal?: boolean;
  readonly ignoreBOM?: boolean;
}

/** UTF-8 only, whole inputs only. */
export class TextDecoder {
  readonly encoding = "utf-8";
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;

  /** @throws {RangeError} another encoding than UTF-8 */
  constructor(label = "utf-8", options: DecoderOptions = {}) {
    if (!/^\s*(?:utf-?8|unicode-1-1-utf-8)\s*$/i.test(label)) throw new RangeError(`only utf-8 can be decoded here, not ${label}`);
    this.fatal = options.fatal ?? false;
    this.ignoreBOM = options.ignoreBOM ?? false;
  }

  /** @throws {TypeError} malformed and `fatal`, or asked to decode in pieces */
  decode(input: ArrayBuffer | ArrayBufferView = new Uint8Array(), options: { readonly stream?: boolean } = {}): string {
    if (options.stream === true) throw new TypeError("decoding in pieces is not possible here; join the bytes first");
    const bytes = asBytes(input);
    let text: string;
    try {
      text = decodeNative(bytes);
    } catch {
      text = decodeNative(repaired(bytes, this.fatal));
    }
    return !this.ignoreBOM && text.startsWith("\ufeff") ? text.slice(1) : text;
  }
}
