import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makePackage } from "../../test/make-package.ts";
import { backends, extension, kv, ref, settings, stepsOf } from "../../test/open-install-steps.ts";
import { alice, communityA, communityB, openPackageWorld, type PackageWorld } from "../../test/open-package-world.ts";
import { noGrants } from "./grants.ts";
import { createInstalls } from "./index.ts";

let world: PackageWorld;
const { upload, change, consentAndStart, get, active, running } = stepsOf(() => world);

describe.each(backends)("removals over $state and $objects", (backend) => {
  beforeEach(async () => {
    world = await openPackageWorld(backend);
  });
  afterEach(() => world.close());

  describe("removing", () => {
    const data = async () => ({ community: communityA, extension: (await get()).extension });

    test("keeps data for the next install, which is consented to anew", async () => {
      const made = await makePackage({ capabilities: [kv], settings });
      await upload(made);
      await change({ settings: { limit: 9 }, consent: { contentHash: made.contentHash }, active: true });
      const scope = await data();
      await world.kv.put(scope, { key: "k", value: new Uint8Array([118]), quotaBytes: 1_000 });
      await change({ secrets: { a: { value: "x", hosts: [] } } });
      const before = await get();
      await world.installs.remove(alice, { ...ref, data: "keep" });
      await expect(get()).rejects.toMatchObject({ code: "install.not_found" });
      expect(await world.installs.active(communityA, extension)).toBeUndefined();
      expect(await world.counts()).toMatchObject({ objects: 0, rows: { "ext-kept": 1, "ext-secrets": 1, "ext-kv": 1 } });
      const again = await upload(made);
      expect(again).toMatchObject({
        id: before.id,
        state: "installed",
        granted: noGrants,
        settings: before.settings,
        secrets: [{ name: "a" }],
      });
      expect((await world.kv.get(scope, "k"))?.value).toEqual(new Uint8Array([118]));
      expect((await world.counts()).rows["ext-kept"]).toBeUndefined();
    });

    test("purges every record of it and nothing of another community's", async () => {
      const made = await running({ capabilities: [kv] });
      await upload(made, communityB);
      const scope = await data();
      for (const community of [communityA, communityB]) {
        await world.kv.put({ ...scope, community }, { key: "k", value: new Uint8Array([118]), quotaBytes: 1_000 });
        await world.vault.put({ ...scope, community }, "a", { value: "x", hosts: [] });
      }
      await world.installs.remove(alice, { ...ref, data: "purge" });
      const { rows } = await world.counts();
      expect(rows).toMatchObject({ "ext-kv": 1, "ext-secrets": 1, "ext-installs": 1, "ext-install-versions": 1 });
      expect(rows["ext-kept"]).toBeUndefined();
      const text = JSON.stringify(
        await Promise.all(
          ["ext-installs", "ext-install-versions", "ext-object-refs", "ext-kv", "ext-secrets", "ext-install-ids"].map((name) =>
            world.rowsOf(name),
          ),
        ),
      );
      expect(text).not.toContain(communityA);
    });

    test("that is slow takes nothing from an install that came after, on another node", async () => {
      const made = await running();
      const slow = Promise.withResolvers<void>();
      const reached = Promise.withResolvers<void>();
      let batches = 0;
      const store = {
        ...world.store,
        async batch(...args: Parameters<typeof world.store.batch>) {
          batches += 1;
          // The first behind the commit that took the install away.
          if (batches === 1) {
            reached.resolve();
            await slow.promise;
          }
          return world.store.batch(...args);
        },
      };
      const removing = createInstalls({ ...world.deps, store }).remove(alice, { ...ref, data: "purge" });
      await reached.promise;
      await upload(made);
      await consentAndStart(made);
      const before = await world.counts();
      slow.resolve();
      await removing;
      expect(await world.counts()).toEqual(before);
      expect((await world.installs.versions(alice, ref)).versions).toHaveLength(1);
      expect(await active()).toMatchObject({ contentHash: made.contentHash });
    });

    test("that is broken off is ended by the sweep or by the next install", async () => {
      const made = await running();
      const scope = await data();
      await world.kv.put(scope, { key: "k", value: new Uint8Array([118]), quotaBytes: 1_000 });
      const { purge } = world.deps;
      const kill = new Error("killed");
      const broken = { ...world.deps, purge: [() => Promise.reject(kill), ...purge] };
      await expect(createInstalls(broken).remove(alice, { ...ref, data: "purge" })).rejects.toBe(kill);
      expect(await world.installs.active(communityA, extension)).toBeUndefined();
      expect((await world.counts()).rows).toMatchObject({ "ext-kept": 1, "ext-kv": 1 });
      await world.another().sweep();
      expect(await world.counts()).toMatchObject({ objects: 0 });
      expect((await world.counts()).rows).not.toHaveProperty("ext-kv");
      expect((await world.counts()).rows).not.toHaveProperty("ext-kept");
      const fresh = await upload(made);
      await world.kv.put(scope, { key: "k", value: new Uint8Array([118]), quotaBytes: 1_000 });
      await expect(createInstalls(broken).remove(alice, { ...ref, data: "purge" })).rejects.toBe(kill);
      expect((await upload(made)).id).not.toBe(fresh.id);
      expect(await world.kv.get(scope, "k")).toBeUndefined();
    });
  });
});
