/**
 * What the pass appends to a module: types, two globals and the refuel function.
 *
 * The refuel function publishes the counter, asks the host through the reference in the second global, and ends the guest by
 * `unreachable`, which no handler catches, when the answer is not above zero. Until the host has set the reference it is null
 * and calling it traps, so a module that was never given fuel cannot run.
 */
import type { ByteWriter } from "./byte-writer.ts";
import type { Injected } from "./function-emit.ts";
import type { TypeRow } from "./type-section.ts";

export class RefuelParts {
  /** Index of the type (i64) -> i64. */
  readonly #refuelType: number;
  readonly #original: Uint8Array;
  readonly #blockTypes = new Map<number, { encoded: Uint8Array; type: TypeRow }>();

  constructor(types: number, original: Uint8Array) {
    this.#refuelType = types;
    this.#original = original;
  }

  /** Types appended so far. */
  get typeCount(): number {
    return 1 + this.#blockTypes.size;
  }

  /** The block type `() -> results of the function type`, appended on first use. */
  blockType(typeIndex: number, type: TypeRow): Uint8Array {
    const known = this.#blockTypes.get(typeIndex);
    if (known !== undefined) return known.encoded;
    const encoded = signed(this.#refuelType + 1 + this.#blockTypes.size);
    this.#blockTypes.set(typeIndex, { encoded, type });
    return encoded;
  }

  writeTypes(out: ByteWriter): void {
    out.room(16);
    for (const byte of [0x60, 1, 0x7e, 1, 0x7e]) out.byte(byte);
    for (const { type } of this.#blockTypes.values()) {
      out.room(16);
      out.byte(0x60);
      out.byte(0);
      out.u32(type.outputs);
      out.copy(this.#original, type.resultsStart, type.resultsEnd);
    }
  }

  writeFunctionType(out: ByteWriter): void {
    out.room(8);
    out.u32(this.#refuelType);
  }

  writeGlobals(out: ByteWriter): void {
    out.room(32);
    for (const byte of [0x7e, 1, 0x42, 0, 0x0b, 0x63]) out.byte(byte);
    out.positive(this.#refuelType);
    out.byte(1);
    out.byte(0xd0);
    out.positive(this.#refuelType);
    out.byte(0x0b);
  }

  /** The function `(counter) -> counter`, with its size. */
  writeRefuelBody(out: ByteWriter, injected: Injected): void {
    const fuel = injected.fuelGlobal;
    out.room(128);
    out.sized(64, () => {
      for (const byte of [1, 1, 0x7e, 0x03, 0x40, 0x20, 0, 0x24]) out.byte(byte);
      out.u32(fuel);
      for (const byte of [0x20, 0, 0x23]) out.byte(byte);
      out.u32(fuel + 1);
      out.byte(0x14);
      out.u32(this.#refuelType);
      for (const byte of [0x22, 1, 0x42, 0, 0x57, 0x04, 0x40, 0x00, 0x0b, 0x23]) out.byte(byte);
      out.u32(fuel);
      for (const byte of [0x20, 1, 0x7c, 0x22, 0, 0x24]) out.byte(byte);
      out.u32(fuel);
      for (const byte of [0x20, 0, 0x42, 0, 0x53, 0x0d, 0, 0x0b, 0x20, 0, 0x0b]) out.byte(byte);
    });
  }
}

/** Signed LEB128 of an index. */
function signed(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x40; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return new Uint8Array(bytes);
}
