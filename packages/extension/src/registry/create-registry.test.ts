import { AppError, extensionIdSchema } from "@althing/contract";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { componentBytes, makePackage, multipartBytes, packageUpload, uploadOf, type MadePackage } from "../../test/make-package.ts";
import { admin, alice, bob, callerOf, openPackageWorld, type PackageWorld } from "../../test/open-package-world.ts";
import { bundleFile } from "../bundle/index.ts";
import { newPublisherKey } from "../trust/index.ts";

const backends = [
  { state: "memory", objects: "memory" },
  { state: "sqlite", objects: "folder" },
] as const;
let world: PackageWorld;
const publish = (made: MadePackage, caller = alice) => world.registry.publish(caller, packageUpload(made));
const name = extensionIdSchema.parse("org.example.greeter");

describe.each(backends)("the registry over $state and $objects", (backend) => {
  beforeEach(async () => {
    world = await openPackageWorld(backend);
  });
  afterEach(() => world.close());

  test("publishes a signed bundle, and the same bytes again are the same version", async () => {
    const made = await makePackage({ files: [bundleFile("sbom.json", "{}")] });
    const first = await publish(made);
    expect(first).toMatchObject({
      name,
      version: "1.0.0",
      contentHash: made.contentHash,
      sbom: true,
      source: "publish",
      publishedBy: alice.endpoint,
    });
    expect(first.trust).toMatchObject({ required: true, verified: true, signer: { kind: "key" } });
    const before = await world.counts();
    expect(before).toMatchObject({ objects: 2, files: 0 });
    expect(await publish(made, callerOf("d"))).toEqual(first);
    expect(await world.counts()).toEqual(before);
    expect(await world.registry.version(bob, { name: first.name, version: "1.0.0" })).toMatchObject({
      manifest: { displayName: "Greeter" },
    });
  });

  test("of many publishers of one version with different bytes exactly one wins", async () => {
    const many = await Promise.all(
      [1, 2, 3, 4, 5].map((n) => makePackage({ component: Uint8Array.from([...componentBytes, 0, 2, 1, n]) })),
    );
    const outcomes = await Promise.allSettled(many.map((made) => publish(made)));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const outcome of outcomes)
      if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "registry.version_exists", status: 409 });
    expect(await world.counts()).toMatchObject({
      objects: 2,
      files: 0,
      rows: { "ext-versions": 1, "ext-packages": 1, "ext-names": 1, "ext-object-refs": 2 },
    });
  });

  test("of many publishers of the same bytes all succeed and there is one version", async () => {
    const made = await makePackage();
    const outcomes = await Promise.all([1, 2, 3, 4].map(() => publish(made)));
    expect(new Set(outcomes.map(({ publishedAt }) => publishedAt)).size).toBe(1);
    expect(await world.counts()).toMatchObject({ objects: 2, rows: { "ext-versions": 1, "ext-object-refs": 2 } });
  });

  const stranger = newPublisherKey();
  const failing: readonly (readonly [string, string, () => Promise<unknown>])[] = [
    [
      "no signature",
      "trust.unsigned",
      async () => world.registry.publish(alice, packageUpload({ ...(await makePackage()), signature: null })),
    ],
    ["a signer nobody trusts", "trust.untrusted_signer", async () => publish(await makePackage({ signer: stranger }))],
    [
      "another bundle's signature",
      "trust.content_mismatch",
      async () => publish({ ...(await makePackage()), signature: (await makePackage({ version: "2.0.0" })).signature }),
    ],
    ["a broken signature file", "trust.malformed", async () => publish({ ...(await makePackage()), signature: "{}" })],
    ["a manifest with faults", "manifest.invalid", async () => publish(await makePackage({ displayName: " x" }))],
    ["a file that has no place", "bundle.malformed", async () => publish(await makePackage({ files: [bundleFile("readme.txt", "x")] }))],
    ["an upload without a bundle", "upload.malformed", async () => world.registry.publish(alice, uploadOf(multipartBytes([])))],
    [
      "a component the runner refuses",
      "component.refused",
      async () => {
        world.runner.refuse = new AppError("component.refused", { rule: "import.unknown", detail: "x" });
        return publish(await makePackage());
      },
    ],
    [
      "a runner that is down",
      "ext.unavailable",
      async () => {
        world.runner.refuse = new AppError("ext.unavailable", { detail: "down" });
        return publish(await makePackage());
      },
    ],
  ];
  test.each(failing)("refused for %s (%s), nothing is left", async (_what, code, work) => {
    const before = await world.counts();
    await expect(work()).rejects.toMatchObject({ code });
    expect(await world.counts()).toEqual(before);
  });

  test("a manifest's faults are all named with their paths", async () => {
    const made = await makePackage({ displayName: " x", engine: "banana" });
    await expect(publish(made)).rejects.toMatchObject({
      faults: [expect.objectContaining({ path: "displayName" }), expect.objectContaining({ path: "engine" })],
    });
  });

  test("a name belongs to its first signer until an admin says otherwise", async () => {
    const rival = newPublisherKey();
    await world.trust.add(admin, { pem: rival.publicKeyPem });
    await publish(await makePackage());
    const theirs = await makePackage({ version: "2.0.0", signer: rival });
    const before = await world.counts();
    await expect(publish(theirs, admin)).rejects.toMatchObject({ code: "registry.name_bound", status: 409 });
    expect(await world.counts()).toEqual(before);
    const input = { name, signer: rival.publisherId, publisherId: rival.publisherId };
    await expect(world.registry.rebind(alice, input)).rejects.toMatchObject({ code: "auth.forbidden" });
    await world.registry.rebind(admin, input);
    expect(await publish(theirs)).toMatchObject({ version: "2.0.0" });
    await expect(publish(await makePackage({ version: "1.0.1" }))).rejects.toMatchObject({ code: "registry.name_bound" });
  });

  test("trust taken away while the component is prepared stops the publish", async () => {
    const key = newPublisherKey();
    await world.trust.add(admin, { pem: key.publicKeyPem });
    const gate = Promise.withResolvers<void>();
    world.runner.hold = () => gate.promise;
    const before = await world.counts();
    const publishing = publish(await makePackage({ signer: key }));
    publishing.catch(() => undefined);
    while (world.objectKeys.size < 2) await new Promise((resolve) => setImmediate(resolve));
    await world.trust.remove(admin, { id: key.publisherId });
    gate.resolve();
    await expect(publishing).rejects.toMatchObject({ code: "trust.untrusted_signer" });
    expect(await world.counts()).toEqual({ ...before, rows: { "ext-trust-state": 1 } });
  });

  test("bytes exchanged in the object store before the component is prepared stop the publish", async () => {
    const made = await makePackage();
    const { objects } = world;
    const put = objects.put.bind(objects);
    objects.put = async (key, bytes) => {
      const done = await put(key, bytes);
      world.altered.set(key, Buffer.from("other"));
      return done;
    };
    await expect(publish(made)).rejects.toMatchObject({ code: "ext.integrity" });
    expect(await world.counts()).toMatchObject({ rows: {}, objects: 0, files: 0 });
  });

  test("the catalogue finds by name, text and publisher, page by page, and shows the newest usable version", async () => {
    for (const [letter, title] of [
      ["a", "Polls"],
      ["b", "Notes"],
      ["c", "More polls"],
      ["d", "Weather"],
    ] as const)
      await publish(await makePackage({ name: `org.example.${letter}`, displayName: title, description: `About ${title}` }));
    for (const version of ["1.2.0", "1.10.0", "2.0.0-rc.1"])
      await publish(await makePackage({ name: "org.example.a", displayName: "Polls", version }));
    const found = await world.registry.list(bob, { search: "POLLS", limit: 50 });
    expect(found.packages.map((p) => [p.name, p.latest.version, p.versions])).toEqual([
      ["org.example.a", "1.10.0", 4],
      ["org.example.c", "1.0.0", 1],
    ]);
    const first = await world.registry.list(bob, { limit: 3 });
    expect(first.packages).toHaveLength(3);
    const rest = await world.registry.list(bob, {
      limit: 3,
      ...(first.next === undefined ? {} : { after: extensionIdSchema.parse(first.next) }),
    });
    expect(rest.packages.map((p) => p.name)).toEqual(["org.example.d"]);
    expect(rest.next).toBeUndefined();
    const { versions } = await world.registry.get(bob, { name: extensionIdSchema.parse("org.example.a") });
    expect(versions.map((v) => v.version)).toEqual(["2.0.0-rc.1", "1.10.0", "1.2.0", "1.0.0"]);
  });

  test("the publisher and admins mark versions, others do not; a yanked version is the newest no more", async () => {
    const published = await publish(await makePackage());
    await publish(await makePackage({ version: "1.1.0" }), callerOf("d"));
    const at = (version: string) => ({ name: published.name, version, reason: "it forgets", undo: false });
    await expect(world.registry.yank(alice, at("1.1.0"))).rejects.toMatchObject({ code: "auth.forbidden" });
    expect(await world.registry.yank(admin, at("1.1.0"))).toMatchObject({ yanked: "it forgets" });
    expect((await world.registry.list(bob, { limit: 5 })).packages[0]?.latest.version).toBe("1.0.0");
    expect(await world.registry.deprecate(alice, at("1.0.0"))).toMatchObject({ deprecated: "it forgets" });
    expect(await world.registry.yank(admin, { ...at("1.1.0"), undo: true })).not.toHaveProperty("yanked");
    expect((await world.registry.list(bob, { limit: 5 })).packages[0]?.latest.version).toBe("1.1.0");
    await expect(world.registry.yank(admin, at("9.9.9"))).rejects.toMatchObject({ code: "registry.not_found", status: 404 });
    await expect(world.registry.get(bob, { name: extensionIdSchema.parse("org.example.nobody") })).rejects.toMatchObject({
      code: "registry.not_found",
    });
  });
});
