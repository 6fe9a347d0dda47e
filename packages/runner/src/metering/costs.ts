/**
 * What is charged beyond one unit for an instruction, and how long a path may go unchecked.
 *
 * Wasmtime's rule is the base: nop, drop, block, loop, unreachable, return, else and end are free, entering a function costs
 * one, everything else costs one, bulk instructions one more for each byte or element. The figures here close what that rule
 * leaves open on an engine whose heap and stack the guest shares with its host. See docs/architecture/metering.md.
 */
import type { ByteReader } from "./byte-reader.ts";
import { action } from "./opcodes.ts";
import { arrayHeaderBytes, type TypeRow } from "./type-section.ts";

/** Most units that may be charged on any path without a check. */
export const uncheckedUnits = 10_000;
/**
 * Most units after a call without a check: a guest could recurse deeply and compute on the way back, where no entry checks it,
 * and what may go unchecked then counts once for each frame.
 */
export const uncheckedUnitsAfterCall = 256;
/** Units for a page of 64 KiB given by memory.grow: one for sixteen bytes the system must clear. */
export const unitsPerPage = 4_096;
/** Units for a throw beside its values: an object of 88 bytes and 0.3 µs of the engine's runtime, measured, rounded up. */
export const exceptionUnits = 512;
/** Locals that cost nothing at function entry; eight of the further ones cost one unit, as the engine clears each. */
export const freeLocals = 256;

/** Units for entering a function with so many parameters and locals. */
export function entryUnits(locals: number): number {
  return 1 + (Math.max(0, locals - freeLocals) >> 3);
}

/** Units for an allocation beside its dynamic part; `reader` stands after the type index of the instruction. */
export function allocationUnits(what: number, type: TypeRow, reader: ByteReader): number {
  if (what === action.structNew) return type.bytes;
  return arrayHeaderBytes + (what === action.arrayNewFixed ? reader.u32() * type.bytes : 0);
}
