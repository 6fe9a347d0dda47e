import { expect, it } from "vitest";
import { pages } from "./pages.ts";

const listing = [["a", "b"], ["c"], [] as string[]] as const;
function reader(asked: unknown[]) {
  return async (from: { readonly after?: number }) => {
    asked.push(from);
    const at = from.after ?? 0;
    return { items: listing[at] ?? [], ...(at + 1 < listing.length ? { next: at + 1 } : {}) };
  };
}

it("a listing is read to its end, an empty last page included; the first page is asked for without a place", async () => {
  const asked: unknown[] = [];
  const found: string[] = [];
  for await (const page of pages(reader(asked))) found.push(...page.items);
  expect(found).toEqual(["a", "b", "c"]);
  expect(asked).toEqual([{}, { after: 1 }, { after: 2 }]);
});

it("whoever stops reading asks no further; a page that fails ends it", async () => {
  const asked: unknown[] = [];
  for await (const page of pages(reader(asked))) if (page.items.length > 0) break;
  expect(asked).toEqual([{}]);
  await expect(pages(() => Promise.reject<{ next?: number }>(new Error("gone"))).next()).rejects.toThrow("gone");
});
