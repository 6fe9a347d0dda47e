import { describe, expect, it } from "vitest";
import { createFuelTank, type FuelTank, meterModule, type MeteredInstance } from "../src/metering/index.ts";
import { body, buildModule, i64, smallModule, text, vector } from "./module-builder.ts";
import { fromText } from "./text-modules.ts";

const options = { maxMemoryPages: 1_024, maxTableElements: 10_000 };
/** A check may come this late: the unchecked units of one path, and one exception. */
const overshoot = 20_000;

type Run = (...args: unknown[]) => unknown;

async function load(source: string, tank: FuelTank, imports: WebAssembly.Imports = {}): Promise<MeteredInstance> {
  const { bytes, report } = meterModule(fromText(source), options);
  return tank.instantiate(new WebAssembly.Module(bytes as BufferSource), report.names, imports);
}

/** A loop that puts a new object before a list held by a global. The text tool has no objects, so it is made by hand. */
function structList(): Uint8Array {
  return buildModule([
    [
      1,
      vector([
        [0x5f, 2, 0x63, 0, 1, 0x7e, 1],
        [0x60, 0, 0],
      ]),
    ],
    [3, [1, 1]],
    [6, vector([[0x63, 0, 1, 0xd0, 0, 0x0b]])],
    [7, vector([[...text("run"), 0, 0]])],
    [10, vector([body([], [0x03, 0x40, 0x23, 0, ...i64(0), 0xfb, 0, 0, 0x24, 0, 0x0c, 0, 0x0b])])],
  ]);
}

const swallow = (code: string): string => `(tag $t) (func (export "run") (loop $again (try (do ${code}) (catch_all)) (br $again)))`;

/** Every kind of endless run: nothing but fuel ends these. */
const endless: Record<string, string> = {
  "an empty loop": `(func (export "run") loop br 0 end)`,
  "a loop by br_if": `(func (export "run") loop i32.const 1 br_if 0 end)`,
  "a loop by br_table": `(func (export "run") loop i32.const 3 br_table 0 0 0 end)`,
  "a loop with parameters": `(func (export "run") i32.const 0 loop (param i32) br 0 end)`,
  "a loop whose header is another loop": `(func (export "run") loop loop loop br 2 end end end)`,
  "an outer loop around a loop that ends": `(func (export "run") (local i32) loop i32.const 3 local.set 0 loop local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end br 0 end)`,
  "a loop that calls a leaf": `(func $leaf) (func (export "run") loop call $leaf br 0 end)`,
  "a loop of 20,000 instructions": `(func (export "run") loop ${"i32.const 1 drop ".repeat(20_000)} br 0 end)`,
  "a loop whose check could be jumped over": `(func (export "run") loop ${"block ".repeat(40)} ${"i32.const 1 drop ".repeat(9_999)} i32.const 1 br_if 0 end ${`${"i32.const 1 drop ".repeat(9_999)} i32.const 1 br_if 0 end `.repeat(8)} ${"end ".repeat(31)} br 0 end)`,
  "return_call to itself": `(func $f (export "run") return_call $f)`,
  "return_call to each other": `(func $f (export "run") return_call $g) (func $g return_call $f)`,
  "return_call_indirect to itself": `(type $t (func)) (table funcref (elem $f)) (func $f (export "run") i32.const 0 return_call_indirect (type $t))`,
  "recursion that is a tree, not deep": `(func $f (export "run") (param i32) local.get 0 i32.eqz if return end local.get 0 i32.const 1 i32.sub call $f local.get 0 i32.const 1 i32.sub call $f) (func (export "go") i32.const 90 call $f)`,
  "throw and catch, old": swallow("throw $t"),
  "throw and catch, new, to the loop itself": `(tag $t) (func (export "run") (loop $l (try_table (catch_all $l) (throw $t))))`,
  "rethrow and delegate": swallow("(try (do (try (do (throw $t)) (catch_all (rethrow 0)))) (delegate 0))"),
  "catching everything around an endless loop": swallow("(loop (br 0))"),
  "catching everything around a call to the host that throws": `(import "host" "throws" (func $throws)) ${swallow("(call $throws)")}`,
  "growing and touching memory": `(memory 1) (func (export "run") (loop (drop (memory.grow (i32.const 1))) (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br 0)))`,
  "2,000 fills without a loop, again and again": `(memory 900) (func $f (export "run") ${"(memory.fill (i32.const 0) (i32.const 1) (i32.const 50000000))".repeat(2_000)} (call $f))`,
};

/** Endless runs in instructions the text tool does not know. */
const byHand: Record<string, Uint8Array> = {
  "a loop by br_on_null": smallModule({ code: [0x03, 0x40, 0xd0, 0x70, 0xd5, 0, 0x1a, 0x0b] }),
  "a loop by br_on_non_null": buildModule([
    [
      1,
      vector([
        [0x60, 0, 0],
        [0x60, 1, 0x64, 0x70, 0],
      ]),
    ],
    [3, vector([[0]])],
    [7, vector([[...text("run"), 0, 0]])],
    [10, vector([body([], [0xd2, 0, 0x03, 1, 0xd6, 0, 0x0b])])],
  ]),
  "return_call_ref to itself": buildModule([
    [1, vector([[0x60, 0, 0]])],
    [3, vector([[0]])],
    [7, vector([[...text("run"), 0, 0]])],
    [10, vector([body([], [0xd2, 0, 0x15, 0])])],
  ]),
  "a list of objects that only grows": structList(),
};

/** Recursions that catch whatever they can. */
const deep: Record<string, string> = {
  "an endless recursion": `(func $f (export "run") call $f)`,
  "an endless recursion with a thousand live locals": `(func $f (param ${"i64 ".repeat(500)}) ${Array.from({ length: 500 }, (_, index) => `local.get ${index}`).join(" ")} call $f) (func (export "run") ${"i64.const 1 ".repeat(500)} call $f)`,
  "catching everything around an endless recursion": `(func $deep call $deep) ${swallow("(call $deep)")}`,
  "catching everything at every level of a recursion": `(func $deep (try (do (call $deep)) (catch_all)) (call $deep)) ${swallow("(call $deep)")}`,
  "mutual recursion through a table": `(type $t (func)) (table funcref (elem $f)) (func $f (export "run") i32.const 0 call_indirect (type $t) i32.const 0 call_indirect (type $t))`,
};

describe("what never ends by itself ends by fuel", () => {
  it.each(Object.entries(endless))("%s", async (_name, code) => {
    const budget = 2_000_000;
    const tank = createFuelTank({ budget, slice: 100_000 });
    const instance = await load(`(module ${code})`, tank, {
      host: {
        throws: () => {
          throw new Error("from the host");
        },
      },
    });
    const run = (instance.exports["go"] ?? instance.exports["run"]) as Run;
    let ended: unknown;
    try {
      run(0);
    } catch (error) {
      ended = error;
    }
    expect(ended).toBeInstanceOf(WebAssembly.RuntimeError);
    expect(String(ended)).toContain("unreachable");
    expect(tank.exhausted).toBe(true);
    expect(tank.fuelUsed()).toBe(budget);
    expect(() => run(0)).toThrow("unreachable");
  });

  it.each(Object.entries(byHand))("%s", async (_name, bytes) => {
    const { bytes: metered, report } = meterModule(bytes, options);
    const tank = createFuelTank({ budget: 2_000_000, slice: 100_000 });
    const instance = tank.instantiate(new WebAssembly.Module(metered as BufferSource), report.names);
    expect(() => (instance.exports["run"] as Run)()).toThrow("unreachable");
    expect(tank.fuelUsed()).toBe(2_000_000);
  });

  it.each(Object.entries(deep))("%s ends by the stack, and the engine lets no handler catch that", async (_name, code) => {
    const tank = createFuelTank({ budget: 50_000_000, slice: 100_000 });
    const instance = await load(`(module ${code})`, tank);
    expect(() => (instance.exports["run"] as Run)()).toThrow(/call stack/);
    expect(tank.fuelUsed()).toBeLessThan(5_000_000);
  });

  it("a start function runs only when the host calls it, and ends by fuel", async () => {
    const { bytes, report } = meterModule(fromText(`(module (func $s loop br 0 end) (start $s))`), options);
    const module = new WebAssembly.Module(bytes as BufferSource);
    const tank = createFuelTank({ budget: 100_000, slice: 1_000 });
    const instance = tank.instantiate(module, report.names);
    expect(Object.keys(instance.exports)).toEqual([]);
    expect(tank.fuelUsed()).toBe(0);
    expect(() => instance.start?.()).toThrow("unreachable");
    expect(tank.fuelUsed()).toBe(100_000);
  });

  it("a module that was given no tank does not run at all", async () => {
    const { bytes } = meterModule(fromText(`(module (func (export "run")))`), options);
    const { instance } = await WebAssembly.instantiate(bytes as BufferSource);
    expect(() => (instance.exports["run"] as Run)()).toThrow(WebAssembly.RuntimeError);
  });

  it("no more than the bounded overshoot is executed after the budget", async () => {
    const source = `(module (global $n (export "n") (mut i32) (i32.const 0)) (func (export "run") loop ${"global.get $n i32.const 1 i32.add global.set $n ".repeat(5_000)} br 0 end))`;
    const tank = createFuelTank({ budget: 100_000, slice: 30_000 });
    const instance = await load(source, tank);
    expect(() => (instance.exports["run"] as Run)()).toThrow("unreachable");
    const executed = (instance.exports["n"] as WebAssembly.Global).value as number;
    expect(executed * 4).toBeLessThanOrEqual(100_000 + overshoot);
    expect(executed).toBeGreaterThan(0);
  });

  it("computing on the way back from a deep recursion ends at the budget too", async () => {
    const work = "global.get $n i32.const 1 i32.add global.set $n ".repeat(2_000);
    const tag = "(tag $t)";
    const handler = "(func (try (do) (catch_all)))";
    for (const rest of ["", `${tag} ${handler}`]) {
      const source = `(module ${rest} (global $n (export "n") (mut i32) (i32.const 0))
        (func $f (export "run") (param i32) (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1))))) ${work}))`;
      const tank = createFuelTank({ budget: 100_000, slice: 30_000 });
      const instance = await load(source, tank);
      expect(() => (instance.exports["run"] as Run)(2_000)).toThrow("unreachable");
      expect(((instance.exports["n"] as WebAssembly.Global).value as number) * 4).toBeLessThanOrEqual(100_000 + overshoot);
    }
  });

  it("objects are bounded by fuel: a list that only grows ends before the heap does", async () => {
    const { bytes: metered, report } = meterModule(structList(), options);
    const tank = createFuelTank({ budget: 10_000_000, slice: 1_000_000 });
    const instance = tank.instantiate(new WebAssembly.Module(metered as BufferSource), report.names);
    const before = process.memoryUsage().heapUsed;
    expect(() => (instance.exports["run"] as Run)()).toThrow("unreachable");
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000);
  });
});
