/**
 * Static registries on a real TLS server of this machine, reached through the operator's exception for private hosts.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makePackage, type MadePackage, type PackageToMake } from "../../test/make-package.ts";
import { admin, alice, communityA, openPackageWorld, type PackageWorld } from "../../test/open-package-world.ts";
import { openFetcherWorld, type FetcherWorld } from "../../test/ssrf-vectors/open-fetcher-world.ts";
import type { TestSite } from "../../test/ssrf-vectors/start-site.ts";
import { createConnect, createGuardedFetcher } from "../fetcher/index.ts";
import { newPublisherKey } from "../trust/index.ts";
import { signRegistryIndex, type RegistryIndexInput } from "./registry-index.ts";

const host = "registry.example.org";
const registryKey = newPublisherKey();
const extension = "org.example.greeter";
let network: FetcherWorld;
let site: TestSite;
let world: PackageWorld;
let answers: Map<string, { status?: number; headers?: Record<string, string>; body?: Uint8Array | string; hang?: boolean }>;
let asked: string[];

beforeAll(async () => {
  network = await openFetcherWorld();
  site = await network.site((request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? "";
    asked.push(path);
    const answer = answers.get(path);
    if (answer?.hang === true) return;
    response.writeHead(answer === undefined ? 404 : (answer.status ?? 200), answer?.headers);
    response.end(answer?.body ?? "");
  });
});
afterAll(() => network.close());

beforeEach(async () => {
  answers = new Map();
  asked = [];
  const fetcher = createGuardedFetcher({
    clock: Date,
    resolver: { resolve: async () => ["127.0.0.1"] },
    connect: createConnect({ extraAuthorities: [network.authority.cert] }),
    ownAddresses: () => [],
    privateHosts: [{ use: "registry", scheme: "https", host, port: site.port, cidr: "127.0.0.1/32" }],
    limits: { registry: { totalTimeoutMs: 800, headersTimeoutMs: 400 } },
  });
  world = await openPackageWorld({ fetcher });
  await world.trust.add(admin, { pem: registryKey.publicKeyPem });
  world.setPolicy(communityA, { registryAllowlist: [host] });
});
afterEach(() => world.close());

const url = () => `https://${host}:${site.port}/repo/index.json`;
const install = (more: { name?: string; version?: string } = {}) =>
  world.installs.installRegistry(alice, { community: communityA, url: url(), ...(more as object) });
const entryOf = (made: MadePackage, more: object = {}) => ({
  name: made.name,
  version: made.version,
  contentHash: made.contentHash,
  bytes: made.bundle.length,
  path: `files/${made.version}.althing`,
  signature: `files/${made.version}.sig.json`,
  ...more,
});

function serve(packages: readonly MadePackage[], index: Partial<RegistryIndexInput> = {}, signer = registryKey): void {
  const full = { version: 1, expires: "2026-12-01T00:00:00Z", packages: packages.map((made) => entryOf(made)), ...index };
  answers.set("/repo/index.json", { body: signRegistryIndex(full, signer) });
  for (const made of packages) {
    answers.set(`/repo/files/${made.version}.althing`, { body: made.bundle });
    answers.set(`/repo/files/${made.version}.sig.json`, { body: made.signature });
  }
}
const made = (fields: PackageToMake = {}) => makePackage(fields);
/** The memory of an index stays, whatever becomes of the install. */
async function left() {
  const { rows, ...rest } = await world.counts();
  const { "ext-registry-pins": _pins, ...others } = rows;
  return { rows: others, ...rest };
}

describe("a static registry", () => {
  test("is installed from: the newest version, with bundle and signature checked like an upload", async () => {
    const versions = [await made(), await made({ version: "1.1.0" }), await made({ version: "2.0.0-rc.1" })];
    serve(versions);
    const installed = await install();
    expect(installed).toMatchObject({
      extension,
      version: "1.1.0",
      state: "installed",
      source: { kind: "registry", url: url() },
      trust: { verified: true },
    });
    expect(asked).toEqual(["/repo/index.json", "/repo/files/1.1.0.sig.json", "/repo/files/1.1.0.althing"]);
    expect(await install({ name: extension, version: "2.0.0-rc.1" })).toMatchObject({ version: "2.0.0-rc.1" });
    expect(await world.counts()).toMatchObject({ files: 0, objects: 4, rows: { "ext-registry-pins": 1 } });
  });

  const cases: readonly (readonly [string, string, () => Promise<void> | void])[] = [
    ["an index that nobody signed whom we trust", "registry.index_invalid", async () => serve([await made()], {}, newPublisherKey())],
    ["an index that expired", "registry.index_stale", async () => serve([await made()], { expires: "2026-11-21T00:00:00Z" })],
    ["an index that is not there", "registry.index_invalid", () => undefined],
    [
      "an index of more than 4 MiB",
      "registry.index_invalid",
      () => void answers.set("/repo/index.json", { body: Buffer.alloc(4 * 1024 * 1024 + 1, 32) }),
    ],
    ["a package that is not in it", "registry.not_found", async () => serve([await made({ name: "org.example.other" })])],
    [
      "a bundle that is not there",
      "registry.not_found",
      async () => (serve([await made()]), void answers.delete("/repo/files/1.0.0.althing")),
    ],
    [
      "a signature that is not there",
      "registry.not_found",
      async () => (serve([await made()]), void answers.delete("/repo/files/1.0.0.sig.json")),
    ],
    ["a version that was yanked", "registry.yanked", async () => serve([], { packages: [entryOf(await made(), { yanked: "it leaks" })] })],
    [
      "another bundle than the index names (mix and match)",
      "trust.content_mismatch",
      async () => {
        const old = await made();
        serve([old], { packages: [entryOf(old, { contentHash: `sha256:${"ab".repeat(32)}` })] });
      },
    ],
    [
      "a bundle of another version than the index names",
      "trust.content_mismatch",
      async () => {
        const old = await made();
        serve([old], { packages: [entryOf(old, { version: "1.5.0" })] });
      },
    ],
    [
      "a bundle longer than the index says",
      "trust.content_mismatch",
      async () => {
        const one = await made();
        serve([one], { packages: [entryOf(one, { bytes: one.bundle.length - 1 })] });
      },
    ],
    [
      "a bundle shorter than the index says",
      "trust.content_mismatch",
      async () => {
        const one = await made();
        serve([one], { packages: [entryOf(one, { bytes: one.bundle.length + 1 })] });
      },
    ],
    [
      "another package's signature",
      "trust.content_mismatch",
      async () => {
        serve([await made()]);
        answers.set("/repo/files/1.0.0.sig.json", { body: (await made({ version: "1.0.1" })).signature });
      },
    ],
    ["a package of a signer we do not trust", "trust.untrusted_signer", async () => serve([await made({ signer: newPublisherKey() })])],
    [
      "a bundle that never comes",
      "fetch.timeout",
      async () => (serve([await made()]), void answers.set("/repo/files/1.0.0.althing", { hang: true })),
    ],
    [
      "a redirect to a host that is not allowed",
      "policy.host_not_allowed",
      () => void answers.set("/repo/index.json", { status: 302, headers: { location: "https://other.example.org/x" } }),
    ],
  ];
  test.each(cases)("with %s is refused (%s) and leaves nothing", async (_what, code, prepare) => {
    await prepare();
    const before = await left();
    await expect(install({ name: extension })).rejects.toMatchObject({ code });
    expect(await left()).toEqual(before);
  });

  test("with several packages needs a name", async () => {
    const one = await made();
    serve([one], { packages: [entryOf(one), entryOf(one, { name: "org.example.other" })] });
    await expect(install()).rejects.toMatchObject({ code: "registry.index_invalid" });
    expect(await install({ name: extension })).toMatchObject({ extension });
  });

  test("that is rolled back is found, also when the newer one was only looked at, and by every node", async () => {
    const one = await made();
    serve([one], { version: 7 });
    await expect(install({ name: "org.example.nobody" })).rejects.toMatchObject({ code: "registry.not_found" });
    serve([one], { version: 6 });
    await expect(install()).rejects.toMatchObject({ code: "registry.index_rolled_back", params: { expected: 7, observed: 6 } });
    await expect(world.another().installRegistry(alice, { community: communityA, url: url() })).rejects.toMatchObject({
      code: "registry.index_rolled_back",
    });
    serve([one], { version: 7, expires: "2026-12-02T00:00:00Z" });
    await expect(install()).rejects.toMatchObject({ code: "registry.index_invalid" });
    serve([one], { version: 8 });
    expect(await install()).toMatchObject({ version: "1.0.0" });
    world.clock.advance(9 * 24 * 3_600_000);
    await expect(install()).rejects.toMatchObject({ code: "registry.index_stale" });
  });

  test("may have another signer only once the first is no longer trusted", async () => {
    const other = newPublisherKey();
    await world.trust.add(admin, { pem: other.publicKeyPem });
    serve([await made()], { version: 1 });
    await install();
    serve([await made(), await made({ version: "1.1.0" })], { version: 2 }, other);
    await expect(install()).rejects.toMatchObject({ code: "registry.index_invalid" });
    await world.trust.remove(admin, { id: registryKey.publisherId });
    expect(await install()).toMatchObject({ version: "1.1.0" });
  });

  test("outside of the operator's exception is a private address", async () => {
    world.setPolicy(communityA, { registryAllowlist: ["other.example.org"] });
    const call = world.installs.installRegistry(alice, { community: communityA, url: "https://other.example.org/index.json" });
    await expect(call).rejects.toMatchObject({ code: "fetch.private_address", status: 422 });
    expect(asked).toEqual([]);
  });
});
