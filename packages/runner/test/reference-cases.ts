/**
 * Hand-written cases for the instructions that need declarations: control, calls, exceptions, references, tables, bulk
 * operations and garbage-collected objects. One fixture module has all declarations; a case is the body of its `run`.
 */
import { gcBase, miscBase } from "../src/metering/opcodes.ts";
import { body, buildModule, i32, i64, type Section, text, vector } from "./module-builder.ts";

export interface ReferenceCase {
  readonly name: string;
  /** Opcodes of the table it is the case of. */
  readonly codes: readonly number[];
  readonly code: readonly number[];
  /** Result of `run`: i32 unless given. */
  readonly result?: number;
  readonly locals?: readonly (readonly [number, number])[];
}

const gc = (number: number): number => gcBase + number;
const misc = (number: number): number => miscBase + number;

/** Types of the fixture, by index. */
const type = { void: 0, run: 1, increment: 2, struct: 3, bytes: 4, words: 5, functions: 6, tag: 7, pair: 8, empty: 9, drain: 10, countdown: 11 } as const;
/** Functions of the fixture; `run` is the first. */
const fn = { run: 0, increment: 1, swap: 2, thrower: 3, countdown: 4, countdownIndirect: 5, countdownRef: 6 } as const;

const types = [
  [0x60, 0, 0],
  [0x60, 0, 1, 0x7f],
  [0x60, 1, 0x7f, 1, 0x7f],
  [0x5f, 3, 0x7f, 1, 0x7e, 1, 0x78, 1],
  [0x5e, 0x78, 1],
  [0x5e, 0x7f, 1],
  [0x5e, 0x70, 1],
  [0x60, 1, 0x7f, 0],
  [0x60, 2, 0x7f, 0x7f, 2, 0x7f, 0x7f],
  [0x5f, 0],
  [0x60, 2, 0x7f, 0x7f, 1, 0x7f],
  [0x60, 1, 0x7f, 1, 0x7f],
];

const countdown = (tail: readonly number[]): number[] => [0x20, 0, 0x45, 0x04, 0x40, ...i32(42), 0x0f, 0x0b, 0x20, 0, ...i32(1), 0x6b, ...tail];

export function referenceModule(one: ReferenceCase): Uint8Array {
  const result = one.result ?? 0x7f;
  const runType = types.length;
  const tableOfFunctions = [0x70, 1, 10, 20];
  const sections: Section[] = [
    [1, vector([...types, [0x60, 0, 1, result]])],
    [3, vector([[runType], [type.increment], [type.pair], [type.tag], [type.countdown], [type.countdown], [type.countdown]])],
    [4, vector([tableOfFunctions, [0x6f, 1, 2, 8]])],
    [5, vector([[1, 1, 4]])],
    [13, vector([[0, type.tag]])],
    [6, vector([[0x7f, 1, ...i32(5), 0x0b], [0x63, type.struct, 1, 0xd0, type.struct, 0x0b]])],
    [7, vector([[...text("run"), 0, 0], [...text("memory"), 2, 0], [...text("table"), 1, 0], [...text("refs"), 1, 1], [...text("g"), 3, 0]])],
    [9, vector([[0, ...i32(0), 0x0b, 4, fn.increment, fn.swap, fn.countdownIndirect, fn.countdown], [1, 0, 2, fn.increment, fn.countdownRef], [3, 0, 2, fn.run, fn.thrower]])],
    [12, [2]],
    [
      10,
      vector([
        body(one.locals ?? [], one.code),
        body([], [0x20, 0, ...i32(1), 0x6a]),
        body([], [0x20, 1, 0x20, 0]),
        body([], [0x20, 0, 0x08, 0]),
        body([], countdown([0x12, fn.countdown])),
        body([], countdown([...i32(2), 0x13, type.countdown, 0])),
        body([], countdown([0xd2, fn.countdownRef, 0x15, type.countdown])),
      ]),
    ],
    [11, vector([[0, ...i32(8), 0x0b, ...text("althing")], [1, ...text("passive bytes")]])],
  ];
  return buildModule(sections);
}

const struct = [...i32(7), ...i64(8), ...i32(200), 0xfb, 0, type.struct];
const words = (count: number): number[] => [...i32(3), ...i32(count), 0xfb, 6, type.words];
const control: ReferenceCase[] = [
  { name: "block, br, br_if with values", codes: [0x02, 0x0c, 0x0d, 0x0b], code: [0x02, 0x7f, ...i32(4), 0x23, 0, 0x0d, 0, 0x1a, ...i32(9), 0x0c, 0, 0x0b] },
  { name: "block with parameters", codes: [], code: [...i32(1), ...i32(2), 0x02, type.pair, 0x10, fn.swap, 0x0b, 0x6b] },
  { name: "loop with parameters", codes: [0x03], code: [...i32(1), 0x03, type.increment, 0x10, fn.increment, 0x22, 0, 0x20, 0, ...i32(9), 0x48, 0x0d, 0, 0x0b], locals: [[1, 0x7f]] },
  {
    name: "loop with a result, left from inside",
    codes: [],
    locals: [[1, 0x7f]],
    code: [0x02, 0x7f, 0x03, 0x7f, 0x20, 0, ...i32(1), 0x6a, 0x22, 0, ...i32(50), 0x4e, 0x04, 0x40, 0x20, 0, 0x0c, 2, 0x0b, 0x0c, 0, 0x0b, 0x0b],
  },
  { name: "loop left by return", codes: [], locals: [[1, 0x7f]], code: [0x03, 0x40, 0x20, 0, ...i32(1), 0x6a, 0x22, 0, ...i32(70), 0x4e, 0x04, 0x40, 0x20, 0, 0x0f, 0x0b, 0x0c, 0, 0x0b, 0x00] },
  { name: "loop left through the function's label", codes: [], locals: [[1, 0x7f]], code: [0x03, 0x40, 0x20, 0, 0x20, 0, ...i32(1), 0x6a, 0x22, 0, ...i32(70), 0x4e, 0x0d, 1, 0x1a, 0x0c, 0, 0x0b, 0x00] },
  { name: "loops inside loops", codes: [], locals: [[2, 0x7f]], code: [0x03, 0x40, 0x03, 0x40, 0x20, 1, ...i32(1), 0x6a, 0x22, 1, ...i32(3), 0x70, 0x0d, 0, 0x0b, 0x20, 0, ...i32(1), 0x6a, 0x22, 0, ...i32(9), 0x48, 0x0d, 0, 0x0b, 0x20, 1] },
  { name: "if and else, both arms", codes: [0x04, 0x05], code: [0x23, 0, 0x04, 0x7f, ...i32(1), 0x05, ...i32(2), 0x0b, 0x41, 0, 0x04, 0x7f, ...i32(4), 0x05, ...i32(8), 0x0b, 0x6a] },
  {
    name: "br_table to an inner and an outer block, the loop and beyond",
    codes: [0x0e],
    locals: [[2, 0x7f]],
    code: [
      ...[0x02, 0x40, 0x03, 0x40, 0x02, 0x40, 0x02, 0x40, 0x20, 0, ...i32(1), 0x6a, 0x22, 0, 0x0e, 4, 0, 0, 1, 2, 3, 0x0b],
      ...[0x20, 1, ...i32(10), 0x6a, 0x21, 1, 0x0b, 0x20, 1, ...i32(100), 0x6a, 0x21, 1, 0x0c, 0, 0x0b, 0x0b, 0x20, 1],
    ],
  },
  { name: "br_table to the function's label", codes: [], code: [0x02, 0x7f, ...i32(7), 0x23, 0, 0x0e, 2, 0, 0, 1, 0x0b, ...i32(1), 0x6a] },
  {
    name: "br_table from a loop to the function's label",
    codes: [],
    locals: [[1, 0x7f]],
    code: [0x03, 0x40, ...i32(33), 0x20, 0, ...i32(1), 0x6a, 0x22, 0, ...i32(9), 0x49, 0x04, 0x7f, ...i32(0), 0x05, ...i32(1), 0x0b, 0x45, 0x04, 0x40, ...i32(5), ...i32(0), 0x0e, 0, 2, 0x0b, 0x1a, 0x0c, 0, 0x0b, 0x00],
  },
  { name: "return, and code after it", codes: [0x0f], code: [...i32(6), 0x0f, 0x00, 0x6a, 0x1a, 0x02, 0x40, 0x03, 0x40, 0x0c, 0, 0x0b, 0x0b] },
  { name: "unreachable", codes: [0x00], code: [0x00] },
  { name: "nop, drop, select, select t", codes: [0x01, 0x1a, 0x1b, 0x1c], code: [0x01, ...i32(1), ...i32(2), ...i32(0), 0x1b, ...i32(5), 0x1a, ...i32(7), ...i32(1), 0x1c, 1, 0x7f] },
  { name: "locals and globals", codes: [0x20, 0x21, 0x22, 0x23, 0x24], locals: [[2, 0x7f], [1, 0x7e]], code: [...i32(3), 0x22, 0, 0x21, 1, 0x20, 1, 0x24, 0, 0x23, 0] },
  { name: "memory.size and memory.grow up to and beyond the maximum", codes: [0x3f, 0x40], code: [...i32(2), 0x40, 0, ...i32(9), 0x40, 0, 0x6a, 0x3f, 0, 0x6a, ...i32(0), 0x40, 0, 0x6a] },
];

const calls: ReferenceCase[] = [
  { name: "call", codes: [0x10], code: [...i32(4), 0x10, fn.increment, 0x10, fn.increment] },
  { name: "call_indirect", codes: [0x11], code: [...i32(4), ...i32(0), 0x11, type.increment, 0] },
  { name: "call_indirect of another type traps", codes: [], code: [...i32(4), ...i32(1), 0x11, type.increment, 0] },
  { name: "call_indirect of a null entry traps", codes: [], code: [...i32(4), ...i32(7), 0x11, type.increment, 0] },
  { name: "call_ref and ref.func", codes: [0x14, 0xd2], code: [...i32(4), 0xd2, fn.increment, 0x14, type.increment] },
  { name: "call_ref of null traps", codes: [], code: [...i32(4), 0xd0, type.increment, 0x14, type.increment] },
  { name: "return_call, a hundred thousand deep", codes: [0x12], code: [...i32(100_000), 0x12, fn.countdown] },
  { name: "return_call_indirect, a hundred thousand deep", codes: [0x13], code: [...i32(100_000), 0x10, fn.countdownIndirect] },
  { name: "return_call_ref, a hundred thousand deep", codes: [0x15], code: [...i32(100_000), 0x10, fn.countdownRef] },
];

const exceptions: ReferenceCase[] = [
  { name: "try, catch, throw", codes: [0x06, 0x07, 0x08], code: [0x06, 0x7f, ...i32(5), 0x08, 0, 0x07, 0, ...i32(1), 0x6a, 0x0b] },
  { name: "try and catch_all around a callee that throws", codes: [0x19], code: [0x06, 0x7f, ...i32(5), 0x10, fn.thrower, ...i32(1), 0x19, ...i32(2), 0x0b] },
  { name: "rethrow to an outer catch", codes: [0x09], code: [0x06, 0x7f, 0x06, 0x7f, ...i32(5), 0x08, 0, 0x19, 0x09, 0, 0x0b, 0x07, 0, 0x0b] },
  { name: "delegate", codes: [0x18], code: [0x06, 0x7f, 0x06, 0x7f, ...i32(5), 0x10, fn.thrower, ...i32(1), 0x18, 0, 0x07, 0, 0x0b] },
  { name: "try that does not throw", codes: [], code: [0x06, 0x7f, ...i32(5), 0x10, fn.increment, 0x19, ...i32(2), 0x0b] },
  { name: "try_table with catch", codes: [0x1f], code: [0x02, 0x7f, 0x1f, 0x40, 1, 0, 0, 0, ...i32(5), 0x10, fn.thrower, 0x0b, ...i32(1), 0x0b] },
  { name: "try_table with catch_ref and throw_ref", codes: [0x0a], locals: [[1, 0x69]], code: [0x02, 0x7f, 0x1f, 0x40, 1, 0, 0, 0, 0x02, 0x69, 0x1f, 0x40, 1, 3, 0, ...i32(6), 0x08, 0, 0x0b, 0x00, 0x0b, 0x0a, 0x0b, 0x00, 0x0b] },
  {
    name: "a loop that only throws and catches",
    codes: [],
    locals: [[1, 0x7f]],
    code: [0x02, 0x40, 0x03, 0x40, 0x20, 0, ...i32(1), 0x6a, 0x22, 0, ...i32(30), 0x4e, 0x0d, 1, 0x1f, 0x40, 1, 2, 0, ...i32(6), 0x08, 0, 0x0b, 0x0b, 0x0b, 0x20, 0],
  },
  { name: "an exception that leaves the function", codes: [], code: [...i32(6), 0x08, 0] },
];

const references: ReferenceCase[] = [
  { name: "ref.null and ref.is_null", codes: [0xd0, 0xd1], code: [0xd0, 0x70, 0xd1] },
  { name: "ref.eq", codes: [0xd3], code: [0xd0, 0x6d, 0xfb, 1, type.empty, 0xd3] },
  { name: "ref.as_non_null of null traps", codes: [0xd4], code: [0xd0, 0x70, 0xd4, 0x1a, ...i32(1)] },
  { name: "br_on_null", codes: [0xd5], code: [0x02, 0x40, 0xd0, 0x70, 0xd5, 0, 0x1a, ...i32(1), 0x0f, 0x0b, ...i32(2)] },
  { name: "br_on_non_null", codes: [0xd6], code: [0x02, 0x70, 0xd2, fn.run, 0xd6, 0, ...i32(1), 0x0f, 0x0b, 0xd1] },
  {
    name: "br_on_null as the only exit of a loop",
    codes: [],
    locals: [[1, 0x7f]],
    code: [0x02, 0x40, 0x03, 0x40, 0x20, 0, ...i32(1), 0x6a, 0x21, 0, 0xd0, 0x70, 0xd2, fn.run, 0x20, 0, ...i32(9), 0x4e, 0x1c, 1, 0x70, 0xd5, 1, 0x1a, 0x0c, 0, 0x0b, 0x0b, 0x20, 0],
  },
  { name: "table.get and table.set", codes: [0x25, 0x26], code: [...i32(9), ...i32(0), 0x25, 0, 0x26, 0, ...i32(6), ...i32(9), 0x11, type.increment, 0] },
  { name: "table.get out of bounds traps", codes: [], code: [...i32(99), 0x25, 0, 0xd1] },
  { name: "table.size, table.grow up to and beyond the maximum", codes: [misc(15), misc(16)], code: [0xd0, 0x70, ...i32(4), 0xfc, 15, 0, 0xd0, 0x70, ...i32(40), 0xfc, 15, 0, 0x6a, 0xfc, 16, 0, 0x6a] },
  { name: "table.fill", codes: [misc(17)], code: [...i32(2), 0xd2, fn.increment, ...i32(5), 0xfc, 17, 0, ...i32(6), ...i32(5), 0x11, type.increment, 0] },
  { name: "table.init, elem.drop, table.copy", codes: [misc(12), misc(13), misc(14)], code: [...i32(4), ...i32(0), ...i32(2), 0xfc, 12, 1, 0, 0xfc, 13, 1, ...i32(0), ...i32(4), ...i32(2), 0xfc, 14, 0, 0, ...i32(6), ...i32(0), 0x11, type.increment, 0] },
  { name: "table.init of a dropped segment traps", codes: [], code: [0xfc, 13, 1, ...i32(4), ...i32(0), ...i32(2), 0xfc, 12, 1, 0, ...i32(0)] },
  { name: "memory.fill, memory.copy", codes: [misc(10), misc(11)], code: [...i32(100), ...i32(7), ...i32(50), 0xfc, 11, 0, ...i32(200), ...i32(90), ...i32(40), 0xfc, 10, 0, 0, ...i32(205), 0x2d, 0, 0] },
  { name: "memory.fill out of bounds traps", codes: [], code: [...i32(65_000), ...i32(7), ...i32(-1), 0xfc, 11, 0, ...i32(1)] },
  { name: "memory.init, data.drop", codes: [misc(8), misc(9)], code: [...i32(64), ...i32(2), ...i32(6), 0xfc, 8, 1, 0, 0xfc, 9, 1, ...i32(64), 0x28, 2, 0] },
];

const objects: ReferenceCase[] = [
  { name: "struct.new, struct.get", codes: [gc(0), gc(2)], code: [...struct, 0xfb, 2, type.struct, 0] },
  { name: "struct.new_default, struct.set", codes: [gc(1), gc(5)], locals: [], code: [0xfb, 1, type.struct, 0x24, 1, 0x23, 1, ...i32(9), 0xfb, 5, type.struct, 0, 0x23, 1, 0xfb, 2, type.struct, 0] },
  { name: "struct.get_s, struct.get_u", codes: [gc(3), gc(4)], code: [...struct, 0xfb, 3, type.struct, 2, ...struct, 0xfb, 4, type.struct, 2, 0x6a] },
  { name: "struct.get of null traps", codes: [], code: [0xd0, type.struct, 0xfb, 2, type.struct, 0] },
  { name: "array.new, array.get, array.len", codes: [gc(6), gc(11), gc(15)], code: [...words(5), 0xfb, 15, ...words(5), ...i32(2), 0xfb, 11, type.words, 0x6a] },
  { name: "array.new_default, array.get_s, array.get_u", codes: [gc(7), gc(12), gc(13)], code: [...i32(5), 0xfb, 7, type.bytes, ...i32(2), 0xfb, 12, type.bytes, ...i32(5), 0xfb, 7, type.bytes, ...i32(2), 0xfb, 13, type.bytes, 0x6a] },
  { name: "array.new_fixed", codes: [gc(8)], code: [...i32(5), ...i32(6), ...i32(7), 0xfb, 8, type.words, 3, ...i32(1), 0xfb, 11, type.words] },
  { name: "array.new_data, array.new_elem", codes: [gc(9), gc(10)], code: [...i32(1), ...i32(6), 0xfb, 9, type.bytes, 1, ...i32(3), 0xfb, 13, type.bytes, ...i32(0), ...i32(2), 0xfb, 10, type.functions, 1, 0xfb, 15, 0x6a] },
  { name: "array.new_data out of bounds traps", codes: [], code: [...i32(1), ...i32(60), 0xfb, 9, type.bytes, 1, 0xfb, 15] },
  {
    name: "array.set, array.fill",
    codes: [gc(14), gc(16)],
    locals: [[1, 0x6d]],
    code: [
      ...[...words(9), 0x22, 0, 0xfb, 22, type.words, ...i32(2), ...i32(8), 0xfb, 14, type.words],
      ...[0x20, 0, 0xfb, 22, type.words, ...i32(4), ...i32(50), ...i32(3), 0xfb, 16, type.words],
      ...[2, 3, 4, 6].flatMap((index) => [0x20, 0, 0xfb, 22, type.words, ...i32(index), 0xfb, 11, type.words]),
      ...[0x6a, 0x6a, 0x6a],
    ],
  },
  { name: "array.set out of bounds traps", codes: [], code: [...words(3), ...i32(3), ...i32(8), 0xfb, 14, type.words, ...i32(1)] },
  { name: "array.copy", codes: [gc(17)], code: [...words(9), ...i32(2), ...words(9), ...i32(0), ...i32(5), 0xfb, 17, type.words, type.words, ...i32(1)] },
  { name: "array.copy out of bounds traps", codes: [], code: [...words(9), ...i32(8), ...words(9), ...i32(0), ...i32(5), 0xfb, 17, type.words, type.words, ...i32(1)] },
  { name: "array.init_data, array.init_elem", codes: [gc(18), gc(19)], code: [...i32(9), 0xfb, 7, type.bytes, ...i32(1), ...i32(0), ...i32(5), 0xfb, 18, type.bytes, 1, ...i32(9), 0xfb, 7, type.functions, ...i32(1), ...i32(0), ...i32(2), 0xfb, 19, type.functions, 1, ...i32(1)] },
  { name: "ref.test, ref.test null", codes: [gc(20), gc(21)], code: [...struct, 0xfb, 20, type.struct, 0xd0, 0x6b, 0xfb, 21, type.struct, 0x6a] },
  { name: "ref.cast", codes: [gc(22)], code: [...struct, 0xfb, 22, 0x6b, 0xfb, 20, 0x6b] },
  { name: "ref.cast null", codes: [gc(23)], code: [0xd0, 0x6b, 0xfb, 23, type.struct, 0xd1] },
  { name: "ref.cast that fails traps", codes: [], code: [...words(1), 0xfb, 22, 0x6b, 0xd1] },
  { name: "br_on_cast", codes: [gc(24)], code: [0x02, 0x63, type.struct, 0xd0, 0x6e, 0xfb, 24, 3, 0, 0x6e, type.struct, 0x1a, ...i32(1), 0x0f, 0x0b, 0xd1] },
  { name: "br_on_cast_fail", codes: [gc(25)], code: [0x02, 0x6e, ...struct, 0xfb, 25, 0, 0, 0x6e, type.words, 0x1a, ...i32(1), 0x0f, 0x0b, 0xd1] },
  { name: "any.convert_extern, extern.convert_any", codes: [gc(26), gc(27)], code: [...struct, 0xfb, 27, 0xfb, 26, 0xfb, 20, 0x6b] },
  { name: "ref.i31, i31.get_s, i31.get_u", codes: [gc(28), gc(29), gc(30)], code: [...i32(-5), 0xfb, 28, 0xfb, 29, ...i32(-5), 0xfb, 28, 0xfb, 30, 0x6a] },
];

export const referenceCases: readonly ReferenceCase[] = [...control, ...calls, ...exceptions, ...references, ...objects];
