/**
 * `wasi:io/streams` and `wasi:io/error`: bytes that lie in memory, and sinks that take bytes.
 *
 * Invariant: a stream never waits: bodies come and go whole, so reading finds its bytes or the end, and writing is always allowed up to one
 * chunk. Sinks bound what they keep.
 */
import { type GuestFace, HostResource, streamChunkBytes, WitError } from "./guest-face.ts";
import { Pollable } from "./poll.ts";

/** A unit of fuel pays for this many bytes that are copied. */
const bytesPerUnit = 8;

export class IoError extends HostResource {
  toDebugString(): string {
    return "the stream failed";
  }
}

const closed = (): never => {
  throw new WitError({ tag: "closed" });
};

export class InputStream extends HostResource {
  #rest: Uint8Array;

  constructor(face: GuestFace, bytes: Uint8Array) {
    super(face);
    this.#rest = bytes;
  }

  read(length: bigint): Uint8Array {
    if (this.#rest.length === 0) return closed();
    const count = length < BigInt(streamChunkBytes) ? Number(length) : streamChunkBytes;
    const piece = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(piece.length);
    this.face.work(piece.length / bytesPerUnit);
    return piece;
  }
  blockingRead(length: bigint): Uint8Array {
    return this.read(length);
  }
  skip(length: bigint): bigint {
    return BigInt(this.read(length).length);
  }
  blockingSkip(length: bigint): bigint {
    return this.skip(length);
  }
  subscribe(): Pollable {
    return new Pollable(this.face);
  }
}

/** Takes what is written to a stream. */
export interface Sink {
  write(bytes: Uint8Array): void;
  /** Whether more is taken. */
  isOpen(): boolean;
}

export class OutputStream extends HostResource {
  readonly #sink: Sink;

  constructor(face: GuestFace, sink: Sink) {
    super(face);
    this.#sink = sink;
  }

  checkWrite(): bigint {
    this.#requireOpen();
    return BigInt(streamChunkBytes);
  }
  write(contents: Uint8Array): void {
    this.#requireOpen();
    if (contents.length > streamChunkBytes) this.face.end("trap", "more was written to a stream than it had allowed");
    this.face.work(contents.length / bytesPerUnit);
    this.#sink.write(contents);
  }
  blockingWriteAndFlush(contents: Uint8Array): void {
    this.write(contents);
  }
  flush(): void {
    this.#requireOpen();
  }
  blockingFlush(): void {
    this.#requireOpen();
  }
  subscribe(): Pollable {
    return new Pollable(this.face);
  }
  writeZeroes(length: bigint): void {
    if (length > BigInt(streamChunkBytes)) this.face.end("trap", "more was written to a stream than it had allowed");
    this.#unlifted(new Uint8Array(Number(length)));
  }
  blockingWriteZeroesAndFlush(length: bigint): void {
    this.writeZeroes(length);
  }
  splice(source: InputStream, length: bigint): bigint {
    this.#requireOpen();
    const bytes = source.read(length);
    this.#unlifted(bytes);
    return BigInt(bytes.length);
  }
  blockingSplice(source: InputStream, length: bigint): bigint {
    return this.splice(source, length);
  }

  /** Bytes that were not taken from guest memory and so not charged yet. */
  #unlifted(bytes: Uint8Array): void {
    this.face.charge(bytes.length);
    this.write(bytes);
  }

  #requireOpen(): void {
    if (!this.#sink.isOpen()) closed();
  }
}

const firstBytes = 1_024;

/** Keeps what is written in one piece of memory, which doubles. */
export class ByteSink implements Sink {
  readonly #onMore: (length: number) => void;
  #buffer = new Uint8Array(0);
  #length = 0;
  #isOpen = true;

  /** @param onMore told of the new length before it is taken; throws to refuse it */
  constructor(onMore: (length: number) => void = () => undefined) {
    this.#onMore = onMore;
  }

  isOpen(): boolean {
    return this.#isOpen;
  }

  write(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    this.#onMore(length);
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(firstBytes, length, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = length;
  }

  /** @returns all there is; nothing more is taken */
  close(): Uint8Array {
    this.#isOpen = false;
    return this.#buffer.subarray(0, this.#length);
  }
}
