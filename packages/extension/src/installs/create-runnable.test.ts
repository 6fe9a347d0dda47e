import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AppError, extensionIdSchema } from "@althing/contract";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { makeCertificate, makeRevocationList, privatePemOf } from "../../test/certificate-maker.ts";
import { makePackage, packageUpload, type MadePackage, type PackageToMake } from "../../test/make-package.ts";
import { admin, alice, communityA, communityB, openPackageWorld, type PackageWorld } from "../../test/open-package-world.ts";
import { newPublisherKey } from "../trust/index.ts";

const extension = "org.example.greeter";
const backends = [
  { state: "memory", objects: "memory" },
  { state: "sqlite", objects: "folder" },
] as const;
let world: PackageWorld;
const ref = { community: communityA, install: extensionIdSchema.parse(extension) };
const get = (community = communityA) => world.installs.get(alice, { ...ref, community });
const hexOf = ({ contentHash }: { readonly contentHash: string }) => contentHash.slice("sha256:".length);

async function running(fields: PackageToMake = {}, community = communityA): Promise<MadePackage> {
  const made = await makePackage(fields);
  await world.installs.upload(alice, { community }, packageUpload(made));
  await world.installs.change(alice, { ...ref, community, consent: { contentHash: made.contentHash }, active: true });
  return made;
}

async function call(installs = world.installs, community = communityA): Promise<string> {
  try {
    const install = await installs.active(community, extension);
    if (install === undefined) return "not active";
    await installs.runnable(install);
    return "runs";
  } catch (error) {
    return error instanceof AppError ? error.code : String(error);
  }
}

/** Changes a record of an install behind the product's back. */
async function tamper(edit: (row: Record<string, unknown>) => object): Promise<void> {
  const unchecked = world.raw.collection({ name: "ext-installs", schema: z.record(z.string(), z.unknown()) });
  const row = await unchecked.get([communityA, extension]);
  await unchecked.put([communityA, extension], { ...row?.value, ...edit(row?.value ?? {}) });
}

describe.each(backends)("what runs over $state and $objects", (backend) => {
  beforeEach(async () => {
    world = await openPackageWorld(backend);
  });
  afterEach(() => world.close());

  test("costs two reads of the store a call while nothing changes", async () => {
    await running();
    expect(await call()).toBe("runs");
    world.seen.reads = 0;
    expect(await call()).toBe("runs");
    expect(world.seen.reads).toBeLessThanOrEqual(2);
  });

  test("stops for the very next call when it is deactivated, removed, or held by another node", async () => {
    await running();
    const other = world.another();
    expect(await call(other)).toBe("runs");
    await world.installs.change(alice, { ...ref, active: false });
    expect(await call(other)).toBe("not active");
    await world.installs.change(alice, { ...ref, active: true });
    expect(await call(other)).toBe("runs");
    await world.installs.quarantine((await get()).id, "5 traps in 10 minutes", "Look at the log.");
    expect(await call(other)).toBe("not active");
    await world.installs.remove(alice, { ...ref, data: "keep" });
    expect(await call(other)).toBe("not active");
  });

  test("stops for the very next call when trust or policy changes, and runs again when they change back", async () => {
    const key = newPublisherKey();
    await world.trust.add(admin, { pem: key.publicKeyPem });
    await running({ signer: key });
    const other = world.another();
    expect(await call(other)).toBe("runs");
    await world.trust.remove(admin, { id: key.publisherId });
    expect(await call(other)).toBe("install.blocked");
    expect(await get()).toMatchObject({ state: "active", blocked: { rule: "trust", who: expect.any(String) }, trust: { verified: true } });
    await world.trust.add(admin, { pem: key.publicKeyPem });
    expect(await call(other)).toBe("runs");
    world.setPolicy(communityA, { trust: "trusted_publishers", trustedPublishers: [] });
    expect(await call(other)).toBe("install.blocked");
    expect((await get()).blocked).toMatchObject({ rule: "trustedPublishers", text: expect.stringContaining(key.publisherId) });
    world.setPolicy(communityA, { trust: "trusted_publishers", trustedPublishers: [key.publisherId] });
    expect(await call(other)).toBe("runs");
    world.setInstance({ locks: ["trust", "trustedPublishers"], defaults: { trust: "trusted_publishers" } });
    expect(await call(other)).toBe("install.blocked");
    expect((await get()).blocked?.who).toBe("An admin of the instance");
  });

  test("an unsigned package stops when the community asks for signatures again", async () => {
    world.setInstance({ ceilings: { trust: "allow_unsigned" } });
    world.setPolicy(communityA, { trust: "allow_unsigned" });
    const made = await makePackage();
    await world.installs.upload(alice, { community: communityA }, packageUpload({ ...made, signature: null }));
    await world.installs.change(alice, { ...ref, consent: { contentHash: made.contentHash }, active: true });
    expect(await call()).toBe("runs");
    world.setPolicy(communityA, { trust: "signed_only" });
    expect(await call()).toBe("install.blocked");
    await expect(
      world.installs.change(alice, { ...ref, active: false }).then(() => world.installs.change(alice, { ...ref, active: true })),
    ).rejects.toMatchObject({ code: "install.blocked" });
    const signed = await world.installs.upload(alice, { community: communityA }, packageUpload(made));
    expect(signed).toMatchObject({ state: "inactive", trust: { verified: true } });
    expect(signed.blocked).toBeUndefined();
  });

  test("never runs past the end of its signer's certificate, nor on a list that is past its time", async () => {
    const authority = await makeCertificate({ name: "Authority", isAuthority: true });
    const leaf = await makeCertificate({ name: "Publisher", issuer: authority, notAfter: "2026-11-22T00:00:30Z" });
    const signer = { privateKeyPem: await privatePemOf(leaf.keys), chainPem: leaf.certificate.toString("pem") };
    await world.trust.add(admin, { pem: authority.certificate.toString("pem") });
    await running({ signer });
    world.clock.advance(30_000);
    expect(await call()).toBe("runs");
    world.clock.advance(1);
    expect(await call()).toBe("install.blocked");
    expect((await get()).blocked?.rule).toBe("trust");
    const longer = await makeCertificate({ name: "Publisher", issuer: authority, keys: leaf.keys, notAfter: "2029-01-01" });
    const renewed = await makePackage({ signer: { ...signer, chainPem: longer.certificate.toString("pem") } });
    expect(await world.installs.upload(alice, { community: communityA }, packageUpload(renewed))).toMatchObject({
      state: "active",
      contentHash: renewed.contentHash,
    });
    expect(await call()).toBe("runs");
    await world.trust.add(admin, { pem: await makeRevocationList(authority, [], "2026-11-01", "2026-11-22T00:00:40Z") });
    expect(await call()).toBe("runs");
    world.clock.advance(10_000);
    expect(await call()).toBe("install.blocked");
    await world.trust.add(admin, {
      pem: await makeRevocationList(authority, [longer.certificate.serialNumber], "2026-11-02", "2029-01-01"),
    });
    expect(await call()).toBe("install.blocked");
    expect((await get()).blocked?.text).toContain("revoked");
  });

  describe("altered behind its back", () => {
    test.each([
      ["a flipped bit", (bytes: Uint8Array) => bytes.map((byte, at) => (at === 700 ? byte ^ 1 : byte))],
      ["nothing left", () => null],
      ["another sound bundle", () => Buffer.from("")],
    ])("stored bytes with %s are quarantined in every community, told, and retried in vain until they are whole", async (_what, alter) => {
      const made = await running();
      await running({}, communityB);
      world.altered.set(hexOf(made), alter(await world.objects.get(hexOf(made))));
      await expect(world.installs.bundle(made.contentHash)).rejects.toMatchObject({ code: "ext.integrity", status: 502 });
      for (const community of [communityA, communityB]) {
        expect(await call(world.installs, community)).toBe("not active");
        expect(await get(community)).toMatchObject({
          state: "quarantined",
          quarantine: { reason: expect.any(String), hint: expect.any(String) },
        });
      }
      expect(world.log).toContainEqual({ level: "error", event: "install.quarantined" });
      await expect(world.installs.change(alice, { ...ref, active: true })).rejects.toMatchObject({ code: "install.quarantined" });
      await expect(world.installs.retry(alice, ref)).rejects.toMatchObject({ code: "ext.integrity" });
      world.altered.clear();
      expect(await world.installs.retry(alice, ref)).toMatchObject({ state: "active" });
      expect(await call()).toBe("runs");
      expect(await get(communityB)).toMatchObject({ state: "quarantined" });
    });

    test("bytes that are gone stop a node that never read them", async () => {
      const made = await running();
      world.altered.set(hexOf(made), null);
      expect(await call(world.another())).toBe("ext.integrity");
      expect(await get()).toMatchObject({ state: "quarantined" });
    });

    test("the same upload again repairs what was damaged", async () => {
      const made = await running();
      world.altered.set(hexOf(made), Buffer.from("x"));
      await expect(world.installs.bundle(made.contentHash)).rejects.toMatchObject({ code: "ext.integrity" });
      expect(await world.installs.upload(alice, { community: communityA }, packageUpload(made))).toMatchObject({
        state: "active",
        version: "1.0.0",
      });
      expect(await call()).toBe("runs");
      expect(await world.counts()).toMatchObject({ objects: 2, files: 0 });
    });

    test("a signature file that is gone or exchanged", async () => {
      await running();
      for (const key of world.objectKeys) if ((await world.objects.get(key))[0] === 0x7b) world.altered.set(key, Buffer.from("{}"));
      expect(await call(world.another())).toBe("ext.integrity");
      expect(await get()).toMatchObject({ state: "quarantined" });
    });

    test.each([
      [
        "grants that the bundle does not declare",
        () => ({
          granted: { capabilities: ["rooms.post"], egress: [], events: [], filters: [], jobs: [], publicEndpoints: [], uiHosts: [] },
        }),
      ],
      ["another version", (row: Record<string, unknown>) => ({ current: { ...(row["current"] as object), version: "9.9.9" } })],
    ])("a record with %s", async (_what, edit) => {
      await running();
      await tamper(edit);
      expect(await call()).toBe("ext.integrity");
      expect(await get()).toMatchObject({ state: "quarantined" });
    });

    test("a record that names another package's bundle", async () => {
      await running();
      const other = await makePackage({ name: "org.example.other" });
      await world.installs.upload(alice, { community: communityA }, packageUpload(other));
      await tamper((row) => ({ current: { ...(row["current"] as object), contentHash: other.contentHash } }));
      expect(await call()).toBe("ext.integrity");
    });

    test("a record that names another signature", async () => {
      await running();
      const other = await makePackage({ name: "org.example.other" });
      await world.installs.upload(alice, { community: communityA }, packageUpload(other));
      const rows = await world.rowsOf("ext-installs");
      const theirs = rows.find(({ key }) => key[1] === other.name)?.value["current"] as { signature: string };
      await tamper((row) => ({ current: { ...(row["current"] as object), signature: theirs.signature } }));
      expect(await call()).toBe("ext.integrity");
      expect(await get()).toMatchObject({ state: "quarantined", quarantine: { reason: expect.stringContaining("content") } });
    });

    test("bytes exchanged between install and activation, between upgrade and consent", async () => {
      const made = await makePackage();
      await world.installs.upload(alice, { community: communityA }, packageUpload(made));
      world.altered.set(hexOf(made), Buffer.from("x"));
      const start = () => world.installs.change(alice, { ...ref, consent: { contentHash: made.contentHash }, active: true });
      await expect(start()).rejects.toMatchObject({ code: "ext.integrity" });
      expect(await get()).toMatchObject({ state: "quarantined" });
      world.altered.clear();
      await world.installs.retry(alice, ref);
      await start();
      const more = await makePackage({ version: "2.0.0", capabilities: [{ name: "storage.kv", reason: "r" }] });
      await world.installs.upload(alice, { community: communityA }, packageUpload(more));
      world.altered.set(hexOf(more), Buffer.from("x"));
      await expect(world.installs.change(alice, { ...ref, consent: { contentHash: more.contentHash } })).rejects.toMatchObject({
        code: "ext.integrity",
      });
      expect(await get()).toMatchObject({ version: "1.0.0", state: "active" });
      expect(await call()).toBe("runs");
    });

    test("bytes exchanged while the component is prepared", async () => {
      const made = await makePackage();
      const { objects } = world;
      const put = objects.put.bind(objects);
      objects.put = async (key, bytes) => {
        const done = await put(key, bytes);
        if (key === hexOf(made)) world.altered.set(key, Buffer.from("x"));
        return done;
      };
      await expect(world.installs.upload(alice, { community: communityA }, packageUpload(made))).rejects.toMatchObject({
        code: "ext.integrity",
      });
      expect(await world.counts()).toEqual({ rows: {}, objects: 0, files: 0 });
    });
  });

  test("an upgrade or a rollback ends a quarantine; a quarantine keeps whether it was running", async () => {
    const made = await running();
    await world.installs.quarantine((await get()).id, "5 traps", "hint");
    await world.installs.quarantine((await get()).id, "again", "hint");
    expect((await get()).quarantine?.reason).toBe("5 traps");
    expect(
      await world.installs.upload(alice, { community: communityA }, packageUpload(await makePackage({ version: "1.0.1" }))),
    ).toMatchObject({ state: "active", version: "1.0.1" });
    await world.installs.quarantine((await get()).id, "5 traps", "hint");
    expect(await world.installs.rollback(alice, { ...ref, contentHash: made.contentHash })).toMatchObject({
      state: "active",
      version: "1.0.0",
    });
    await world.installs.quarantine("01ARZ3NDEKTSV4RRFFQ69G5FZZ", "x", "y");
    expect(await call()).toBe("runs");
  });
});

test("a bit that the disk changed is found like any other", async () => {
  world = await openPackageWorld({ state: "sqlite", objects: "folder" });
  const made = await running();
  const file = join(world.dir.path, "objects", hexOf(made).slice(0, 2), hexOf(made));
  const bytes = readFileSync(file);
  bytes[600] = (bytes[600] ?? 0) ^ 4;
  writeFileSync(file, bytes);
  await expect(world.installs.bundle(made.contentHash)).rejects.toMatchObject({ code: "ext.integrity" });
  expect(await call()).toBe("not active");
  expect(readdirSync(join(world.dir.path, "objects", "staging"))).toEqual([]);
  await world.close();
});
