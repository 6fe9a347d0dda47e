import { AppError, limits, type PluginPolicyChange } from "@althing/contract";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { componentBytes, makePackage, multipartBytes, packageUpload, uploadOf } from "../../test/make-package.ts";
import { backends, extension, fetches, kv, ref, stepsOf } from "../../test/open-install-steps.ts";
import { admin, alice, bob, communityA, communityB, openPackageWorld, type PackageWorld } from "../../test/open-package-world.ts";
import { newPublisherKey } from "../trust/index.ts";
import { noGrants } from "./grants.ts";

let world: PackageWorld;
const { upload, change, get, active, running, together } = stepsOf(() => world);

describe.each(backends)("what comes in over $state and $objects", (backend) => {
  beforeEach(async () => {
    world = await openPackageWorld(backend);
  });
  afterEach(() => world.close());

  describe("a new package", () => {
    test("is not active and has no grants until somebody consents to what was shown", async () => {
      const made = await makePackage({ capabilities: [kv] });
      const install = await upload(made);
      expect(install).toMatchObject({
        state: "installed",
        granted: noGrants,
        declared: { capabilities: ["storage.kv"] },
        source: { kind: "upload" },
      });
      expect(install).toMatchObject({ displayName: "Greeter", trust: { verified: true }, settings: {}, secrets: [] });
      expect(install.blocked).toBeUndefined();
      expect(await active()).toBeUndefined();
      await expect(change({ active: true })).rejects.toMatchObject({ code: "install.needs_consent", status: 409 });
      const other = `sha256:${"0".repeat(64)}`;
      await expect(change({ consent: { contentHash: other } })).rejects.toMatchObject({ code: "install.consent_stale" });
      expect(await change({ consent: { contentHash: made.contentHash } })).toMatchObject({
        state: "inactive",
        granted: { capabilities: ["storage.kv"] },
      });
      expect(await change({ active: true })).toMatchObject({ state: "active" });
      expect(await active()).toMatchObject({
        extension,
        version: "1.0.0",
        contentHash: made.contentHash,
        granted: { capabilities: ["storage.kv"] },
      });
      expect(await change({ active: false })).toMatchObject({ state: "inactive" });
      expect(await active()).toBeUndefined();
      expect(world.runner.prepared).toContain(made.contentHash);
    });

    test("is granted what an admin grants of it, and never more than it declares", async () => {
      const egress = [
        { host: "*.example.org", reason: "r" },
        { host: "example.net", reason: "r" },
      ];
      const made = await makePackage({
        capabilities: [kv, fetches],
        egress,
        events: ["polls.*"],
        endpoints: [{ method: "GET", path: "/open", public: true }],
      });
      await upload(made);
      const consent = (grant: object) => change({ consent: { contentHash: made.contentHash, grant } });
      for (const beyond of [
        { capabilities: ["rooms.post"] },
        { egress: ["evil.example"] },
        { egress: ["example.org"] },
        { egress: ["*"] },
        { events: ["votes.cast"] },
        { publicEndpoints: ["POST /open"] },
        { jobs: ["x"] },
        { egress: ["*.a*.example.org"] },
      ])
        await expect(consent(beyond)).rejects.toMatchObject({ code: "install.grant_beyond_declared", status: 422 });
      expect(
        await consent({ capabilities: ["http.fetch"], egress: ["api.example.org"], events: ["polls.closed"], publicEndpoints: [] }),
      ).toMatchObject({
        granted: { capabilities: ["http.fetch"], egress: ["api.example.org"], events: ["polls.closed"], publicEndpoints: [] },
      });
      expect(await consent({ capabilities: [] })).toMatchObject({
        granted: { capabilities: [], egress: ["*.example.org", "example.net"] },
      });
    });

    test("leaves nothing that another community sees", async () => {
      await running();
      expect(await world.installs.active(communityB, extension)).toBeUndefined();
      const mine = await get();
      await expect(world.installs.get(alice, { community: communityB, install: mine.id })).rejects.toMatchObject({
        code: "install.not_found",
      });
      expect((await world.installs.list(alice, { community: communityB, limit: 10 })).packages).toEqual([]);
      expect(await world.installs.get(alice, { community: communityA, install: mine.id })).toEqual(mine);
    });

    test("is refused again while it is there, and concurrent installs make one row", async () => {
      const made = await makePackage();
      const outcomes = await together(5, () => [1, 2, 3, 4, 5].map(() => upload(made)));
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      for (const outcome of outcomes)
        if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "install.exists", status: 409 });
      expect(await world.counts()).toEqual({
        rows: {
          "ext-names": 1,
          "ext-object-refs": 3,
          "ext-installs": 1,
          "ext-install-ids": 1,
          "ext-install-counts": 1,
          "ext-install-versions": 1,
        },
        objects: 2,
        files: 0,
      });
    });

    test("shares its bytes with other communities, and they stay until the last lets go", async () => {
      const made = await makePackage();
      await Promise.all([upload(made), upload(made, communityB)]);
      expect(await world.counts()).toMatchObject({ objects: 2 });
      await world.installs.remove(alice, { ...ref, data: "purge" });
      expect(await world.counts()).toMatchObject({ objects: 2 });
      await world.installs.remove(alice, { ...ref, community: communityB, data: "purge" });
      expect(await world.counts()).toEqual({ rows: { "ext-names": 1, "ext-install-counts": 2 }, objects: 0, files: 0 });
    });
  });

  describe("what is refused", () => {
    const stranger = newPublisherKey();
    const policy = (values: PluginPolicyChange) => world.setPolicy(communityA, values);
    const cases: readonly (readonly [string, string, number, () => Promise<unknown>])[] = [
      [
        "uploads are not allowed",
        "policy.upload_forbidden",
        403,
        async () => (policy({ installSources: ["registry"] }), upload(await makePackage())),
      ],
      [
        "registries are not allowed",
        "policy.registry_forbidden",
        403,
        async () => (
          policy({ installSources: ["upload"] }),
          world.installs.installRegistry(alice, { community: communityA, url: "https://registry.example.org/index.json" })
        ),
      ],
      [
        "the host is not on the list",
        "policy.host_not_allowed",
        403,
        () => world.installs.installRegistry(alice, { community: communityA, url: "https://registry.example.org/index.json" }),
      ],
      [
        "the address is none that is fetched",
        "fetch.url_forbidden",
        422,
        () => world.installs.installRegistry(alice, { community: communityA, url: "http://registry.example.org/index.json" }),
      ],
      [
        "there is no signature",
        "trust.unsigned",
        422,
        async () => world.installs.upload(alice, { community: communityA }, packageUpload({ ...(await makePackage()), signature: null })),
      ],
      ["nobody trusts the signer", "trust.untrusted_signer", 422, async () => upload(await makePackage({ signer: stranger }))],
      [
        "the publisher is not listed",
        "policy.publisher_not_trusted",
        422,
        async () => (policy({ trust: "trusted_publishers" }), upload(await makePackage())),
      ],
      [
        "the signature is for other bytes",
        "trust.content_mismatch",
        422,
        async () => upload({ ...(await makePackage()), signature: (await makePackage({ version: "1.0.1" })).signature }),
      ],
      ["the signature cannot be read", "trust.malformed", 422, async () => upload({ ...(await makePackage()), signature: "no" })],
      ["the manifest has faults", "manifest.invalid", 422, async () => upload(await makePackage({ homepage: "http://x" }))],
      [
        "the archive has faults",
        "bundle.malformed",
        422,
        () => world.installs.upload(alice, { community: communityA }, uploadOf(multipartBytes([{ name: "bundle", bytes: "x" }]))),
      ],
      [
        "the upload has faults",
        "upload.malformed",
        400,
        () => world.installs.upload(alice, { community: communityA }, uploadOf(multipartBytes([{ name: "x", bytes: "x" }]))),
      ],
      ["the engine is newer", "install.engine_unsupported", 422, async () => upload(await makePackage({ engine: ">=2" }))],
      [
        "the component is refused",
        "component.refused",
        422,
        async () => {
          world.runner.refuse = new AppError("component.refused", { rule: "name", detail: "x" });
          return upload(await makePackage());
        },
      ],
      [
        "the runner is down",
        "ext.unavailable",
        503,
        async () => {
          world.runner.refuse = new AppError("ext.unavailable", { detail: "x" });
          return upload(await makePackage());
        },
      ],
      [
        "the caller may not",
        "auth.forbidden",
        403,
        async () => world.installs.upload(bob, { community: communityA }, packageUpload(await makePackage())),
      ],
      [
        "there is no such community",
        "community.not_found",
        404,
        async () => upload(await makePackage(), "01ARZ3NDEKTSV4RRFFQ69G5FAC" as typeof communityA),
      ],
      ["If-Match names a revision of nothing", "request.precondition_failed", 412, async () => upload(await makePackage(), communityA, 7)],
      [
        "there is no such package in the own registry",
        "registry.not_found",
        404,
        () => world.installs.installRegistry(alice, { community: communityA, url: `registry:${extension}` }),
      ],
    ];
    test.each(cases)("because %s (%s), leaves no row, object or file", async (_why, code, status, work) => {
      const before = await world.counts();
      await expect(work()).rejects.toMatchObject({ code, status });
      expect(await world.counts()).toEqual(before);
    });

    test("the same version with other bytes, installed or published", async () => {
      await running();
      const other = await makePackage({ component: Uint8Array.from([...componentBytes, 0, 2, 1, 9]) });
      await expect(upload(other)).rejects.toMatchObject({ code: "registry.version_exists", status: 409 });
      await expect(world.registry.publish(alice, packageUpload(other))).resolves.toMatchObject({ version: "1.0.0" });
      await expect(upload(await makePackage(), communityB)).rejects.toMatchObject({ code: "registry.version_exists" });
    });

    test("another signer of a name that is taken, also for an unsigned package", async () => {
      const rival = newPublisherKey();
      await world.trust.add(admin, { pem: rival.publicKeyPem });
      await running();
      await expect(upload(await makePackage({ signer: rival, version: "1.0.1" }), communityB)).rejects.toMatchObject({
        code: "registry.name_bound",
      });
      world.setInstance({ ceilings: { trust: "allow_unsigned" } });
      world.setPolicy(communityB, { trust: "allow_unsigned" });
      const unsigned = { ...(await makePackage({ version: "1.0.1" })), signature: null };
      await expect(world.installs.upload(alice, { community: communityB }, packageUpload(unsigned))).rejects.toMatchObject({
        code: "registry.name_bound",
      });
      const free = await makePackage({ name: "org.example.free" });
      expect(await world.installs.upload(alice, { community: communityB }, packageUpload({ ...free, signature: null }))).toMatchObject({
        trust: { required: false, verified: false, reason: { code: "trust.unsigned" } },
      });
    });

    test("more packages than a community may have, exactly", async () => {
      const counts = world.raw.collection({ name: "ext-install-counts", schema: z.object({ count: z.number() }) });
      await counts.put([communityA], { count: limits.installsPerCommunityMax - 1 });
      const [one, two] = await Promise.all([makePackage({ name: "org.example.one" }), makePackage({ name: "org.example.two" })]);
      const outcomes = await together(2, () => [upload(one), upload(two)]);
      expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
      expect(outcomes.find(({ status }) => status === "rejected")).toMatchObject({ reason: { code: "install.too_many", status: 409 } });
      expect((await world.counts()).objects).toBe(2);
    });
  });
});
