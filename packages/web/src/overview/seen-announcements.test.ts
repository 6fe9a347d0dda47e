import { expect, test } from "vitest";
import { markSeen, seenUpTo, unseen } from "./seen-announcements.ts";

const ids = ["01J0000000000000000000000A", "01J0000000000000000000000B", "01J0000000000000000000000C"] as const;

function memory() {
  const kept = new Map<string, string>();
  return { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) };
}

test("what was seen goes forwards only, for each reader and community apart", () => {
  const storage = memory();
  expect(seenUpTo("garden", "alice", storage)).toBe("");
  markSeen("garden", "alice", ids[1], storage);
  markSeen("garden", "alice", ids[0], storage);
  expect(seenUpTo("garden", "alice", storage)).toBe(ids[1]);
  expect(seenUpTo("garden", "bob", storage)).toBe("");
  expect(seenUpTo("house", "alice", storage)).toBe("");
});

test("rubbish that was kept counts as nothing", () => {
  const storage = memory();
  storage.setItem("althing-announcements-alice-garden", "zzz");
  expect(seenUpTo("garden", "alice", storage)).toBe("");
});

test("new is what came later, and not one's own", () => {
  const rows = [
    { id: ids[2], author: "bob" },
    { id: ids[1], author: "alice" },
    { id: ids[0], author: null },
  ];
  expect(unseen(rows, ids[0], "alice").map(({ id }) => id)).toEqual([ids[2]]);
  expect(unseen(rows, "", "alice").map(({ id }) => id)).toEqual([ids[2], ids[0]]);
});
