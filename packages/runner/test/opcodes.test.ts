import { describe, expect, it } from "vitest";
import { meterModule } from "../src/metering/index.ts";
import { action, actions, gcBase, miscBase, opcodeCount, simdBase } from "../src/metering/opcodes.ts";
import { compare } from "./differential.ts";
import { leb, sleb, smallModule } from "./module-builder.ts";
import { referenceCases, referenceModule } from "./reference-cases.ts";

const valueTypes = [0x7f, 0x7e, 0x7d, 0x7c, 0x7b];
const options = { maxMemoryPages: 100, maxTableElements: 1_000 };
const valid = (bytes: Uint8Array): boolean => WebAssembly.validate(bytes as BufferSource);

/** Bytes of an opcode of the table, prefix included. */
function encode(code: number): number[] {
  if (code < 0x100) return [code];
  if (code < miscBase) return [0xfb, ...leb(code - gcBase)];
  if (code < simdBase) return [0xfc, ...leb(code - miscBase)];
  return [0xfd, ...leb(code - simdBase)];
}

/** Immediates worth trying: of every shape, small and legal. */
const immediates = [[], [0], [0, 0], [0, 0, 0], [0x40], [0x70], [1, 0x7f], [0, 0, 0, 0], Array(8).fill(0), Array(16).fill(0)];

describe("the allow-list", () => {
  it("takes exactly the opcodes the engine takes by default, minus atomics", () => {
    const differences: string[] = [];
    const prefixes: [number, number][] = [
      [-1, 0xfb],
      [0xfb, 0x40],
      [0xfc, 0x40],
      [0xfd, 0x140],
    ];
    for (const [prefix, count] of prefixes) {
      for (let number = 0; number < count; number++) {
        const base = prefix === 0xfb ? gcBase : prefix === 0xfc ? miscBase : prefix === 0xfd ? simdBase : 0;
        const code = base + number;
        const inTable = prefix === 0xfb ? number < 0x40 && code < miscBase : prefix === 0xfc ? code < simdBase : code < opcodeCount;
        const ours = inTable && actions[code] !== action.refused;
        const bytes = prefix < 0 ? [number] : [prefix, ...leb(number)];
        // References, exceptions and objects need declarations: their own cases below show them.
        const engine = immediates.some((immediate) => {
          for (const end of [[], [0x0b], [0x05, 0x0b], [0x19, 0x0b]])
            if (valid(smallModule({ code: [0, ...bytes, ...immediate, ...end] }))) return true;
          return false;
        });
        if (engine && !ours) differences.push(`refused ${bytes.map((byte) => byte.toString(16)).join(" ")}`);
      }
    }
    expect(differences).toEqual([]);
  });
});

interface Found {
  readonly operands: readonly number[];
  readonly result: number | undefined;
  readonly immediate: readonly number[];
}

function combinations(count: number): number[][] {
  if (count === 0) return [[]];
  return combinations(count - 1).flatMap((rest) => valueTypes.map((type) => [...rest, type]));
}

const operandLists = [0, 1, 2, 3].flatMap(combinations);

/** Finds by trial what an instruction takes and gives, so that no list of ours can be wrong. */
function findSignature(code: number): Found | undefined {
  const bytes = encode(code);
  const possible = immediates.filter((immediate) => valid(smallModule({ code: [0, ...bytes, ...immediate, 0] })));
  for (const immediate of possible) {
    for (const operands of operandLists) {
      const gets = operands.flatMap((_type, index) => [0x20, index]);
      if (!valid(smallModule({ params: operands, code: [...gets, ...bytes, ...immediate, 0] }))) continue;
      for (const result of [undefined, ...valueTypes]) {
        const results = result === undefined ? [] : [result];
        if (valid(smallModule({ params: operands, results, code: [...gets, ...bytes, ...immediate] })))
          return { operands, result, immediate };
      }
    }
  }
  return undefined;
}

const samples: Record<number, number[][]> = {
  0x7f: [
    [0x41, 0],
    [0x41, 7],
    [0x41, ...sleb(-1)],
    [0x41, ...sleb(-2147483648)],
    [0x41, ...sleb(65533)],
  ],
  0x7e: [
    [0x42, 0],
    [0x42, 9],
    [0x42, ...sleb(-1)],
    [0x42, ...sleb(-(2n ** 63n))],
  ],
  0x7d: [
    [0x43, 0, 0, 0, 0],
    [0x43, 0, 0, 0x20, 0xc1],
    [0x43, 0, 0, 0x80, 0x7f],
    [0x43, 1, 0, 0xa0, 0x7f],
  ],
  0x7c: [
    [0x44, 0, 0, 0, 0, 0, 0, 0, 0],
    [0x44, 0, 0, 0, 0, 0, 0, 0x14, 0xc0],
    [0x44, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f],
    [0x44, 1, 0, 0, 0, 0, 0, 0xf8, 0x7f],
  ],
  0x7b: [Array.from({ length: 16 }, (_, index) => index * 9 + 3), Array(16).fill(0xff), Array(16).fill(0)].map((lanes) => [
    0xfd,
    0x0c,
    ...lanes,
  ]),
};

/** One call of the instruction for each choice of operands; a vector result is shown as two i64. */
function casesOf(code: number, found: Found): Uint8Array[] {
  const lists = found.operands.map((type) => samples[type] as number[][]);
  const longest = Math.max(1, ...lists.map((list) => list.length));
  const picks = Array.from({ length: longest * 2 }, (_, turn) =>
    lists.map((list, position) => list[(turn * (position + 1) + position) % list.length] as number[]),
  );
  return picks.map((operands) => {
    const run = [...operands.flat(), ...encode(code), ...found.immediate];
    if (found.result !== 0x7b) return smallModule({ results: found.result === undefined ? [] : [found.result], code: run });
    return smallModule({ results: [0x7e, 0x7e], locals: [[1, 0x7b]], code: [...run, 0x22, 0, 0xfd, 0x1d, 0, 0x20, 0, 0xfd, 0x1d, 1] });
  });
}

const plainCodes = Array.from({ length: opcodeCount }, (_, code) => code).filter(
  (code) => actions[code] === action.plain || actions[code] === action.free,
);
const unseen = new Set(Array.from({ length: opcodeCount }, (_, code) => code).filter((code) => actions[code] !== action.refused));

describe("every opcode of the table runs metered as it runs plain", () => {
  it("numbers, vectors, memory, variables: results, traps and memory are equal for edge values", async () => {
    const faults: string[] = [];
    let runs = 0;
    for (const code of plainCodes) {
      const found = findSignature(code);
      if (found === undefined) continue;
      unseen.delete(code);
      for (const bytes of casesOf(code, found)) {
        runs++;
        const { difference } = await compare(bytes);
        if (difference !== undefined)
          faults.push(
            `${encode(code)
              .map((byte) => byte.toString(16))
              .join(" ")}: ${difference}`,
          );
      }
    }
    expect(faults).toEqual([]);
    expect(runs).toBeGreaterThan(2_000);
  }, 60_000);

  it.each(referenceCases.map((one) => [one.name, one] as const))("%s", async (_name, one) => {
    const bytes = referenceModule(one);
    expect(() => new WebAssembly.Module(bytes as BufferSource)).not.toThrow();
    for (const code of one.codes) unseen.delete(code);
    expect((await compare(bytes, [], 1)).difference).toBeUndefined();
  });

  it("no opcode of the table is without a case", () => {
    expect(
      [...unseen].map((code) =>
        encode(code)
          .map((byte) => byte.toString(16))
          .join(" "),
      ),
    ).toEqual([]);
  });
});

describe("encodings", () => {
  it("opcode numbers, indices and types in over-long form mean the same", async () => {
    const codes = [
      [0x41, 0x87, 0x80, 0x80, 0x80, 0x00],
      [0x02, 0xc0, 0x7f, 0x0b, 0x41, 5],
      [0x43, 0, 0, 0x80, 0x3f, 0xfc, 0x80, 0x80, 0x00],
      [0x41, 0, 0x28, 0x80, 0x00, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
      [0x41, 0, 0x28, 0x40, 0x00, 0x00],
      [0xfd, 0x8c, 0x80, 0x00, ...Array(16).fill(7), 0xfd, 0x95, 0x80, 0x80, 0x00, 3],
    ];
    for (const code of codes) {
      const bytes = smallModule({ results: [0x7f], code });
      expect(valid(bytes), code.join(" ")).toBe(true);
      expect((await compare(bytes)).difference).toBeUndefined();
    }
  });

  it("a block type of two bytes is not taken for one byte and an instruction", () => {
    // loop (result (ref null 28)) with 28 = 0x1c, the number of `select t`: a pass that reads one byte loses the loop.
    const types = [...Array.from({ length: 29 }, () => [0x60, 0, 0])];
    const code = [0x03, 0x63, 0x1c, 0x0c, 0, 0x0b, 0x1a];
    const sections = [
      0,
      0x61,
      0x73,
      0x6d,
      1,
      0,
      0,
      0,
      1,
      1 + types.flat().length,
      29,
      ...types.flat(),
      3,
      2,
      1,
      0,
      10,
      code.length + 4,
      1,
      code.length + 2,
      0,
      ...code,
      0x0b,
    ];
    const bytes = new Uint8Array(sections);
    expect(valid(bytes)).toBe(true);
    const metered = meterModule(bytes, options);
    expect(valid(metered.bytes)).toBe(true);
    expect(metered.report.instructions).toBe(5);
  });
});
