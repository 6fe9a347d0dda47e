/** What was prepared runs: real glue, metered modules, honest and odd names; and no name of a component changes the realm. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir, type TempDir } from "@althing/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFuelTank } from "../../src/metering/index.ts";
import { type CachedComponent, guardedNames, openPreparationCache, type PreparationCache } from "../../src/preparation/index.ts";
import { echoComponent, type EchoNames, echoWorld } from "./component-builder.ts";

let dir: TempDir;
let cache: PreparationCache;

beforeAll(async () => {
  dir = await tempDir();
  const limits = { deadlineMs: 20_000, memoryBytes: 700 * 1024 * 1024, maxMemoryBytes: 64 * 1024 * 1024 };
  const options = { folder: dir.path, cacheKey: Buffer.alloc(32, 1), world: echoWorld, limits, maxCacheBytes: 1e9 };
  cache = await openPreparationCache({ ...options, onTampered: () => undefined });
});

afterAll(async () => {
  await cache.close();
  await dir.remove();
});

type Handle = (payload: Uint8Array) => Promise<unknown>;
type Instantiate = (getCoreModule: (name: string) => unknown, imports: object, instantiateCore: unknown) => Promise<{ handle: Handle }>;

async function instantiate({ folder, prepared }: CachedComponent): Promise<{ handle: Handle }> {
  const text = await readFile(join(folder, prepared.glue.name));
  const glue: { createInstantiate(guards: object): Instantiate } = await import(`data:text/javascript;base64,${text.toString("base64")}`);
  const guards: Record<string, unknown> = Object.fromEntries(guardedNames.map((name) => [name, Reflect.get(globalThis, name)]));
  guards["sliceBuffer"] = (buffer: ArrayBuffer, start: number, end: number) => buffer.slice(start, end);
  const tank = createFuelTank({ budget: 100_000, slice: 10_000 });
  const load = async (name: string): Promise<object> => {
    const module = prepared.modules.find((entry) => entry.name === name);
    if (module === undefined) throw new Error(`no ${name}`);
    return { name, compiled: await WebAssembly.compile(await readFile(join(folder, name))), names: module.names };
  };
  const core = (
    module: { compiled: WebAssembly.Module; names: { fuel: string; refuel: string; start?: string } },
    imports?: WebAssembly.Imports,
  ) => tank.instantiate(module.compiled, { ...module.names, start: module.names.start }, imports);
  return glue.createInstantiate(guards)(load, { "test:world/host": { call: () => 0 } }, core);
}

function shapeOfRealm(): string[] {
  return [Object, Array, Function, Promise, String, Map, Uint8Array].flatMap((type) => Object.getOwnPropertyNames(type.prototype));
}

describe("a prepared guest", () => {
  const names: Readonly<Record<string, Partial<EchoNames>>> = {
    "with the usual names": {},
    "whose core names are words of JavaScript": { coreHandle: "constructor", coreRealloc: "toString", coreMemory: "valueOf" },
    "whose core names make thenables": { coreHandle: "then", importModule: "then", importField: "then" },
    "whose core imports are named like methods of objects": { importModule: "hasOwnProperty", importField: "constructor" },
    "whose core imports have empty names": { importModule: "", importField: "" },
  };
  for (const [what, given] of Object.entries(names)) {
    it(`answers ${what}, and the realm stays as it was`, { timeout: 30_000 }, async () => {
      const before = shapeOfRealm();
      const instance = await instantiate(await cache.prepare(echoComponent({ names: given })));
      expect(await instance.handle(Uint8Array.of(1, 2, 3))).toEqual(Uint8Array.of(1, 2, 3));
      expect(shapeOfRealm()).toEqual(before);
    });
  }

  it("cannot grow its memory beyond what the plan grants", { timeout: 30_000 }, async () => {
    // handle: drop(memory.grow(2000 pages)); answer len = memory.size
    const grow = [
      0x41, 0xd0, 0x0f, 0x40, 0, 0x1a, 0x41, 16, 0x41, 0, 0x36, 2, 0, 0x41, 16, 0x41, 0, 0x36, 2, 4, 0x41, 16, 0x3f, 0, 0x36, 2, 8, 0x41,
      16,
    ];
    const instance = await instantiate(await cache.prepare(echoComponent({ withImport: false, handle: grow })));
    expect(await instance.handle(Uint8Array.of(1))).toHaveLength(1);
  });
});
