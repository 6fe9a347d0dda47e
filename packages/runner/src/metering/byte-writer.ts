/**
 * A growing byte buffer with the encodings the pass writes.
 *
 * `room` is called once for a run of writes and the writes themselves are unchecked: bounds checks on every byte cost a third of
 * the rewriting speed. Writing past the reserved room of a typed array is ignored by JavaScript, so a mistake shows as a module
 * that does not validate, never as memory damage; the tests validate every output.
 */
export class ByteWriter {
  bytes: Uint8Array;
  at = 0;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(Math.max(capacity, 64));
  }

  /** Makes sure that `count` more bytes fit. */
  room(count: number): void {
    if (this.at + count <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.at + count, Math.ceil(this.bytes.length * 1.5)));
    larger.set(this.bytes.subarray(0, this.at));
    this.bytes = larger;
  }

  byte(value: number): void {
    this.bytes[this.at++] = value;
  }

  /** Unsigned LEB128, shortest form. */
  u32(value: number): void {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.bytes[this.at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.at++] = rest;
  }

  /** Signed LEB128 of an integer from 0 to 2^53, shortest form. */
  positive(value: number): void {
    let rest = value;
    while (rest >= 0x40) {
      this.bytes[this.at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.at++] = rest;
  }

  /** Copies `source[start, end)`; makes its own room, and for `more` bytes after it. */
  copy(source: Uint8Array, start: number, end: number, more = 0): void {
    const count = Math.max(end - start, 0);
    this.room(count + more);
    if (count < 24) {
      const target = this.bytes;
      let at = this.at;
      for (let from = start; from < end; from++) target[at++] = source[from] as number;
    } else {
      this.bytes.set(source.subarray(start, end), this.at);
    }
    this.at += count;
  }

  /** Writes the `count` bytes at `start` of this buffer again. */
  repeat(start: number, count: number): void {
    const { bytes } = this;
    let { at } = this;
    for (let from = start; from < start + count; from++) bytes[at++] = bytes[from] as number;
    this.at = at;
  }

  /** A length-prefixed part written by `body`, with the shortest length form. */
  sized(expected: number, body: () => void): void {
    this.room(5);
    const start = this.at;
    const reserved = lebLength(expected);
    this.at += reserved;
    body();
    const size = this.at - start - reserved;
    const needed = lebLength(size);
    if (needed !== reserved) {
      this.room(5);
      this.bytes.copyWithin(start + needed, start + reserved, this.at);
    }
    this.at = start;
    this.u32(size);
    this.at += size;
  }

  finish(): Uint8Array {
    return this.bytes.slice(0, this.at);
  }
}

/** Bytes of the shortest unsigned LEB128 form of a 32-bit value. */
export function lebLength(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}
