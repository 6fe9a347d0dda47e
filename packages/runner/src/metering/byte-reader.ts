/**
 * A cursor over the bytes of a core module.
 *
 * Invariant: reads are bounds-checked, and a read past the end is a refusal, never `undefined`. Integers are LEB128 in any
 * length that fits, because engines take over-long forms (WebAssembly core specification 3.0, §5.2.2): the pass sees only
 * modules the engine has validated, so an integer that does not fit its type cannot occur, and skipping one means skipping its
 * continuation bits.
 */
import { refuse } from "./refusal.ts";

export class ByteReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  at: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    if (start > end || end > bytes.length) refuse("malformed", `a part from ${start} to ${end} leaves the module`);
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  byte(): number {
    if (this.at >= this.end) refuse("malformed", `the bytes end at ${this.at}`);
    return this.bytes[this.at++] as number;
  }

  /** The next byte without taking it. */
  peek(): number {
    if (this.at >= this.end) refuse("malformed", `the bytes end at ${this.at}`);
    return this.bytes[this.at] as number;
  }

  /** Unsigned integer of at most 32 bits. */
  u32(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 5; count++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > 0xffffffff) break;
        return value;
      }
      scale *= 128;
    }
    return refuse("malformed", `no 32-bit integer before offset ${this.at}`);
  }

  /** Signed integer of at most 33 bits (block and heap types) or 32 bits. */
  s33(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 5; count++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) return (byte & 0x40) === 0 ? value : value - scale;
    }
    return refuse("malformed", `no 33-bit integer before offset ${this.at}`);
  }

  /** Steps over an integer of any width up to 64 bits. */
  skipInteger(): void {
    for (let count = 0; count < 10; count++) if (this.byte() < 0x80) return;
    refuse("malformed", `no 64-bit integer before offset ${this.at}`);
  }

  /** Steps over `count` bytes. */
  skip(count: number): void {
    if (count > this.end - this.at) refuse("malformed", `the bytes end inside a part at ${this.at}`);
    this.at += count;
  }

  /** Steps over a name or byte vector and returns its bytes. */
  vector(): Uint8Array {
    const length = this.u32();
    const start = this.at;
    this.skip(length);
    return this.bytes.subarray(start, start + length);
  }
}
