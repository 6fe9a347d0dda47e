/** The exported document: whole and valid whatever the pages are, and none at all when a page is missing. */
import { communityIdSchema, type RouteResponse } from "@althing/contract";
import { describe, expect, it } from "vitest";
import { exportPieces } from "./export-document.ts";

type Page = RouteResponse<"communities.export">;

const community = communityIdSchema.parse("01ARZ3NDEKTSV4RRFFQ69G5FAV");
const page = (section: string, records: unknown[], next?: Page["next"]): Page => ({
  ...{ format: "althing/community/v1", community, sections: ["members", "roles", "events"], section, records },
  ...(next === undefined ? {} : { next }),
});

function pagesOf(pages: readonly Page[]) {
  const asked: unknown[] = [];
  const read = (query: unknown) => {
    const found = pages[asked.length];
    asked.push(query);
    return found === undefined ? Promise.reject(new Error("lost")) : Promise.resolve(found);
  };
  return { asked, read };
}

describe("exportPieces", () => {
  it("joins pages of a section, keeps empty sections, and follows every cursor", async () => {
    const { asked, read } = pagesOf([
      page("members", [{ name: 'a"\n' }], { section: "members", after: "x" }),
      page("members", [{ name: "b" }], { section: "roles" }),
      page("roles", [], { section: "events" }),
      page("events", [1, null]),
    ]);
    const told: unknown[] = [];
    const pieces = await exportPieces(read, "2026-01-01T00:00:00.000Z", (soFar) => told.push(soFar));
    expect(JSON.parse(pieces.join(""))).toEqual({
      ...{ format: "althing/community/v1", community, exportedAt: "2026-01-01T00:00:00.000Z" },
      sections: { members: [{ name: 'a"\n' }, { name: "b" }], roles: [], events: [1, null] },
    });
    expect(asked).toEqual([
      { limit: 200 },
      { limit: 200, section: "members", after: "x" },
      { limit: 200, section: "roles" },
      { limit: 200, section: "events" },
    ]);
    expect(told.at(-1)).toEqual({ section: "events", records: 4 });
  });

  it("gives nothing when a page is refused", async () => {
    const { read } = pagesOf([page("members", [], { section: "roles" })]);
    await expect(exportPieces(read, "", () => undefined)).rejects.toThrow("lost");
  });
});
