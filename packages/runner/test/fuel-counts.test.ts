import { describe, expect, it } from "vitest";
import { createFuelTank, meterModule } from "../src/metering/index.ts";
import { exceptionUnits, unitsPerPage } from "../src/metering/costs.ts";
import { fromText } from "./text-modules.ts";

/** Units one call of `run` uses, and its result. */
async function fuelOf(source: string, args: readonly unknown[] = [], slice = 1_000_000): Promise<number> {
  const { bytes, report } = meterModule(fromText(source), { maxMemoryPages: 100, maxTableElements: 1_000 });
  const tank = createFuelTank({ budget: 100_000_000, slice });
  const instance = tank.instantiate(new WebAssembly.Module(bytes as BufferSource), report.names);
  try {
    (instance.exports["run"] as (...args: unknown[]) => unknown)(...args);
  } catch (error) {
    expect(error).toBeInstanceOf(WebAssembly.RuntimeError);
  }
  return tank.fuelUsed();
}

const run = (code: string, rest = ""): string => `(module ${rest} (func $f (export "run") ${code}))`;

/**
 * Counted by hand by Wasmtime's rule: one for entering a function; nothing for nop, drop, block, loop, unreachable, return,
 * else, end; one for everything else; one more for each byte or element of a bulk instruction.
 */
const counts: readonly (readonly [name: string, source: string, units: number])[] = [
  ["an empty function", run(""), 1],
  ["a constant that is dropped", run("i32.const 0 drop"), 2],
  ["an empty block", run("block end"), 1],
  ["unreachable alone", run("unreachable"), 1],
  ["code before unreachable", run("i32.const 0 i32.const 0 i32.const 0 unreachable"), 4],
  ["code after return is not counted", run("return i32.const 0 i32.const 0 unreachable"), 1],
  ["code before return", run("i32.const 0 return"), 2],
  ["if not taken", run("i32.const 0 if call $f end"), 3],
  ["if taken", run("i32.const 1 if i32.const 0 drop end"), 4],
  ["if taken, with an else", run("i32.const 1 if i32.const 0 drop else call $f end"), 4],
  ["else taken", run("i32.const 0 if call $f else i32.const 0 drop end"), 4],
  ["br_if taken", run("block i32.const 1 br_if 0 i32.const 0 drop end"), 3],
  ["br_if not taken", run("block i32.const 0 br_if 0 i32.const 0 drop end"), 4],
  ["br_if out of the function, taken", run("i32.const 1 br_if 0 i32.const 0 drop"), 3],
  ["br out of the function", run("br 0 i32.const 0 drop"), 2],
  ["br_table", run("block block i32.const 1 br_table 0 1 end i32.const 0 drop end nop"), 3],
  ["a call", run("call $other", "(func $other)"), 3],
  ["a call between constants", run("i32.const 0 call $other i32.const 0 drop", "(func $other (param i32))"), 5],
  ["a call with a result", run("call $other drop", "(func $other (result i32) i32.const 0)"), 4],
  ["call_indirect", run("i32.const 0 call_indirect", "(func $other) (table funcref (elem $other))"), 4],
  ["return_call", run("i32.const 0 return_call $other", "(func $other (param i32) nop)"), 4],
  ["an empty loop", run("loop end"), 1],
  [
    "a loop of ten turns with five instructions",
    run("(local i32) i32.const 10 local.set 0 loop local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end"),
    53,
  ],
  ["a loop with a block inside", run("(local i32) loop block local.get 0 br_if 0 i32.const 1 local.set 0 br 1 end end"), 1 + 5 + 2],
  [
    "loops inside loops",
    run(
      "(local i32 i32) loop loop local.get 1 i32.const 1 i32.add local.tee 1 i32.const 3 i32.and br_if 0 end local.get 0 i32.const 1 i32.add local.tee 0 i32.const 3 i32.lt_u br_if 0 end",
    ),
    1 + 12 * 7 + 3 * 7,
  ],
  ["memory.copy of 100", run("i32.const 0 i32.const 0 i32.const 100 memory.copy", "(memory 1)"), 105],
  ["memory.fill of 200", run("i32.const 0 i32.const 0 i32.const 200 memory.fill", "(memory 1)"), 205],
  ["memory.init of 20", run("i32.const 0 i32.const 0 i32.const 20 memory.init $d", '(memory 1) (data $d "aaaaaaaaaaaaaaaaaaaaaaaa")'), 25],
  ["table.copy of 100", run("i32.const 0 i32.const 0 i32.const 100 table.copy", "(table 100 funcref)"), 105],
  ["table.fill of 100", run("i32.const 0 ref.null func i32.const 100 table.fill", "(table 100 funcref)"), 105],
  ["table.grow by 100", run("ref.null func i32.const 100 table.grow drop", "(table 0 funcref)"), 104],
  ["table.grow beyond the maximum", run("ref.null func i32.const 100 table.grow drop", "(table 0 10 funcref)"), 4],
  ["table.init of 3", run("i32.const 0 i32.const 0 i32.const 3 table.init $e", "(table 20 funcref) (elem $e func $f $f $f $f)"), 8],
  ["memory.grow by two pages: a unit for sixteen bytes", run("i32.const 2 memory.grow drop", "(memory 1)"), 3 + 2 * unitsPerPage],
  ["memory.grow beyond the maximum", run("i32.const 2 memory.grow drop", "(memory 1 2)"), 3],
  ["a throw that is caught, and what it allocates", run("try throw $t catch_all i32.const 1 drop end", "(tag $t)"), 4 + exceptionUnits],
  [
    "a callee's throw: nothing after it is counted",
    run("try call $other i32.const 1 drop i32.const 1 drop catch_all end", "(tag $t) (func $other throw $t)"),
    1 + 2 + 1 + 1 + exceptionUnits,
  ],
];

describe("units are counted as Wasmtime counts fuel", () => {
  it.each(counts)("%s", async (_name, source, units) => {
    expect(await fuelOf(source)).toBe(units);
    expect(await fuelOf(source, [], 1)).toBe(units);
  });

  it("a recursive function: fib(15) by the closed form", async () => {
    const source = `(module (func $fib (export "run") (param i32) (result i32)
      local.get 0 i32.const 2 i32.lt_u if (result i32) local.get 0 else
      local.get 0 i32.const 1 i32.sub call $fib local.get 0 i32.const 2 i32.sub call $fib i32.add end))`;
    const calls = (n: number): [all: number, leaves: number] => {
      if (n < 2) return [1, 1];
      const [a, b] = [calls(n - 1), calls(n - 2)];
      return [1 + a[0] + b[0], a[1] + b[1]];
    };
    const [all, leaves] = calls(15);
    expect(await fuelOf(source, [15])).toBe(all * 5 + leaves + (all - leaves) * 9);
  });

  it("a function of many locals pays for clearing them", async () => {
    const locals = (count: number): string => run(`(local ${"i64 ".repeat(count)})`);
    expect(await fuelOf(locals(256))).toBe(1);
    expect(await fuelOf(locals(256 + 800))).toBe(101);
  });

  it("neither the size of slices nor repeating changes what is counted", async () => {
    const [, source] = counts.find(([name]) => name === "loops inside loops") as readonly [string, string, number];
    for (const slice of [1, 2, 3, 7, 50, 105, 106, 107]) expect(await fuelOf(source, [], slice)).toBe(106);
  });
});

describe("the report", () => {
  it("is deterministic, names what was added, seen and clamped, and the names avoid the guest's", () => {
    const source = `(module (memory (export "althing:fuel") 1) (table 1 funcref) (global (export "althing:refuel") (mut i64) (i64.const 7))
      (func $f (export "althing:start") i32.const 0 i64.extend_i32_s i64.extend8_s drop) (start $f))`;
    const once = meterModule(fromText(source), { maxMemoryPages: 10, maxTableElements: 20 });
    const again = meterModule(fromText(source), { maxMemoryPages: 10, maxTableElements: 20 });
    expect(again).toEqual(once);
    expect(once.report.names).toEqual({ fuel: "althing:fuel#1", refuel: "althing:refuel#1", start: "althing:start#1" });
    expect(once.report.features).toEqual(["mvp", "sign-extension"]);
    expect(once.report.instructions).toBe(5);
    expect(once.report.clamped).toEqual([
      { kind: "table", index: 0, declared: undefined, clamped: 20 },
      { kind: "memory", index: 0, declared: undefined, clamped: 10 },
    ]);
    const exports = WebAssembly.Module.exports(new WebAssembly.Module(once.bytes as BufferSource)).map(
      ({ name, kind }) => `${kind} ${name}`,
    );
    expect(exports).toEqual([
      "memory althing:fuel",
      "global althing:refuel",
      "function althing:start",
      "global althing:fuel#1",
      "global althing:refuel#1",
      "function althing:start#1",
    ]);
  });
});
