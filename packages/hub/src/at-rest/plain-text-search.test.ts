/** The search that says whether something can still be read: it must find what is there. */
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir, type TempDir } from "@althing/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findPlainText } from "./plain-text-search.ts";

let dir: TempDir;
const at = (...names: string[]) => join(dir.path, ...names);
beforeEach(async () => {
  dir = await tempDir();
  mkdirSync(at("in", "deep"), { recursive: true });
  writeFileSync(at("in", "noise"), randomBytes(3_000_000));
});
afterEach(() => dir.remove());

const texts = ["too short", "the gate is open at night", "another long text"].map((text) => Buffer.from(text));
const search = () => findPlainText({ folder: at("in"), texts });

test("nothing is found where nothing is, nor in a folder that is not there", async () => {
  expect(await search()).toBeUndefined();
  expect(await findPlainText({ folder: at("none"), texts })).toBeUndefined();
});

// Across the borders of what is read at once.
test.each([0, 1_048_570, 1_048_576 - 15, 2_000_000 - 16])("a text at byte %i of a large file is found", async (place) => {
  const bytes = randomBytes(2_000_000);
  Buffer.from("the gate is open").copy(bytes, place);
  writeFileSync(at("in", "deep", "large"), bytes);
  expect(await search()).toBe(at("in", "deep", "large"));
});

test("a name that has it is found, a text that is too short to tell is not looked for", async () => {
  writeFileSync(at("in", "too short"), "too short");
  expect(await search()).toBeUndefined();
  writeFileSync(at("in", "deep", "the gate is open.txt"), "");
  expect(await search()).toBe(at("in", "deep", "the gate is open.txt"));
});
