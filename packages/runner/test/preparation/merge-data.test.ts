/** Joined segments: memory is what it was, byte for byte, and what cannot be joined with certainty stays as it was. */
import { describe, expect, it } from "vitest";
import { mergeDataSegments } from "../../src/preparation/merge-data.ts";
import { buildModule, i32, leb, paddedLeb, type Section, text, vector } from "../module-builder.ts";

type Piece = readonly [address: number, bytes: readonly number[]];

const active = (address: number, bytes: readonly number[]): number[] => [0, ...i32(address), 0x0b, ...vector(bytes.map((byte) => [byte]))];
const ownMemory: Section = [5, vector([[0, 2]])];
const exported: Section = [7, vector([[...text("memory"), 2, 0]])];
const moduleWith = (segments: readonly (readonly number[])[], extra: readonly Section[] = []): Uint8Array =>
  buildModule([ownMemory, exported, ...extra, [11, vector(segments)]]);
const withPieces = (pieces: readonly Piece[]): Uint8Array => moduleWith(pieces.map(([address, bytes]) => active(address, bytes)));

function memoryOf(module: Uint8Array): Buffer {
  const { memory } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(module))).exports;
  if (!(memory instanceof WebAssembly.Memory)) throw new TypeError("no memory");
  return Buffer.from(memory.buffer);
}

/** Counts segments by reading the section anew. */
function segmentsIn(module: Uint8Array): number {
  for (let at = 8; at < module.length;) {
    const id = module[at++];
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = module[at++] ?? 0;
      size += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    if (id === 11) {
      const [low = 0, high = 0] = module.subarray(at);
      return low < 0x80 ? low : (low & 0x7f) + (high & 0x7f) * 128;
    }
    at += size;
  }
  return 0;
}

describe("data segments", () => {
  it("are joined over small gaps and keep large ones", () => {
    const original = withPieces([
      [0, [1, 2]],
      [2, [3]],
      [515, [4]],
      [1029, [5]],
      [131_071, [6]],
    ]);
    const merged = mergeDataSegments(original);
    expect(segmentsIn(merged)).toBe(3);
    expect(memoryOf(merged).equals(memoryOf(original))).toBe(true);
  });

  it("leave the same memory for layouts of every density", () => {
    let seed = 7;
    const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
    for (let round = 0; round < 200; round++) {
      const pieces: Piece[] = [];
      const widest = [1, 8, 600, 4_000][round % 4] ?? 1;
      for (let at = random(50); at < 131_000 && pieces.length < 300; at += random(widest) + 1) {
        const bytes = Array.from({ length: Math.min(random(40), 131_072 - at) }, () => random(256));
        pieces.push([at, bytes]);
        at += bytes.length;
      }
      const original = withPieces(pieces);
      const merged = mergeDataSegments(original);
      expect(segmentsIn(merged)).toBeLessThanOrEqual(pieces.length);
      expect(memoryOf(merged).equals(memoryOf(original)), `round ${round}`).toBe(true);
    }
  });

  it("may have a section whose size is written long, with others behind it", () => {
    const content = vector([active(8, [1]), active(16, [2])]);
    const behind: Section = [0, text("note")];
    const head = buildModule([ownMemory, exported]);
    const tail = buildModule([behind]).subarray(8);
    const original = Uint8Array.from([...head, 11, ...paddedLeb(content.length), ...content, ...tail]);
    const merged = mergeDataSegments(original);
    expect(segmentsIn(merged)).toBe(1);
    expect(WebAssembly.Module.customSections(new WebAssembly.Module(Uint8Array.from(merged)), "note")).toHaveLength(1);
    expect(memoryOf(merged).equals(memoryOf(original))).toBe(true);
  });

  it.each<[string, Uint8Array]>([
    ["none", buildModule([ownMemory, exported])],
    ["one", withPieces([[0, [1]]])],
    [
      "out of order",
      withPieces([
        [8, [1]],
        [0, [2]],
      ]),
    ],
    [
      "over each other",
      withPieces([
        [0, [1, 2, 3]],
        [2, [9]],
        [4, [1]],
      ]),
    ],
    [
      "beyond the memory",
      withPieces([
        [0, [1]],
        [4, [2]],
        [131_071, [3, 4]],
      ]),
    ],
    [
      "at a negative literal",
      withPieces([
        [0, [1]],
        [-8, [2]],
      ]),
    ],
    ["passive, and so counted", moduleWith([active(0, [1]), active(4, [2]), [1, ...vector([[7]])]], [[12, leb(3)]])],
    ["counted", moduleWith([active(0, [1]), active(4, [2])], [[12, leb(2)]])],
    [
      "at the address of a global",
      buildModule([
        ownMemory,
        [6, vector([[0x7f, 0, ...i32(4), 0x0b]])],
        exported,
        [11, vector([active(0, [1]), [0, 0x23, 0, 0x0b, ...vector([[2]])]])],
      ]),
    ],
    [
      "in an imported memory",
      buildModule([
        [2, vector([[...text("a"), ...text("b"), 2, 0, 2]])],
        [11, vector([active(0, [1]), active(4, [2])])],
      ]),
    ],
  ])("stay as they are: %s", (_what, module) => {
    expect(WebAssembly.validate(Uint8Array.from(module))).toBe(true);
    expect(mergeDataSegments(module)).toBe(module);
  });
});
