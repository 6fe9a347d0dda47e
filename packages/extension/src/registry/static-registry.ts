/**
 * Fetches packages from somebody's static registry: the signed index, then the bundle and signature that it names.
 *
 * Invariant: every byte comes through the guarded fetcher under the community's allowlist; the bundle is staged by the same code as an upload and must
 * be the one that the index names. What was seen of an index is pinned before anything of it is used, so that a later answer cannot be older.
 */
import { AppError, hasCode } from "@althing/contract";
import { createHash } from "node:crypto";
import type { Collection } from "@althing/store";
import type { ExtensionClock } from "../extension-deps.ts";
import type { GuardedFetcher } from "../fetcher/index.ts";
import { parseManifest, type CronCheck } from "../manifest/index.ts";
import { maxEnvelopeBytes } from "../trust/envelope.ts";
import type { TrustKeeper } from "../trust-keeper/index.ts";
import type { StagedBundle, Uploads } from "../upload/index.ts";
import { newestOf, type PinRow } from "./package-rows.ts";
import { registryIndexMaxBytes, verifyRegistryIndex, type RegistryIndex, type RegistryIndexEntry } from "./registry-index.ts";
import { retryConflicts } from "@althing/store";

export interface StaticRegistryDeps {
  readonly pins: Collection<PinRow>;
  readonly uploads: Uploads;
  readonly fetcher: GuardedFetcher;
  readonly trust: TrustKeeper;
  readonly clock: ExtensionClock;
  readonly checkCron?: CronCheck;
}

export interface WantedPackage {
  readonly url: string;
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  /** Hosts of the community's policy. */
  readonly allowlist: readonly string[];
}

export interface StaticRegistry {
  /**
   * A staged bundle; the caller disposes of it.
   * @throws {registry.index_invalid} {registry.index_stale} {registry.index_rolled_back} {registry.not_found} {registry.yanked}
   *   {trust.content_mismatch} {bundle.too_large} {bundle.malformed} and the fetcher's codes
   */
  fetch(wanted: WantedPackage): Promise<StagedBundle>;
}

async function whole(bytes: AsyncIterable<Uint8Array>, maxBytes: number, tooLarge: () => Error): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of bytes) {
    length += piece.length;
    if (length > maxBytes) throw tooLarge();
    pieces.push(piece);
  }
  return Buffer.concat(pieces, length);
}

/** @throws {registry.not_found} {registry.yanked} {registry.index_invalid} no name was given and there are several */
function pick({ packages }: RegistryIndex, { name, version }: WantedPackage): RegistryIndexEntry {
  const names = new Set(packages.map((entry) => entry.name));
  const [only] = names;
  if (name === undefined && names.size !== 1)
    throw new AppError("registry.index_invalid", { detail: `it has ${names.size} packages and no name was given` });
  const wantedName = name ?? only ?? "";
  const versions = packages.filter((entry) => entry.name === wantedName);
  const found = version === undefined ? (newestOf(versions) ?? versions[0]) : versions.find((entry) => entry.version === version);
  if (found === undefined) throw new AppError("registry.not_found", { name: wantedName, version: version ?? "" });
  if (found.yanked !== undefined) throw new AppError("registry.yanked", { name: found.name, version: found.version, reason: found.yanked });
  return found;
}

function mismatch(what: string, expected: string | number, observed: string | number): AppError<"trust.content_mismatch"> {
  return new AppError("trust.content_mismatch", { what, expected, observed });
}

/** A file of another length than the index names ends early, before it is staged in full. */
async function* ofLength(bytes: AsyncIterable<Uint8Array>, expected: number): AsyncGenerator<Uint8Array> {
  let length = 0;
  for await (const piece of bytes) {
    length += piece.length;
    if (length > expected) throw mismatch("length", expected, `more than ${expected}`);
    yield piece;
  }
  if (length !== expected) throw mismatch("length", expected, length);
}

export function createStaticRegistry(deps: StaticRegistryDeps): StaticRegistry {
  const { pins, uploads, fetcher, trust, clock, checkCron } = deps;

  async function get(url: string, allowlist: readonly string[], missing: (status: number) => AppError) {
    const response = await fetcher.fetch({ use: "registry", url, allowlist });
    if (response.status === 200) return response;
    response.discard();
    throw missing(response.status);
  }

  async function readIndex({ url, allowlist }: WantedPackage): Promise<RegistryIndex> {
    const badStatus = (status: number) => new AppError("registry.index_invalid", { detail: `the server answers ${status}` });
    const response = await get(url, allowlist, badStatus);
    const tooLarge = () => new AppError("registry.index_invalid", { detail: `it has more than ${registryIndexMaxBytes} bytes` });
    const file = await whole(response.stream(), registryIndexMaxBytes, tooLarge);
    const key = [createHash("sha256").update(url).digest("hex")] as const;
    return retryConflicts("the registry's pin", async () => {
      const seen = await pins.get(key);
      const { store } = await trust.current();
      const { index, pin } = verifyRegistryIndex(file, { trust: store, nowMs: clock.now(), seen: seen?.value });
      const isNews = seen?.value.digest !== pin.digest || seen.value.signer !== pin.signer;
      if (isNews) await pins.put(key, { url, ...pin, seenAt: new Date(clock.now()).toISOString() }, seen?.revision ?? 0);
      return index;
    });
  }

  async function stage(entry: RegistryIndexEntry, { url, allowlist }: WantedPackage): Promise<StagedBundle> {
    const missing = () => new AppError("registry.not_found", { name: entry.name, version: entry.version });
    const at = (path: string) => new URL(path, url).href;
    const tooLarge = () => new AppError("trust.malformed", { detail: `it has more than ${maxEnvelopeBytes} bytes` });
    const signature = await whole((await get(at(entry.signature), allowlist, missing)).stream(), maxEnvelopeBytes, tooLarge);
    const response = await get(at(entry.path), allowlist, missing);
    return uploads.stage(ofLength(response.stream(), entry.bytes), signature);
  }

  /** @throws {trust.content_mismatch} {manifest.invalid} */
  function compare(entry: RegistryIndexEntry, staged: StagedBundle): void {
    if (staged.contentHash !== entry.contentHash) throw mismatch("content", entry.contentHash, staged.contentHash);
    const manifest = parseManifest(staged.manifestFile, checkCron === undefined ? {} : { checkCron });
    if (manifest.name !== entry.name) throw mismatch("name", entry.name, manifest.name);
    if (manifest.version !== entry.version) throw mismatch("version", entry.version, manifest.version);
  }

  return {
    async fetch(wanted) {
      try {
        const entry = pick(await readIndex(wanted), wanted);
        const staged = await stage(entry, wanted);
        try {
          compare(entry, staged);
          return staged;
        } catch (error) {
          await staged.dispose();
          throw error;
        }
      } catch (error) {
        if (!hasCode(error, "fetch.too_large")) throw error;
        throw new AppError("bundle.too_large", { limit: Number(error.params["limit"] ?? 0), unit: "bytes packed" }, { cause: error });
      }
    },
  };
}
