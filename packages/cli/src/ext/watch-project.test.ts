import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "@althing/testkit";
import { expect, test } from "vitest";
import { isSource, watchProject } from "./watch-project.ts";

test.each(["src/index.ts", "manifest.json", "ui/page.css", "test/a.requests.json", "distant/x.ts"])("%s is a source", (path) =>
  expect(isSource(path)).toBe(true),
);
test.each([
  "dist/extension.wasm",
  ".althing/dev.key",
  "node_modules/x/y.js",
  ".git/index",
  "src/.index.ts.swp",
  "src/index.ts~",
  "org.example.hello-1.0.0.althing",
  "a.althing.sig.json",
  "4913",
])("%s is none", (path) => expect(isSource(path)).toBe(false));

test("changes are told once quiet, those made meanwhile at the next question, and outputs never", async () => {
  await using dir = await tempDir();
  mkdirSync(join(dir.path, "src"));
  mkdirSync(join(dir.path, "dist"));
  const watch = watchProject(dir.path);
  const { signal } = new AbortController();
  try {
    const first = watch.next(signal);
    writeFileSync(join(dir.path, "dist/extension.wasm"), "x");
    writeFileSync(join(dir.path, "src/a.ts"), "1");
    writeFileSync(join(dir.path, "src/b.ts"), "1");
    expect(await first).toEqual(["src/a.ts", "src/b.ts"]);
    // In a folder that was made after the watch began.
    mkdirSync(join(dir.path, "src/new"));
    expect(await watch.next(signal)).toEqual(["src/new"]);
    writeFileSync(join(dir.path, "src/new/c.ts"), "1");
    expect(await watch.next(signal)).toEqual(["src/new/c.ts"]);
    rmSync(join(dir.path, "src/a.ts"));
    expect(await watch.next(signal)).toEqual(["src/a.ts"]);
  } finally {
    watch.close();
  }
});

test("an end wakes whoever waits", async () => {
  await using dir = await tempDir();
  const watch = watchProject(dir.path);
  const ended = new AbortController();
  const waiting = watch.next(ended.signal);
  ended.abort();
  expect(await waiting).toEqual([]);
  expect(await watch.next(ended.signal)).toEqual([]);
  watch.close();
});
