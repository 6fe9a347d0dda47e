/**
 * A small encoder of core modules for the tests: written apart from the pass, so that an error in one does not hide in the other.
 */
export function leb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return bytes;
}

/** Signed LEB128. */
export function sleb(value: number | bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    if ((rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0)) {
      bytes.push(low);
      return bytes;
    }
    bytes.push(low | 0x80);
  }
}

export const i32 = (value: number): number[] => [0x41, ...sleb(value)];
export const i64 = (value: number | bigint): number[] => [0x42, ...sleb(value)];

/** Same integer in five bytes, as some toolchains write it. */
export function paddedLeb(value: number): number[] {
  return [0, 7, 14, 21, 28].map((shift, index) => (Math.floor(value / 2 ** shift) & 0x7f) | (index < 4 ? 0x80 : 0));
}

export type Section = readonly [id: number, content: readonly number[]];

export function vector(items: readonly (readonly number[])[]): number[] {
  return [...leb(items.length), ...items.flat()];
}

export function text(value: string): number[] {
  const bytes = [...new TextEncoder().encode(value)];
  return [...leb(bytes.length), ...bytes];
}

export function custom(name: string, content: readonly number[]): Section {
  return [0, [...text(name), ...content]];
}

export function buildModule(sections: readonly Section[]): Uint8Array {
  return new Uint8Array([
    0,
    0x61,
    0x73,
    0x6d,
    1,
    0,
    0,
    0,
    ...sections.flatMap(([id, content]) => [id, ...leb(content.length), ...content]),
  ]);
}

/** A body from its locals (`[count, type]` each) and its code, the last `end` included here. */
export function body(locals: readonly (readonly [number, number])[], code: readonly number[]): number[] {
  const whole = [...vector(locals.map(([count, type]) => [...leb(count), type])), ...code, 0x0b];
  return [...leb(whole.length), ...whole];
}

export interface SmallModule {
  readonly params?: readonly number[];
  readonly results?: readonly number[];
  readonly locals?: readonly (readonly [number, number])[];
  readonly code: readonly number[];
}

/** One exported function `run`, and a memory of one page with `memory` exported. */
export function smallModule({ params = [], results = [], locals = [], code }: SmallModule): Uint8Array {
  return buildModule([
    [1, vector([[0x60, ...vector(params.map((type) => [type])), ...vector(results.map((type) => [type]))]])],
    [3, vector([[0]])],
    [5, vector([[0, 1]])],
    [
      7,
      vector([
        [...text("run"), 0, 0],
        [...text("memory"), 2, 0],
      ]),
    ],
    [10, vector([body(locals, code)])],
    [11, vector([[0, ...i32(0), 0x0b, ...vector(Array.from({ length: 64 }, (_, index) => [(index * 37 + 11) & 0xff]))]])],
  ]);
}
