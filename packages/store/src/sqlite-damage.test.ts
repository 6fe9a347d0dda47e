/** A damaged, foreign or truncated file is an error that changes nothing; a flipped bit never becomes another value. */
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasCode } from "@althing/contract";
import Database from "better-sqlite3-multiple-ciphers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { openSqliteStore } from "./open-sqlite-store.ts";
import type { Store } from "./types.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "althing-damage-"));
  path = join(folder, "deep", "state.db");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

// Other connections below use the driver itself: two copies of SQLite in one process would undo each other's locks.
const key = new Uint8Array(32).fill(7);
const texts = (store: Store) => store.collection({ name: "texts", schema: z.string() });
const open = (options: { key?: Uint8Array; path?: string } = {}) =>
  openSqliteStore({ path, migrations: [], fsync: "interval", ...options });
const hash = (file: string) => createHash("sha256").update(readFileSync(file)).digest("hex");

async function fill(options: { key?: Uint8Array } = {}, count = 120): Promise<void> {
  const store = await open(options);
  const c = texts(store);
  await store.batch(
    Array.from({ length: count }, (_, n) => c.toPut(["k", String(n)], `value ${n} `.repeat(12))),
    "filled",
  );
  for (let n = 0; n < 20; n += 1) await c.delete(["k", String(n * 3)]);
  await store.close();
}

async function readAll(options: { key?: Uint8Array; path?: string } = {}): Promise<string> {
  const store = await open(options);
  try {
    const c = texts(store);
    const listed = (await c.list({ limit: 1_000 })).records;
    for (const record of listed) expect(await c.get(record.key)).toEqual(record);
    return JSON.stringify([await store.revision(), await store.schemaVersion(), listed]);
  } finally {
    await store.close();
  }
}

test("files are 0600 and the folder 0700", async () => {
  const store = await open();
  await texts(store).put(["a"], "x");
  expect(statSync(join(folder, "deep")).mode & 0o777).toBe(0o700);
  for (const name of readdirSync(join(folder, "deep"))) expect(statSync(join(folder, "deep", name)).mode & 0o777, name).toBe(0o600);
  await store.close();
  expect(readdirSync(join(folder, "deep"))).toEqual(["state.db"]);
});

test("an empty file, a cut file, junk, another program's database, a directory: refused and left as they are", async () => {
  await fill();
  const whole = readFileSync(path);
  const foreign = join(folder, "foreign.db");
  const other = new Database(foreign);
  other.exec("CREATE TABLE notes (x); INSERT INTO notes VALUES (1)");
  other.close();
  const contents: [string, Buffer][] = [
    ["empty", Buffer.alloc(0)],
    ["zeros", Buffer.alloc(16_384)],
    ["junk", Buffer.from("this is no database at all, ".repeat(400))],
    ["half", whole.subarray(0, whole.length / 2)],
    ["first page only", whole.subarray(0, 4_096)],
    ["part of the header", whole.subarray(0, 50)],
    ["foreign", readFileSync(foreign)],
  ];
  for (const [about, bytes] of contents) {
    writeFileSync(path, bytes);
    const before = hash(path);
    await expect(open(), about).rejects.toMatchObject({ code: "store.corrupt" });
    expect(hash(path), about).toBe(before);
  }
  await expect(open({ path: folder })).rejects.toMatchObject({ code: "store.unavailable" });
});

test("a write-ahead log without its file is damage, not a first start", async () => {
  await fill();
  rmSync(path);
  writeFileSync(`${path}-wal`, "log");
  await expect(open()).rejects.toMatchObject({ code: "store.corrupt" });
  expect(existsSync(path)).toBe(false);
});

test.each([
  ["plain", undefined],
  ["encrypted", key],
])(
  "a flipped bit anywhere (%s): the same data or store.corrupt, never other data",
  async (_, k) => {
    const options = k === undefined ? {} : { key: k };
    await fill(options);
    const whole = readFileSync(path);
    const truth = await readAll(options);
    let refused = 0;
    const copy = join(folder, "copy.db");
    for (let n = 0; n < 400; n += 1) {
      // Every byte of the header, then spread over the file by a step that is coprime to page sizes.
      const at = n < 100 ? n : (n * 7_919) % whole.length;
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] as number) ^ (1 << (n % 8));
      for (const name of ["copy.db", "copy.db-wal", "copy.db-shm"]) rmSync(join(folder, name), { force: true });
      writeFileSync(copy, bytes);
      try {
        expect(await readAll({ ...options, path: copy }), `byte ${at}`).toBe(truth);
      } catch (error) {
        if (!hasCode(error, "store.corrupt", "store.version", "store.unavailable")) throw error;
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(k === undefined ? 100 : 350);
  },
  60_000,
);

test("damage that comes while the store is open is store.corrupt at the read", async () => {
  await fill();
  const store = await open();
  const raw = new Database(path);
  raw.exec(
    "UPDATE records SET value = replace(value, 'value 1 ', 'value 2 ') WHERE key = CAST('texts' || char(0) || 'k' || char(0) || '1' || char(0) AS BLOB)",
  );
  expect(raw.prepare("SELECT changes() AS n").get()).toEqual({ n: 1 });
  raw.close();
  await expect(texts(store).get(["k", "1"])).rejects.toMatchObject({ code: "store.corrupt" });
  await expect(texts(store).list({ limit: 1_000 })).rejects.toMatchObject({ code: "store.corrupt" });
  expect((await texts(store).get(["k", "2"]))?.value).toContain("value 2");
  await store.close();
  await expect(open()).rejects.toMatchObject({ code: "store.corrupt" });
});

test("with a key nothing can be read from the file; the wrong key, none, or one too many is refused and changes nothing", async () => {
  const store = await open({ key });
  await texts(store).put(["name", "PLAINTEXT-KEY"], "PLAINTEXT-VALUE");
  for (const name of readdirSync(join(folder, "deep")))
    expect(readFileSync(join(folder, "deep", name)).includes("PLAINTEXT"), name).toBe(false);
  await store.close();
  const before = hash(path);
  expect(readFileSync(path).includes("SQLite format")).toBe(false);
  await expect(open({ key: new Uint8Array(32).fill(8) })).rejects.toMatchObject({ code: "store.corrupt" });
  await expect(open()).rejects.toMatchObject({ code: "store.corrupt" });
  await expect(open({ key: new Uint8Array(16) })).rejects.toThrow(TypeError);
  expect(hash(path)).toBe(before);
  const again = await open({ key });
  expect((await texts(again).get(["name", "PLAINTEXT-KEY"]))?.value).toBe("PLAINTEXT-VALUE");
  await again.close();
  const plain = join(folder, "plain.db");
  await (await open({ path: plain })).close();
  const plainHash = hash(plain);
  await expect(open({ path: plain, key })).rejects.toMatchObject({ code: "store.corrupt" });
  expect(hash(plain)).toBe(plainHash);
});

test("a file of a newer format is store.version", async () => {
  await fill();
  const raw = new Database(path);
  raw.exec("PRAGMA user_version = 2");
  raw.close();
  await expect(open()).rejects.toMatchObject({ code: "store.version" });
});

test("a write that another process blocks for too long is store.unavailable and writes nothing", async () => {
  const store = await openSqliteStore({ path, migrations: [], busyTimeoutMs: 50 });
  const raw = new Database(path);
  raw.exec("BEGIN IMMEDIATE");
  await expect(texts(store).put(["a"], "x")).rejects.toMatchObject({ code: "store.unavailable" });
  expect(await texts(store).get(["a"])).toBeUndefined();
  raw.exec("ROLLBACK");
  raw.close();
  await texts(store).put(["a"], "x");
  await store.close();
});

test("a conflict in one turn of the event loop refuses its own write and none of the others'", async () => {
  const store = await open();
  const c = texts(store);
  await c.create(["taken"], "x");
  const outcomes = await Promise.allSettled([
    c.create(["a"], "1"),
    c.create(["taken"], "2"),
    c.create(["b"], "3"),
    c.create(["a"], "4"),
    c.put(["a"], "5", 2),
  ]);
  expect(outcomes.map((o) => o.status)).toEqual(["fulfilled", "rejected", "fulfilled", "rejected", "fulfilled"]);
  expect((await c.get(["a"]))?.value).toBe("5");
  await store.close();
});

test("outcomes of requests are bounded: the oldest are forgotten", async () => {
  let nowMs = 1_000_000;
  const store = await openSqliteStore({ path, migrations: [], fsync: "interval", requestsMax: 50, clock: { now: () => nowMs } });
  const c = texts(store);
  for (let n = 0; n < 201; n += 1) {
    nowMs += 1;
    await store.batch([c.toPut(["k"], String(n))], `r${n}`);
  }
  const raw = new Database(path);
  expect(raw.prepare<[], number>("SELECT count(*) FROM requests").pluck().get()).toBeLessThanOrEqual(50 + 100);
  raw.close();
  const value = (await c.get(["k"]))?.value;
  await store.batch([c.toPut(["k"], "again")], "r200");
  expect((await c.get(["k"]))?.value).toBe(value);
  nowMs += 25 * 60 * 60 * 1000;
  for (let n = 0; n < 101; n += 1) await store.batch([c.toPut(["k"], "later")], `later ${n}`);
  await store.batch([c.toPut(["k"], "again")], "r200");
  expect((await c.get(["k"]))?.value).toBe("again");
  await store.close();
});

test("a recorded folder of schema version 1 is brought to version 2 and read", async () => {
  cpSync(new URL("../test/recorded/sqlite-1/state.db", import.meta.url), path, { recursive: true });
  const user = z.object({ handle: z.string(), role: z.string() });
  const store = await openSqliteStore({
    path,
    migrations: [
      { version: 1, describe: "first", run: () => Promise.reject(new Error("version 1 is recorded: this must not run")) },
      {
        version: 2,
        describe: "every user has a role",
        run: async (old) => {
          const before = old.collection({ name: "users", schema: z.looseObject({ handle: z.string() }) });
          const after = old.collection({ name: "users", schema: user });
          const page = await before.list({ limit: 1_000 });
          await old.batch(page.records.map((r) => after.toPut(r.key, { handle: r.value.handle, role: "member" }, r.revision)));
        },
      },
    ],
  });
  expect(await store.schemaVersion()).toBe(2);
  const users = await store.collection({ name: "users", schema: user }).list({ limit: 1_000 });
  expect(users.records).toHaveLength(50);
  expect(users.records[0]?.value).toEqual({ handle: "user-00", role: "member" });
  expect(users.records.map((r) => r.key[1])).toContain("ключ 😀");
  await store.close();
});

test("a file that was cut while a log is beside it is not taken for a new one", async () => {
  await fill();
  truncateSync(path, 0);
  writeFileSync(`${path}-wal`, Buffer.alloc(32));
  await expect(open()).rejects.toMatchObject({ code: "store.corrupt" });
  expect(statSync(path).size).toBe(0);
});
