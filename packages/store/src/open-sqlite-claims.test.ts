import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
  expect(raw.prepare<[], number>("SELECT count(*) FROM claims").pluck().get()).toBeLessThan(200);
  raw.close();
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
