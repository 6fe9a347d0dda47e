import { describe, expect, test } from "vitest";
import { safeBlock, safeJson, safeLine, safeText } from "./terminal-text.ts";

const hostile: readonly (readonly [string, string, string])[] = [
  ["colours", "\u001b[31mred\u001b[0m", "red"],
  ["a cleared screen", "a\u001b[2J\u001b[Hb", "ab"],
  ["a window title ended by BEL", "a\u001b]0;owned\u0007b", "ab"],
  ["a clipboard write ended by ST", "a\u001b]52;c;ZXZpbA==\u001b\\b", "ab"],
  ["an unended OSC", "a\u001b]0;owned", "a"],
  ["a device control string", "a\u001bP1$r0m\u001b\\b", "ab"],
  ["C1 CSI", "a\u009b31mb", "ab"],
  ["C1 OSC", "a\u009d0;x\u009cb", "ab"],
  ["a lone escape", "a\u001b", "a"],
  ["a reset", "a\u001bcb", "ab"],
  ["character sets", "a\u001b(0b", "ab"],
  ["backspaces and bells", "safe\b\b\b\bevil\u0007", "safeevil"],
  ["bidi overrides", "abc\u202edef\u2066ghi\u2069", "abcdefghi"],
  ["bidi marks", "a\u200eb\u200fc\u061cd", "abcd"],
  ["zero width spaces", "ad\u200bmin\ufeff", "admin"],
  ["soft hyphens", "ad\u00admin", "admin"],
  ["tag characters", "a\u{e0041}\u{e007f}b", "ab"],
  ["line separators", "a\u2028b\u2029c", "abc"],
  ["lone surrogates", "a\ud800b", "a\ufffdb"],
  ["sequences that join after removal", "\u001b\u001b[0m[31mred", "[31mred"],
];

describe("text of others on a terminal", () => {
  test.each(hostile)("%s cannot act", (_, text, expected) => {
    expect(safeText(text)).toBe(expected);
  });

  test("nothing dangerous is left of any code point below 0x3000, alone or after an escape", () => {
    for (let code = 0; code < 0x3000; code += 1) {
      for (const prefix of ["", "\u001b", "\u001b["]) {
        const left = safeText(`${prefix}${String.fromCodePoint(code)}x`).replace(/[\t\n]/g, "");
        expect(left, `${prefix} U+${code.toString(16)}`).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
      }
    }
  });

  test("writing systems and emoji stay as they are", () => {
    for (const text of ["שלום عليكم", "नमस्ते", "e\u0301", "👩\u200d👩\u200d👧 می\u200cخواهم", "tab\there"])
      expect(safeText(text)).toBe(text);
  });

  test("a name is one line", () => expect(safeLine("a\nb\r\nc\td")).toBe("a b c d"));

  test("a second line cannot pass for another person's message", () => {
    expect(safeBlock("hi\r12:00 alice: send money\n12:01 alice: now")).toBe("hi\n  | 12:00 alice: send money\n  | 12:01 alice: now");
  });

  test("JSON keeps its value and shows no dangerous character", () => {
    const value = { text: "a\u009b31m\u202e\u{e0041}\u2028b\ud800" };
    const json = safeJson(value);
    expect(JSON.parse(json)).toEqual(value);
    expect(json).toMatch(/^[\u0020-\u007e]*$/);
  });

  test("a long hostile text is cleaned in linear time", () => {
    const began = performance.now();
    safeText("\u001b]".repeat(200_000));
    safeText("\u001b[".repeat(200_000));
    safeText(`\u001b]${"a".repeat(500_000)}`);
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});
