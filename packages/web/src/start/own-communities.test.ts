import { communitySchema, type Community } from "@althing/contract";
import { expect, test } from "vitest";
import { hasWords, readCommunities } from "./own-communities.ts";

const community = (name: string, roles?: readonly string[]): Community =>
  communitySchema.parse({
    id: "01J0000000000000000000000A",
    name,
    displayName: name,
    description: "",
    members: 1,
    createdAt: "2026-01-01T00:00:00Z",
    registration: "open",
    permissions: [],
    revision: 1,
    ...(roles === undefined ? {} : { roles }),
  });

test("an admin of the instance sees as theirs only what they are a member of", () => {
  expect(readCommunities({ communities: [community("garden", ["member"]), community("other")] }).rows.map(({ name }) => name)).toEqual([
    "garden",
  ]);
});

test("a search finds words in any order, and everything when it is empty", () => {
  const texts = ["garden", "The Garden", "Benches and trees"];
  expect(hasWords("TREES garden", texts)).toBe(true);
  expect(hasWords("trees house", texts)).toBe(false);
  expect(hasWords("  ", texts)).toBe(true);
});
