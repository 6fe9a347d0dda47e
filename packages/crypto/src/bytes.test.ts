import { fc } from "../test/property.ts";
import { describe, expect, it } from "vitest";
import { concat, equalBytes, fromBase64url, fromHex, randomBytes, toBase64url, toHex, utf8 } from "./bytes.ts";

const anyBytes = fc.uint8Array({ maxLength: 200 });

describe("text forms of bytes", () => {
  it("give the bytes back, as Buffer writes them", () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(toHex(bytes)).toBe(Buffer.from(bytes).toString("hex"));
        expect(toBase64url(bytes)).toBe(Buffer.from(bytes).toString("base64url"));
        expect(equalBytes(fromHex(toHex(bytes)), bytes)).toBe(true);
        expect(equalBytes(fromBase64url(toBase64url(bytes)), bytes)).toBe(true);
      }),
    );
  });

  it("no other text decodes to the same bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 24 }), (text) => {
        for (const [decode, encode] of [
          [fromHex, toHex],
          [fromBase64url, toBase64url],
        ] as const) {
          let bytes: Uint8Array | undefined;
          try {
            bytes = decode(text);
          } catch (error) {
            expect(error).toMatchObject({ code: "request.malformed" });
          }
          if (bytes !== undefined) expect(encode(bytes)).toBe(text);
        }
      }),
      { numRuns: 500 },
    );
  });

  it.each(["AA==", "A", "AB", "+/+/", "AA AA", "AAAA\n", "é", "AAAAA"])("base64url refuses %j", (text) => {
    expect(() => fromBase64url(text)).toThrow(expect.objectContaining({ code: "request.malformed" }));
  });

  it.each(["0", "AB", "0x", "gg", "é0"])("hexadecimal refuses %j", (text) => {
    expect(() => fromHex(text)).toThrow(expect.objectContaining({ code: "request.malformed" }));
  });
});

describe("bytes", () => {
  it("concat joins in order, equalBytes tells every difference", () => {
    expect(concat(utf8("a"), utf8(""), utf8("bc"))).toEqual(utf8("abc"));
    expect(equalBytes(utf8("abc"), utf8("abc"))).toBe(true);
    expect(equalBytes(utf8("abc"), utf8("abd"))).toBe(false);
    expect(equalBytes(utf8("abc"), utf8("ab"))).toBe(false);
  });

  it("randomBytes does not repeat", () => {
    expect(new Set(Array.from({ length: 100 }, () => toHex(randomBytes(16)))).size).toBe(100);
  });
});
