/**
 * Bundles and signature files in the object store, and who needs them.
 *
 * Invariant: an object is there as long as a reference names it, and gone when none does, whatever is killed in between and however many nodes put
 * and remove the same bytes at once. A reference is a record `[object, kind, …]`; who puts an object first leases it; who removes one first
 * writes `deleting`, which a new lease refuses, and then looks whether anybody has a reference. Bytes that are read are hashed again,
 * whatever the back end promises. docs/architecture/registry.md.
 */
import { createHash } from "node:crypto";
import { AppError, hasCode } from "@althing/contract";
import type { ObjectStore, Store, Write } from "@althing/store";
import { ulid } from "ulid";
import { componentPath, manifestPath, readTar, sbomPath } from "../bundle/index.ts";
import type { ExtensionClock } from "../extension-deps.ts";
import { parseManifest, type CronCheck, type Manifest } from "../manifest/index.ts";
import { createBundleMemory } from "./bundle-memory.ts";
import { createObjectLeases, everyRef, refSchema } from "./object-leases.ts";

/** What needs an object: `["install", community, extension]`, `["version", …]`, `["published", name, version]`. */
export type RefOwner = readonly [kind: "install" | "version" | "published", ...rest: string[]];

export interface OpenBundle {
  readonly manifest: Manifest;
  /** Its bytes. */
  readonly manifestFile: Uint8Array;
  readonly componentSha256: string;
  readonly hasSbom: boolean;
}

export interface HeldObject {
  /** Hexadecimal sha256 of the bytes. */
  readonly key: string;
  bytes(): AsyncIterable<Uint8Array> | Uint8Array;
}

export interface Lease {
  /** Ends the lease in the batch that writes the references. */
  readonly writes: readonly Write[];
  /** Ends the lease and removes what nobody needs; nothing is left to do after a batch with `writes`. */
  release(): Promise<void>;
}

export interface BundleShelf {
  /** Puts objects, kept until the lease ends. @throws {store.unavailable} {object.hash_mismatch} */
  lease(objects: readonly HeldObject[]): Promise<Lease>;
  toRef(key: string, owner: RefOwner): Write;
  toUnref(key: string, owner: RefOwner): Write;
  /** For the batch that takes references away: leases whose release removes what is needed no more. */
  toLeases(keys: readonly string[]): Lease;
  /** Second and further segments of every reference of a kind. */
  owners(key: string, kind: RefOwner[0]): Promise<readonly (readonly string[])[]>;
  /** The canonical tar. @throws {ext.integrity} missing, or its bytes have another hash @throws {store.unavailable} */
  tar(contentHash: string): Promise<Uint8Array>;
  has(contentHash: string): Promise<boolean>;
  /** A signature file by its sha256. @throws {ext.integrity} */
  signature(key: string): Promise<Uint8Array>;
  /** Manifest and layout; read once and remembered, since the hash says what they are. @throws {ext.integrity} {manifest.invalid} */
  open(contentHash: string): Promise<OpenBundle>;
  /** Ends what killed processes left. */
  sweep(): Promise<void>;
}

export interface BundleShelfDeps {
  readonly store: Store;
  readonly objects: ObjectStore;
  readonly clock: ExtensionClock;
  readonly checkCron?: CronCheck;
}

export function objectKeyOf(contentHash: string): string {
  return contentHash.slice("sha256:".length);
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function damaged(what: string, detail: string, cause?: unknown): AppError<"ext.integrity"> {
  return new AppError("ext.integrity", { extension: what, detail }, cause === undefined ? {} : { cause });
}

async function readOpenBundle(tar: Uint8Array, contentHash: string, options: { readonly checkCron?: CronCheck }): Promise<OpenBundle> {
  const pieces: Buffer[] = [];
  const data = (path: string, bytes: Uint8Array) => {
    if (path === manifestPath) pieces.push(Buffer.from(bytes));
  };
  const summary = await readTar(inPieces(tar), { sink: { data } });
  if (summary.contentHash !== contentHash) throw damaged(contentHash, "the stored bytes have another hash");
  const component = summary.entries.find(({ path }) => path === componentPath);
  const manifestFile = Buffer.concat(pieces);
  return {
    manifest: parseManifest(manifestFile, options),
    manifestFile,
    componentSha256: component?.sha256 ?? "",
    hasSbom: summary.entries.some(({ path }) => path === sbomPath),
  };
}

/** The reader takes blocks; a view costs nothing. */
function* inPieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 64 * 1024) yield bytes.subarray(at, at + 64 * 1024);
}

export function createBundleShelf(deps: BundleShelfDeps): BundleShelf {
  const { objects } = deps;
  const refs = deps.store.collection({ name: "ext-object-refs", schema: refSchema });
  const leases = createObjectLeases(deps, refs);
  const { checkCron } = deps;
  const opened = createBundleMemory<OpenBundle>(({ manifestFile }) => manifestFile.length);

  function leaseOf(keys: readonly string[], id: string, puts: boolean): Lease {
    return {
      writes: keys.map((key) => (puts ? refs.toPut([key, "lease", id], leases.now(), 0) : refs.toDelete([key, "lease", id]))),
      async release() {
        try {
          for (const key of keys) await leases.end(key, id);
        } catch (error) {
          // What was decided stands whatever becomes of its lease; a store that is away comes back to the sweep.
          if (!hasCode(error, "store.unavailable")) throw error;
        }
      },
    };
  }

  async function read(key: string, shown: string): Promise<Uint8Array> {
    let bytes: Uint8Array;
    try {
      bytes = await objects.get(key);
    } catch (error) {
      if (!hasCode(error, "object.not_found", "store.corrupt", "store.key_invalid")) throw error;
      throw damaged(shown, hasCode(error, "object.not_found") ? "the stored bytes are gone" : "the stored bytes have another hash", error);
    }
    if (sha256Of(bytes) !== key) throw damaged(shown, "the stored bytes have another hash");
    return bytes;
  }

  const tar = (contentHash: string) => read(objectKeyOf(contentHash), contentHash);

  return {
    async lease(held) {
      const id = ulid();
      const lease = leaseOf(
        held.map(({ key }) => key),
        id,
        false,
      );
      try {
        for (const { key, bytes } of held) {
          await leases.take(key, id);
          await objects.put(key, bytes());
        }
        return lease;
      } catch (error) {
        await lease.release();
        throw error;
      }
    },
    toRef: (key, owner) => refs.toPut([key, ...owner], leases.now()),
    toUnref: (key, owner) => refs.toDelete([key, ...owner]),
    toLeases: (keys) => leaseOf([...new Set(keys)], ulid(), true),
    async owners(key, kind) {
      return (await everyRef(refs, [key, kind])).map((ref) => ref.key.slice(2));
    },
    tar,
    has: (contentHash) => objects.has(objectKeyOf(contentHash)),
    signature: (key) => read(key, `signature ${key.slice(0, 12)}…`),
    open(contentHash) {
      const read = async () => readOpenBundle(await tar(contentHash), contentHash, checkCron === undefined ? {} : { checkCron });
      return opened.take(contentHash, read);
    },
    sweep: () => leases.sweep(),
  };
}
