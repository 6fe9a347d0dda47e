import type { Key, Page, Rec } from "@althing/store";
import { describe, expect, test } from "vitest";
import { matcherOf, searchPage } from "./search.ts";

const names = Array.from({ length: 2_345 }, (_, at) => `n${String(at).padStart(5, "0")}`);
const rows: readonly Rec<string>[] = names.map((name) => ({ key: ["c", name], value: name, revision: 1 }));

function createList() {
  let looked = 0;
  return {
    get looked() {
      return looked;
    },
    read({ after, limit }: { readonly after?: Key; readonly limit: number }): Promise<Page<string>> {
      const from = after === undefined ? 0 : rows.findIndex(({ key }) => key[1] === after[1]) + 1;
      const records = rows.slice(from, from + limit);
      looked += records.length;
      const last = records.at(-1)?.key;
      return Promise.resolve({ records, ...(from + limit < rows.length && last !== undefined ? { next: last } : {}) });
    },
  };
}

describe("what somebody typed", () => {
  test("fits in any order and case, every word of it, across the texts of a row", () => {
    const fits = matcherOf("  GARDEN  aNna ");
    expect(fits?.(["Anna", "The Garden"])).toBe(true);
    expect(fits?.(["Anna", undefined])).toBe(false);
    expect(matcherOf("ＡＮＮＡ")?.(["anna"])).toBe(true);
    expect(matcherOf("ÄRGER")?.(["ärger"])).toBe(true);
  });

  test("is no search when it is blank, and no pattern when it looks like one", () => {
    for (const blank of [undefined, "", " \t\n"]) expect(matcherOf(blank)).toBeUndefined();
    expect(matcherOf(".*")?.(["anna"])).toBe(false);
    expect(matcherOf("a%")?.(["anna"])).toBe(false);
  });
});

describe("a page of what was found", () => {
  test("all pages together have every row that fits, once", async () => {
    const list = createList();
    const found: string[] = [];
    let after: Key | undefined;
    do {
      const page = await searchPage(list.read, ({ value }) => value.endsWith("7"), { after, limit: 100 });
      found.push(...page.records.map(({ value }) => value));
      after = page.next;
    } while (after !== undefined);
    expect(found).toEqual(names.filter((name) => name.endsWith("7")));
  });

  test("looks at a bounded number of rows however few fit, and says where to go on", async () => {
    const list = createList();
    const page = await searchPage(list.read, () => false, { after: undefined, limit: 10, scanMax: 700 });
    expect(page).toEqual({ records: [], next: ["c", "n00699"] });
    expect(list.looked).toBe(700);
  });

  test("has no next where the last row was the last that fits", async () => {
    const page = await searchPage(createList().read, ({ value }) => value === names.at(-1), { after: undefined, limit: 1 });
    expect(page).toEqual({ records: [rows.at(-1)] });
  });

  test("an empty list has no next", async () => {
    expect(
      await searchPage(
        () => Promise.resolve({ records: [] }),
        () => true,
        { after: undefined, limit: 5 },
      ),
    ).toEqual({ records: [] });
  });
});
