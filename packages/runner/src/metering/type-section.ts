/**
 * Reads the type section: for each index of the type space what the pass needs to know of it.
 *
 * Invariant: every index has exactly one row, recursion groups included. Sizes are upper bounds of what V8 14.6 allocates on a
 * 64-bit machine without pointer compression (object header two words, array header three), so fuel charged by size bounds the
 * heap (docs/architecture/metering.md, "Garbage-collected objects"). Source: core specification 3.0 §5.3.
 */
import type { ByteReader } from "./byte-reader.ts";
import { refuse } from "./refusal.ts";

export const structHeaderBytes = 16;
/** Three words, and what rounding up to words may add. */
export const arrayHeaderBytes = 32;

export interface TypeRow {
  readonly kind: "func" | "struct" | "array";
  /** Parameters of a function; fields of a struct; 1 for an array. */
  readonly inputs: number;
  /** Results of a function. */
  readonly outputs: number;
  /** Where the value types of the results stand in the module, without their count. */
  readonly resultsStart: number;
  readonly resultsEnd: number;
  /** Bytes of a struct with its header, or of one element of an array; for a function bytes of its parameters in an exception. */
  readonly bytes: number;
}

/** Steps over a heap type. */
export function skipHeapType(reader: ByteReader): void {
  const first = reader.peek();
  if (first === 0x65) refuse("type.unknown", "a shared heap type");
  if (first === 0x62) refuse("feature.custom-descriptors", "an exact heap type");
  reader.s33();
}

/** Steps over a value type and returns the bytes a value of it takes. */
export function skipValueType(reader: ByteReader): number {
  const code = reader.byte();
  if (code === 0x7f || code === 0x7d) return 4;
  if (code === 0x7b) return 16;
  if (code === 0x63 || code === 0x64) {
    skipHeapType(reader);
    return 8;
  }
  if (code === 0x68 || code === 0x75) refuse("feature.stack-switching", `value type 0x${code.toString(16)} at ${reader.at - 1}`);
  if (code === 0x7e || code === 0x7c || (code >= 0x69 && code <= 0x74)) return 8;
  return refuse("type.unknown", `value type 0x${code.toString(16)} at ${reader.at - 1}`);
}

function skipField(reader: ByteReader): number {
  const code = reader.peek();
  let bytes: number;
  if (code === 0x78 || code === 0x77) {
    reader.byte();
    bytes = code === 0x78 ? 1 : 2;
  } else {
    bytes = skipValueType(reader);
  }
  reader.byte();
  return bytes;
}

function readFunction(reader: ByteReader): TypeRow {
  const inputs = reader.u32();
  let bytes = 0;
  // V8 keeps an exception's values as small integers of 16 bits, one word each.
  for (let index = 0; index < inputs; index++) bytes += skipValueType(reader) * 4;
  const outputs = reader.u32();
  const resultsStart = reader.at;
  for (let index = 0; index < outputs; index++) skipValueType(reader);
  return { kind: "func", inputs, outputs, resultsStart, resultsEnd: reader.at, bytes };
}

function readStruct(reader: ByteReader): TypeRow {
  const inputs = reader.u32();
  let bytes = structHeaderBytes;
  for (let index = 0; index < inputs; index++) bytes += Math.max(skipField(reader), 4);
  return { kind: "struct", inputs, outputs: 0, resultsStart: 0, resultsEnd: 0, bytes: (bytes + 7) & ~7 };
}

function readCompositeType(reader: ByteReader): TypeRow {
  let code = reader.byte();
  if (code === 0x50 || code === 0x4f) {
    const parents = reader.u32();
    for (let index = 0; index < parents; index++) reader.u32();
    code = reader.byte();
  }
  if (code === 0x60) return readFunction(reader);
  if (code === 0x5f) return readStruct(reader);
  if (code === 0x5e) return { kind: "array", inputs: 1, outputs: 0, resultsStart: 0, resultsEnd: 0, bytes: skipField(reader) };
  if (code === 0x5d) return refuse("feature.stack-switching", "a continuation type");
  if (code === 0x4c || code === 0x4d) return refuse("feature.custom-descriptors", "a descriptor type");
  return refuse("type.unknown", `type form 0x${code.toString(16)} at ${reader.at - 1}`);
}

/**
 * @returns the rows of the type index space, and the number of entries (recursion groups) of the section
 * @throws {component.refused}
 */
export function readTypeSection(reader: ByteReader, maxTypes: number): { types: TypeRow[]; entries: number } {
  const types: TypeRow[] = [];
  const entries = reader.u32();
  for (let entry = 0; entry < entries; entry++) {
    let count = 1;
    if (reader.peek() === 0x4e) {
      reader.byte();
      count = reader.u32();
    }
    if (types.length + count > maxTypes) refuse("limit.types", `more than ${maxTypes} types`);
    for (let index = 0; index < count; index++) types.push(readCompositeType(reader));
  }
  return { types, entries };
}
