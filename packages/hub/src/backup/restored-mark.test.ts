/** Nonces are in no backup: what a restored instance refuses instead, and for how long. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasCode, limits } from "@althing/contract";
import { openMemoryClaims } from "@althing/store";
import { createFakeClock, tempDir } from "@althing/testkit";
import { expect, test } from "vitest";
import { claimExpiryMs } from "../authenticate.ts";
import { refuseWhatCameBefore, writeRestoredMark } from "./restored-mark.ts";

const restoredAtMs = Date.UTC(2026, 10, 22, 12);
const longestMs = limits.signatureWindowSeconds * 1_000;
const skewMs = limits.signatureSkewSeconds * 1_000;

async function claimsAt(root: string, nowMs: number) {
  const clock = createFakeClock(nowMs);
  return refuseWhatCameBefore(openMemoryClaims({ clock }), root, nowMs);
}

test("a folder that was never restored refuses nothing", async () => {
  await using dir = await tempDir();
  const claims = await claimsAt(dir.path, restoredAtMs);
  expect(await claims.claim("nonce", restoredAtMs + 1_000)).toBe(true);
});

test("a signature that could have been used before the restore is taken as used, one made after it is not", async () => {
  await using dir = await tempDir();
  await writeRestoredMark(dir.path, {
    restoredAt: new Date(restoredAtMs).toISOString(),
    backup: "b",
    backupCreatedAt: new Date(0).toISOString(),
  });
  const claims = await claimsAt(dir.path, restoredAtMs + 3_000);
  // Claims end as the check of signatures has them end: the last is of one made at the last moment, by a clock that runs ahead as far as it may.
  const expires = (createdMs: number) => claimExpiryMs((createdMs + longestMs) / 1_000);
  for (const createdMs of [restoredAtMs - longestMs, restoredAtMs - 1_000, restoredAtMs, restoredAtMs + skewMs])
    expect(await claims.claim(`old ${createdMs}`, expires(createdMs))).toBe(false);
  const next = expires(restoredAtMs + skewMs + 1_000);
  expect(await claims.claim("new", next)).toBe(true);
  expect(await claims.claim("new", next)).toBe(false);
  const session = restoredAtMs + limits.sessionTtlSeconds * 1_000;
  expect(await claims.claim("session/x", session)).toBe(true);
});

test("once no old signature can be fresh the mark has no more effect; a damaged mark is refused", async () => {
  await using dir = await tempDir();
  await writeRestoredMark(dir.path, {
    restoredAt: new Date(restoredAtMs).toISOString(),
    backup: "b",
    backupCreatedAt: new Date(0).toISOString(),
  });
  const later = restoredAtMs + skewMs + longestMs + 1;
  expect(await (await claimsAt(dir.path, later)).claim("x", later + 1)).toBe(true);
  writeFileSync(join(dir.path, "restored.json"), "{}");
  expect(hasCode(await claimsAt(dir.path, later).catch((error: unknown) => error), "data.corrupt")).toBe(true);
});
