import { describe, expect, it } from "vitest";
import { guardedNames } from "../preparation/index.ts";
import { createLiftGuards } from "./lift-guards.ts";

class Ended extends Error {}

function open(budget: number): { guards: Readonly<Record<string, unknown>>; spent(): number } {
  let spent = 0;
  const trap = (detail: string): never => {
    throw new Ended(detail);
  };
  const charge = (bytes: number): void => {
    spent += bytes;
    if (spent > budget) trap("budget");
  };
  const timers = { setTimeout: () => 0, setInterval: () => 0, clear() {}, queueMicrotask() {} };
  return { guards: createLiftGuards({ charge, trap }, timers), spent: () => spent };
}

const make = (guards: Readonly<Record<string, unknown>>, name: string, ...args: readonly unknown[]): unknown => {
  const constructor = guards[name];
  if (typeof constructor !== "function") throw new Error(`no ${name}`);
  return Reflect.construct(constructor, args);
};
const call = (target: unknown, name: string, ...args: readonly unknown[]): unknown => {
  const method: unknown = Reflect.get(Object(target), name);
  if (typeof method !== "function") throw new Error(`no ${name}`);
  return Reflect.apply(method, target, args);
};

const memory = new ArrayBuffer(64);

it("there is a guard for every name the glue takes", () => {
  const { guards } = open(0);
  expect(guardedNames.filter((name) => guards[name] === undefined)).toEqual([]);
});

describe("out of memory's bounds", () => {
  const wrong: Readonly<Record<string, readonly [number, number]>> = {
    "past the end": [60, 5],
    "far past the end": [2 ** 32 - 1, 1],
    "from below": [-1, 1],
    backwards: [8, -1],
    "with no number": [NaN, 1],
  };
  for (const [what, [start, length]] of Object.entries(wrong)) {
    it(`a view, a list or a slice ${what} is a trap`, () => {
      const { guards } = open(1e9);
      expect(() => make(guards, "Uint8Array", memory, start, length)).toThrow(Ended);
      expect(() => make(guards, "DataView", memory, start, length)).toThrow(Ended);
      expect(() => call(guards, "sliceBuffer", memory, start, start + length)).toThrow(Ended);
    });
  }

  it("a misaligned list and a number at the last byte are traps, for reading and writing", () => {
    const { guards } = open(1e9);
    expect(() => make(guards, "Uint32Array", memory, 2, 1)).toThrow(Ended);
    const view = make(guards, "DataView", memory);
    for (const [name, size] of [
      ["Uint16", 2],
      ["Int32", 4],
      ["Float64", 8],
      ["BigUint64", 8],
    ] as const) {
      expect(() => call(view, `get${name}`, 65 - size, true)).toThrow(Ended);
      expect(() => call(view, `set${name}`, 65 - size, name === "BigUint64" ? 1n : 1, true)).toThrow(Ended);
    }
  });

  it("what is inside is as always", () => {
    const { guards } = open(1e9);
    const list = make(guards, "Uint8Array", memory, 60, 4);
    expect(list instanceof Uint8Array && list.length).toBe(4);
    expect(call(guards, "sliceBuffer", memory, 64, 64)).toEqual(new ArrayBuffer(0));
    const view = make(guards, "DataView", memory);
    call(view, "setUint32", 60, 7, true);
    expect(call(view, "getUint32", 60, true)).toBe(7);
  });
});

describe("the budget", () => {
  it("is spent by empty strings and empty lists too", () => {
    const { guards } = open(1_000);
    const decoder = make(guards, "TextDecoder");
    expect(() => {
      for (let count = 0; count < 20; count++) call(decoder, "decode", new Uint8Array(0));
    }).toThrow(Ended);
    expect(() => call(open(10).guards, "sliceBuffer", memory, 0, 0)).toThrow(Ended);
  });

  it("is charged before a copy is made", () => {
    const { guards, spent } = open(100);
    expect(() => call(guards, "sliceBuffer", new ArrayBuffer(1e6), 0, 1e6)).toThrow(Ended);
    expect(spent()).toBeGreaterThan(1e6);
  });
});

it("ill-formed text is a trap, and a byte order mark is text", () => {
  const decoder = make(open(1e9).guards, "TextDecoder");
  expect(() => call(decoder, "decode", Uint8Array.of(0xff))).toThrow(Ended);
  expect(call(decoder, "decode", Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe("\ufeffa");
});
