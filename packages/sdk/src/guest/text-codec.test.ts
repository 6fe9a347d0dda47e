import fc from "fast-check";
import { expect, test } from "vitest";
import { TextDecoder as GuestDecoder, TextEncoder as GuestEncoder } from "./text-codec.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

test("any text is encoded as the standard's encoder does, lone surrogates too", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)) }),
      (text, broken) => {
        for (const one of [text, broken]) expect([...new GuestEncoder().encode(one)]).toEqual([...new TextEncoder().encode(one)]);
      },
    ),
  );
});

test("any bytes are decoded as the standard's decoder does, U+FFFD by U+FFFD", () => {
  const hostile = fc.array(
    fc.constantFrom(0x00, 0x61, 0x80, 0xbf, 0xc0, 0xc2, 0xe0, 0xed, 0xa0, 0xef, 0xbb, 0xf0, 0x90, 0xf4, 0x8f, 0xf5, 0xff),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        hostile.map((list) => bytes(...list)),
        fc.uint8Array({ maxLength: 40 }),
      ),
      (input) => {
        expect(new GuestDecoder().decode(input)).toBe(new TextDecoder().decode(input));
        expect(new GuestDecoder("utf-8", { ignoreBOM: true }).decode(input)).toBe(
          new TextDecoder("utf-8", { ignoreBOM: true }).decode(input),
        );
      },
    ),
    { numRuns: 2_000 },
  );
});

test("fatal refuses what is malformed, and only that", () => {
  expect(() => new GuestDecoder("utf-8", { fatal: true }).decode(bytes(0x61, 0xff))).toThrow(TypeError);
  expect(new GuestDecoder("UTF8", { fatal: true }).decode(new TextEncoder().encode("ü"))).toBe("ü");
});

test("a view of a part of a buffer is decoded, not the buffer", () => {
  expect(new GuestDecoder().decode(new Uint8Array(new TextEncoder().encode("abcdef").buffer, 2, 3))).toBe("cde");
});

test("encodeInto writes whole characters only", () => {
  const target = new Uint8Array(5);
  expect(new GuestEncoder().encodeInto("aü🌿", target)).toEqual(new TextEncoder().encodeInto("aü🌿", new Uint8Array(5)));
  expect([...target]).toEqual([0x61, 0xc3, 0xbc, 0, 0]);
});

test("other encodings and pieces are refused, not guessed", () => {
  expect(() => new GuestDecoder("latin1")).toThrow(RangeError);
  expect(() => new GuestDecoder().decode(bytes(), { stream: true })).toThrow(TypeError);
});
