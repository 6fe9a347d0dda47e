/**
 * Secrets at rest: nothing readable in the store, nothing that opens in another place.
 */
import { describe, expect, it } from "vitest";
import { limits, type CommunityId, type ExtensionId } from "@althing/contract";
import { openMemoryStore } from "@althing/store";
import { z } from "zod";
import { createSecretVault } from "./index.ts";
import type { Scope } from "../scope.ts";

const scope = (extension: string): Scope => ({
  community: "01ARZ3NDEKTSV4RRFFQ69G5FAV" as CommunityId,
  extension: extension as ExtensionId,
});
const here = scope("org.example.a");

function open(secretsKey = new Uint8Array(32).fill(7), store = openMemoryStore()) {
  const clock = { nowMs: Date.parse("2026-01-01T00:00:00.000Z"), now: () => clock.nowMs };
  return {
    vault: createSecretVault({ store, clock, secretsKey }),
    store,
    clock,
    rows: store.collection({ name: "ext-secrets", schema: z.record(z.string(), z.unknown()) }),
  };
}

describe("the vault", () => {
  it("opens what was put and lists it without the value", async () => {
    const { vault } = open();
    await vault.put(here, "API_KEY", { value: "s3cr3t", hosts: ["api.example.org"] });
    expect(await vault.open(here, "API_KEY")).toEqual({ value: "s3cr3t", hosts: ["api.example.org"] });
    expect(await vault.list(here)).toEqual([{ name: "API_KEY", hosts: ["api.example.org"], setAt: "2026-01-01T00:00:00.000Z" }]);
  });

  it("keeps nothing readable in the store", async () => {
    const { vault, rows } = open();
    await vault.put(here, "API_KEY", { value: "s3cr3t-value", hosts: [] });
    const text = JSON.stringify((await rows.list()).records);
    for (const form of ["s3cr3t-value", Buffer.from("s3cr3t-value").toString("base64"), Buffer.from("s3cr3t-value").toString("hex")])
      expect(text).not.toContain(form);
  });

  it("does not open a record that was moved or altered, nor under another key", async () => {
    const { vault, rows, store } = open();
    await vault.put(here, "A", { value: "one", hosts: ["a.example"] });
    const row = (await rows.list()).records[0];
    if (row === undefined) throw new Error("no row");
    const place = (name: string, extension = "org.example.a"): [string, string, string] => [here.community, extension, name];
    await rows.put(place("B"), row.value);
    await rows.put(place("A", "org.example.b"), row.value);
    await expect(vault.open(here, "B")).rejects.toMatchObject({ code: "data.corrupt" });
    await expect(vault.open(scope("org.example.b"), "A")).rejects.toMatchObject({ code: "data.corrupt" });
    await rows.put(place("A"), { ...row.value, hosts: ["evil.example"] });
    await expect(vault.open(here, "A")).rejects.toMatchObject({ code: "data.corrupt" });
    await rows.put(place("A"), row.value);
    await expect(open(new Uint8Array(32).fill(8), store).vault.open(here, "A")).rejects.toMatchObject({ code: "data.corrupt" });
    expect((await vault.open(here, "A")).value).toBe("one");
  });

  it("ends with its expiry, and with being forgotten or purged", async () => {
    const { vault, clock } = open();
    await vault.put(here, "A", { value: "1", hosts: [], expiresAt: "2026-01-01T00:00:10.000Z" });
    await vault.put(here, "B", { value: "2", hosts: [] });
    clock.nowMs += 10_000;
    await expect(vault.open(here, "A")).rejects.toMatchObject({ code: "secret.not_found" });
    await vault.put(here, "A", { value: "rotated", hosts: [] });
    expect((await vault.open(here, "A")).value).toBe("rotated");
    await vault.forget(here, "A");
    await expect(vault.open(here, "A")).rejects.toMatchObject({ code: "secret.not_found" });
    await vault.purge(here);
    expect(await vault.list(here)).toEqual([]);
  });

  it("refuses names and sizes it cannot keep, and more than the limit", async () => {
    const { vault } = open();
    for (const name of ["", "1a", "-a", "a.b", "a".repeat(65), "__proto__!", "a\n"])
      await expect(vault.put(here, name, { value: "x", hosts: [] })).rejects.toMatchObject({ code: "settings.invalid" });
    await expect(vault.put(here, "A", { value: "x".repeat(limits.secretMaxBytes + 1), hosts: [] })).rejects.toMatchObject({
      code: "settings.invalid",
    });
    for (let i = 0; i < limits.secretsPerInstallMax; i++) await vault.put(here, `S${i}`, { value: "x", hosts: [] });
    await expect(vault.put(here, "MORE", { value: "x", hosts: [] })).rejects.toMatchObject({ code: "secret.too_many" });
    await expect(vault.put(here, "S0", { value: "y", hosts: [] })).resolves.toBeUndefined();
    await expect(vault.open(here, "constructor")).rejects.toMatchObject({ code: "secret.not_found" });
  });
});
