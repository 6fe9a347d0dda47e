/** Encrypted SQLite files: nothing readable, copies that stay encrypted, other keys refused, every flipped bit an error. */
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AppError, isAppError } from "@althing/contract";
import { tempDir, type TempDir } from "@althing/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { openSqliteClaims } from "./open-sqlite-claims.ts";
import { openSqliteStore } from "./open-sqlite-store.ts";
import { copySqliteFile, digestSqliteFile, listSqliteKeys, readSqliteSchemaVersion, rekeySqliteFile } from "./sqlite-snapshot.ts";

const key = new Uint8Array(32).fill(3);
const other = new Uint8Array(32).fill(4);
const notes = { name: "known-notes", schema: z.object({ text: z.string() }) };
const known = ["known-notes", "a known text", "known-key"];
let dir: TempDir;
const at = (name: string) => join(dir.path, name);
beforeEach(async () => {
  dir = await tempDir();
});
afterEach(() => dir.remove());

const codeOf = (work: () => unknown) =>
  Promise.resolve()
    .then(work)
    .then(
      () => "done",
      (error: unknown) => (isAppError(error) ? error.code : String(error)),
    );

const open = (path: string, with_?: Uint8Array) =>
  openSqliteStore({ path, migrations: [], ...(with_ === undefined ? {} : { key: with_ }) });

async function fill(path: string, with_?: Uint8Array, count = 300): Promise<void> {
  const store = await open(path, with_);
  const collection = store.collection(notes);
  for (let n = 0; n < count; n += 1) await collection.put([`known-key-${n}`], { text: `a known text ${n}` });
  await store.close();
}

const readable = () => readdirSync(dir.path).filter((name) => known.some((text) => readFileSync(at(name)).includes(text)));

test("nothing can be read in the file, in its log while it is open, or in a copy of it; the plain one shows that the search finds", async () => {
  const store = await open(at("state.db"), key);
  const collection = store.collection(notes);
  for (let n = 0; n < 300; n += 1) await collection.put([`known-key-${n}`], { text: `a known text ${n}` });
  expect(readdirSync(dir.path)).toContain("state.db-wal");
  expect(readable()).toEqual([]);
  const claims = openSqliteClaims({ path: at("claims.db"), key });
  expect(await claims.claim("a known text", Date.now() + 60_000)).toBe(true);
  await claims.close();
  await store.close();
  await copySqliteFile({ from: at("state.db"), to: at("copy.db"), key });
  expect(readable()).toEqual([]);
  expect(listSqliteKeys(at("copy.db"), "known-notes", key)).toHaveLength(300);
  expect(readSqliteSchemaVersion(at("copy.db"), key)).toBe(0);
  await fill(at("plain.db"));
  expect(readable()).toEqual(["plain.db"]);
});

test("a copy is one commit, also while the file is written to", async () => {
  await fill(at("state.db"), key, 50);
  const store = await open(at("state.db"), key);
  await store.collection(notes).put(["late"], { text: "in the log only" });
  await copySqliteFile({ from: at("state.db"), to: at("copy.db"), key });
  await store.collection(notes).put(["later"], { text: "after the copy" });
  expect(listSqliteKeys(at("copy.db"), "known-notes", key)).toHaveLength(51);
  await store.close();
});

test("another key and none open nothing, and leave the file as it is", async () => {
  await fill(at("state.db"), key);
  const bytes = readFileSync(at("state.db"));
  expect(await codeOf(() => open(at("state.db"), other))).toBe("store.corrupt");
  expect(await codeOf(() => open(at("state.db")))).toBe("store.corrupt");
  expect(await codeOf(() => readSqliteSchemaVersion(at("state.db"), other))).toBe("store.corrupt");
  expect(await codeOf(() => copySqliteFile({ from: at("state.db"), to: at("copy.db"), key: other }))).toBe("store.corrupt");
  expect(readFileSync(at("state.db")).equals(bytes)).toBe(true);
  expect(readdirSync(dir.path)).toEqual(["state.db"]);
});

test("from plain to a key, to another, and back to plain: the rows are the same, and the program opens each", async () => {
  await fill(at("state.db"));
  const before = digestSqliteFile(at("state.db"));
  const ways: [Uint8Array | undefined, Uint8Array | undefined][] = [
    [undefined, key],
    [key, other],
    [other, undefined],
  ];
  for (const [from, to] of ways) {
    rekeySqliteFile({ path: at("state.db"), from, to });
    const { rows, sha256 } = digestSqliteFile(at("state.db"), to);
    expect({ rows, sha256 }).toEqual({ rows: before.rows, sha256: before.sha256 });
    expect(readable()).toEqual(to === undefined ? ["state.db"] : []);
    await (await open(at("state.db"), to)).close();
  }
  expect(await codeOf(() => rekeySqliteFile({ path: at("state.db"), from: key, to: other }))).toBe("store.corrupt");
});

test("a flipped bit anywhere is the same data or an error", { timeout: 60_000 }, async () => {
  await fill(at("state.db"), key, 100);
  const whole = readFileSync(at("state.db"));
  let errors = 0;
  for (let n = 0; n < 120; n += 1) {
    const bytes = Buffer.from(whole);
    const place = Math.floor((n / 120) * whole.length);
    bytes[place] = (bytes[place] ?? 0) ^ (1 << (n % 8));
    writeFileSync(at("flipped.db"), bytes);
    try {
      const store = await open(at("flipped.db"), key);
      const { records } = await store.collection(notes).list({ limit: 1_000 });
      expect(records.map(({ value }) => value.text).toSorted()).toEqual(
        Array.from({ length: 100 }, (_, m) => `a known text ${m}`).toSorted(),
      );
      await store.close();
    } catch (error) {
      expect(error).toBeInstanceOf(AppError);
      errors += 1;
    }
  }
  expect(errors).toBeGreaterThan(60);
  copyFileSync(at("state.db"), at("whole.db"));
  await (await open(at("whole.db"), key)).close();
});
