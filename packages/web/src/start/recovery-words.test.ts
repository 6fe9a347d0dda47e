import { describe, expect, test } from "vitest";
import { askedPositions, plainWords, wordsAsText, wrongPositions } from "./recovery-words.ts";

const phrase = "abandon ability able about above absent absorb abstract absurd abuse access accident";

describe("words that are asked back", () => {
  test("are distinct and in order, whatever the random numbers", () => {
    const numbers = [23, 11, 35, 4, 4, 12];
    expect(askedPositions(12, 3, () => numbers.shift() ?? 0)).toEqual([0, 4, 11]);
    let next = 0;
    expect(askedPositions(2, 3, () => next++)).toEqual([0, 1]);
  });

  test("the page's own random numbers reach every position", () => {
    const seen = new Set<number>();
    for (let round = 0; round < 400; round += 1) for (const position of askedPositions(12)) seen.add(position);
    expect([...seen].toSorted((one, other) => one - other)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  test("a wrong word is named by its place; case and spaces do not count", () => {
    expect(
      wrongPositions(
        phrase,
        new Map([
          [0, " Abandon "],
          [5, "absent"],
          [11, "acid"],
        ]),
      ),
    ).toEqual([11]);
    expect(
      wrongPositions(
        phrase,
        new Map([
          [0, ""],
          [1, "able"],
        ]),
      ),
    ).toEqual([0, 1]);
    expect(wrongPositions(phrase, new Map([[2, "able"]]))).toEqual([]);
  });
});

test("words are read as people type them", () => {
  expect(plainWords("  Abandon\n ABILITY\table ")).toBe("abandon ability able");
});

test("the file of words has every word with its number, and the warning above them", () => {
  const text = wordsAsText(phrase, { host: "garden.example", warning: "Keep it to yourself." });
  expect(text).toContain("garden.example");
  expect(text.indexOf("Keep it to yourself.")).toBeLessThan(text.indexOf(" 1. abandon"));
  expect(text).toContain("12. accident");
});
