import { describe, expect, it } from "vitest";
import { BinaryReader } from "wasmparser/dist/cjs/WasmParser.js";
import { meterModule } from "../src/metering/index.ts";
import { fuzzMetering } from "./fuzz-metering.ts";
import { openRandomModules } from "./random-modules.ts";
import { referenceCases, referenceModule } from "./reference-cases.ts";

/** The reader's state at an instruction (its enumeration has no run-time form). */
const codeOperator = 30;

/** Instructions in bodies, counted by another reader. */
function countInstructions(bytes: Uint8Array): number {
  const reader = new BinaryReader();
  reader.setData(bytes.slice().buffer, 0, bytes.length);
  let count = 0;
  while (reader.read()) if (reader.state === codeOperator) count++;
  expect(reader.error).toBeNull();
  return count;
}

const options = { maxMemoryPages: 65_536, maxTableElements: 10_000_000 };

describe("metered against plain", () => {
  it("random modules of Binaryen's fuzzer differ in nothing a guest or host can see, and in no unit between slices", async () => {
    const result = await fuzzMetering(20_260_000, 400, Date.now() + 35_000);
    expect(result.differences).toEqual([]);
    expect(result.modules).toBeGreaterThan(100);
    for (const feature of ["exceptions", "legacy-exceptions", "gc", "simd", "tail-call", "function-references", "bulk-memory"])
      expect(result.features[feature]).toBeGreaterThan(0);
  }, 60_000);

  it("another reader counts the same instructions before, and reads everything after", async () => {
    const source = openRandomModules();
    try {
      const modules = referenceCases.map(referenceModule);
      for (let seed = 1; seed <= 40; seed++) modules.push(await source.module(seed, 3_000));
      for (const bytes of modules.filter((one) => WebAssembly.validate(one as BufferSource))) {
        const { bytes: metered, report } = meterModule(bytes, options);
        expect(report.instructions).toBe(countInstructions(bytes));
        expect(countInstructions(metered)).toBeGreaterThan(report.instructions);
      }
    } finally {
      source.close();
    }
  }, 30_000);
});
