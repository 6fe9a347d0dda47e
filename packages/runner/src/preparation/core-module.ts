/**
 * Reads a core module inside a component: checks the names of its imports and exports, and gives its bytes without custom sections.
 *
 * The names are read a second time by the engine, from the modules that the transpiler puts out (transpile.ts), so a difference between
 * this reader and the engine's cannot let a name through. Custom sections (names of functions, producers, debugging) are left out
 * before the transpiler sees the module: nothing needs them, and what is not there cannot be misused.
 */
import { ByteReader } from "../metering/byte-reader.ts";
import { skipValueType } from "../metering/type-section.ts";
import { checkCoreName } from "./component-names.ts";
import { refusePreparation } from "./refusal.ts";
import type { WalkBudget } from "./walk-limits.ts";

const moduleHead = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const importSection = 2;
const exportSection = 7;
const lastSection = 13;

function skipLimits(reader: ByteReader): void {
  const flags = reader.u32();
  if ((flags & ~7) !== 0) refusePreparation("component.core-module", `limits with flags ${flags}`);
  reader.skipInteger();
  if ((flags & 1) !== 0) reader.skipInteger();
}

function checkImports(reader: ByteReader, budget: WalkBudget): void {
  const count = reader.u32();
  budget.items(count);
  for (let index = 0; index < count; index++) {
    checkCoreName(reader.vector(), "the module name of a core import");
    checkCoreName(reader.vector(), "the field name of a core import");
    const kind = reader.byte();
    if (kind === 0) reader.u32();
    else if (kind === 1) {
      skipValueType(reader);
      skipLimits(reader);
    } else if (kind === 2) skipLimits(reader);
    else if (kind === 3) {
      skipValueType(reader);
      reader.byte();
    } else if (kind === 4) {
      reader.byte();
      reader.u32();
    } else refusePreparation("component.core-module", `a core import of kind ${kind}`);
  }
}

function checkExports(reader: ByteReader, budget: WalkBudget): void {
  const count = reader.u32();
  budget.items(count);
  for (let index = 0; index < count; index++) {
    checkCoreName(reader.vector(), "a core export");
    reader.byte();
    reader.u32();
  }
}

/**
 * @param reader stands at the module's first byte and ends with it
 * @returns the module's parts without custom sections
 * @throws {component.refused}
 */
export function readCoreModule(reader: ByteReader, budget: WalkBudget): Uint8Array[] {
  const { bytes } = reader;
  budget.module();
  const parts: Uint8Array[] = [];
  const begin = reader.at;
  for (const expected of moduleHead)
    if (reader.byte() !== expected) refusePreparation("component.core-module", "no core module of version 1");
  parts.push(bytes.subarray(begin, reader.at));
  while (reader.at < reader.end) {
    const start = reader.at;
    const id = reader.byte();
    const size = reader.u32();
    const content = new ByteReader(bytes, reader.at, reader.at + size);
    reader.skip(size);
    budget.items(1);
    if (id === 0) continue;
    if (id > lastSection) refusePreparation("component.core-module", `section ${id} of a core module`);
    if (id === importSection) checkImports(content, budget);
    if (id === exportSection) checkExports(content, budget);
    if ((id === importSection || id === exportSection) && content.at !== content.end)
      refusePreparation("component.core-module", `section ${id} of a core module does not fill its size`);
    parts.push(bytes.subarray(start, reader.at));
  }
  return parts;
}
