import { isAppError } from "@althing/contract";
import { describe, expect, it } from "vitest";
import { type MeterLimits, meterModule } from "../src/metering/index.ts";
import { body, buildModule, custom, i32, leb, paddedLeb, smallModule, text, vector } from "./module-builder.ts";
import { createRandom } from "./random-modules.ts";
import { referenceCases, referenceModule } from "./reference-cases.ts";
import { fromText } from "./text-modules.ts";

const valid = (bytes: Uint8Array): boolean => WebAssembly.validate(bytes as BufferSource);

/** The rule that refuses `bytes`; `undefined` when it passes. */
function ruleOf(bytes: Uint8Array, limits: Partial<MeterLimits> = {}, maxMemoryPages = 100): string | undefined {
  try {
    meterModule(bytes, { maxMemoryPages, maxTableElements: 1_000, limits });
    return undefined;
  } catch (error) {
    if (!isAppError(error) || error.code !== "component.refused") throw error;
    expect(error.status).toBe(422);
    return String(error.params["rule"]);
  }
}

const nothing = [
  [1, vector([[0x60, 0, 0]])],
  [3, vector([[0]])],
  [10, vector([body([], [])])],
] as const;
const arrayOf = (length: readonly number[]): Uint8Array =>
  buildModule([
    [1, vector([[0x5e, 0x7e, 1]])],
    [6, vector([[0x63, 0, 0, ...length, 0xfb, 7, 0, 0x0b]])],
  ]);

describe("what policy forbids is refused by name", () => {
  const refused: readonly (readonly [rule: string, what: string, bytes: Uint8Array])[] = [
    ["feature.memory64", "a 64-bit memory", buildModule([[5, [1, 4, 1]]])],
    ["feature.memory64", "an imported 64-bit memory", buildModule([[2, vector([[...text("a"), ...text("b"), 2, 4, 1]])]])],
    ["feature.table64", "a 64-bit table", buildModule([[4, [1, 0x70, 4, 1]]])],
    ["feature.shared-memory", "a shared memory", buildModule([[5, [1, 3, 1, 1]]])],
    ["feature.shared-memory", "an imported shared memory", buildModule([[2, vector([[...text("a"), ...text("b"), 2, 3, 1, 1]])]])],
    ["feature.multi-memory", "two memories", buildModule([[5, [2, 0, 1, 0, 1]]])],
    [
      "feature.multi-memory",
      "an imported and a defined memory",
      buildModule([
        [2, vector([[...text("a"), ...text("b"), 2, 0, 1]])],
        [5, [1, 0, 1]],
      ]),
    ],
    ["feature.atomics", "an atomic load", smallModule({ code: [...i32(0), 0xfe, 0x10, 2, 0, 0x1a] })],
    ["feature.atomics", "an atomic fence", smallModule({ code: [0xfe, 0x03, 0] })],
    ["engine", "stack switching", smallModule({ code: [0, 0xe0, 0] })],
    ["engine", "a custom descriptor", smallModule({ code: [0, 0xfb, 34, 0] })],
    ["engine", "an unknown opcode", smallModule({ code: [0, 0x27] })],
    ["engine", "no module", new Uint8Array(5)],
    ["engine", "nothing", new Uint8Array(0)],
    ["engine", "an unknown section", buildModule([[77, [0]]])],
    ["engine", "code that names a local it does not have", smallModule({ code: [0x20, 0, 0x1a] })],
    ["engine", "code that names the global the pass would add", smallModule({ code: [0x23, 0, 0x1a] })],
    ["engine", "code that names the function the pass would add", smallModule({ code: [0x10, 1] })],
    ["memory.minimum", "a memory of 4 GiB", buildModule([[5, vector([[0, ...leb(65_536)]])]])],
    ["table.minimum", "a table above the ceiling", buildModule([[4, vector([[0x70, 0, ...leb(1_001)]])]])],
    [
      "table.minimum",
      "tables above the ceiling together",
      buildModule([
        [
          4,
          vector([
            [0x70, 0, ...leb(600)],
            [0x70, 0, ...leb(600)],
          ]),
        ],
      ]),
    ],
    ["gc.constant-allocation", "a large array in a constant expression", arrayOf(i32(1_000_000))],
    [
      "gc.constant-allocation",
      "an array as long as an imported global says",
      buildModule([
        [1, vector([[0x5e, 0x7e, 1]])],
        [2, vector([[...text("a"), ...text("b"), 3, 0x7f, 0]])],
        [6, vector([[0x63, 0, 0, 0x23, 0, 0xfb, 7, 0, 0x0b]])],
      ]),
    ],
  ];

  it.each(refused)("%s: %s", (rule, _what, bytes) => {
    expect(ruleOf(bytes)).toBe(rule);
  });

  it("old and new handlers in one module are refused every time, though the engine's own check is a race", () => {
    const legacy = body([], [0x06, 0x40, 0x19, 0x0b]);
    const modern = body([], [0x02, 0x40, 0x1f, 0x40, 1, 2, 0, 0x0b, 0x0b]);
    const filler = body([], Array(200).fill([0x41, 1, 0x1a]).flat());
    const bodies = [modern, ...Array(50).fill(filler), legacy];
    const bytes = buildModule([
      [1, vector([[0x60, 0, 0]])],
      [3, vector(bodies.map(() => [0]))],
      [10, vector(bodies)],
    ]);
    for (let turn = 0; turn < 50; turn++) expect(["engine", "feature.mixed-exceptions"]).toContain(ruleOf(bytes));
  });

  it("a small array in a constant expression passes and is reported", () => {
    expect(ruleOf(arrayOf(i32(100)))).toBeUndefined();
    expect(meterModule(arrayOf(i32(100)), { maxMemoryPages: 1, maxTableElements: 1 }).report.constantGcBytes).toBe(832);
  });
});

describe("each limit holds at its edge", () => {
  const blocks = (depth: number): Uint8Array =>
    smallModule({ code: [...Array(depth).fill([0x02, 0x40]).flat(), ...Array(depth).fill(0x0b)] });
  const edges: readonly (readonly [keyof MeterLimits, (size: number) => Uint8Array, number, string])[] = [
    ["maxTypes", (size) => buildModule([[1, vector(Array(size).fill([0x60, 0, 0]))]]), 10, "limit.types"],
    [
      "maxFunctions",
      (size) =>
        buildModule([
          [1, vector([[0x60, 0, 0]])],
          [3, vector(Array(size).fill([0]))],
          [10, vector(Array(size).fill(body([], [])))],
        ]),
      10,
      "limit.functions",
    ],
    ["maxGlobals", (size) => buildModule([[6, vector(Array(size).fill([0x7f, 0, ...i32(0), 0x0b]))]]), 10, "limit.globals"],
    ["maxTables", (size) => buildModule([[4, vector(Array(size).fill([0x70, 0, 1]))]]), 10, "limit.tables"],
    ["maxNesting", blocks, 300, "limit.nesting"],
    ["maxLocals", (size) => smallModule({ locals: [[size, 0x7f]], code: [] }), 100, "limit.locals"],
    [
      "maxExports",
      (size) =>
        buildModule([
          [5, [1, 0, 1]],
          [7, vector(Array.from({ length: size }, (_, index) => [...text(`m${index}`), 2, 0]))],
        ]),
      10,
      "limit.exports",
    ],
  ];

  it.each(edges)("%s", (name, build, size, rule) => {
    expect(valid(build(size + 1))).toBe(true);
    expect(ruleOf(build(size), { [name]: size })).toBeUndefined();
    expect(ruleOf(build(size + 1), { [name]: size })).toBe(rule);
  });

  it("maxModuleBytes, maxFunctionBytes before and after rewriting", () => {
    const bytes = smallModule({ code: Array(500).fill([0x02, 0x40, 0x0b]).flat() });
    expect(ruleOf(bytes, { maxModuleBytes: bytes.length })).toBeUndefined();
    expect(ruleOf(bytes, { maxModuleBytes: bytes.length - 1 })).toBe("limit.module-bytes");
    expect(ruleOf(bytes, { maxFunctionBytes: 1_000 })).toBe("limit.function-bytes");
    const branches = smallModule({
      code: Array(300)
        .fill([0x02, 0x40, ...i32(0), 0x0d, 0, 0x0b])
        .flat(),
    });
    expect(ruleOf(branches, { maxFunctionBytes: 2_500 })).toBe("limit.function-bytes");
  });

  it("nesting as deep as the limit neither overflows the stack nor takes long", () => {
    const started = performance.now();
    expect(ruleOf(blocks(50_000))).toBeUndefined();
    expect(ruleOf(blocks(50_001))).toBe("limit.nesting");
    expect(performance.now() - started).toBeLessThan(3_000);
  });
});

describe("sections", () => {
  it("names are kept, whatever speaks of code offsets is left out", () => {
    const name = custom("name", [1, 4, 1, 0, 1, 0x66]);
    const hints = custom("metadata.code.branch_hint", [0]);
    const bytes = buildModule([
      custom("producers", [0]),
      nothing[0],
      nothing[1],
      hints,
      nothing[2],
      name,
      custom(".debug_info", [1, 2, 3]),
    ]);
    const { bytes: metered, report } = meterModule(bytes, { maxMemoryPages: 1, maxTableElements: 1 });
    expect(report.droppedSections).toEqual(["producers", "metadata.code.branch_hint", ".debug_info"]);
    const module = new WebAssembly.Module(metered as BufferSource);
    expect(WebAssembly.Module.customSections(module, "name").map((content) => [...new Uint8Array(content)])).toEqual([
      [1, 4, 1, 0, 1, 0x66],
    ]);
    expect(WebAssembly.Module.customSections(module, "metadata.code.branch_hint")).toEqual([]);
  });

  it("the empty module passes", () => {
    expect(ruleOf(buildModule([]))).toBeUndefined();
  });

  it("over-long sizes and counts mean the same", () => {
    const bytes = new Uint8Array([
      0,
      0x61,
      0x73,
      0x6d,
      1,
      0,
      0,
      0,
      1,
      ...paddedLeb(8),
      ...paddedLeb(1),
      0x60,
      0,
      0,
      3,
      2,
      1,
      0,
      10,
      ...paddedLeb(12),
      ...paddedLeb(1),
      ...paddedLeb(2),
      0,
      0x0b,
    ]);
    expect(valid(bytes)).toBe(true);
    expect(valid(meterModule(bytes, { maxMemoryPages: 1, maxTableElements: 1 }).bytes)).toBe(true);
  });

  it("tables share the ceiling: what one may grow another may not", () => {
    const { bytes, report } = meterModule(fromText(`(module (table 100 funcref) (table 10 externref) (table 5 5 externref))`), {
      maxMemoryPages: 1,
      maxTableElements: 1_000,
    });
    expect(report.clamped).toEqual([
      { kind: "table", index: 0, declared: undefined, clamped: 542 },
      { kind: "table", index: 1, declared: undefined, clamped: 452 },
    ]);
    expect(valid(bytes)).toBe(true);
  });
});

describe("mutants", () => {
  const originals = [
    ...referenceCases.map(referenceModule),
    fromText(
      `(module (memory 1) (func $f (export "run") (param i32) (result i32) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (call $f (local.get 0))) (start $s) (func $s))`,
    ),
  ];

  it("flipped and cut bytes are refused with a rule or metered validly, and nothing the engine refused is made acceptable", () => {
    const random = createRandom(2026);
    let passed = 0;
    let refused = 0;
    for (let turn = 0; turn < 12_000; turn++) {
      const original = originals[random() % originals.length] as Uint8Array;
      const mutant = random() % 10 === 0 ? original.slice(0, random() % original.length) : original.slice();
      for (let flips = 1 + (random() % 3); flips > 0 && mutant.length > 8; flips--) {
        const at = 8 + (random() % (mutant.length - 8));
        mutant[at] = (mutant[at] as number) ^ (1 << (random() % 8));
      }
      const accepted = valid(mutant);
      const rule = ruleOf(mutant);
      if (rule === undefined) {
        passed++;
        expect(accepted).toBe(true);
        expect(valid(meterModule(mutant, { maxMemoryPages: 100, maxTableElements: 1_000 }).bytes)).toBe(true);
      } else {
        refused++;
        if (!accepted) expect(rule).toBe("engine");
        else expect(rule).not.toBe("malformed");
      }
    }
    expect(passed).toBeGreaterThan(1_000);
    expect(refused).toBeGreaterThan(1_000);
  });
});
