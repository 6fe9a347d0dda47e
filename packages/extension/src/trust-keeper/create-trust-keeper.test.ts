import { openMemoryStore, openSqliteStore, type Store } from "@althing/store";
import { tempDir } from "@althing/testkit";
import { createFakeClock } from "@althing/testkit";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { makeCertificate, makeRevocationList } from "../../test/certificate-maker.ts";
import { admin, alice } from "../../test/open-package-world.ts";
import { newPublisherKey } from "../trust/index.ts";
import { createTrustKeeper } from "./index.ts";

const clock = createFakeClock(Date.UTC(2026, 10, 22));
const authority = await makeCertificate({ name: "Authority", isAuthority: true });
const leaf = await makeCertificate({ name: "Leaf", issuer: authority });
const list = await makeRevocationList(authority, ["01"], "2026-11-01", "2026-12-01");
const pemOf = (made: typeof authority) => made.certificate.toString("pem");
const open = (store: Store, more: { filePem?: string; fileCrls?: string } = {}) => createTrustKeeper({ store, clock, ...more });
const idsOf = async (keeper: ReturnType<typeof open>) => (await keeper.list()).anchors.map(({ id }) => id);

async function withStore(kind: "memory" | "sqlite", work: (store: Store) => Promise<void>): Promise<void> {
  await using dir = await tempDir();
  const store = kind === "memory" ? openMemoryStore() : await openSqliteStore({ path: join(dir.path, "s.db"), migrations: [] });
  await work(store);
  await store.close();
}

describe.each(["memory", "sqlite"] as const)("trust over %s", (kind) => {
  test("what an admin adds counts at once on every node, and no longer once it is removed", () =>
    withStore(kind, async (store) => {
      const [one, other] = [open(store), open(store)];
      const key = newPublisherKey();
      expect(await other.current()).toMatchObject({ revision: 0, store: { publisherKeys: [] } });
      await one.add(admin, { pem: `Example's key\n${key.publicKeyPem}\n${pemOf(authority)}` });
      expect(await idsOf(other)).toContain(key.publisherId);
      const before = await other.current();
      expect(before.store.anchors).toHaveLength(1);
      await one.remove(admin, { id: key.publisherId });
      const after = await other.current();
      expect(after.store.publisherKeys).toEqual([]);
      expect(after.revision).toBeGreaterThan(before.revision);
      expect((await open(store).current()).store.anchors).toHaveLength(1);
    }));

  test("two nodes that change at once lose nothing", () =>
    withStore(kind, async (store) => {
      const keys = Array.from({ length: 8 }, () => newPublisherKey());
      await Promise.all(keys.map((key) => open(store).add(admin, { pem: key.publicKeyPem })));
      expect((await idsOf(open(store))).toSorted()).toEqual(keys.map((key) => key.publisherId).toSorted());
    }));
});

describe("a keeper", () => {
  test("asks for the admin's permission", async () => {
    const keeper = open(openMemoryStore());
    const { publicKeyPem: pem, publisherId: id } = newPublisherKey();
    await expect(keeper.add(alice, { pem })).rejects.toMatchObject({ code: "auth.forbidden" });
    await keeper.add(admin, { pem });
    await expect(keeper.remove(alice, { id })).rejects.toMatchObject({ code: "auth.forbidden" });
    expect(await idsOf(keeper)).toEqual([id]);
  });

  test("merges the operator's file, whose anchors cannot be removed here", async () => {
    const key = newPublisherKey();
    const keeper = open(openMemoryStore(), { filePem: `${key.publicKeyPem}\n${pemOf(authority)}` });
    await keeper.add(admin, { pem: key.publicKeyPem });
    const { anchors } = await keeper.list();
    expect(anchors.map(({ source }) => source)).toEqual(["file", "file"]);
    expect(anchors.find(({ kind }) => kind === "certificate")).toMatchObject({
      subject: "CN=Authority",
      notAfter: "2030-01-01T00:00:00.000Z",
    });
    await expect(keeper.remove(admin, { id: `x509:${"0".repeat(64)}` })).rejects.toMatchObject({ code: "trust.anchor_not_found" });
    const authorityId = anchors.find(({ kind }) => kind === "certificate")?.id ?? "";
    await expect(keeper.remove(admin, { id: authorityId })).rejects.toMatchObject({ code: "trust.anchor_not_found" });
  });

  test("keeps revocation lists, and none at all once the last is removed", async () => {
    const keeper = open(openMemoryStore());
    await keeper.add(admin, { pem: pemOf(authority) });
    expect((await keeper.current()).store.revocationLists).toBeUndefined();
    await keeper.add(admin, { pem: list });
    const { revocationLists } = await keeper.list();
    expect(revocationLists).toEqual([
      { id: expect.stringMatching(/^crl:[0-9a-f]{64}$/), issuer: "CN=Authority", nextUpdate: "2026-12-01T00:00:00.000Z" },
    ]);
    expect((await keeper.current()).store.revocationLists).toHaveLength(1);
    await keeper.remove(admin, { id: revocationLists[0]?.id ?? "" });
    expect((await keeper.current()).store.revocationLists).toBeUndefined();
  });

  test("names the file's lists and its own apart", async () => {
    const keeper = open(openMemoryStore(), { filePem: pemOf(authority), fileCrls: list });
    await keeper.add(admin, { pem: await makeRevocationList(authority, ["02"], "2026-11-02", "2026-12-02") });
    expect((await keeper.list()).revocationLists.map(({ id }) => id.slice(0, 4))).toEqual(["file", "crl:"]);
    await expect(open(openMemoryStore(), { fileCrls: "" }).current()).resolves.toMatchObject({ store: { revocationLists: [] } });
  });

  test("takes the same block twice as one, and changes nothing then", async () => {
    const keeper = open(openMemoryStore());
    const { publicKeyPem: pem } = newPublisherKey();
    await keeper.add(admin, { pem: pem + pem });
    const { revision } = await keeper.current();
    await keeper.add(admin, { pem });
    expect((await keeper.current()).revision).toBe(revision);
    expect(await idsOf(keeper)).toHaveLength(1);
  });

  const privateLabel = `${"PRIVATE"} KEY`;
  test.each([
    ["nothing", ""],
    ["text without a block", "hello"],
    ["half a block", newPublisherKey().publicKeyPem.slice(0, 60)],
    ["a private key", `-----BEGIN ${privateLabel}-----\nAAAA\n-----END ${privateLabel}-----\n`],
    ["a leaf certificate", pemOf(leaf)],
    ["a good key and a damaged one", `${newPublisherKey().publicKeyPem}-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n`],
  ])("refuses %s whole", async (_what, pem) => {
    const keeper = open(openMemoryStore());
    await expect(keeper.add(admin, { pem })).rejects.toMatchObject({ code: "trust.pem_invalid", status: 422 });
    expect(await keeper.current()).toMatchObject({ revision: 0 });
    expect(await idsOf(keeper)).toEqual([]);
  });

  test("trusts nothing when a record was exchanged behind its back", async () => {
    const store = openMemoryStore();
    const keeper = open(store);
    const [one, other] = [newPublisherKey(), newPublisherKey()];
    await keeper.add(admin, { pem: one.publicKeyPem });
    const rows = store.collection({ name: "ext-trust", schema: z.record(z.string(), z.unknown()) });
    const row = (await rows.get([one.publisherId]))?.value ?? {};
    await rows.put([one.publisherId], { ...row, pem: other.publicKeyPem });
    await expect(open(store).current()).rejects.toMatchObject({ code: "trust.bundle_invalid" });
  });

  test("does not start over a file that cannot be read in full", () => {
    expect(() => open(openMemoryStore(), { filePem: "-----BEGIN CERTIFICATE-----\nAAAA\n" })).toThrow(
      expect.objectContaining({ code: "trust.bundle_invalid" }),
    );
  });

  test("costs one read while nothing changes", async () => {
    const store = openMemoryStore();
    let reads = 0;
    const counted: Store = {
      ...store,
      collection(def) {
        const inner = store.collection(def);
        return { ...inner, get: (key) => ((reads += 1), inner.get(key)), list: (options) => ((reads += 1), inner.list(options)) };
      },
    };
    const keeper = open(counted);
    await keeper.add(admin, { pem: newPublisherKey().publicKeyPem });
    await keeper.current();
    reads = 0;
    await keeper.current();
    expect(reads).toBe(1);
  });
});
