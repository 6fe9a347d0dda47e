/**
 * The gzip wrapping of a bundle (RFC 1952): exactly one member and nothing after it.
 *
 * Invariant: the wrapping is a means of transport and outside of the content hash, so its optional fields (name, time, comment, extra) are
 * taken and ignored; what could hide content is refused: a second member, bytes after the trailer, reserved flags, a wrong header or data
 * checksum, a wrong length. Node's own gunzip joins members and overlooks trailing zeros, so the frame is read here and only the deflate
 * stream is zlib's. Input is cut into equal blocks first, so the verdict cannot depend on how it came; output is pulled, so a bomb
 * fills no buffer.
 */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, crc32, createDeflateRaw, createInflateRaw } from "node:zlib";
import { isAppError } from "@althing/contract";
import { bundleTooLarge, malformedBundle } from "./bundle-rules.ts";

export type ByteSource = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

const blockBytes = 16 * 1024;
const trailerBytes = 8;
const flagHeaderCrc = 2;
const flagExtra = 4;
const flagName = 8;
const flagComment = 16;
const reservedFlags = 0xe0;

/** The same bytes in blocks of one size; the last may be shorter. */
async function* inBlocks(source: ByteSource, maxBytes: number): AsyncGenerator<Buffer> {
  let block = Buffer.alloc(blockBytes);
  let filled = 0;
  let total = 0;
  for await (const piece of source) {
    total += piece.length;
    if (total > maxBytes) throw bundleTooLarge(maxBytes, "bytes packed");
    for (let at = 0; at < piece.length;) {
      const taken = Math.min(blockBytes - filled, piece.length - at);
      block.set(piece.subarray(at, at + taken), filled);
      filled += taken;
      at += taken;
      if (filled === blockBytes) {
        yield block;
        block = Buffer.alloc(blockBytes);
        filled = 0;
      }
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}

function afterText(block: Buffer, start: number): number {
  const end = block.indexOf(0, start);
  if (end < 0) throw malformedBundle("gzip_form", undefined, "the gzip header does not end");
  return end + 1;
}

/** Length of the member's header, which has to lie in the first block. */
function headerLength(block: Buffer): number {
  if (block.length < 2 || block[0] !== 0x1f || block[1] !== 0x8b) throw malformedBundle("gzip_form", undefined, "this is no gzip file");
  if (block.length < 10) throw malformedBundle("truncated");
  const flags = block[3] ?? 0;
  if (block[2] !== 8 || (flags & reservedFlags) !== 0) {
    throw malformedBundle("gzip_form", undefined, "the gzip header has an unknown method or flag");
  }
  let at = 10;
  if (flags & flagExtra) at += 2 + (block.length < at + 2 ? 0 : block.readUInt16LE(at));
  if (flags & flagName) at = afterText(block, at);
  if (flags & flagComment) at = afterText(block, at);
  if (flags & flagHeaderCrc) {
    if (block.length < at + 2 || block.readUInt16LE(at) !== (crc32(block.subarray(0, at)) & 0xffff)) {
      throw malformedBundle("gzip_form", undefined, "the gzip header's checksum is wrong");
    }
    at += 2;
  }
  if (at > block.length) throw malformedBundle("truncated");
  return at;
}

/** A raw deflate stream fed block by block; the caller pulls, so nothing is produced that nobody asked for. */
function openInflater() {
  const engine = createInflateRaw({ chunkSize: 64 * 1024 });
  let hasEnded = false;
  let failure: unknown;
  let wake = () => {};
  engine.on("readable", () => wake());
  engine.on("end", () => {
    hasEnded = true;
    wake();
  });
  engine.on("error", (error: unknown) => {
    failure = error;
    wake();
  });

  /** Yields what is there until `isDone`, the end or a failure. */
  async function* drain(isDone: () => boolean): AsyncGenerator<Buffer> {
    for (;;) {
      const woken = new Promise<void>((resolve) => (wake = resolve));
      for (let bytes = engine.read() as Buffer | null; bytes !== null; bytes = engine.read() as Buffer | null) yield bytes;
      if (failure !== undefined) throw deflateFailure(failure);
      if (hasEnded || isDone()) return;
      await woken;
    }
  }

  return {
    hasEnded: () => hasEnded,
    /** Bytes of the deflate stream read so far; after its end exactly its length. */
    consumedBytes: () => engine.bytesWritten,
    async *feed(block: Buffer): AsyncGenerator<Buffer> {
      let isConsumed = false;
      engine.write(block, () => {
        isConsumed = true;
        wake();
      });
      yield* drain(() => isConsumed);
    },
    async *finish(): AsyncGenerator<Buffer> {
      engine.end();
      yield* drain(() => false);
    },
    close: () => engine.destroy(),
  };
}

function deflateFailure(error: unknown): unknown {
  if (isAppError(error)) return error;
  const code = (error as NodeJS.ErrnoException).code;
  return code === "Z_BUF_ERROR" ? malformedBundle("truncated") : malformedBundle("gzip_form", undefined, "the compressed data is damaged");
}

function checkTrailer(trailer: Buffer, sum: number, unpackedBytes: number): void {
  if (trailer.readUInt32LE(0) !== sum) throw malformedBundle("gzip_form", undefined, "the gzip checksum is wrong");
  if (trailer.readUInt32LE(4) !== unpackedBytes % 2 ** 32) throw malformedBundle("gzip_form", undefined, "the gzip length is wrong");
}

/**
 * Unpacks one gzip member. The last checks (trailer, nothing after) come after the last bytes were yielded: nothing counts before the end.
 * @throws {bundle.malformed} @throws {bundle.too_large} more than `maxPackedBytes`
 */
export async function* gunzip(source: ByteSource, maxPackedBytes: number): AsyncGenerator<Buffer> {
  const inflater = openInflater();
  let header: number | undefined;
  let packedBytes = 0;
  const memberBytes = () => (header ?? 0) + inflater.consumedBytes() + trailerBytes;
  let tail = Buffer.alloc(0);
  let sum = 0;
  let unpackedBytes = 0;
  const count = (bytes: Buffer) => {
    sum = crc32(bytes, sum);
    unpackedBytes += bytes.length;
    return bytes;
  };
  try {
    for await (const block of inBlocks(source, maxPackedBytes)) {
      const start = header === undefined ? headerLength(block) : 0;
      header ??= start;
      packedBytes += block.length;
      tail = Buffer.concat([tail, block]).subarray(-trailerBytes);
      if (!inflater.hasEnded()) for await (const bytes of inflater.feed(block.subarray(start))) yield count(bytes);
      if (inflater.hasEnded() && packedBytes > memberBytes()) throw malformedBundle("trailing_data");
    }
    if (header === undefined) throw malformedBundle("gzip_form", undefined, "the file is empty");
    for await (const bytes of inflater.finish()) yield count(bytes);
    if (packedBytes !== memberBytes()) throw malformedBundle(packedBytes < memberBytes() ? "truncated" : "trailing_data");
    checkTrailer(tail, sum, unpackedBytes);
  } finally {
    inflater.close();
  }
}

/** No name, no time, "unknown" operating system: the same input gives the same file on every machine with the same zlib. */
const plainHeader = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff);

/** Packs into one gzip member; failures of the source are passed on. */
export async function* gzip(source: ByteSource): AsyncGenerator<Uint8Array> {
  let sum = 0;
  let unpackedBytes = 0;
  async function* counted() {
    for await (const piece of source) {
      sum = crc32(piece, sum);
      unpackedBytes += piece.length;
      yield piece;
    }
  }
  yield plainHeader;
  const engine = createDeflateRaw({ level: constants.Z_BEST_COMPRESSION });
  const input = Readable.from(counted(), { objectMode: true });
  const fed = pipeline(input, engine);
  fed.catch(() => undefined);
  try {
    for await (const bytes of engine) yield bytes as Buffer;
    await fed;
  } finally {
    input.destroy();
    engine.destroy();
  }
  const trailer = Buffer.alloc(trailerBytes);
  trailer.writeUInt32LE(sum, 0);
  trailer.writeUInt32LE(unpackedBytes % 2 ** 32, 4);
  yield trailer;
}
