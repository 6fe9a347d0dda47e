/** The picture: nobody on top of anybody, groups that open, arrow keys that never leave the picture, 200 people in a bounded space. */
import { describe, expect, it } from "vitest";
import { layoutTrees, neighbourOf, radiusOf, singlesShownMax } from "./tree-layout.ts";
import type { VoteTree } from "./vote-flow.ts";

const leaf = (person: string): VoteTree => ({ person, weight: 1, givers: [] });
const node = (person: string, givers: readonly VoteTree[]): VoteTree => ({
  person,
  weight: 1 + givers.reduce((sum, { weight }) => sum + weight, 0),
  givers,
});
const leaves = (name: string, count: number) => Array.from({ length: count }, (_, at) => leaf(`${name}${at}`));
const none = new Set<string>();

describe("layoutTrees", () => {
  it("puts the end of a chain first and amid those who give to it", () => {
    const { placed, columns, rows } = layoutTrees([node("ann", [node("bob", [leaf("cid")]), leaf("dan")])], none);
    expect(placed.map(({ key, column, row }) => [key, column, row])).toEqual([
      ["cid", 2, 0],
      ["bob", 1, 0],
      ["dan", 1, 1],
      ["ann", 0, 0.5],
    ]);
    expect([columns, rows]).toEqual([3, 2]);
  });

  it("gives no two the same place, however trees are mixed", () => {
    const mixed = node("r", [node("a", leaves("x", 3)), ...leaves("y", singlesShownMax), node("b", [node("c", leaves("z", 9))])]);
    for (const open of [none, new Set(["c"])]) {
      const { placed } = layoutTrees([mixed, node("s", leaves("w", 2))], open);
      expect(new Set(placed.map(({ column, row }) => `${column}/${row}`)).size).toBe(placed.length);
      for (const one of placed) if (one.to !== undefined) expect(placed.find(({ key }) => key === one.to)?.column).toBe(one.column - 1);
    }
  });

  it("draws many singles of one person as one group with everybody in it, and one by one when it is opened", () => {
    const star = node("hub", leaves("s", 40));
    const closed = layoutTrees([star], none);
    expect(closed.placed).toMatchObject([
      { kind: "group", of: "hub", to: "hub" },
      { kind: "person", key: "hub", weight: 41 },
    ]);
    expect(closed.placed[0]?.kind === "group" && closed.placed[0].people).toHaveLength(40);
    expect(layoutTrees([star], new Set(["hub"])).placed).toHaveLength(41);
  });

  it("never hides the reader in a group", () => {
    const { placed } = layoutTrees([node("hub", leaves("s", 9))], none, "s4");
    expect(placed.map(({ key }) => key).toSorted()).toEqual(["group hub", "hub", "s4"]);
    expect(placed.find(({ kind }) => kind === "group")).toMatchObject({ people: expect.not.arrayContaining(["s4"]) });
  });

  it("keeps 200 people within a height that can be scrolled", () => {
    const trees = Array.from({ length: 10 }, (_, at) => node(`r${at}`, leaves(`l${at}-`, 19)));
    expect(layoutTrees(trees, none).rows).toBe(10);
  });

  it("of nobody is empty", () => {
    expect(layoutTrees([], none)).toEqual({ placed: [], columns: 0, rows: 0 });
  });
});

describe("arrow keys", () => {
  const layout = layoutTrees([node("ann", [node("bob", [leaf("cid")]), leaf("dan")]), node("eve", [leaf("fay")])], none);

  it("lead along the edges and up and down a column, also into the next tree", () => {
    expect(neighbourOf(layout, "ann", "giver")).toBe("bob");
    expect(neighbourOf(layout, "bob", "down")).toBe("dan");
    expect(neighbourOf(layout, "dan", "up")).toBe("bob");
    expect(neighbourOf(layout, "dan", "down")).toBe("fay");
    expect(neighbourOf(layout, "cid", "taker")).toBe("bob");
  });

  it("stay where nothing follows, and come in where the place is gone", () => {
    expect(neighbourOf(layout, "ann", "taker")).toBe("ann");
    expect(neighbourOf(layout, "cid", "giver")).toBe("cid");
    expect(neighbourOf(layout, "ann", "up")).toBe("ann");
    expect(neighbourOf(layout, "nobody", "down")).toBe("cid");
  });
});

describe("radiusOf", () => {
  it("grows with weight and ends", () => {
    expect(radiusOf(1)).toBe(7);
    expect(radiusOf(5)).toBeGreaterThan(radiusOf(2));
    expect(radiusOf(1_000_000)).toBe(24);
  });
});
