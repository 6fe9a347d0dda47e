/** Preparation end to end: real child, real transpiler, real files. */
import { createHash } from "node:crypto";
import { chmod, cp, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isAppError } from "@althing/contract";
import { tempDir, type TempDir } from "@althing/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { guardedNames, openPreparationCache, type PreparationCache, type PreparationCacheOptions } from "../../src/preparation/index.ts";
import { buildComponent, custom, echoComponent, echoWorld, leb, lowerImport, section, text, vector } from "./component-builder.ts";

let dir: TempDir;
let cache: PreparationCache;
const tampered: string[] = [];
const cacheKey = Buffer.alloc(32, 7);
const megabyte = 1024 * 1024;

const optionsFor = (folder: string, more: Partial<PreparationCacheOptions> = {}): PreparationCacheOptions => ({
  folder,
  cacheKey,
  world: echoWorld,
  limits: { deadlineMs: 20_000, memoryBytes: 700 * megabyte, maxMemoryBytes: 64 * megabyte },
  maxCacheBytes: 100 * megabyte,
  onTampered: (detail) => tampered.push(detail),
  ...more,
});

beforeAll(async () => {
  dir = await tempDir();
  cache = await openPreparationCache(optionsFor(join(dir.path, "cache")));
});

afterAll(async () => {
  await cache.close();
  await dir.remove();
});

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const isolated = { withImport: false } as const;
/** A component that no other test has: it differs in a custom section. */
const unique = (mark: string): Uint8Array => echoComponent({ ...isolated, after: [[section.custom, text(mark)]] });

async function refusal(component: Uint8Array, from: PreparationCache = cache): Promise<Record<string, unknown>> {
  try {
    await from.prepare(component);
    return { rule: "prepared" };
  } catch (error) {
    if (isAppError(error) && error.code === "component.refused") return error.params;
    throw error;
  }
}

describe("prepare", () => {
  it("gives files with their hashes, metered modules and loadable glue", { timeout: 30_000 }, async () => {
    const component = echoComponent();
    const { folder, prepared } = await cache.prepare(component);
    expect(prepared).toMatchObject({
      format: 1,
      componentSha256: sha256(component),
      profile: "extension",
      imports: ["test:world/host@1.0.0"],
      exports: ["handle"],
    });
    expect((await readdir(folder)).sort()).toEqual(
      ["component.js", "prepared.json", ...prepared.modules.map((module) => module.name)].sort(),
    );
    for (const file of [prepared.glue, ...prepared.modules]) {
      const bytes = await readFile(join(folder, file.name));
      expect([sha256(bytes), bytes.length]).toEqual([file.sha256, file.bytes]);
    }
    for (const module of prepared.modules) {
      const compiled = await WebAssembly.compile(await readFile(join(folder, module.name)));
      const names = WebAssembly.Module.exports(compiled).map((entry) => entry.name);
      expect(names).toEqual(expect.arrayContaining([module.names.fuel, module.names.refuel]));
    }
    const main = prepared.modules.find((module) => module.minMemoryBytes > 0);
    expect(main).toMatchObject({ instances: 1, minMemoryBytes: 65_536, maxMemoryBytes: 64 * megabyte });
    const glue: unknown = await import(`data:text/javascript;base64,${(await readFile(join(folder, "component.js"))).toString("base64")}`);
    if (typeof glue !== "object" || glue === null || !("createInstantiate" in glue) || typeof glue.createInstantiate !== "function")
      throw new Error("no createInstantiate");
    const guards = Object.fromEntries(guardedNames.map((name) => [name, Reflect.get(globalThis, name) ?? (() => undefined)]));
    expect(typeof glue.createInstantiate(guards)).toBe("function");
  });

  it("shares one child among concurrent callers and finds the entry later", { timeout: 30_000 }, async () => {
    const component = unique("shared");
    const [first, ...others] = await Promise.all([1, 2, 3].map(() => cache.prepare(component)));
    for (const other of others) expect(other).toBe(first);
    expect((await cache.find(sha256(component)))?.folder).toBe(first?.folder);
    expect(await cache.find("0".repeat(64))).toBeUndefined();
  });

  it("hands out every module clamped, so that all memories together keep the cap", { timeout: 30_000 }, async () => {
    const { prepared } = await cache.prepare(echoComponent({ ...isolated, memory: [0, 10], moreInstances: 3 }));
    const total = prepared.modules.reduce((sum, module) => sum + module.instances * module.maxMemoryBytes, 0);
    expect(prepared.modules[0]?.instances).toBe(4);
    expect(total).toBeLessThanOrEqual(64 * megabyte);
    expect(total).toBeGreaterThan(60 * megabyte);
  });
});

describe("refusals", () => {
  // What the walk refuses is in name-check.test.ts and component-walk.test.ts; here is what needs the child, and one of the walk's.
  const cases: Readonly<Record<string, readonly [Uint8Array, string | RegExp]>> = {
    "JavaScript in a name": [echoComponent({ names: { coreHandle: "');x('" } }), "name.core"],
    "an import the host does not have": [echoComponent({ names: { importName: "wasi:http/types@0.2.0" } }), "import.unknown"],
    "a missing export": [echoComponent({ names: { exportName: "other" } }), "export.missing"],
    "many instances with a memory each": [echoComponent({ ...isolated, memory: [0, ...leb(300)], moreInstances: 4 }), "memory.sum"],
    "tables that begin too large": [echoComponent({ ...isolated, table: [0, ...leb(5_000_000)] }), "table.sum"],
    "a shared memory": [echoComponent({ ...isolated, memory: [3, 1, 1] }), /^(transpile|feature\.shared-memory)$/],
    "a memory of 64 bits": [echoComponent({ ...isolated, memory: [4, 1] }), /^(transpile|feature\.memory64)$/],
    "an opcode that is none": [echoComponent({ ...isolated, handle: [0x27] }), /^(transpile|engine|opcode\.unknown)$/],
    "a core name that makes the glue unreadable": [echoComponent({ ...isolated, names: { coreHandle: "" } }), "glue.unexpected"],
  };
  it("carry their rule and leave nothing", { timeout: 60_000 }, async () => {
    const before = await readdir(join(dir.path, "cache"));
    for (const [what, [component, rule]] of Object.entries(cases))
      expect([what, (await refusal(component))["rule"]]).toEqual([what, typeof rule === "string" ? rule : expect.stringMatching(rule)]);
    expect(await readdir(join(dir.path, "cache"))).toEqual(before);
  });
});

describe("compile bombs", () => {
  const tuples = (depth: number): number[][] => [
    [0x6f, 2, 0x79, 0x79],
    ...Array.from({ length: depth }, (_, index) => [0x6f, 2, ...leb(index), ...leb(index)]),
  ];

  it("of types that double at each step end in a refusal within the bounds", { timeout: 90_000 }, async () => {
    // The same with few steps is honest.
    expect((await refusal(echoComponent({ importTypes: tuples(4), after: lowerImport() })))["rule"]).toBe("prepared");
    for (const depth of [15, 18, 30]) {
      const begin = performance.now();
      const outcome = await refusal(echoComponent({ importTypes: tuples(depth), after: lowerImport() }));
      expect(outcome["rule"]).toMatch(/^(transpile|limit\..*|preparation\.crashed)$/);
      expect(performance.now() - begin).toBeLessThan(25_000);
    }
  });

  it("of one huge function are refused or prepared within the bounds", { timeout: 60_000 }, async () => {
    const begin = performance.now();
    const blocks = [...Array.from({ length: 200_000 }, () => [0x41, 1, 0x1a]).flat(), 0x41, 16];
    const outcome = await refusal(echoComponent({ ...isolated, handle: blocks }));
    expect(outcome["rule"]).toMatch(/^(prepared|limit\..*)$/);
    expect(performance.now() - begin).toBeLessThan(25_000);
  });

  it("of blocks nested deeply are refused or prepared within the bounds", { timeout: 60_000 }, async () => {
    const deep = [...Array.from({ length: 60_000 }, () => [0x02, 0x40]).flat(), ...Array.from({ length: 60_000 }, () => 0x0b), 0x41, 16];
    expect((await refusal(echoComponent({ ...isolated, handle: deep })))["rule"]).toMatch(
      /^(limit\.nesting|transpile|engine|preparation\.crashed)$/,
    );
  });

  it("that outlast the deadline or the memory are ended, and nothing is left", { timeout: 60_000 }, async () => {
    const folder = join(dir.path, "bounded");
    const program = (name: string): string => fileURLToPath(new URL(`programs/${name}.mjs`, import.meta.url));
    const limits = { deadlineMs: 700, memoryBytes: 300 * megabyte, maxMemoryBytes: 64 * megabyte };
    for (const [name, rule, deadlineMs] of [
      ["hang", "limit.time", 700],
      ["resident", "limit.memory", 30_000],
    ] as const) {
      const bounded = await openPreparationCache(optionsFor(folder, { childProgram: program(name), limits: { ...limits, deadlineMs } }));
      expect((await refusal(unique(name), bounded))["rule"]).toBe(rule);
      await bounded.close();
      expect(await readdir(folder)).toEqual([]);
    }
  });
});

describe("a tampered entry", () => {
  const changes: Readonly<Record<string, (folder: string) => Promise<void>>> = {
    "with other glue": (folder) => change(join(folder, "component.js"), (bytes) => Buffer.concat([bytes, Buffer.from("\n")])),
    "with a flipped bit in a module": (folder) =>
      change(join(folder, "component.core.wasm"), (bytes) => {
        bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
        return bytes;
      }),
    "with a missing module": (folder) => rm(join(folder, "component.core.wasm")),
    "with a larger memory in its index": (folder) =>
      change(join(folder, "prepared.json"), (bytes) =>
        Buffer.from(bytes.toString().replace(/"maxMemoryBytes":\d+/, '"maxMemoryBytes":999999999')),
      ),
    "with an index of other bytes": (folder) => change(join(folder, "prepared.json"), (bytes) => Buffer.concat([bytes, Buffer.from(" ")])),
    "without an index": (folder) => rm(join(folder, "prepared.json")),
  };

  async function change(path: string, edit: (bytes: Buffer) => Buffer): Promise<void> {
    const edited = edit(await readFile(path));
    await chmod(path, 0o600);
    await writeFile(path, edited);
  }

  it("is reported, removed and made anew, whatever was changed", { timeout: 60_000 }, async () => {
    const component = unique("tampered");
    const { folder } = await cache.prepare(component);
    const good = join(dir.path, "good");
    await cp(folder, good, { recursive: true });
    for (const [what, apply] of Object.entries(changes)) {
      await apply(folder);
      tampered.length = 0;
      expect([what, await cache.find(sha256(component))]).toEqual([what, undefined]);
      expect([what, tampered.length]).toEqual([what, 1]);
      expect(await readdir(join(dir.path, "cache"))).not.toContain(folder.split("/").at(-1));
      expect(await cache.find(sha256(component))).toBeUndefined();
      expect([what, tampered.length]).toEqual([what, 1]);
      await cp(good, folder, { recursive: true });
      expect(await cache.find(sha256(component))).toBeDefined();
    }
    await rm(folder, { recursive: true });
    expect((await cache.prepare(component)).folder).toBe(folder);
  });

  it("that is another component's, moved, is not taken for this one", { timeout: 30_000 }, async () => {
    const [mine, other] = [unique("mine"), unique("other")];
    const [a, b] = [await cache.prepare(mine), await cache.prepare(other)];
    await rm(a.folder, { recursive: true });
    await rename(b.folder, a.folder);
    tampered.length = 0;
    expect(await cache.find(sha256(mine))).toBeUndefined();
    expect(tampered[0]).toContain("another component");
  });
});

describe("opening", () => {
  it("keeps good entries, and removes those of other keys or tools and what a crash left", { timeout: 60_000 }, async () => {
    const folder = join(dir.path, "reopened");
    const component = unique("kept");
    const first = await openPreparationCache(optionsFor(folder));
    await first.prepare(component);
    await first.close();
    await mkdir(join(folder, ".staging-0123"));
    await mkdir(join(folder, "a".repeat(64)));
    await writeFile(join(folder, "a".repeat(64), "prepared.json"), "{}");
    await writeFile(join(folder, "unrelated"), "x");
    const second = await openPreparationCache(optionsFor(folder));
    expect(await second.find(sha256(component))).toBeDefined();
    await second.close();
    expect((await readdir(folder)).toSorted()).toHaveLength(2);
    const third = await openPreparationCache(optionsFor(folder, { cacheKey: Buffer.alloc(32, 8) }));
    expect(await third.find(sha256(component))).toBeUndefined();
    await third.close();
    expect(await readdir(folder)).toEqual(["unrelated"]);
  });

  it("needs a key of 32 bytes", async () => {
    await expect(openPreparationCache(optionsFor(join(dir.path, "x"), { cacheKey: new Uint8Array(16) }))).rejects.toThrow("32 bytes");
  });

  it("makes another entry for another memory cap", { timeout: 30_000 }, async () => {
    const component = unique("cap");
    const { folder } = await cache.prepare(component);
    const limits = { deadlineMs: 20_000, memoryBytes: 700 * megabyte, maxMemoryBytes: 8 * megabyte };
    const small = await openPreparationCache(optionsFor(join(dir.path, "cache-8"), { limits }));
    const entry = await small.prepare(component);
    await small.close();
    expect(entry.folder.split("/").at(-1)).not.toBe(folder.split("/").at(-1));
    expect(entry.prepared.modules[0]?.maxMemoryBytes).toBe(8 * megabyte);
  });
});

describe("eviction", () => {
  it("removes what was used longest ago, never what was used just now", { timeout: 60_000 }, async () => {
    const folder = join(dir.path, "small");
    let nowMs = Date.UTC(2026, 0, 1);
    const small = await openPreparationCache(optionsFor(folder, { maxCacheBytes: 250_000, nowMs: () => nowMs }));
    const components = ["one", "two", "three"].map(unique);
    for (const component of components.slice(0, 2)) {
      await small.prepare(component);
      nowMs += 60_000;
    }
    const [one, two, three] = components.map(sha256);
    if (one === undefined || two === undefined || three === undefined) throw new Error("three components");
    expect(await small.find(one)).toBeDefined();
    nowMs += 60_000;
    await small.prepare(unique("three"));
    expect(await small.find(two)).toBeUndefined();
    expect([await small.find(one), await small.find(three)]).toEqual([expect.anything(), expect.anything()]);
    // Within the grace nothing goes, although the sum is above the cap.
    await small.prepare(unique("four"));
    expect(await readdir(folder)).toHaveLength(3);
    await small.close();
  });
});

describe("custom sections", () => {
  it("do not reach the files", { timeout: 30_000 }, async () => {
    const component = echoComponent({
      ...isolated,
      customs: [custom("name", text("SECRETMARK"))],
      before: [[section.custom, text("SECRETMARK")]],
    });
    const { folder } = await cache.prepare(component);
    for (const name of await readdir(folder)) expect((await readFile(join(folder, name))).includes("SECRETMARK")).toBe(false);
  });
});

describe("a component of components", () => {
  it("is prepared when it is honest", { timeout: 30_000 }, async () => {
    const inner = echoComponent(isolated);
    const outer = buildComponent([
      [section.component, [...inner]],
      [section.instance, vector([[0, 0, 0]])],
      [section.alias, vector([[1, 0, 0, ...text("handle")]])],
      [section.export, vector([[0, ...text("handle"), 1, 0, 0]])],
    ]);
    expect((await refusal(outer))["rule"]).toBe("prepared");
  });
});
