import { expect, it } from "vitest";
import { createTies, lotOf } from "./ties.ts";

const equal = { a: 3, b: 3, c: 3 };

it("a lot is a fixed function of its text, so that others can draw it too", () => {
  // Reckoned apart, in Python: FNV-1a 64, then fmix64 of MurmurHash3.
  expect(lotOf("").toString(16)).toBe("efd01f60ba992926");
  expect(lotOf("01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C\na=3\nb=3\na").toString(16)).toBe("52d43e8ca68f5e40");
  expect(lotOf("ö").toString(16)).toBe("8ffe8cceb98c901f");
});

it("does not look at the order in which the options come", () => {
  const drawn = createTies("seed", equal).drawn(["a", "b", "c"]);
  expect(createTies("seed", { c: 3, a: 3, b: 3 }).drawn(["c", "b", "a"])).toEqual(drawn);
});

it("gives everybody the same chance over many votes", () => {
  const firsts = { a: 0, b: 0, c: 0 };
  for (let vote = 0; vote < 3_000; vote++) firsts[createTies(`proposal ${vote}`, equal).drawn(["a", "b", "c"])[0] as "a"]++;
  for (const count of Object.values(firsts)) expect(Math.abs(count - 1_000)).toBeLessThan(100);
});

it("cannot be known before the votes are in: other totals are another lot", () => {
  const firsts = new Set(Array.from({ length: 40 }, (_, total) => createTies("seed", { a: total, b: total }).drawn(["a", "b"])[0]));
  expect(firsts).toEqual(new Set(["a", "b"]));
});
