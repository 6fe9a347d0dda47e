import { afterEach, describe, expect, it } from "vitest";
import { createFuelTank, type FuelTank, meterModule, type MeteredInstance } from "../src/metering/index.ts";
import { fromText } from "./text-modules.ts";

type Run = (...args: unknown[]) => unknown;

async function load(source: string, tank: FuelTank, imports: WebAssembly.Imports = {}): Promise<MeteredInstance> {
  const { bytes, report } = meterModule(fromText(source), { maxMemoryPages: 100, maxTableElements: 1_000 });
  return tank.instantiate(new WebAssembly.Module(bytes as BufferSource), report.names, imports);
}

interface Promising {
  promising(run: Run): (...args: unknown[]) => Promise<unknown>;
}

const promising = (value: unknown): ((...args: unknown[]) => Promise<unknown>) =>
  (WebAssembly as unknown as Promising).promising(value as Run);
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Counts down from its parameter: five units a turn, and two for entry and end. */
const countdown = `(module (func (export "run") (param i32) (result i32) loop local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end local.get 0))`;

describe("slices", () => {
  const opened: FuelTank[] = [];
  const open = (options: Parameters<typeof createFuelTank>[0]): FuelTank => {
    const tank = createFuelTank(options);
    opened.push(tank);
    return tank;
  };
  afterEach(() => {
    for (const tank of opened.splice(0)) tank.kill();
  });

  it("the budget is spent to the last unit and not one further", async () => {
    const need = 1 + 5 * 1_000 + 1;
    for (const slice of [1, 7, 1_000, 10_000]) {
      const enough = open({ budget: need, slice });
      expect((await load(countdown, enough)).exports["run"] instanceof Function).toBe(true);
      expect(((await load(countdown, enough)).exports["run"] as Run)(1_000)).toBe(0);
      expect(enough.fuelUsed()).toBe(need);
      expect(enough.exhausted).toBe(false);
    }
    const short = open({ budget: need - 10, slice: 100 });
    const run = (await load(countdown, short)).exports["run"] as Run;
    expect(() => run(1_000)).toThrow("unreachable");
    expect([short.exhausted, short.fuelUsed()]).toEqual([true, need - 10]);
  });

  it("two guests on one thread take turns, suspended at the end of each slice", async () => {
    const turns: string[] = [];
    const guest = async (name: string): Promise<FuelTank> => {
      const tank = open({
        budget: 1_000_000,
        slice: 1_000,
        onSliceEnd: async () => {
          turns.push(name);
          await nextTurn();
        },
      });
      expect(await promising((await load(countdown, tank)).exports["run"])(1_000)).toBe(0);
      return tank;
    };
    const [a, b] = await Promise.all([guest("a"), guest("b")]);
    expect([a.fuelUsed(), b.fuelUsed()]).toEqual([5_002, 5_002]);
    expect(turns.join("")).toMatch(/^(ab|ba){4,}$/);
  });

  it("under a synchronous entry the guest runs on without suspending, and the count is the same", async () => {
    const tank = open({ budget: 1_000_000, slice: 1_000, onSliceEnd: nextTurn });
    expect(((await load(countdown, tank)).exports["run"] as Run)(1_000)).toBe(0);
    expect(tank.fuelUsed()).toBe(5_002);
  });

  it("a synchronous entry from a host call of a suspendable guest does not suspend over the host's frames", async () => {
    const tank = open({ budget: 1_000_000, slice: 500, onSliceEnd: nextTurn });
    const source = `(module (import "h" "back" (func $back)) (tag $t)
      (func (export "run") (result i32) (local i32) i32.const 1000 local.set 0 loop local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end call $back i32.const 7)
      (func (export "inner") (local i32) i32.const 1000 local.set 0 loop local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end))`;
    const instance: MeteredInstance = await load(source, tank, { h: { back: () => (instance.exports["inner"] as Run)() } });
    expect(await promising(instance.exports["run"])()).toBe(7);
    expect(tank.fuelUsed()).toBe(1 + 2 + 5_000 + 2 + 1 + 2 + 5_000);
  });

  it("a guest killed while suspended ends by unreachable, and its handlers do not run", async () => {
    let slices = 0;
    const tank: FuelTank = open({
      budget: 100_000_000,
      slice: 1_000,
      onSliceEnd: async () => {
        await nextTurn();
        if (++slices === 5) tank.kill();
      },
    });
    const instance = await load(
      `(module (global $g (export "g") (mut i32) (i32.const 0)) (func (export "run") (try (do (loop (br 0))) (catch_all (global.set $g (i32.const 1))))))`,
      tank,
    );
    await expect(promising(instance.exports["run"])()).rejects.toThrow("unreachable");
    expect((instance.exports["g"] as WebAssembly.Global).value).toBe(0);
    expect(tank.exhausted).toBe(false);
  });

  it("a host whose slice handler fails ends the guest, and the failure does not reach it", async () => {
    const tank = open({ budget: 1_000_000, slice: 100, onSliceEnd: () => Promise.reject(new Error("host failure")) });
    const instance = await load(`(module (func (export "run") (try (do (loop (br 0))) (catch_all))))`, tank);
    await expect(promising(instance.exports["run"])()).rejects.toThrow("unreachable");
  });

  it("several instances share one budget, and what one left is not lost to another", async () => {
    const tank = open({ budget: 5_002 * 2, slice: 5_000 });
    const [first, second] = [await load(countdown, tank), await load(countdown, tank)];
    expect((first.exports["run"] as Run)(1_000)).toBe(0);
    expect((second.exports["run"] as Run)(1_000)).toBe(0);
    expect(tank.fuelUsed()).toBe(10_004);
    expect(() => (first.exports["run"] as Run)(1)).toThrow("unreachable");
  });

  it("instances that call each other keep one count", async () => {
    const tank = open({ budget: 1_000_000, slice: 64 });
    const inner = await load(countdown, tank);
    const outer = await load(
      `(module (import "inner" "run" (func $run (param i32) (result i32))) (func (export "run") (local i32) i32.const 10 local.set 0 loop i32.const 20 call $run drop local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end))`,
      tank,
      { inner: { run: inner.exports["run"] as Run } },
    );
    (outer.exports["run"] as Run)();
    expect(tank.fuelUsed()).toBe(1 + 2 + 10 * (2 + 5) + 10 * (2 + 20 * 5));
  });

  it("after a trap the open slice can be counted as used", async () => {
    const tank = open({ budget: 100_000, slice: 10_000 });
    const instance = await load(
      `(module (func (export "run") (local i32) (loop (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 100)))) (drop (i32.div_u (i32.const 1) (i32.const 0)))))`,
      tank,
    );
    expect(() => (instance.exports["run"] as Run)()).toThrow("divide by zero");
    tank.forfeit();
    expect(tank.fuelUsed()).toBeGreaterThanOrEqual(10_000);
  });

  it("the guest's exports come without the pass's own and without a prototype", async () => {
    const instance = await load(`(module (func (export "__proto__")) (func (export "then")))`, open({ budget: 1, slice: 1 }));
    expect(Object.keys(instance.exports).sort()).toEqual(["__proto__", "then"]);
    expect(Object.getPrototypeOf(instance.exports)).toBeNull();
  });

  it("budgets and slices that are no numbers of units are refused", () => {
    for (const budget of [-1, Number.NaN, Number.POSITIVE_INFINITY, 1.5])
      expect(() => createFuelTank({ budget, slice: 1 })).toThrow(RangeError);
    for (const slice of [0, -1, Number.NaN]) expect(() => createFuelTank({ budget: 1, slice })).toThrow(RangeError);
  });
});
