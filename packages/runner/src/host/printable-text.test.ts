import { expect, test } from "vitest";
import { printableText } from "./printable-text.ts";

test.each([
  ["plain é 漢 🙂", "plain é 漢 🙂"],
  ["a\nb\tc\rd", "a\\nb\\tc\\u{d}d"],
  ["\u001b[2J\u0000\u0085", "\\u{1b}[2J\\u{0}\\u{85}"],
  ["a\u202eb\u2066c\u200fd", "a\\u{202e}b\\u{2066}c\\u{200f}d"],
  ["a\u2028b\u2029c\u200bd\ufeffe", "a\\u{2028}b\\u{2029}c\\u{200b}d\\u{feff}e"],
  ["half \ud83d", "half \\u{d83d}"],
  ["", ""],
])("%j is shown as %j", (text, shown) => {
  expect(printableText(text, 100)).toBe(shown);
});

test("a text is cut before it is worked on", () => {
  expect(printableText("\n".repeat(1_000_000), 3)).toBe("\\n\\n\\n…");
  expect(printableText("abc", 3)).toBe("abc");
});

test("a cut in the middle of a pair leaves nothing broken", () => {
  expect(printableText("ab🙂", 3)).toBe("ab\\u{d83d}…");
});
