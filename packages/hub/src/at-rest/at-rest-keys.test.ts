/** Key files: what is taken, what is refused, and that each use has a key of its own. */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAppError } from "@althing/contract";
import { tempDir, type TempDir } from "@althing/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { newKeyFile } from "../../test/at-rest-tools.ts";
import { deriveAtRestKeys, parseAtRestKey, readAtRestKeys } from "./at-rest-keys.ts";

let dir: TempDir;
const at = (...names: string[]) => join(dir.path, ...names);
beforeEach(async () => {
  dir = await tempDir();
  mkdirSync(at("data"), { mode: 0o700 });
});
afterEach(() => dir.remove());

const codeOf = (path: string) =>
  readAtRestKeys(path, at("data")).then(
    () => "taken",
    (error: unknown) => (isAppError(error) ? error.code : String(error)),
  );

test("a private file with 32 bytes in base64url is taken, with a line feed or without, 0600 or tighter", async () => {
  const path = newKeyFile(at("a.key"));
  expect(await codeOf(path)).toBe("taken");
  chmodSync(path, 0o400);
  expect(await codeOf(path)).toBe("taken");
  writeFileSync(at("b.key"), "A".repeat(43), { mode: 0o600 });
  expect(await codeOf(at("b.key"))).toBe("taken");
});

test.each([0o640, 0o604, 0o644, 0o660])("one that others may read (%o) is refused", async (mode) => {
  const path = newKeyFile(at("a.key"));
  chmodSync(path, mode);
  expect(await codeOf(path)).toBe("encryption.key_mode");
});

test("one in the data folder is refused, by whatever way it is named", async () => {
  const path = newKeyFile(at("data", "a.key"));
  expect(await codeOf(path)).toBe("encryption.key_place");
  symlinkSync(path, at("link.key"));
  expect(await codeOf(at("link.key"))).toBe("encryption.key_place");
  symlinkSync(at("data"), at("elsewhere"));
  expect(await codeOf(at("elsewhere", "a.key"))).toBe("encryption.key_place");
});

test.each([
  "",
  "\n",
  "A".repeat(42),
  "A".repeat(44),
  `${"A".repeat(42)}B`,
  `${"A".repeat(42)}=`,
  "/".repeat(43),
  `${"A".repeat(43)}\n\n`,
  "A".repeat(4_000),
])("%j is no key", async (text) => {
  writeFileSync(at("a.key"), text, { mode: 0o600 });
  expect(await codeOf(at("a.key"))).toBe("encryption.key_malformed");
});

test("a missing one and a folder are unreadable", async () => {
  expect(await codeOf(at("none.key"))).toBe("encryption.key_unreadable");
  expect(await codeOf(at())).toBe("encryption.key_unreadable");
});

test("each use has a key of its own, another file's keys are all others, and the fingerprint is none of them", () => {
  const keys = [1, 2].map((seed) => deriveAtRestKeys(new Uint8Array(32).fill(seed)));
  const texts = keys.flatMap((derived) =>
    Object.values(derived).map((value: string | Uint8Array) =>
      typeof value === "string" ? value.replace(/^k/, "") : Buffer.from(value).toString("hex"),
    ),
  );
  expect(new Set(texts).size).toBe(texts.length);
  expect(new Set(texts.map((text) => text.length))).toEqual(new Set([64]));
  expect(deriveAtRestKeys(new Uint8Array(32).fill(1))).toEqual(keys[0]);
  expect(parseAtRestKey(`${"A".repeat(43)}\n`)).toEqual(new Uint8Array(32));
});
