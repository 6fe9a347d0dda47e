/** What the tests of the sandbox share: components prepared once by the real preparation, pools that are closed, limits, hosts. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir, type TempDir } from "@althing/testkit";
import { type CachedComponent, type GuestWorld, openPreparationCache, type PreparationCache } from "../../src/preparation/index.ts";
import {
  createSandboxPool,
  type HostFunctions,
  type InvocationLimits,
  type InvocationResult,
  type RunnerLog,
  type SandboxPool,
  type SandboxPoolOptions,
} from "../../src/sandbox/index.ts";

export const kitWorld: GuestWorld = {
  profile: "extension",
  asyncImports: ["host#call", "host#call-many", "host#call-nested"],
  interfaces: ["host"],
  asyncExports: ["handle"],
};

export const limits: InvocationLimits = {
  fuel: 50_000_000,
  timeMs: 5_000,
  memoryBytes: 64 * 1024 * 1024,
  hostCalls: 200,
  logBytes: 1024 * 1024,
  liftedBytes: 16 * 1024 * 1024,
  resultBytes: 5 * 1024 * 1024,
};

/** More fuel than anything here can use. */
export const endlessFuel = 1_000_000_000_000;

/** The operations the components know. */
export const kitHost: HostFunctions = {
  async call(op, args) {
    if (op !== "host.call") return { ok: 0 };
    if (args[0] === "never") return await new Promise(() => {});
    return args[0] === "echo" ? { ok: args[1] } : { ok: new Uint8Array(0) };
  },
};

export interface LogLine {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export function linesLog(lines: LogLine[]): RunnerLog {
  const write = (fields: object, message: string): void => void lines.push({ fields: Object.fromEntries(Object.entries(fields)), message });
  return { debug() {}, info: write, warn: write, error: write };
}

export interface CallOptions {
  readonly binding?: string;
  readonly limits?: Partial<InvocationLimits>;
  readonly host?: HostFunctions;
  readonly signal?: AbortSignal;
  readonly payload?: Uint8Array;
}

export interface SandboxWorld {
  readonly dir: TempDir;
  readonly log: LogLine[];
  component(name: string): Promise<CachedComponent>;
  /** A component whose glue is the given text: what an attacker who got through the preparation would have. */
  glueComponent(text: string): Promise<CachedComponent>;
  pool(options?: Partial<SandboxPoolOptions>): SandboxPool;
  call(pool: SandboxPool, component: CachedComponent, options?: CallOptions): Promise<InvocationResult>;
  closePools(): Promise<void>;
  close(): Promise<void>;
}

async function writeGlue(folder: string, text: string): Promise<CachedComponent> {
  const hash = createHash("sha256").update(text).digest("hex");
  const own = join(folder, hash);
  await mkdir(own, { recursive: true });
  await writeFile(join(own, "component.js"), text);
  const glue = { name: "component.js" as const, sha256: hash, bytes: Buffer.byteLength(text) };
  const facts = { format: 1 as const, key: hash, componentSha256: hash, profile: "extension", tools: "test", glue };
  return { folder: own, prepared: { ...facts, modules: [], imports: [], exports: ["handle"], mac: hash } };
}

export async function openSandboxWorld(): Promise<SandboxWorld> {
  const dir = await tempDir();
  const cache: PreparationCache = await openPreparationCache({
    folder: join(dir.path, "cache"),
    cacheKey: Buffer.alloc(32, 7),
    world: kitWorld,
    limits: { deadlineMs: 30_000, memoryBytes: 700 * 1024 * 1024, maxMemoryBytes: limits.memoryBytes },
    maxCacheBytes: 1e9,
    onTampered: () => {},
  });
  const prepared = new Map<string, Promise<CachedComponent>>();
  const pools: SandboxPool[] = [];
  const log: LogLine[] = [];
  const closePools = async (): Promise<void> => {
    await Promise.all(pools.splice(0).map((pool) => pool.close(0)));
  };
  return {
    dir,
    log,
    closePools,
    component(name) {
      let found = prepared.get(name);
      if (found === undefined) {
        found = readFile(new URL(`./data/${name}.wasm`, import.meta.url)).then((bytes) => cache.prepare(bytes));
        prepared.set(name, found);
      }
      return found;
    },
    glueComponent: (text) => writeGlue(dir.path, text),
    pool(options = {}) {
      const pool = createSandboxPool({
        world: kitWorld,
        maxProcesses: 2,
        spareProcesses: 0,
        maxConcurrentPerProcess: 4,
        queueLimit: 100,
        slice: 100_000,
        log: linesLog(log),
        queueTimeoutMs: 60_000,
        ...options,
      });
      pools.push(pool);
      return pool;
    },
    call: (pool, component, options = {}) =>
      pool.invoke({
        binding: options.binding ?? component.prepared.componentSha256,
        component,
        exportName: "handle",
        args: [options.payload ?? Uint8Array.of(1, 2, 3)],
        host: options.host ?? kitHost,
        limits: { ...limits, ...options.limits },
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      }),
    async close() {
      await closePools();
      await cache.close();
      await dir.remove();
    },
  };
}

/** Living children of this process that run a sandbox program. */
export function sandboxPids(): number[] {
  const own = `/proc/${process.pid}/task`;
  const children = readdirSync(own).flatMap((task) => readFileSync(`${own}/${task}/children`, "utf8").trim().split(" "));
  return children.filter((pid) => pid !== "" && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("althing-sandbox-")).map(Number);
}
