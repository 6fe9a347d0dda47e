import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makePackage } from "../../test/make-package.ts";
import { backends, fetches, hexOf, kv, ref, settings, stepsOf } from "../../test/open-install-steps.ts";
import { admin, alice, communityA, openPackageWorld, type PackageWorld } from "../../test/open-package-world.ts";
import { newPublisherKey } from "../trust/index.ts";
import { noGrants } from "./grants.ts";

let world: PackageWorld;
const { upload, change, get, active, running } = stepsOf(() => world);

describe.each(backends)("upgrades over $state and $objects", (backend) => {
  beforeEach(async () => {
    world = await openPackageWorld(backend);
  });
  afterEach(() => world.close());

  test("who installed it can have their name taken out; it runs on", async () => {
    await running({ capabilities: [kv] });
    await upload(await makePackage({ version: "1.1.0", capabilities: [kv] }));
    const { createdBy } = await get();
    if (createdBy === null) throw new TypeError("nobody installed it");
    const everything = async () => JSON.stringify([await get(), await world.installs.versions(alice, ref)]);
    expect(await everything()).toContain(createdBy);
    await world.installs.erase(communityA, createdBy);
    await world.installs.erase(communityA, createdBy);
    expect(await everything()).not.toContain(createdBy);
    expect((await active())?.version).toBe("1.1.0");
  });

  describe("an upgrade", () => {
    test("that declares the same or less runs at once, with what was granted and is still declared", async () => {
      await upload(await makePackage({ capabilities: [kv, fetches], egress: [{ host: "*.example.org", reason: "r" }] }));
      const first = await get();
      await change({ consent: { contentHash: first.contentHash, grant: { capabilities: ["http.fetch"] } }, active: true });
      const next = await makePackage({ version: "1.1.0", capabilities: [kv, fetches], egress: [{ host: "api.example.org", reason: "r" }] });
      expect(await upload(next)).toMatchObject({
        state: "active",
        version: "1.1.0",
        granted: { capabilities: ["http.fetch"], egress: ["api.example.org"] },
      });
      expect((await active())?.contentHash).toBe(next.contentHash);
      expect(await upload(await makePackage({ version: "1.2.0" }))).toMatchObject({ state: "active", granted: noGrants });
    });

    test("that declares more waits with the diff while the old version runs; consent is for exactly what was shown", async () => {
      const old = await running({ capabilities: [kv], events: ["polls.*"] });
      const more = await makePackage({
        version: "2.0.0",
        capabilities: [kv, fetches],
        egress: [{ host: "example.org", reason: "r" }],
        events: ["polls.closed"],
      });
      const waiting = await upload(more);
      expect(waiting).toMatchObject({ state: "active", version: "1.0.0", pending: { version: "2.0.0", contentHash: more.contentHash } });
      expect(waiting.pending?.diff).toMatchObject({
        addsNothing: false,
        added: { capabilities: ["http.fetch"], egress: ["example.org"], events: [] },
        removed: { events: ["polls.*"] },
      });
      expect((await active())?.contentHash).toBe(old.contentHash);
      const rows = await world.counts();
      expect(await upload(more)).toEqual(waiting);
      expect(await world.counts()).toEqual(rows);
      const evenMore = await makePackage({ version: "3.0.0", capabilities: [kv, fetches, { name: "metrics", reason: "r" }] });
      expect((await upload(evenMore)).pending?.version).toBe("3.0.0");
      expect((await world.counts()).objects).toBe(4);
      await expect(change({ consent: { contentHash: more.contentHash } })).rejects.toMatchObject({
        code: "install.consent_stale",
        params: { observed: evenMore.contentHash },
      });
      await expect(change({ consent: { contentHash: old.contentHash } })).rejects.toMatchObject({ code: "install.consent_stale" });
      const accepted = await change({ consent: { contentHash: evenMore.contentHash } });
      expect(accepted).toMatchObject({
        state: "active",
        version: "3.0.0",
        granted: { capabilities: ["storage.kv", "http.fetch", "metrics"] },
      });
      expect(accepted.pending).toBeUndefined();
      expect((await active())?.contentHash).toBe(evenMore.contentHash);
    });

    test("of a package that stands still awaits consent as its state; the old version can be started meanwhile", async () => {
      await running();
      await change({ active: false });
      const more = await makePackage({ version: "2.0.0", capabilities: [kv] });
      expect(await upload(more)).toMatchObject({ state: "awaiting-consent", version: "1.0.0" });
      expect(await change({ active: true })).toMatchObject({ state: "active", version: "1.0.0", pending: { version: "2.0.0" } });
      await change({ active: false });
      expect(await change({ consent: { contentHash: more.contentHash } })).toMatchObject({ state: "inactive", version: "2.0.0" });
    });

    test("of a package nobody consented to takes its place", async () => {
      await upload(await makePackage());
      expect(await upload(await makePackage({ version: "2.0.0", capabilities: [kv] }))).toMatchObject({
        state: "installed",
        version: "2.0.0",
        granted: noGrants,
      });
    });

    test("whose signer is distrusted before the consent is not taken", async () => {
      const key = newPublisherKey();
      await world.trust.add(admin, { pem: key.publicKeyPem });
      const old = await running({ signer: key });
      const more = await makePackage({ signer: key, version: "2.0.0", capabilities: [kv] });
      await upload(more);
      await world.trust.remove(admin, { id: key.publisherId });
      await expect(change({ consent: { contentHash: more.contentHash } })).rejects.toMatchObject({ code: "install.blocked" });
      expect(await get()).toMatchObject({ contentHash: old.contentHash, blocked: { rule: "trust" } });
    });
  });

  describe("a rollback", () => {
    test("is one call, and restores version, grants and settings", async () => {
      const old = await running({
        capabilities: [kv],
        settings: { type: "object", properties: { greeting: settings.properties.greeting } },
      });
      await change({ settings: { greeting: "Hail" } });
      const next = await makePackage({
        version: "1.1.0",
        settings: { type: "object", properties: { greeting: settings.properties.greeting, loud: { type: "boolean", default: true } } },
      });
      expect(await upload(next)).toMatchObject({ settings: { greeting: "Hail", loud: true }, granted: noGrants });
      await change({ settings: { greeting: "Hey", loud: false } });
      const { versions } = await world.installs.versions(alice, ref);
      expect(new Set(versions.map(({ version }) => version))).toEqual(new Set(["1.0.0", "1.1.0"]));
      expect(await world.installs.rollback(alice, { ...ref, contentHash: old.contentHash })).toMatchObject({
        state: "active",
        version: "1.0.0",
        settings: { greeting: "Hail" },
        granted: { capabilities: ["storage.kv"] },
      });
      expect((await active())?.settings).toBe('{"greeting":"Hail"}');
      expect(await world.installs.rollback(alice, { ...ref, contentHash: next.contentHash })).toMatchObject({
        version: "1.1.0",
        settings: { greeting: "Hey", loud: false },
      });
    });

    test("to the version that runs gives a waiting upgrade up", async () => {
      const old = await running();
      const more = await makePackage({ version: "2.0.0", capabilities: [kv] });
      await upload(more);
      const back = await world.installs.rollback(alice, { ...ref, contentHash: old.contentHash });
      expect(back.pending).toBeUndefined();
      expect(back).toMatchObject({ state: "active", version: "1.0.0" });
      expect((await world.counts()).objects).toBe(2);
    });

    test("goes nowhere it never was, to nothing that is gone or altered, and to no signer that is distrusted", async () => {
      const key = newPublisherKey();
      await world.trust.add(admin, { pem: key.publicKeyPem });
      const old = await running({ signer: key });
      const next = await makePackage({ version: "1.1.0", signer: key });
      await upload(next);
      const back = (contentHash: string) => world.installs.rollback(alice, { ...ref, contentHash });
      await expect(back(`sha256:${"0".repeat(64)}`)).rejects.toMatchObject({ code: "install.version_not_found", status: 404 });
      world.altered.set(hexOf(old), null);
      await expect(back(old.contentHash)).rejects.toMatchObject({ code: "install.version_not_found" });
      world.altered.set(hexOf(old), Buffer.from("other bytes"));
      await expect(back(old.contentHash)).rejects.toMatchObject({ code: "install.version_not_found" });
      world.altered.clear();
      await world.trust.remove(admin, { id: key.publisherId });
      await expect(back(old.contentHash)).rejects.toMatchObject({ code: "trust.untrusted_signer" });
      expect((await get()).version).toBe("1.1.0");
    });
  });
});
