import { AppError, limits } from "@althing/contract";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makePackage } from "../../test/make-package.ts";
import { backends, ref, settings, stepsOf } from "../../test/open-install-steps.ts";
import { alice, communityA, openPackageWorld, type PackageWorld } from "../../test/open-package-world.ts";

let world: PackageWorld;
const { upload, change, consentAndStart, get, active, running } = stepsOf(() => world);

describe.each(backends)("changes over $state and $objects", (backend) => {
  beforeEach(async () => {
    world = await openPackageWorld(backend);
  });
  afterEach(() => world.close());

  describe("settings", () => {
    const faultsOf = async (work: Promise<unknown>) => {
      const error = await work.then(
        () => undefined,
        (e: unknown) => e,
      );
      expect(error).toMatchObject({ code: "settings.invalid", status: 422 });
      return error instanceof AppError ? error.faults.map(({ path }) => path).toSorted() : [];
    };

    test("are held to the schema with every fault named, and defaults fill the rest", async () => {
      const made = await makePackage({ settings });
      expect((await upload(made)).settings).toEqual({ greeting: "Hello" });
      expect(await faultsOf(change({ settings: { greeting: "x".repeat(21), limit: 0, extra: 1 } }))).toEqual([
        "extra",
        "greeting",
        "limit",
      ]);
      expect(await faultsOf(change({ settings: {} }))).toEqual(["limit"]);
      expect(await faultsOf(change({ settings: JSON.parse('{"__proto__": {"limit": 1}, "constructor": 1}') }))).toContain("constructor");
      expect(await faultsOf(consentAndStart(made))).toEqual(["limit"]);
      expect((await change({ settings: { limit: 3 }, consent: { contentHash: made.contentHash }, active: true })).settings).toEqual({
        greeting: "Hello",
        limit: 3,
      });
      expect((await active())?.settings).toBe('{"limit":3,"greeting":"Hello"}');
    });

    test("that are secret go to the vault and never into a record of the install", async () => {
      const made = await makePackage({ settings: { ...settings, required: ["token"] } });
      await upload(made);
      expect(await faultsOf(change({ settings: {} }))).toEqual(["token"]);
      const shown = await change({ settings: { token: "s3cr3t-value" } });
      expect(shown.settings).toEqual({ greeting: "Hello" });
      expect(shown.secrets).toEqual([{ name: "token", setAt: expect.any(String), hosts: [] }]);
      expect(await world.vault.open({ community: communityA, extension: shown.extension }, "token")).toEqual({
        value: "s3cr3t-value",
        hosts: [],
      });
      for (const name of ["ext-installs", "ext-install-versions", "ext-secrets"])
        expect(JSON.stringify(await world.rowsOf(name))).not.toContain("s3cr3t");
      await change({ secrets: { token: { value: "new", hosts: ["api.example.org"] } } });
      await change({ settings: { token: "newer" } });
      expect(await world.vault.open({ community: communityA, extension: shown.extension }, "token")).toEqual({
        value: "newer",
        hosts: ["api.example.org"],
      });
      await change({ secrets: { token: null } });
      expect((await get()).secrets).toEqual([]);
      expect(await faultsOf(consentAndStart(made))).toEqual(["token"]);
      expect(
        await faultsOf(
          change({
            secrets: {
              "a-b": { value: "x", hosts: [] },
              ok: { value: "x", hosts: ["*"] },
              big: { value: "x".repeat(limits.secretMaxBytes + 1), hosts: [] },
            },
          }),
        ),
      ).toEqual(["secrets.a-b", "secrets.big", "secrets.ok.hosts"]);
      expect((await get()).secrets).toEqual([]);
    });

    test("number of secrets is bounded", async () => {
      await upload(await makePackage());
      const many = (count: number, from = 0) =>
        Object.fromEntries(Array.from({ length: count }, (_, i) => [`s${from + i}`, { value: "x", hosts: [] }]));
      await change({ secrets: many(limits.secretsPerInstallMax) });
      await expect(change({ secrets: many(1, 100) })).rejects.toMatchObject({ code: "secret.too_many", status: 409 });
      expect((await change({ secrets: { s0: null, ...many(1, 100) } })).secrets).toHaveLength(limits.secretsPerInstallMax);
    });

    test("need their own permission, and nothing more does", async () => {
      const made = await makePackage();
      await upload(made);
      world.deny(alice, communityA, "plugins.packages.manage");
      await expect(change({ settings: {} })).resolves.toBeDefined();
      await expect(consentAndStart(made)).rejects.toMatchObject({
        code: "auth.forbidden",
        params: { permission: "plugins.packages.manage" },
      });
      world.deny(alice, communityA, "plugins.settings.manage");
      await expect(change({ secrets: { a: { value: "x", hosts: [] } } })).rejects.toMatchObject({
        code: "auth.forbidden",
        params: { permission: "plugins.settings.manage" },
      });
    });
  });

  describe("If-Match and races", () => {
    test("a change names its revision or is refused, and one of two with the same revision wins", async () => {
      const made = await makePackage({ settings });
      const { revision } = await upload(made);
      await expect(change({ settings: { limit: 1 } }, revision + 1)).rejects.toMatchObject({
        code: "request.precondition_failed",
        status: 412,
      });
      const outcomes = await Promise.allSettled([1, 2, 3, 4].map((limit) => change({ settings: { limit } }, revision)));
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      const secrets = { a: { value: "x", hosts: [] } };
      await expect(change({ secrets }, revision)).rejects.toMatchObject({ code: "request.precondition_failed" });
      expect((await get()).secrets).toEqual([]);
    });

    test("a double click does no harm", async () => {
      const made = await makePackage();
      await upload(made);
      const both = await Promise.all([consentAndStart(made), consentAndStart(made)]);
      expect(both.map(({ state }) => state)).toEqual(["active", "active"]);
      await Promise.all([change({ active: false }), change({ active: false })]);
      const gone = await Promise.allSettled([1, 2].map(() => world.installs.remove(alice, { ...ref, data: "purge" })));
      expect(gone.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
      expect(await world.counts()).toMatchObject({ objects: 0 });
    });

    test("two upgrades at once leave one current version and every byte that is needed", async () => {
      await running();
      const upgrades = await Promise.all(["1.1.0", "1.2.0", "1.3.0"].map((version) => makePackage({ version })));
      await Promise.all(upgrades.map((made) => upload(made)));
      const { versions } = await world.installs.versions(alice, ref);
      expect(versions).toHaveLength(4);
      for (const { contentHash } of versions) await world.installs.rollback(alice, { ...ref, contentHash });
      expect(await world.counts()).toMatchObject({ objects: 8, files: 0, rows: { "ext-installs": 1 } });
    });
  });
});
