/**
 * Writes bundles in the canonical form.
 *
 * Invariant: the same files give the same tar on every machine, in whatever order they are named, and the reader accepts all that is written:
 * the writer asks the same functions (`encodeHead`, the book of paths) and keeps the same limits. Refusing here tells an author before
 * anything is sent.
 */
import { createHash } from "node:crypto";
import { createPathBook, encodePath } from "./bundle-path.ts";
import { bundleTooLarge, defaultBundleLimits, malformedBundle, type BundleLimits } from "./bundle-rules.ts";
import { gzip, type ByteSource } from "./gzip-form.ts";
import type { ContentHash } from "./read-bundle.ts";
import { blockBytes, encodeHead } from "./tar-form.ts";

export interface BundleFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Exactly `sizeBytes` bytes; opened when its turn comes. */
  readonly content: () => ByteSource;
}

export function bundleFile(path: string, bytes: Uint8Array | string): BundleFile {
  const content = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
  return { path, sizeBytes: content.length, content: () => [content] };
}

function inOrder(files: readonly BundleFile[], limits: BundleLimits): readonly BundleFile[] {
  if (files.length === 0) throw malformedBundle("empty");
  if (files.length > limits.maxEntries) throw bundleTooLarge(limits.maxEntries, "entries");
  const unpackedBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  if (unpackedBytes > limits.maxUnpackedBytes) throw bundleTooLarge(limits.maxUnpackedBytes, "bytes unpacked");
  const keyed = files.map((file) => ({ file, bytes: encodePath(file.path, limits.maxPathBytes) }));
  keyed.sort((a, b) => Buffer.compare(a.bytes, b.bytes));
  const book = createPathBook();
  for (const { file, bytes } of keyed) book.add(file.path, bytes);
  return keyed.map(({ file }) => file);
}

/**
 * The canonical uncompressed tar.
 * @throws {bundle.malformed} a path that no bundle may hold, or content of another size than said
 * @throws {bundle.too_large}
 */
export async function* writeTar(files: readonly BundleFile[], limits: Partial<BundleLimits> = {}): AsyncGenerator<Uint8Array> {
  for (const file of inOrder(files, { ...defaultBundleLimits, ...limits })) {
    yield encodeHead(file.path, file.sizeBytes);
    let written = 0;
    for await (const piece of file.content()) {
      written += piece.length;
      if (written > file.sizeBytes) throw malformedBundle("lying_size", file.path);
      yield piece;
    }
    if (written !== file.sizeBytes) throw malformedBundle("lying_size", file.path);
    yield Buffer.alloc((blockBytes - (written % blockBytes)) % blockBytes);
  }
  yield Buffer.alloc(2 * blockBytes);
}

/**
 * Writes a bundle piece by piece.
 * @returns its content hash, as the generator's return value
 * @throws {bundle.malformed} @throws {bundle.too_large}
 */
export async function* writeBundle(
  files: readonly BundleFile[],
  limits: Partial<BundleLimits> = {},
): AsyncGenerator<Uint8Array, ContentHash> {
  const hash = createHash("sha256");
  async function* hashed() {
    for await (const piece of writeTar(files, limits)) {
      hash.update(piece);
      yield piece;
    }
  }
  const maxPackedBytes = limits.maxPackedBytes ?? defaultBundleLimits.maxPackedBytes;
  let packedBytes = 0;
  for await (const piece of gzip(hashed())) {
    packedBytes += piece.length;
    if (packedBytes > maxPackedBytes) throw bundleTooLarge(maxPackedBytes, "bytes packed");
    yield piece;
  }
  return `sha256:${hash.digest("hex")}`;
}

/** A whole bundle in memory. @throws {bundle.malformed} @throws {bundle.too_large} */
export async function packBundle(
  files: readonly BundleFile[],
  limits: Partial<BundleLimits> = {},
): Promise<{ bundle: Uint8Array; contentHash: ContentHash }> {
  const pieces: Uint8Array[] = [];
  const writer = writeBundle(files, limits);
  for (;;) {
    const step = await writer.next();
    if (step.done === true) return { bundle: Buffer.concat(pieces), contentHash: step.value };
    pieces.push(step.value);
  }
}
