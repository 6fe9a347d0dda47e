/**
 * The next frame of a stream whose frames were read before, recognised without parsing.
 *
 * Invariant: what is recognised here means exactly what the CBOR library (frame.ts) reads in it. All bytes up to the end of the stream's id are compared
 * with those of a frame that it has read; behind them counter, id, content and signature have one place and one form each. Anything else,
 * valid or not, gives `undefined` and goes the long way. So a second parser cannot disagree with the first; the property test in
 * known-frame.test.ts compares both. A frame read in this way costs a tenth, and a receiver reads each frame of a stream but the first so.
 */
import { ulidPattern } from "@althing/contract";
import { cborHeadBytes, cborNumberAt } from "./canonical.ts";
import type { FrameHeader } from "./frame.ts";
import { createLru } from "./lru.ts";

/** What the frames of one stream, epoch and type have in common. */
export interface StreamHeader extends Omit<FrameHeader, "stream" | "counter" | "id" | "blob"> {
  readonly streamName: string;
}

export interface KnownFrame {
  readonly header: StreamHeader;
  readonly stream: Uint8Array;
  readonly counter: number;
  readonly id: string;
  readonly content: Uint8Array;
  readonly sig: Uint8Array | null;
  /** Where the content's item begins. */
  readonly aadEnd: number;
  /** Where the signature's item begins. */
  readonly signedEnd: number;
}

export interface KnownFrames {
  /** @returns undefined unless it is the plain next frame of a stream that was remembered */
  read(bytes: Uint8Array): KnownFrame | undefined;
  /** @param bytes a frame that was read and found well-formed, with this header */
  remember(bytes: Uint8Array, header: StreamHeader): void;
}

interface Known {
  readonly start: Uint8Array;
  readonly header: StreamHeader;
}

const streamBytes = 16;
const idBytes = 26;
const sigBytes = 64;
const nullItem = 0xf6;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Where the stream's id ends, if this is a frame; else anywhere. */
function streamEnd(bytes: Uint8Array): number {
  const room = 3 + ((bytes[2] ?? 0) & 0x1f);
  const subject = room + 2 + idBytes;
  const head = bytes[subject] ?? 0;
  const epoch = subject + (head === 0x78 ? 2 + (bytes[subject + 1] ?? 0) : 1 + (head & 0x1f));
  const record = epoch + cborHeadBytes(bytes[epoch] ?? 0);
  const sender = record + (bytes[record] === nullItem ? 1 : 2 + 32);
  return sender + 2 + 32 + 1 + streamBytes;
}

/** Streams are random, so their first bytes tell them apart; two that share them push each other out and are read the long way. */
function nameOf(bytes: Uint8Array, end: number): number {
  const at = end - streamBytes;
  return (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) ^ (bytes[2] ?? 0);
}

/** Nothing of it is secret; for so few bytes the way to the platform's comparison is longer than the comparison. */
function beginsWith(bytes: Uint8Array, start: Uint8Array, end: number): boolean {
  if (start.length !== end || bytes.length < end) return false;
  for (let at = 0; at < end; at += 1) if (bytes[at] !== start[at]) return false;
  return true;
}

/** @param capacity streams */
export function createKnownFrames(capacity: number): KnownFrames {
  const streams = createLru<number, Known>(capacity);
  return {
    read(bytes) {
      const counterAt = streamEnd(bytes);
      const known = streams.get(nameOf(bytes, counterAt));
      if (known === undefined || !beginsWith(bytes, known.start, counterAt)) return undefined;
      const counter = cborNumberAt(bytes, counterAt, 0);
      const idAt = counterAt + cborHeadBytes(bytes[counterAt] ?? 0) + 2;
      const aadEnd = idAt + idBytes + 1;
      const length = cborNumberAt(bytes, aadEnd, 2);
      const contentAt = aadEnd + cborHeadBytes(bytes[aadEnd] ?? 0);
      const signedEnd = contentAt + length;
      const fixed = bytes[idAt - 2] === 0x78 && bytes[idAt - 1] === idBytes && bytes[aadEnd - 1] === nullItem;
      if (counter < 0 || length < 0 || !fixed) return undefined;
      const signed = bytes[signedEnd] === 0x58 && bytes[signedEnd + 1] === sigBytes && bytes.length === signedEnd + 2 + sigBytes;
      if (!signed && !(bytes[signedEnd] === nullItem && bytes.length === signedEnd + 1)) return undefined;
      const id = decoder.decode(bytes.subarray(idAt, idAt + idBytes));
      if (!ulidPattern.test(id)) return undefined;
      return {
        header: known.header,
        stream: bytes.subarray(counterAt - streamBytes, counterAt),
        counter,
        id,
        content: bytes.subarray(contentAt, signedEnd),
        sig: signed ? bytes.subarray(signedEnd + 2) : null,
        aadEnd,
        signedEnd,
      };
    },
    remember(bytes, header) {
      const end = streamEnd(bytes);
      // A copy: a view would keep the buffer that the frame came in, and change with it.
      streams.set(nameOf(bytes, end), { start: new Uint8Array(bytes.subarray(0, end)), header });
    },
  };
}
