import { fc } from "../test/property.ts";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "./bytes.ts";
import { decodeCbor, encodeCbor, type CborValue } from "./canonical.ts";

const malformed = expect.objectContaining({ code: "request.malformed" });

const { value: anyValue } = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.string({ unit: "grapheme" }),
    fc.uint8Array({ maxLength: 64 }),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie("value"), { maxKeys: 4, noNullPrototype: true }),
  ),
}));

describe("deterministic CBOR", () => {
  it("gives every value of the subset back", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        expect(decodeCbor(encodeCbor(value))).toEqual(value);
      }),
    );
  });

  it("sorts keys by their encoded bytes (RFC 8949 §4.2.1), not by length first", () => {
    expect(toHex(encodeCbor({ b: 1, aa: 2 }))).toBe("a261620162616102");
    expect(encodeCbor({ a: 1, b: 2 })).toEqual(encodeCbor({ b: 2, a: 1 }));
  });

  it("a changed byte either fails or decodes to another value", () => {
    fc.assert(
      fc.property(anyValue, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, at, flip) => {
        const bytes = encodeCbor(value);
        bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ flip;
        let decoded: CborValue;
        try {
          decoded = decodeCbor(bytes);
        } catch (error) {
          expect(error).toMatchObject({ code: "request.malformed" });
          return;
        }
        expect(encodeCbor(decoded)).toEqual(bytes);
        expect(decoded).not.toEqual(value);
      }),
      { numRuns: 500 },
    );
  });

  it("junk ends in the typed error, never in another", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          expect(encodeCbor(decodeCbor(bytes))).toEqual(new Uint8Array(bytes));
        } catch (error) {
          expect(error).toMatchObject({ code: "request.malformed" });
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ["no bytes", ""],
    ["trailing bytes", "0000"],
    ["an integer written too long", "1800"],
    ["an integer written too long in 8 bytes", "1b0000000000000001"],
    ["an integer over 2^53", "1b0020000000000000"],
    ["a negative integer under -2^53", "3b0020000000000000"],
    ["an indefinite array", "9f01ff"],
    ["an indefinite text", "7f6161ff"],
    ["an indefinite map", "bf616101ff"],
    ["a break alone", "ff"],
    ["a break in an array", "81ff"],
    ["a duplicate key", "a2616101616102"],
    ["unsorted keys", "a2616201616102"],
    ["a map with an integer key", "a10102"],
    ["a map with an array key", "a18001"],
    ["a tag", "c001"],
    ["a big number tag", "c249010000000000000000"],
    ["undefined", "f7"],
    ["a simple value", "e0"],
    ["a half float", "f93e00"],
    ["a double float", "fb3ff8000000000000"],
    ["an integer as float", "f93c00"],
    ["NaN", "f97e00"],
    ["infinity", "f97c00"],
    ["text that is not UTF-8", "61ff"],
    ["a lone surrogate", "63eda080"],
    ["overlong UTF-8", "62c080"],
    ["a cut text", "6261"],
    ["an array that promises 2^32 items", "9affffffff"],
    ["an array that promises 2^63 items", "9b7fffffffffffffff"],
    ["a byte string that promises 2^31 bytes", "5a7fffffff"],
    ["17 arrays in each other", `${"81".repeat(17)}00`],
    ["17 maps in each other", `${"a16161".repeat(17)}00`],
  ])("refuses %s", (_what, hex) => {
    expect(() => decodeCbor(fromHex(hex))).toThrow(malformed);
  });

  it("takes 16 levels", () => {
    expect(() => decodeCbor(fromHex(`${"81".repeat(16)}00`))).not.toThrow();
  });

  it("a megabyte of nested arrays is refused without deep recursion", () => {
    const started = performance.now();
    expect(() => decodeCbor(new Uint8Array(1024 * 1024).fill(0x81))).toThrow(malformed);
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it("refuses more than the allowed bytes unread", () => {
    expect(() => decodeCbor(encodeCbor(new Uint8Array(100)), 50)).toThrow(malformed);
  });

  it("a key `__proto__` stays a key", () => {
    const decoded = decodeCbor(fromHex("a1695f5f70726f746f5f5f01")) as Record<string, CborValue>;
    expect(Object.keys(decoded)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype);
  });

  it.each([
    [undefined],
    [1.5],
    [Number.NaN],
    [2 ** 53],
    [-0],
    ["\ud800"],
    [{ a: undefined }],
    [new Map()],
    [new Date(0)],
    [1n],
    [[() => 1]],
  ])("will not encode %o", (value) => {
    expect(() => encodeCbor(value as CborValue)).toThrow(malformed);
  });
});
