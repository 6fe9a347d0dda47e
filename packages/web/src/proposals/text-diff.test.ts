import { expect, test } from "vitest";
import { optionChanges, textDiff } from "./text-diff.ts";

const shown = (before: string, after: string, timeout?: number) =>
  textDiff(before, after, timeout).map(({ kind, text }) => `${{ same: " ", added: "+", removed: "-" }[kind]}${text}`);

test("one word that changed is one word removed and one added", () => {
  expect(shown("Water the beds at dawn.", "Water the beds at dusk.")).toEqual([" Water the beds at ", "-dawn", "+dusk", " ."]);
});

test("nothing different, nothing told", () => {
  expect(shown("same", "same")).toEqual([" same"]);
  expect(shown("", "")).toEqual([]);
  expect(shown("", "new")).toEqual(["+new"]);
  expect(shown("old", "")).toEqual(["-old"]);
});

test("both texts can be put together again to the character, also with markup, bidi and line ends", () => {
  const before = "<b>bold</b>\n\nשלום  world\tend ";
  const after = "<b>bolder</b>\nשלום  עולם\tend\n";
  const parts = textDiff(before, after);
  const joined = (kind: string) => parts.filter((part) => part.kind === "same" || part.kind === kind).map(({ text }) => text);
  expect(joined("removed").join("")).toBe(before);
  expect(joined("added").join("")).toBe(after);
});

test("two long texts with nothing in common do not keep the page busy", () => {
  const words = (from: number) => Array.from({ length: 25_000 }, (_, at) => `w${from + at * 7}`).join(" ");
  const [before, after] = [words(0), words(1)];
  const startedAt = performance.now();
  const parts = textDiff(before, after, 50);
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  expect(
    parts
      .filter(({ kind }) => kind !== "removed")
      .map(({ text }) => text)
      .join(""),
  ).toBe(after);
});

test("an option keeps itself by its id: changed, moved, added, removed", () => {
  const before = [
    { id: "o1", text: "Roses" },
    { id: "o2", text: "Beans" },
    { id: "o3", text: "Kale" },
    { id: "o4", text: "Leek" },
  ];
  const after = [{ id: "o3", text: "Kale" }, { id: "o1", text: "Red roses" }, { id: "o4", text: "Leek" }, { text: "Beans" }];
  expect(optionChanges(before, after)).toEqual([
    { kind: "same", before: "Kale", after: "Kale", isMoved: false },
    { kind: "changed", before: "Roses", after: "Red roses", isMoved: true },
    { kind: "same", before: "Leek", after: "Leek", isMoved: false },
    { kind: "added", after: "Beans", isMoved: false },
    { kind: "removed", before: "Beans", isMoved: false },
  ]);
});

test("only what really moved is said to have moved", () => {
  const list = ["o1", "o2", "o3", "o4"].map((id) => ({ id, text: id }));
  const [first, ...rest] = list;
  const moved = optionChanges(list, [...rest, first ?? { text: "" }]).filter(({ isMoved }) => isMoved);
  expect(moved.map(({ after }) => after)).toEqual(["o1"]);
});
