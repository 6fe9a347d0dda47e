/**
 * Reads single instructions: their opcode as a number of the table, and their immediates.
 *
 * Invariant: an opcode the table does not know is refused here, by the name of its proposal where it has one. Source:
 * WebAssembly core specification 3.0 §5.4.
 */
import type { ByteReader } from "./byte-reader.ts";
import { gcBase, miscBase, opcodeCount, shape, simdBase } from "./opcodes.ts";
import { refuse } from "./refusal.ts";
import { skipHeapType, skipValueType } from "./type-section.ts";

/**
 * Reads an opcode with its prefix.
 * @throws {component.refused}
 */
export function readOpcode(reader: ByteReader): number {
  const first = reader.byte();
  if (first < 0xfb) return first;
  const number = reader.u32();
  if (first === 0xfb && number <= 30) return gcBase + number;
  if (first === 0xfc && number <= 17) return miscBase + number;
  if (first === 0xfd && simdBase + number < opcodeCount) return simdBase + number;
  const name = `0x${first.toString(16)} 0x${number.toString(16)}`;
  if (first === 0xfe) return refuse("feature.atomics", `atomic instruction ${name}`);
  if (first === 0xfb && number >= 32 && number <= 38) return refuse("feature.custom-descriptors", `instruction ${name}`);
  return refuse("opcode.unknown", `instruction ${name}`);
}

/** Steps over immediates that hold no label and no block type. */
export function skipImmediates(reader: ByteReader, form: number): void {
  switch (form) {
    case shape.none:
      return;
    case shape.index:
      return reader.skipInteger();
    case shape.twoIndices:
      reader.skipInteger();
      return reader.skipInteger();
    case shape.memory:
    case shape.memoryLane:
      if ((reader.u32() & 0x40) !== 0) reader.skipInteger();
      reader.skipInteger();
      return reader.skip(form === shape.memoryLane ? 1 : 0);
    case shape.bytes1:
      return reader.skip(1);
    case shape.bytes4:
      return reader.skip(4);
    case shape.bytes8:
      return reader.skip(8);
    case shape.bytes16:
      return reader.skip(16);
    case shape.heapType:
      return skipHeapType(reader);
    case shape.valueTypes:
      for (let count = reader.u32(); count > 0; count--) skipValueType(reader);
      return;
    default:
      return refuse("malformed", `immediates of form ${form} at ${reader.at}`);
  }
}
