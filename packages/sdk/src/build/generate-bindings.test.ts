import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { generateBindings } from "./generate-bindings.ts";
import { witPath } from "./wit-path.ts";

/** What the formatter may change. */
const plain = (text: string) => text.replaceAll("'", '"').replace(/\s+/g, "");

test("the bindings are those of the WIT", async () => {
  const written = await readFile(new URL("../guest/bindings.ts", import.meta.url), "utf8");
  expect(plain(written)).toBe(plain(await generateBindings(await readFile(witPath, "utf8"))));
});

test("a change of the WIT changes the bindings", async () => {
  const wit = await readFile(witPath, "utf8");
  const changed = wit.replace("get: func(key: string) ->", "get: func(key: string, at: option<u64>) ->");
  expect(await generateBindings(changed)).toContain("get(key: string, at: number | null): KvEntry | null;");
});
