/**
 * Takes bundles in: streamed, hashed and checked on the way, staged in a private folder until somebody keeps them.
 *
 * Invariant: what is staged is a sound canonical tar whose content hash is known; every byte was read through the one reader of bundles. Whoever gets
 * a staged bundle disposes of it; a refused, broken-off or lying upload has removed its file before the error is seen, and what a killed
 * process left is removed when the folder is opened. docs/architecture/installs.md.
 */
import { randomBytes } from "node:crypto";
import { createReadStream, mkdirSync, readdirSync, rmSync } from "node:fs";
import { open, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { limits } from "@althing/contract";
import {
  checkBundleLayout,
  componentPath,
  defaultBundleLimits,
  manifestPath,
  readTar,
  sbomPath,
  type BundleLimits,
  type ByteSource,
  type ContentHash,
} from "../bundle/index.ts";
import { gunzip } from "../bundle/gzip-form.ts";
import { maxManifestBytes } from "../manifest/index.ts";
import { malformedUpload, receiveParts, type Upload } from "./receive-parts.ts";

/** Bytes beside the two parts: boundaries and headers. */
const framingMaxBytes = 4 * 1024;

export interface StagedBundle {
  readonly contentHash: ContentHash;
  /** Of the canonical tar, which is what is stored. */
  readonly tarBytes: number;
  /** `manifest.json`; cut one byte above what a manifest may have. */
  readonly manifestFile: Uint8Array;
  /** Of `extension.wasm`, hexadecimal. */
  readonly componentSha256: string;
  readonly hasSbom: boolean;
  /** The signature file; absent: unsigned. */
  readonly signature: Uint8Array | undefined;
  /** The canonical tar. */
  bytes(): AsyncIterable<Uint8Array> | Uint8Array;
  dispose(): Promise<void>;
}

export interface UploadLimits {
  readonly bundle?: Partial<BundleLimits>;
  readonly signatureMaxBytes?: number;
}

export interface Uploads {
  /**
   * Parts `bundle`, once, and `signature`, at most once, in any order.
   * @throws {upload.malformed} {bundle.malformed} {bundle.too_large}
   */
  receive(upload: Upload): Promise<StagedBundle>;
  /**
   * A packed bundle from elsewhere.
   * @throws {bundle.malformed} {bundle.too_large}, or what the source throws
   */
  stage(packed: ByteSource, signature: Uint8Array | undefined): Promise<StagedBundle>;
}

/** Files are named `<pid>-<random>`: those of processes that are gone can be no one's. */
function sweep(folder: string): void {
  for (const name of readdirSync(folder)) {
    const pid = Number(name.split("-")[0]);
    if (pid !== process.pid && !isRunning(pid)) rmSync(join(folder, name), { force: true });
  }
}

function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

async function* written(source: AsyncIterable<Uint8Array>, file: FileHandle): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    await file.writeFile(piece);
    yield piece;
  }
}

/** Collects `manifest.json` up to one byte more than it may have, so that its own validator says what is wrong with a larger one. */
function createManifestSink() {
  const pieces: Buffer[] = [];
  let kept = 0;
  return {
    sink: {
      data(path: string, bytes: Uint8Array) {
        if (path !== manifestPath || kept > maxManifestBytes) return;
        const piece = Buffer.from(bytes.subarray(0, maxManifestBytes + 1 - kept));
        pieces.push(piece);
        kept += piece.length;
      },
    },
    file: () => Buffer.concat(pieces),
  };
}

type StagedTar = Omit<StagedBundle, "signature">;

async function stageTar(path: string, packed: ByteSource, bundleLimits: BundleLimits): Promise<StagedTar> {
  const dispose = () => rm(path, { force: true });
  const manifest = createManifestSink();
  const file = await open(path, "wx", 0o600);
  try {
    const tar = written(gunzip(packed, bundleLimits.maxPackedBytes), file);
    const { contentHash, tarBytes, entries } = await readTar(tar, { limits: bundleLimits, sink: manifest.sink });
    checkBundleLayout(entries);
    return {
      contentHash,
      tarBytes,
      manifestFile: manifest.file(),
      componentSha256: entries.find((entry) => entry.path === componentPath)?.sha256 ?? "",
      hasSbom: entries.some((entry) => entry.path === sbomPath),
      bytes: () => createReadStream(path),
      dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  } finally {
    await file.close();
  }
}

async function readWhole(bytes: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of bytes) {
    length += piece.length;
    if (length > maxBytes) throw malformedUpload(`the signature has more than ${maxBytes} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces, length);
}

/**
 * @param options.folder private; made (0700) when missing, on a disk with room for the largest bundles
 * @example
 * const uploads = createUploads({ folder: "data/staging" });
 */
export function createUploads(options: { readonly folder: string; readonly limits?: UploadLimits }): Uploads {
  const { folder } = options;
  const bundleLimits = { ...defaultBundleLimits, maxPackedBytes: limits.bundleMaxBytes, ...options.limits?.bundle };
  const signatureMaxBytes = options.limits?.signatureMaxBytes ?? limits.signatureFileMaxBytes;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  sweep(folder);
  const stage = (packed: ByteSource) => stageTar(join(folder, `${process.pid}-${randomBytes(12).toString("hex")}`), packed, bundleLimits);

  return {
    async receive(upload) {
      const got: { tar?: StagedTar; signature?: Uint8Array } = {};
      const takers = {
        bundle: async (bytes: AsyncIterable<Uint8Array>) => {
          got.tar = await stage(bytes);
        },
        signature: async (bytes: AsyncIterable<Uint8Array>) => {
          got.signature = await readWhole(bytes, signatureMaxBytes);
        },
      };
      try {
        await receiveParts(upload, takers, bundleLimits.maxPackedBytes + signatureMaxBytes + framingMaxBytes);
        if (got.tar === undefined) throw malformedUpload("it has no part bundle");
        return { ...got.tar, signature: got.signature };
      } catch (error) {
        await got.tar?.dispose();
        throw error;
      }
    },
    async stage(packed, signature) {
      return { ...(await stage(packed)), signature };
    },
  };
}
