/**
 * Bytes and their text forms, without Node's `Buffer`.
 *
 * Invariant: decoding is strict; each byte string has exactly one text that decodes to it (lower-case hexadecimal, base64url without padding
 * and with zero trailing bits), so that texts can be compared in place of bytes.
 */
import { AppError } from "@althing/contract";
import * as primitives from "#primitives";
import type { MaybePromise } from "./maybe-promise.ts";
import type { Bytes } from "./primitives.ts";

export type { Bytes } from "./primitives.ts";

const hexDigits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const base64urlAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const encoder = new TextEncoder();

function codesOf(alphabet: string): Int16Array {
  const codes = new Int16Array(128).fill(-1);
  for (let index = 0; index < alphabet.length; index++) codes[alphabet.charCodeAt(index)] = index;
  return codes;
}
const hexCodes = codesOf("0123456789abcdef");
const base64urlCodes = codesOf(base64urlAlphabet);

function codeAt(codes: Int16Array, text: string, index: number): number {
  const char = text.charCodeAt(index);
  return char < 128 ? (codes[char] as number) : -1;
}

function malformed(detail: string): AppError {
  return new AppError("request.malformed", { detail });
}

export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (let index = 0; index < bytes.length; index++) text += hexDigits[bytes[index] as number];
  return text;
}

/** @throws {request.malformed} anything but pairs of lower-case hexadecimal digits */
export function fromHex(text: string): Bytes {
  if (text.length % 2 !== 0) throw malformed("hexadecimal text of odd length");
  const bytes = new Uint8Array(text.length / 2);
  for (let index = 0; index < bytes.length; index++) {
    const high = codeAt(hexCodes, text, index * 2);
    const low = codeAt(hexCodes, text, index * 2 + 1);
    if (high < 0 || low < 0) throw malformed("not lower-case hexadecimal");
    bytes[index] = (high << 4) | low;
  }
  return bytes;
}

/** base64url without padding (RFC 4648 §5). */
export function toBase64url(bytes: Uint8Array): string {
  let text = "";
  for (let index = 0; index < bytes.length; index += 3) {
    const left = bytes.length - index;
    const word =
      ((bytes[index] as number) << 16) |
      ((left > 1 ? (bytes[index + 1] as number) : 0) << 8) |
      (left > 2 ? (bytes[index + 2] as number) : 0);
    text += (base64urlAlphabet[word >> 18] as string) + (base64urlAlphabet[(word >> 12) & 63] as string);
    if (left > 1) text += base64urlAlphabet[(word >> 6) & 63] as string;
    if (left > 2) text += base64urlAlphabet[word & 63] as string;
  }
  return text;
}

/** @throws {request.malformed} padding, another alphabet, or trailing bits that are not zero */
export function fromBase64url(text: string): Bytes {
  const rest = text.length % 4;
  if (rest === 1) throw malformed("base64url of impossible length");
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let word = 0;
  let at = 0;
  for (let index = 0; index < text.length; index++) {
    const code = codeAt(base64urlCodes, text, index);
    if (code < 0) throw malformed("not base64url without padding");
    word = ((word << 6) | code) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (word >> bits) & 0xff;
    }
  }
  if ((word & ((1 << bits) - 1)) !== 0) throw malformed("base64url with trailing bits");
  return bytes;
}

/** Lone surrogates become U+FFFD, as everywhere on the web. */
export function utf8(text: string): Bytes {
  return encoder.encode(text) as Bytes;
}

export function concat(...parts: readonly Uint8Array[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Compares in a time that depends on the lengths only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && primitives.sameBytes(a, b);
}

export function randomBytes(lengthBytes: number): Bytes {
  return globalThis.crypto.getRandomValues(new Uint8Array(lengthBytes));
}

/** For content of any size; a browser hashes large content off the main thread. */
export function sha256(bytes: Uint8Array): MaybePromise<Bytes> {
  return primitives.sha256(bytes);
}
