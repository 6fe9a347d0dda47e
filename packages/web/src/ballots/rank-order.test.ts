import fc from "fast-check";
import { expect, test } from "vitest";
import { moved, placed, ranked, stepped, tiedAbove, unranked, type Ranking } from "./rank-order.ts";

const text = (ranking: Ranking) => ranking.map((rank) => rank.join("=")).join(">");
const of = (written: string): Ranking => (written === "" ? [] : written.split(">").map((rank) => rank.split("=")));

test.each([
  ["a>b>c", "c", -1, "a>c>b"],
  ["a>b>c", "a", 1, "b>a>c"],
  ["a>b>c", "a", -1, "a>b>c"],
  ["a>b>c", "c", 1, "a>b>c"],
  ["a=b>c", "b", -1, "b>a>c"],
  ["a=b>c", "a", 1, "b>a>c"],
  ["a>b", "x", 1, "a>b"],
] as const)("in %s, %s steps by %i: %s", (before, id, by, after) => {
  expect(text(stepped(of(before), id, by))).toBe(after);
});

test("a new option comes last, a taken one is gone, and none comes twice", () => {
  expect(text(ranked(of("a>b"), "c"))).toBe("a>b>c");
  expect(text(ranked(of("a>b"), "a"))).toBe("a>b");
  expect(text(unranked(of("a>b=c"), "b"))).toBe("a>c");
  expect(text(unranked(of("a"), "a"))).toBe("");
});

test("an option can be made equal with the rank above, the first one cannot", () => {
  expect(text(tiedAbove(of("a>b>c"), "c"))).toBe("a>b=c");
  expect(text(tiedAbove(of("a=b>c"), "c"))).toBe("a=b=c");
  expect(text(tiedAbove(of("a>b"), "a"))).toBe("a>b");
});

test("dragged, an option stands where it was let go", () => {
  expect(text(placed(of("a>b>c"), "a", 2))).toBe("b>c>a");
  expect(text(placed(of("a>b>c"), "c", 0))).toBe("c>a>b");
  expect(text(placed(of("a>b"), "c", 99))).toBe("a>b>c");
  expect(moved(["a", "b", "c"], 2, 0)).toEqual(["c", "a", "b"]);
  expect(moved(["a", "b", "c"], 0, 3)).toEqual(["a", "b", "c"]);
});

test("whatever is pressed in whatever order: no option is there twice, none is lost, no rank is empty", () => {
  const ids = ["a", "b", "c", "d", "e"];
  const step = fc.tuple(fc.constantFrom("better", "worse", "equal", "drop", "rank"), fc.constantFrom(...ids), fc.nat(6));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let ranking: Ranking = [];
      for (const [name, id, place] of steps) {
        const had = new Set(ranking.flat());
        ranking =
          name === "better"
            ? stepped(ranking, id, -1)
            : name === "worse"
              ? stepped(ranking, id, 1)
              : name === "equal"
                ? tiedAbove(ranking, id)
                : name === "drop"
                  ? placed(ranking, id, place)
                  : ranked(ranking, id);
        const all = ranking.flat();
        expect(new Set(all).size).toBe(all.length);
        expect(ranking.every((rank) => rank.length > 0)).toBe(true);
        expect([...had].every((one) => all.includes(one))).toBe(true);
      }
    }),
  );
});
