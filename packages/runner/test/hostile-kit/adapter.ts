/**
 * Adapter of the hostile kit (a set of components that attack their host, and a harness that judges what happened): prepares with
 * the real cache and runs with the real pool, so that the verdict is about what an instance runs.
 *
 *     node run-hostile.mjs packages/runner/test/hostile-kit/adapter.ts --jobs 1
 */
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CachedComponent, type GuestWorld, openPreparationCache, type PreparationCache } from "../../src/preparation/index.ts";
import { createSandboxPool, type HostAnswer, type SandboxPool } from "../../src/sandbox/index.ts";

interface KitNames {
  readonly iface: string;
  readonly func: string;
  readonly handle: string;
}

interface KitLimits {
  readonly fuel: number;
  readonly deadlineMs: number;
  readonly memoryBytes: number;
  readonly hostCalls: number;
  readonly logBytes: number;
  readonly liftedBytes: number;
  readonly resultBytes: number;
  readonly prepareMs: number;
}

interface KitHost {
  call(op: unknown, payload: unknown): Promise<unknown>;
  callMany(items: unknown): Promise<unknown>;
  callNested(items: unknown): Promise<unknown>;
}

type KitAnswer = { readonly status: string; readonly value?: unknown; readonly code?: string; readonly error?: string };

const worldOf = (names: KitNames, world: string): GuestWorld => ({
  profile: "extension",
  asyncImports: [names.func, ...(world === "lists" ? ["call-many", "call-nested"] : [])].map((name) => `${names.iface}#${name}`),
  interfaces: [names.iface],
  asyncExports: [names.handle],
});

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const kitNames: KitNames = { iface: "host", func: "call", handle: "handle" };

let pool: SandboxPool | undefined;

export async function warm(): Promise<void> {
  pool = createSandboxPool({
    world: worldOf(kitNames, "lists"),
    maxProcesses: 2,
    spareProcesses: 1,
    maxConcurrentPerProcess: 4,
    queueLimit: 16,
    slice: 100_000,
    log: silent,
  });
  // One process at least is up before anything is measured.
  while (pool.stats().processes === 0) await new Promise((resolve) => setTimeout(resolve, 10));
}

interface Prepared {
  readonly component: CachedComponent;
  readonly names: KitNames;
}

export async function prepare(
  bytes: Uint8Array,
  { world, names, limits }: { readonly world: string; readonly names: KitNames; readonly limits: KitLimits },
): Promise<Prepared> {
  const folder = await mkdtemp(join(tmpdir(), "althing-kit-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const cache: PreparationCache = await openPreparationCache({
    folder,
    cacheKey: randomBytes(32),
    world: worldOf(names, world),
    limits: { deadlineMs: limits.prepareMs - 1_000, memoryBytes: 700 * 1024 * 1024, maxMemoryBytes: limits.memoryBytes },
    maxCacheBytes: 1024 * 1024 * 1024,
    onTampered: () => {},
  });
  try {
    return { component: await cache.prepare(bytes), names };
  } finally {
    await cache.close();
  }
}

/** The kit's one function carries an operation; its log is held to the log's limit here, as it is no `log.write`. */
async function answer(host: KitHost, op: string, args: readonly unknown[], log: { left: number }): Promise<HostAnswer> {
  try {
    if (op.endsWith(".call-many")) return { ok: await host.callMany(args[0]) };
    if (op.endsWith(".call-nested")) return { ok: await host.callNested(args[0]) };
    if (args[0] === "log" && args[1] instanceof Uint8Array && (log.left -= args[1].length) < 0) return { error: "the log is full" };
    return { ok: await host.call(args[0], args[1]) };
  } catch (error) {
    return { error: String(error) };
  }
}

export async function invoke({ component, names }: Prepared, payload: Uint8Array, host: KitHost, limits: KitLimits): Promise<KitAnswer> {
  if (pool === undefined) return { status: "killed", code: "not warm" };
  const log = { left: limits.logBytes };
  const { end } = await pool.invoke({
    binding: `kit/kit/${component.prepared.componentSha256}`,
    component,
    exportName: names.handle,
    args: [payload],
    limits: { ...limits, timeMs: limits.deadlineMs },
    host: { call: (op, args) => answer(host, op, args, log) },
  });
  if (end.status === "ok") return { status: "ok", value: end.value };
  if (end.status === "error") return { status: "error", value: end.error };
  return { status: "killed", code: end.rule, error: end.detail };
}
