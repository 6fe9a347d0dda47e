import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createFakeClock } from "@althing/testkit";
import Database from "better-sqlite3-multiple-ciphers";
import { expect, test } from "vitest";
import { describeClaims } from "../test/claims.contract.ts";
import { openSqliteClaims } from "./open-sqlite-claims.ts";
import type { ClaimStore } from "./types.ts";

const place = async () => {
  const folder = mkdtempSync(join(tmpdir(), "althing-claims-"));
  const path = join(folder, "claims.db");
  const opened: ClaimStore[] = [];
  return {
    path,
    async open(clock: { now(): number }) {
      const claims = openSqliteClaims({ path, clock });
      opened.push(claims);
      return claims;
    },
    async [Symbol.asyncDispose]() {
      for (const claims of opened) await claims.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};

describeClaims("sqlite", true, place);

test("sqlite: expired claims are removed", async () => {
  await using here = await place();
  const clock = createFakeClock(0);
  const claims = await here.open(clock);
  for (let n = 0; n < 2_000; n += 1) {
    clock.advance(10);
    void claims.claim(String(n), clock.now() + 100);
    if (n % 100 === 99) await claims.claim(`awaited ${n}`, clock.now() + 100);
  }
  await claims.close();
  const raw = new Database(here.path);
  expect(raw.prepare<[], number>("SELECT sum(length(hashes)) / 32 FROM claim_groups").pluck().get()).toBeLessThan(250);
  raw.close();
});

test("sqlite: every claim that was acknowledged before SIGKILL is refused afterwards", async () => {
  await using here = await place();
  for (let round = 0; round < 3; round += 1) {
    const child = spawn(process.execPath, [new URL("../test/claims-child.ts", import.meta.url).pathname, here.path, `r${round}`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const gone = once(child, "exit");
    const acknowledged: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged.push(line);
      if (acknowledged.length === 40 + round * 111) child.kill("SIGKILL");
    }
    expect((await gone)[1]).toBe("SIGKILL");
    const claims = await here.open(Date);
    const again = await Promise.all(acknowledged.map((key) => claims.claim(key, Date.now() + 60_000)));
    expect(again.filter(Boolean)).toEqual([]);
    expect(await claims.claim(`never ${round}`, Date.now() + 60_000)).toBe(true);
    await claims.close();
  }
});

test("sqlite: a claim that could not be written is store.unavailable and not taken; two processes on one file agree", async () => {
  await using here = await place();
  const claims = openSqliteClaims({ path: here.path, busyTimeoutMs: 10 });
  const other = openSqliteClaims({ path: here.path, busyTimeoutMs: 10 });
  const raw = new Database(here.path);
  raw.exec("BEGIN IMMEDIATE");
  const expiry = Date.now() + 60_000;
  await expect(Promise.all([claims.claim("a", expiry), claims.claim("b", expiry)])).rejects.toMatchObject({ code: "store.unavailable" });
  raw.exec("ROLLBACK");
  raw.close();
  expect(await claims.claim("a", expiry)).toBe(true);
  expect(await other.claim("a", expiry)).toBe(false);
  expect(await other.claim("b", expiry)).toBe(true);
  expect(await claims.claim("b", expiry)).toBe(false);
  await claims.close();
  await other.close();
});

test("sqlite: claims of every length of life are kept to their millisecond, over a restart too", async () => {
  await using here = await place();
  const clock = createFakeClock(1_800_000_000_000);
  const lives = [1, 999, 15_999, 16_000, 149_999, 150_000, 150_001, 3_600_000, 12 * 3_600_000, 40 * 3_600_000, 400 * 3_600_000];
  const start = clock.now();
  let claims = await here.open(clock);
  expect(await Promise.all(lives.map((life) => claims.claim(`life ${life}`, start + life)))).toEqual(lives.map(() => true));
  for (const life of lives) {
    clock.advance(start + life - 1 - clock.now());
    expect([life, await claims.claim(`life ${life}`, start + life)]).toEqual([life, false]);
    await claims.close();
    claims = await here.open(clock);
    // Sweeps come with claims.
    await claims.claim(`other ${life}`, clock.now() + 1);
    expect([life, await claims.claim(`life ${life}`, start + life)]).toEqual([life, false]);
    clock.advance(1);
    expect([life, await claims.claim(`life ${life}`, clock.now() + 1)]).toEqual([life, true]);
  }
});

test("sqlite: a file of format 1 is brought to format 2 with its claims", async () => {
  await using here = await place();
  const raw = new Database(here.path);
  const expiry = Date.now() + 60_000;
  raw.exec(`CREATE TABLE claims (key BLOB PRIMARY KEY, expires_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX claims_by_expiry ON claims (expires_at_ms); PRAGMA application_id = ${0x414c_434c}; PRAGMA user_version = 1`);
  for (const key of ["old 1", "old 2"])
    raw.prepare<[Buffer, number]>("INSERT INTO claims VALUES (?, ?)").run(createHash("sha256").update(key).digest(), expiry);
  raw.close();
  for (let opened = 0; opened < 2; opened += 1) {
    const claims = await here.open(Date);
    expect(await claims.claim("old 1", expiry)).toBe(false);
    expect(await claims.claim("old 2", expiry)).toBe(false);
    expect(await claims.claim(`new ${opened}`, expiry)).toBe(true);
    await claims.close();
  }
});

test("sqlite: a damaged file is store.corrupt and left as it is; the file is 0600", async () => {
  await using here = await place();
  const claims = await here.open(Date);
  await claims.claim("a", Date.now() + 60_000);
  await claims.close();
  expect(statSync(here.path).mode & 0o777).toBe(0o600);
  writeFileSync(here.path, "junk");
  expect(() => openSqliteClaims({ path: here.path })).toThrow(expect.objectContaining({ code: "store.corrupt" }));
});
