/**
 * Prepared components on disk: made once per content, tools, world and memory cap; checked at every use.
 *
 * Invariant: an entry is a folder that appears by one rename, complete, and whose `prepared.json` carries a MAC over the hashes of
 * its files. What does not check out is removed, reported and made anew; it is never returned. A failed preparation leaves nothing.
 * One process owns a cache folder.
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { createPreparationChildren, type PreparationChildren } from "./child-process.ts";
import type { PreparationAnswer } from "./child-protocol.ts";
import { canonicalJson, openPrepared, type PreparedComponent, type PreparedFile, sealPrepared, sha256Hex } from "./prepared.ts";
import { describeTools } from "./tools.ts";
import type { GuestWorlds } from "./worlds.ts";

export interface PrepareLimits {
  /** For one preparation. */
  readonly deadlineMs: number;
  /** Resident memory of the child that prepares. */
  readonly memoryBytes: number;
  /** Per guest, all memories summed. */
  readonly maxMemoryBytes: number;
}

/** A prepared component and where its files are. */
export interface CachedComponent {
  readonly folder: string;
  readonly prepared: PreparedComponent;
}

export interface PreparationCache {
  /**
   * Prepares once per (component, tool versions, world, limits); concurrent callers share one child. A failure leaves nothing.
   * @throws {component.refused} with `rule` and `detail`; `limit.time` and `limit.memory` when the child exceeds its bounds
   */
  prepare(component: Uint8Array): Promise<CachedComponent>;
  /** Checks MAC and every file's hash; `undefined` when absent. A tampered entry is removed, reported and treated as absent. */
  find(componentSha256: string): Promise<CachedComponent | undefined>;
  /** Waits for nothing: ends all children. */
  close(): Promise<void>;
}

export interface PreparationCacheOptions {
  readonly folder: string;
  /** At least 32 bytes; who has it can make entries. */
  readonly cacheKey: Uint8Array;
  readonly world: GuestWorlds;
  readonly limits: PrepareLimits;
  /** Files of all entries together; the entry used last stays even when it alone is larger. */
  readonly maxCacheBytes: number;
  onTampered(detail: string): void;
  /** Program of the child; tests put in ones that hang or crash. */
  readonly childProgram?: string;
  readonly nowMs?: () => number;
}

const indexFile = "prepared.json";
const stagingPrefix = ".staging-";
const entryName = /^[0-9a-f]{64}$/;
/** JavaScript of one component; a real one has 0.3 MB. Types that expand exponentially show here. */
const maxGlueBytes = 4 * 1024 * 1024;
/** An entry used this recently may be in the middle of being loaded. */
const evictionGraceMs = 30_000;
/** Children at the same time; further callers wait. */
const maxChildren = 2;

interface Entry {
  readonly bytes: number;
  usedAtMs: number;
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, "wx", 0o400);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

const filesOf = (prepared: PreparedComponent): PreparedFile[] => [prepared.glue, ...prepared.modules];
const bytesOf = (prepared: PreparedComponent): number => filesOf(prepared).reduce((total, file) => total + file.bytes, 0);

const isAbsent = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT";

class DiskCache implements PreparationCache {
  readonly #options: PreparationCacheOptions;
  readonly #tools: string;
  readonly #children: PreparationChildren;
  readonly #entries = new Map<string, Entry>();
  readonly #inFlight = new Map<string, Promise<CachedComponent>>();
  readonly #nowMs: () => number;
  #free = maxChildren;
  readonly #waiting: (() => void)[] = [];

  constructor(options: PreparationCacheOptions, tools: string) {
    this.#options = options;
    this.#tools = tools;
    this.#nowMs = options.nowMs ?? Date.now;
    const { childProgram: program, limits } = options;
    this.#children = createPreparationChildren(program === undefined ? { limits } : { limits, program });
  }

  /** Takes in what an earlier process left, and removes what is not usable any more. */
  async load(): Promise<void> {
    const { folder, cacheKey } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      if (name.startsWith(stagingPrefix)) await this.#delete(path);
      if (!entryName.test(name)) continue;
      const text = await readFile(join(path, indexFile), "utf8").catch(() => "");
      const prepared = openPrepared(text, cacheKey);
      // One of another key or of other tools is no attack: the key may be new. Neither is of any use.
      if (prepared === undefined || prepared.tools !== this.#tools || prepared.key !== name) await this.#delete(path);
      else this.#entries.set(name, { bytes: bytesOf(prepared), usedAtMs: (await stat(path)).mtimeMs });
    }
    await this.#evict("");
  }

  async prepare(component: Uint8Array): Promise<CachedComponent> {
    const componentSha256 = sha256Hex(component);
    const running = this.#inFlight.get(componentSha256);
    if (running !== undefined) return running;
    const work = this.#prepare(component, componentSha256).finally(() => this.#inFlight.delete(componentSha256));
    this.#inFlight.set(componentSha256, work);
    return work;
  }

  async find(componentSha256: string): Promise<CachedComponent | undefined> {
    const key = this.#keyOf(componentSha256);
    const folder = join(this.#options.folder, key);
    let text: string;
    try {
      text = await readFile(join(folder, indexFile), "utf8");
    } catch (error) {
      if (isAbsent(error) && !this.#entries.has(key)) return undefined;
      return this.#tampered(key, "its index is gone or cannot be read");
    }
    const prepared = openPrepared(text, this.#options.cacheKey);
    if (prepared === undefined) return this.#tampered(key, "its index does not match its MAC");
    if (prepared.key !== key || prepared.componentSha256 !== componentSha256)
      return this.#tampered(key, "its index is another component's");
    for (const file of filesOf(prepared)) {
      const bytes = await readFile(join(folder, file.name)).catch(() => undefined);
      if (bytes === undefined || bytes.length !== file.bytes || sha256Hex(bytes) !== file.sha256)
        return this.#tampered(key, `${file.name} is not what was stored`);
    }
    await this.#use(key, bytesOf(prepared));
    return { folder, prepared };
  }

  async close(): Promise<void> {
    await this.#children.close();
  }

  #keyOf(componentSha256: string): string {
    const { world, limits } = this.#options;
    return sha256Hex(Buffer.from(canonicalJson({ componentSha256, tools: this.#tools, world, maxMemoryBytes: limits.maxMemoryBytes })));
  }

  async #prepare(component: Uint8Array, componentSha256: string): Promise<CachedComponent> {
    const found = await this.find(componentSha256);
    if (found !== undefined) return found;
    const { world, limits } = this.#options;
    await this.#enter();
    try {
      const worlds = "profile" in world ? [world] : world;
      const answer = await this.#children.run({ component, worlds, maxMemoryBytes: limits.maxMemoryBytes, maxGlueBytes });
      return await this.#store(componentSha256, answer);
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }

  async #store(componentSha256: string, answer: Extract<PreparationAnswer, { ok: true }>): Promise<CachedComponent> {
    const key = this.#keyOf(componentSha256);
    const factsOf = (bytes: Uint8Array): { sha256: string; bytes: number } => ({ sha256: sha256Hex(bytes), bytes: bytes.length });
    const prepared = sealPrepared(
      {
        format: 1,
        key,
        componentSha256,
        profile: answer.profile,
        tools: this.#tools,
        glue: { name: "component.js", ...factsOf(answer.glue) },
        modules: answer.modules.map(({ bytes, ...module }) => ({ ...module, ...factsOf(bytes) })),
        imports: answer.imports,
        exports: answer.exports,
      },
      this.#options.cacheKey,
    );
    const staging = join(this.#options.folder, `${stagingPrefix}${randomBytes(8).toString("hex")}`);
    const folder = join(this.#options.folder, key);
    try {
      await mkdir(staging, { mode: 0o700 });
      await writeDurably(join(staging, "component.js"), answer.glue);
      for (const module of answer.modules) await writeDurably(join(staging, module.name), module.bytes);
      await writeDurably(join(staging, indexFile), Buffer.from(canonicalJson(prepared)));
      await rename(staging, folder);
    } catch (error) {
      await this.#delete(staging);
      throw error;
    }
    await this.#use(key, bytesOf(prepared));
    await this.#evict(key);
    return { folder, prepared };
  }

  async #use(key: string, bytes: number): Promise<void> {
    const usedAtMs = this.#nowMs();
    this.#entries.set(key, { bytes, usedAtMs });
    // The order of use outlives this process in the folders' times.
    await utimes(join(this.#options.folder, key), usedAtMs / 1000, usedAtMs / 1000).catch(() => undefined);
  }

  async #evict(keep: string): Promise<void> {
    let total = [...this.#entries.values()].reduce((sum, entry) => sum + entry.bytes, 0);
    const oldestFirst = [...this.#entries].toSorted(([, a], [, b]) => a.usedAtMs - b.usedAtMs);
    for (const [key, entry] of oldestFirst) {
      if (total <= this.#options.maxCacheBytes) return;
      if (key === keep || this.#nowMs() - entry.usedAtMs < evictionGraceMs) continue;
      this.#entries.delete(key);
      await this.#delete(join(this.#options.folder, key));
      total -= entry.bytes;
    }
  }

  async #tampered(key: string, detail: string): Promise<undefined> {
    this.#entries.delete(key);
    await this.#delete(join(this.#options.folder, key));
    this.#options.onTampered(`prepared component ${key}: ${detail}`);
    return undefined;
  }

  /** Takes the folder's name away first, so that no half-removed entry is ever found. */
  async #delete(path: string): Promise<void> {
    const doomed = join(this.#options.folder, `${stagingPrefix}${randomBytes(8).toString("hex")}`);
    await rename(path, doomed).catch(() => undefined);
    await rm(doomed, { recursive: true, force: true });
  }
}

/**
 * Opens the cache, removes what other tools made, and starts a spare child.
 * @example
 * const cache = await openPreparationCache({ folder, cacheKey, world: extensionWorld, limits, maxCacheBytes, onTampered });
 * const { folder, prepared } = await cache.prepare(component);
 */
export async function openPreparationCache(options: PreparationCacheOptions): Promise<PreparationCache> {
  if (options.cacheKey.length < 32) throw new RangeError("the cache key has fewer than 32 bytes");
  const cache = new DiskCache(options, await describeTools());
  await cache.load();
  return cache;
}
