/**
 * Reads a canonical tar from pieces of any size.
 *
 * Invariant: what it accepted is byte for byte what the writer would write for the same entries (each head is encoded again, padding is zero,
 * two zero blocks end it, nothing follows), and the events do not depend on how the bytes were cut. It holds one head, never data: the
 * caller decides what is kept. Pure: no clock, no stream, so that it can be tested byte by byte.
 */
import { createPathBook } from "./bundle-path.ts";
import { bundleTooLarge, malformedBundle, type BundleLimits } from "./bundle-rules.ts";
import { blockBytes, decodeHead, headBytes, isZero } from "./tar-form.ts";

export type TarEvent =
  | { readonly type: "open"; readonly path: string; readonly sizeBytes: number }
  | { readonly type: "data"; readonly bytes: Uint8Array }
  | { readonly type: "close" };

export interface TarReader {
  /**
   * Takes the next piece; the bytes of `data` events are views of it.
   * @throws {bundle.malformed} @throws {bundle.too_large}
   */
  push(piece: Uint8Array): TarEvent[];
  /** No more comes. @throws {bundle.malformed} */
  end(): void;
}

/** Longest head: pax header, its record, the file's header. */
const maxHeadBytes = 3 * blockBytes;

export function createTarReader(limits: BundleLimits): TarReader {
  const book = createPathBook();
  const head = Buffer.alloc(maxHeadBytes);
  let headLength = 0;
  let headWanted = blockBytes;
  let path = "";
  let dataLeft = 0;
  let paddingLeft = 0;
  let entries = 0;
  let unpackedBytes = 0;
  let zeroBlocks = 0;

  function openEntry(events: TarEvent[]): void {
    const entry = decodeHead(head.subarray(0, headWanted), limits.maxPathBytes);
    entries++;
    if (entries > limits.maxEntries) throw bundleTooLarge(limits.maxEntries, "entries");
    unpackedBytes += entry.sizeBytes;
    if (unpackedBytes > limits.maxUnpackedBytes) throw bundleTooLarge(limits.maxUnpackedBytes, "bytes unpacked");
    book.add(entry.path, entry.pathBytes);
    path = entry.path;
    dataLeft = entry.sizeBytes;
    paddingLeft = (blockBytes - (entry.sizeBytes % blockBytes)) % blockBytes;
    headLength = 0;
    headWanted = blockBytes;
    events.push({ type: "open", path, sizeBytes: entry.sizeBytes });
    if (dataLeft === 0) events.push({ type: "close" });
  }

  function takeHead(events: TarEvent[], piece: Uint8Array, at: number): number {
    const taken = Math.min(headWanted - headLength, piece.length - at);
    head.set(piece.subarray(at, at + taken), headLength);
    headLength += taken;
    if (headLength < headWanted) return taken;
    if (headWanted === blockBytes) {
      if (isZero(head.subarray(0, blockBytes))) {
        zeroBlocks++;
        headLength = 0;
        return taken;
      }
      if (zeroBlocks > 0) throw malformedBundle("trailing_data");
      headWanted = headBytes(head.subarray(0, blockBytes));
      if (headLength < headWanted) return taken;
    }
    openEntry(events);
    return taken;
  }

  function takeData(events: TarEvent[], piece: Uint8Array, at: number): number {
    const bytes = piece.subarray(at, at + dataLeft);
    dataLeft -= bytes.length;
    events.push({ type: "data", bytes });
    if (dataLeft === 0) events.push({ type: "close" });
    return bytes.length;
  }

  function takePadding(piece: Uint8Array, at: number): number {
    const bytes = piece.subarray(at, at + paddingLeft);
    if (!isZero(bytes)) throw malformedBundle("noncanonical_header", path, "the padding after the data is not zero");
    paddingLeft -= bytes.length;
    return bytes.length;
  }

  return {
    push(piece) {
      const events: TarEvent[] = [];
      for (let at = 0; at < piece.length;) {
        if (dataLeft > 0) at += takeData(events, piece, at);
        else if (paddingLeft > 0) at += takePadding(piece, at);
        else if (zeroBlocks === 2) throw malformedBundle("trailing_data");
        else at += takeHead(events, piece, at);
      }
      return events;
    },
    end() {
      if (dataLeft > 0 || paddingLeft > 0) throw malformedBundle("truncated", path);
      if (headLength > 0 || zeroBlocks < 2) throw malformedBundle("truncated");
      if (entries === 0) throw malformedBundle("empty");
    },
  };
}
