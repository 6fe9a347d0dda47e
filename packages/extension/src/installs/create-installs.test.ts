import { extensionIdSchema, type Install } from "@althing/contract";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makePackage, packageUpload } from "../../test/make-package.ts";
import { backends, extension, fetches, ref, stepsOf } from "../../test/open-install-steps.ts";
import { admin, alice, communityA, communityB, openPackageWorld, type PackageWorld } from "../../test/open-package-world.ts";
import { bundleFile } from "../bundle/index.ts";

let world: PackageWorld;
const { upload, change, consentAndStart, active } = stepsOf(() => world);

describe.each(backends)("installs over $state and $objects", (backend) => {
  beforeEach(async () => {
    world = await openPackageWorld(backend);
  });
  afterEach(() => world.close());

  describe("the own registry", () => {
    test("installs what was published, newest first, and nothing that was yanked", async () => {
      for (const version of ["1.0.0", "1.1.0", "2.0.0-rc.1"])
        await world.registry.publish(alice, packageUpload(await makePackage({ version })));
      const name = extensionIdSchema.parse(extension);
      const install = (version?: string) =>
        world.installs.installRegistry(alice, { community: communityA, url: `registry:${extension}`, version });
      await world.registry.yank(admin, { name, version: "1.1.0", reason: "broken", undo: false });
      await expect(install("1.1.0")).rejects.toMatchObject({ code: "registry.yanked", params: { reason: "broken" } });
      const installed = await install();
      expect(installed).toMatchObject({
        version: "1.0.0",
        source: { kind: "registry", url: `registry:${extension}` },
        trust: { verified: true },
      });
      await world.registry.yank(admin, { name, version: "1.0.0", reason: "old", undo: false });
      await consentAndStart({ contentHash: installed.contentHash });
      expect(await active()).toMatchObject({ version: "1.0.0" });
      expect(await install("2.0.0-rc.1")).toMatchObject({ version: "2.0.0-rc.1" });
      await world.installs.remove(alice, { ...ref, data: "purge" });
      expect(await world.counts()).toMatchObject({ objects: 6, files: 0 });
    });
  });

  test("a list is by id, page by page", async () => {
    for (const letter of ["c", "a", "b"]) {
      await upload(await makePackage({ name: `org.example.${letter}` }));
      world.clock.advance(5);
    }
    const first = await world.installs.list(alice, { community: communityA, limit: 2 });
    expect(first.packages.map((p: Install) => p.extension)).toEqual(["org.example.c", "org.example.a"]);
    const second = await world.installs.list(alice, { community: communityA, limit: 2, after: first.next });
    expect(second.packages.map((p: Install) => p.extension)).toEqual(["org.example.b"]);
    expect(second.next).toBeUndefined();
  });

  test("pages are served with what every community that runs them allows", async () => {
    const egress = ["a.example.org", "b.example.org"].map((host) => ({ host, reason: "r" }));
    const fields = {
      capabilities: [fetches],
      egress,
      ui: { entry: "ui/index.html", nav: [], csp: { connect: ["a.example.org", "b.example.org"], img: ["a.example.org"] } },
      files: [bundleFile("ui/index.html", "<p>")],
    };
    const made = await makePackage(fields);
    const pages = () => world.installs.uiPolicy(extension, made.contentHash);
    expect((await upload(made)).uiUrl).toBe(`https://ui.example.org/ext-ui/${extension}/${made.contentHash}/ui/index.html`);
    await expect(pages()).rejects.toMatchObject({ code: "ext.not_found" });
    await consentAndStart(made);
    expect(await pages()).toEqual({ connect: [], img: [] });
    const open = { outboundHttp: { enabled: true, allowlist: ["*.example.org"] } };
    world.setPolicy(communityA, open);
    expect(await pages()).toEqual({ connect: ["a.example.org", "b.example.org"], img: ["a.example.org"] });
    world.setPolicy(communityB, open);
    await upload(made, communityB);
    expect((await pages()).connect).toHaveLength(2);
    await world.installs.change(alice, {
      community: communityB,
      install: ref.install,
      consent: { contentHash: made.contentHash, grant: { uiHosts: ["b.example.org"] } },
      active: true,
    });
    expect(await pages()).toEqual({ connect: ["b.example.org"], img: [] });
    await change({ consent: { contentHash: made.contentHash, grant: { uiHosts: ["a.example.org"] } } });
    expect(await pages()).toEqual({ connect: [], img: [] });
    await expect(world.installs.uiPolicy("org.example.other", made.contentHash)).rejects.toMatchObject({ code: "ext.not_found" });
  });
});
