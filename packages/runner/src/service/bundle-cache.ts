/**
 * Bundles by content hash: their component, prepared, and the files of their pages.
 *
 * Invariant: nothing of a bundle is used before its tar was read to the end and had the hash it was asked for by; the hash is the only name, so an
 * entry is never out of date. Prepared components lie on disk (docs/architecture/preparation.md), pages in memory up to a bound; both are
 * copies of what the hub has and can be thrown away at any time.
 */
import { createHash } from "node:crypto";
import { AppError, hasCode } from "@althing/contract";
import { componentPath, readTar, uiFolder, type BundleSummary } from "@althing/extension/bundle";
import type { CachedComponent, PreparationCache } from "../preparation/index.ts";
import { createByteLru } from "./byte-lru.ts";
import type { HubClient } from "./hub-client.ts";

export interface UiFile {
  readonly bytes: Uint8Array;
  /** 64 hexadecimal digits. */
  readonly sha256: string;
}
/** By path in the bundle, e.g. `ui/index.html`. */
export type UiFiles = ReadonlyMap<string, UiFile>;

export interface BundleCache {
  /** @throws {ext.unavailable} {ext.integrity} {component.refused} */
  component(contentHash: string): Promise<CachedComponent>;
  /** What was remembered may be gone from disk or altered: looks again, and says whether the component has to be made anew. */
  recheck(contentHash: string): Promise<"intact" | "gone">;
  /** @throws {ext.unavailable} {ext.integrity} */
  uiFiles(contentHash: string): Promise<UiFiles>;
}

export interface BundleCacheOptions {
  readonly hub: Pick<HubClient, "bundle">;
  readonly preparation: PreparationCache;
  /** Of pages, in memory. */
  readonly uiMaxBytes: number;
}

/** Each holds a bundle's component and pages in memory. */
const loadsMax = 2;
const componentsMax = 10_000;

interface LoadedBundle {
  readonly component: Uint8Array;
  readonly ui: UiFiles;
}

function integrity(contentHash: string, detail: string, cause?: unknown): AppError {
  return new AppError("ext.integrity", { extension: contentHash, detail }, { cause });
}

async function readBundleTar(contentHash: string, bytes: AsyncIterable<Uint8Array>): Promise<LoadedBundle> {
  const wanted = new Map<string, Uint8Array>();
  let parts: Buffer[] | undefined;
  let summary: BundleSummary;
  try {
    summary = await readTar(bytes, {
      sink: {
        open(path) {
          parts = path === componentPath || path.startsWith(uiFolder) ? [] : undefined;
        },
        data: (_path, piece) => void parts?.push(Buffer.from(piece)),
        close({ path }) {
          if (parts !== undefined) wanted.set(path, new Uint8Array(Buffer.concat(parts)));
        },
      },
    });
  } catch (error) {
    if (!hasCode(error, "bundle.malformed", "bundle.too_large")) throw error;
    throw integrity(contentHash, "its bytes are no canonical bundle", error);
  }
  if (summary.contentHash !== contentHash) throw integrity(contentHash, `its bytes have the hash ${summary.contentHash}`);
  const component = wanted.get(componentPath);
  if (component === undefined) throw integrity(contentHash, `it has no ${componentPath}`);
  wanted.delete(componentPath);
  const ui = new Map([...wanted].map(([path, content]) => [path, { bytes: content, sha256: sha256Hex(content) }]));
  return { component, ui };
}

function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function sizeOf(files: UiFiles): number {
  let bytes = 0;
  for (const [path, file] of files) bytes += path.length + file.bytes.length;
  return bytes;
}

export function createBundleCache({ hub, preparation, uiMaxBytes }: BundleCacheOptions): BundleCache {
  const components = createByteLru<CachedComponent>(componentsMax);
  const pages = createByteLru<UiFiles>(uiMaxBytes);
  const loading = new Map<string, Promise<LoadedBundle>>();
  const preparing = new Map<string, Promise<CachedComponent>>();
  const waiting: (() => void)[] = [];
  let free = loadsMax;

  async function takeTurn<T>(work: () => Promise<T>): Promise<T> {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  }

  /** One reading for all who want something of the same bundle. */
  function load(contentHash: string): Promise<LoadedBundle> {
    const running = loading.get(contentHash);
    if (running !== undefined) return running;
    const work = takeTurn(() => hub.bundle(contentHash, (bytes) => readBundleTar(contentHash, bytes)))
      .then((bundle) => {
        pages.set(contentHash, bundle.ui, sizeOf(bundle.ui));
        return bundle;
      })
      .finally(() => loading.delete(contentHash));
    loading.set(contentHash, work);
    return work;
  }

  return {
    async component(contentHash) {
      const known = components.get(contentHash) ?? preparing.get(contentHash);
      if (known !== undefined) return known;
      // One promise over reading and preparing: between the two nobody may begin anew.
      const work = load(contentHash)
        .then(({ component }) => preparation.prepare(component))
        .then((prepared) => {
          components.set(contentHash, prepared, 1);
          return prepared;
        })
        .finally(() => preparing.delete(contentHash));
      preparing.set(contentHash, work);
      return work;
    },
    async recheck(contentHash) {
      const known = components.get(contentHash);
      const found = known === undefined ? undefined : await preparation.find(known.prepared.componentSha256);
      if (found !== undefined) return "intact";
      components.delete(contentHash);
      return "gone";
    },
    async uiFiles(contentHash) {
      return pages.get(contentHash) ?? (await load(contentHash)).ui;
    },
  };
}
