/**
 * Reads bundles: the one way in for publish, install, load and serve.
 *
 * Invariant: nothing of a bundle may be used before the promise resolves; data given to a sink until then is on approval and thrown away when it
 * rejects. Memory stays within a few blocks whatever the input says about itself. Hash and verdict depend on the bytes only, not on how they
 * came. The content hash is over the uncompressed canonical tar, so that packing anew changes nothing (docs/architecture/bundles.md).
 */
import { createHash } from "node:crypto";
import { defaultBundleLimits, bundleTooLarge, type BundleLimits } from "./bundle-rules.ts";
import { gunzip, type ByteSource } from "./gzip-form.ts";
import { createTarReader, type TarEvent } from "./tar-reader.ts";

/** `sha256:` and 64 lower-case hexadecimal digits, of the canonical uncompressed tar. */
export type ContentHash = `sha256:${string}`;

export function isContentHash(text: string): text is ContentHash {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

export interface BundleEntry {
  readonly path: string;
  readonly sizeBytes: number;
  /** 64 lower-case hexadecimal digits. */
  readonly sha256: string;
}

export interface BundleSummary {
  readonly contentHash: ContentHash;
  /** In canonical order. */
  readonly entries: readonly BundleEntry[];
  /** Size of the canonical tar. */
  readonly tarBytes: number;
  readonly unpackedBytes: number;
}

/** Where data goes while it is read. Each call is awaited, so a slow sink slows the reader and fills no buffer. */
export interface BundleSink {
  open?(path: string, sizeBytes: number): void | Promise<void>;
  /** A view that is valid until the returned promise settles. */
  data?(path: string, bytes: Uint8Array): void | Promise<void>;
  close?(entry: BundleEntry): void | Promise<void>;
}

export interface ReadBundleOptions {
  readonly limits?: Partial<BundleLimits>;
  readonly sink?: BundleSink;
}

/**
 * A canonical tar without its gzip wrapping, as the object store may keep it.
 * @throws {bundle.malformed} @throws {bundle.too_large}
 */
export async function readTar(source: ByteSource, { limits, sink = {} }: ReadBundleOptions = {}): Promise<BundleSummary> {
  const reader = createTarReader({ ...defaultBundleLimits, ...limits });
  const contentHash = createHash("sha256");
  const entries: BundleEntry[] = [];
  let entryHash = createHash("sha256");
  let current = { path: "", sizeBytes: 0 };
  let tarBytes = 0;
  let unpackedBytes = 0;

  async function take(event: TarEvent): Promise<void> {
    if (event.type === "open") {
      current = event;
      entryHash = createHash("sha256");
      await sink.open?.(event.path, event.sizeBytes);
    } else if (event.type === "data") {
      unpackedBytes += event.bytes.length;
      entryHash.update(event.bytes);
      await sink.data?.(current.path, event.bytes);
    } else {
      const entry = { path: current.path, sizeBytes: current.sizeBytes, sha256: entryHash.digest("hex") };
      entries.push(entry);
      await sink.close?.(entry);
    }
  }

  for await (const piece of source) {
    contentHash.update(piece);
    tarBytes += piece.length;
    for (const event of reader.push(piece)) await take(event);
  }
  reader.end();
  return { contentHash: `sha256:${contentHash.digest("hex")}`, entries, tarBytes, unpackedBytes };
}

/**
 * A bundle as it is sent: gzip around a canonical tar.
 * @throws {bundle.malformed} @throws {bundle.too_large}
 */
export function readBundle(source: ByteSource, options: ReadBundleOptions = {}): Promise<BundleSummary> {
  const { maxPackedBytes } = { ...defaultBundleLimits, ...options.limits };
  return readTar(gunzip(source, maxPackedBytes), options);
}

/** Which files to keep in memory, and how much of each at most. */
export type WantedFiles = Readonly<Record<string, number>>;

/**
 * Reads the whole bundle and keeps a few files, e.g. `{ "manifest.json": 262_144 }`.
 * @throws {bundle.malformed} @throws {bundle.too_large} also when a wanted file is larger than its number of bytes
 */
export async function readBundleFiles(
  source: ByteSource,
  wanted: WantedFiles,
  limits: Partial<BundleLimits> = {},
): Promise<{ summary: BundleSummary; files: ReadonlyMap<string, Uint8Array> }> {
  const parts = new Map<string, Buffer[]>();
  const sink: BundleSink = {
    open(path, sizeBytes) {
      const maxBytes = Object.hasOwn(wanted, path) ? wanted[path] : undefined;
      if (maxBytes === undefined) return;
      if (sizeBytes > maxBytes) throw bundleTooLarge(maxBytes, "bytes unpacked");
      parts.set(path, []);
    },
    data(path, bytes) {
      parts.get(path)?.push(Buffer.from(bytes));
    },
  };
  const summary = await readBundle(source, { limits, sink });
  return { summary, files: new Map([...parts].map(([path, buffers]) => [path, Buffer.concat(buffers)])) };
}
