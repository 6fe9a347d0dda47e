/**
 * The kernel behind Extism's JavaScript host, and behind our sandbox: the same AssemblyScript, compiled for each.
 *
 * Both answer from a fresh instance of a module that was compiled before. Extism's runs in this process and is not metered; ours has fuel and runs in a sandbox
 * process, over the pool that the runner uses. What is compared is what a call costs its host, and how fast the same loop is inside.
 */
import { randomBytes } from "node:crypto";
import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createSandboxPool, extensionWorld, openPreparationCache, type InvocationLimits } from "@althing/runner";
import { buildAssemblyScript } from "@althing/sdk";
import { tempDir } from "@althing/testkit";
import { main } from "assemblyscript/asc";

/** Counts primes so many times over, in a fresh instance. */
export type RunKernel = (rounds: number) => Promise<number>;

export interface KernelHost {
  readonly fresh: RunKernel;
  /** On an instance that is kept, where the host has that. */
  readonly kept?: RunKernel;
  close(): Promise<void>;
}

const source = (name: string) => join(import.meta.dirname, `${name}.as`);
const mib = 1024 * 1024;

/** A core module that imports functions of Extism and nothing else. */
export async function buildExtismKernel(): Promise<Uint8Array> {
  const texts = new Map<string, string>();
  for (const name of ["kernel", "kernel-extism"]) texts.set(`${name}.ts`, await readFile(source(name), "utf8"));
  let binary: Uint8Array | undefined;
  const flags = ["--runtime", "stub", "--outFile", "out.wasm", "--optimizeLevel", "3", "--shrinkLevel", "1", "--noColors"];
  const { error, stderr } = await main(["kernel-extism.ts", ...flags], {
    readFile: (name) => texts.get(name) ?? null,
    listFiles: () => [],
    writeFile: (name, contents) => {
      if (name.endsWith(".wasm") && typeof contents !== "string") binary = contents;
    },
  });
  if (error !== null || binary === undefined) throw new Error(`the plugin cannot be compiled: ${stderr.toString()}`);
  return binary;
}

interface ExtismPlugin {
  call(name: string, input: string): Promise<{ text(): string } | null>;
  reset(): Promise<boolean>;
  close(): Promise<void>;
}
type CreatePlugin = (manifest: { wasm: { module: WebAssembly.Module }[] }, options: { useWasi: boolean }) => Promise<ExtismPlugin>;

function hasCreatePlugin(found: unknown): found is { readonly createPlugin: CreatePlugin } {
  return typeof found === "object" && found !== null && "createPlugin" in found && typeof found.createPlugin === "function";
}

async function callExtism(plugin: ExtismPlugin, rounds: number): Promise<number> {
  const output = await plugin.call("run", String(rounds));
  const count = Number(output?.text());
  // What a call allocated stays until then.
  await plugin.reset();
  return count;
}

/** @returns `undefined` where the package is not installed */
export async function openExtismHost(): Promise<KernelHost | undefined> {
  const specifier: string = "@extism/extism";
  const found: unknown = await import(specifier).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  });
  if (found === undefined) return undefined;
  if (!hasCreatePlugin(found)) throw new TypeError("the package has no createPlugin");
  const module = await WebAssembly.compile(new Uint8Array(await buildExtismKernel()));
  const open = () => found.createPlugin({ wasm: [{ module }] }, { useWasi: false });
  const kept = await open();
  return {
    async fresh(rounds) {
      const plugin = await open();
      try {
        return await callExtism(plugin, rounds);
      } finally {
        await plugin.close();
      }
    },
    kept: (rounds) => callExtism(kept, rounds),
    close: () => kept.close(),
  };
}

const limits: InvocationLimits = {
  ...{ fuel: Number.MAX_SAFE_INTEGER, timeMs: 60_000, memoryBytes: 64 * mib, hostCalls: 200 },
  ...{ logBytes: 64 * 1024, liftedBytes: 16 * mib, resultBytes: 5 * mib },
};

function countIn(value: unknown): number {
  if (typeof value !== "object" || value === null || !("val" in value)) return Number.NaN;
  const { val } = value;
  if (typeof val !== "object" || val === null || !("body" in val) || !(val.body instanceof Uint8Array)) return Number.NaN;
  return Number(Buffer.from(val.body).toString());
}

/** The runner's own pool and preparation, with one sandbox process. */
export async function openSandboxHost(): Promise<KernelHost> {
  const dir = await tempDir();
  await cp(source("kernel-althing"), join(dir.path, "index.ts"));
  await cp(source("kernel"), join(dir.path, "kernel.ts"));
  const { component: bytes } = await buildAssemblyScript({ entry: join(dir.path, "index.ts") });
  const bounds = { deadlineMs: 60_000, memoryBytes: 1_536 * mib, maxMemoryBytes: 1_024 * mib };
  const cache = await openPreparationCache({
    ...{ folder: join(dir.path, "components"), cacheKey: randomBytes(32), world: [extensionWorld], limits: bounds },
    ...{ maxCacheBytes: 1_024 * mib, onTampered: (detail: string) => process.stderr.write(`${detail}\n`) },
  });
  const component = await cache.prepare(bytes);
  const silent = () => {};
  const pool = createSandboxPool({
    ...{ world: [extensionWorld], maxProcesses: 1, spareProcesses: 1, maxConcurrentPerProcess: 8, queueLimit: 8, slice: 500_000 },
    log: { debug: silent, info: silent, warn: silent, error: silent },
  });
  const context = {
    ...{ requestId: "r1", community: "01ARZ3NDEKTSV4RRFFQ69G5FZY", extension: "org.example.kernel", version: "1.0.0", actor: undefined },
    ...{ settings: "{}", timeLimitMs: limits.timeMs, time: new Date().toISOString() },
  };
  return {
    async fresh(rounds) {
      const params = [{ name: "rounds", value: String(rounds) }];
      const request = { method: "GET", path: `/primes/${rounds}`, query: "", params, headers: [], body: new Uint8Array() };
      const { end } = await pool.invoke({
        ...{ binding: "bench", component, exportName: "handle", args: [context, { tag: "http", val: request }], limits },
        host: { call: async () => ({ error: { code: "capability.unavailable", message: "none here" } }) },
      });
      if (end.status !== "ok") throw new Error(`the kernel ended otherwise: ${JSON.stringify(end)}`);
      return countIn(end.value);
    },
    async close() {
      await pool.close(0);
      await cache.close();
      await dir.remove();
    },
  };
}
