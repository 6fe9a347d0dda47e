/** The plan: what all memories and tables of a guest may become together stays within the cap, whatever the modules declare. */
import { isAppError } from "@althing/contract";
import { describe, expect, it } from "vitest";
import { type ModuleNeeds, pageBytes, planMemories } from "../../src/preparation/memory-plan.ts";

const cap = 64 * 1024 * 1024;
const needs = (minimumPages: number | undefined, instances = 1, maximumPages?: number, tableElements = 0): ModuleNeeds => ({
  ...{ instances, minimumPages, maximumPages, tableElements },
});

function totals(modules: readonly ModuleNeeds[]): { pages: number; elements: number } {
  const grants = planMemories(modules, cap);
  return modules.reduce(
    (sum, module, index) => ({
      pages: sum.pages + module.instances * (grants[index]?.maxMemoryPages ?? 0),
      elements: sum.elements + module.instances * (grants[index]?.maxTableElements ?? 0),
    }),
    { pages: 0, elements: 0 },
  );
}

function ruleOf(modules: readonly ModuleNeeds[]): string | undefined {
  try {
    planMemories(modules, cap);
    return undefined;
  } catch (error) {
    if (isAppError(error)) return String(error.params["rule"]);
    throw error;
  }
}

describe("the memory plan", () => {
  it("gives a single memory everything", () => {
    expect(planMemories([needs(undefined), needs(1)], cap).map((grant) => grant.maxMemoryPages)).toEqual([0, 1024]);
    expect(planMemories([needs(0)], cap)[0]?.maxMemoryPages).toBe(1024);
  });

  it("gives small memories a little and the largest the rest", () => {
    expect(planMemories([needs(1, 1), needs(22), needs(0), needs(3, 1, 4)], cap).map((grant) => grant.maxMemoryPages)).toEqual([
      17, 987, 16, 4,
    ]);
  });

  it("leaves the largest its half when there are many small ones", () => {
    const grants = planMemories([needs(2), ...Array.from({ length: 100 }, () => needs(1))], cap);
    expect(grants[0]?.maxMemoryPages).toBeGreaterThan(450);
  });

  it("counts a module as often as it is instantiated", () => {
    expect(ruleOf([needs(16, 60), needs(60, 2)])).toBe("memory.sum");
    expect(planMemories([needs(100, 4)], cap)[0]?.maxMemoryPages).toBe(256);
  });

  it("refuses minima that are too much together, of memories and of tables", () => {
    expect(ruleOf([needs(65_536)])).toBe("memory.sum");
    expect(ruleOf([needs(1024)])).toBeUndefined();
    expect(ruleOf([needs(1024), needs(1)])).toBe("memory.sum");
    expect(ruleOf([needs(1, 60, undefined, 100_000)])).toBe("table.sum");
  });

  it("never exceeds the caps, and never grants less than a minimum", () => {
    let state = 7;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % below;
    };
    let planned = 0;
    for (let round = 0; round < 3_000; round++) {
      const modules = Array.from({ length: 1 + random(12) }, () => {
        const minimum = random(3) === 0 ? undefined : random(90);
        return needs(minimum, random(5), random(2) === 0 || minimum === undefined ? undefined : minimum + random(60), random(20_000));
      });
      if (ruleOf(modules) !== undefined) continue;
      planned++;
      const { pages, elements } = totals(modules);
      expect(pages * pageBytes).toBeLessThanOrEqual(cap);
      expect(elements).toBeLessThanOrEqual(1_000_000);
      planMemories(modules, cap).forEach((grant, index) => {
        expect(grant.maxMemoryPages).toBeGreaterThanOrEqual(modules[index]?.minimumPages ?? 0);
        expect(grant.maxTableElements).toBeGreaterThanOrEqual(modules[index]?.tableElements ?? 0);
      });
    }
    expect(planned).toBeGreaterThan(1_000);
  });
});
