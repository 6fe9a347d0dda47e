import { createFakeClock } from "@althing/testkit";
import { expect, test } from "vitest";
import { describeClaims } from "../test/claims.contract.ts";
import { openMemoryClaims } from "./open-memory-claims.ts";

describeClaims("memory", false, async () => ({
  open: async (clock) => openMemoryClaims({ clock }),
  [Symbol.asyncDispose]: async () => undefined,
}));

test("memory: expired claims are removed", async () => {
  const clock = createFakeClock(0);
  const claims = openMemoryClaims({ clock });
  for (let n = 0; n < 50_000; n += 1) {
    clock.advance(10);
    await claims.claim(String(n), clock.now() + 1_000);
  }
  expect(claims.size).toBeLessThan(2_000);
});
