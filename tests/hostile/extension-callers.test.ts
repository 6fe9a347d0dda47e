/**
 * People who try: users who were revoked or are no members, an admin of the instance who is none either, requests that are sent again, and two hands that
 * do the same thing at once.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { bundleFile } from "@althing/extension";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sendCall } from "../../packages/hub/test/serve-hub.ts";
import { eventually } from "../e2e/althing-process.ts";
import { buildMenace, menaceId, menaceManifest } from "./extension-guests.ts";
import {
  ended,
  filesBelow,
  openExtensionWorld,
  runnerPid,
  signedExtensionRequest,
  told,
  type ExtensionWorld,
  type Person,
} from "./extension-world.ts";

let world: ExtensionWorld;
let component: Uint8Array;
let bob: Person;
let nora: Person;
const wide = { requestsPerSecond: 1_000, communityRequestsPerSecond: 2_000, concurrency: 20, communityConcurrency: 20 };
const inGarden = { community: "garden", extension: menaceId, path: "/ok" };

beforeAll(async () => {
  [world, component] = await Promise.all([openExtensionWorld(), buildMenace()]);
  await world.setInstancePolicy({ ceilings: { limits: wide } });
  for (const name of ["garden", "meadow"]) await world.found(name);
  await world.setPolicy("garden", { limits: wide });
  await world.install("garden", menaceManifest({ component }));
  bob = await world.join("bob", "garden");
  nora = await world.join("nora");
});
afterAll(() => world?.[Symbol.asyncDispose]());

const outcome = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "done",
    (error: unknown) => (error instanceof Error && "code" in error ? String(error.code) : String(error)),
  );
const rows = async () => (await world.log("garden", menaceId)).length;

describe("who may not any more", () => {
  test("a member who is removed is refused at the next call, and what was signed before helps nothing", async () => {
    const mona = await world.join("mona", "garden");
    const kept = await signedExtensionRequest(world, mona, inGarden);
    expect(told(await world.call(inGarden, mona))).toBe("200");
    const params = { community: "garden", endpoint: mona.identity.endpoint };
    await world.alice.client.call("communities.removeMember", { params });
    expect(told(await world.call(inGarden, mona))).toBe("403 auth.forbidden");
    expect(told(await sendCall(kept))).toBe("403 auth.forbidden");
  });

  test("a user who is revoked is nobody at the next call", async () => {
    const rolf = await world.join("rolf", "garden");
    const kept = await signedExtensionRequest(world, rolf, inGarden);
    expect(told(await world.call(inGarden, rolf))).toBe("200");
    await world.alice.client.call("users.revoke", { params: { signPub: rolf.identity.signPub } });
    const before = await rows();
    for (const answer of [await world.call(inGarden, rolf), await sendCall(kept)]) {
      expect(answer.status).toBeGreaterThanOrEqual(401);
      expect(answer.status).toBeLessThanOrEqual(403);
    }
    expect(await rows()).toBe(before);
  });

  test("a role that is taken away takes its endpoints with it", async () => {
    const guarded = { ...inGarden, path: "/guarded" };
    const params = { community: "garden", endpoint: bob.identity.endpoint };
    expect(told(await world.call(guarded, bob))).toBe("403 auth.forbidden");
    await world.alice.client.call("communities.setRoles", { params, body: { roles: ["admin"] } });
    expect(told(await world.call(guarded, bob))).toBe("200");
    await world.alice.client.call("communities.setRoles", { params, body: { roles: ["member"] } });
    expect(told(await world.call(guarded, bob))).toBe("403 auth.forbidden");
  });
});

describe("who never might", () => {
  test("a user who is no member reads, changes and installs nothing, and is told no more than of a place that is not there", async () => {
    const { bundle, signature, contentHash } = await world.pack(menaceManifest({ component, version: "2.0.0" }));
    for (const [community, expected] of [
      ["garden", "community.not_found"],
      ["nowhere", "community.not_found"],
    ] as const) {
      const params = { community, install: menaceId };
      const tries = [
        nora.client.call("packages.list", { params: { community }, query: {} }),
        nora.client.call("packages.get", { params }),
        nora.client.call("packages.log", { params, query: {} }),
        nora.client.call("packages.usage", { params, query: {} }),
        nora.client.call("packages.change", { params, body: { active: false } }),
        nora.client.call("packages.remove", { params, query: { data: "purge" } }),
        nora.client.call("policy.put", { params: { community }, body: {} }),
        nora.client.upload(community, { bundle: new Uint8Array(bundle), signature }),
        nora.client.call("packages.rollback", { params, body: { contentHash } }),
      ];
      expect(await Promise.all(tries.map(outcome))).toEqual(Array(tries.length).fill(expected));
    }
  });

  test("a plain member calls it and manages nothing", async () => {
    expect(told(await world.call(inGarden, bob))).toBe("200");
    const params = { community: "garden", install: menaceId };
    const { bundle, signature } = await world.pack(menaceManifest({ component, version: "2.0.1" }));
    const tries = [
      bob.client.call("packages.change", { params, body: { active: false } }),
      bob.client.call("packages.remove", { params, query: { data: "purge" } }),
      bob.client.call("packages.retry", { params, body: {} }),
      bob.client.call("policy.put", { params: { community: "garden" }, body: { publicEndpoints: true } }),
      bob.client.call("instancePolicy.put", { body: { defaults: {}, ceilings: {}, locks: [] } }),
      bob.client.call("trust.add", { body: { pem: world.publisher.publicKeyPem } }),
      bob.client.upload("garden", { bundle: new Uint8Array(bundle), signature }),
    ];
    expect(await Promise.all(tries.map(outcome))).toEqual(Array(tries.length).fill("auth.forbidden"));
    expect((await world.state("garden", menaceId)).state).toBe("active");
  });

  test("an admin of the instance who is no member looks and touches nothing, and the extension does not answer", async () => {
    const olga = await world.join("olga", "meadow");
    const params = { community: "meadow", endpoint: olga.identity.endpoint };
    await world.alice.client.call("communities.setRoles", { params, body: { roles: ["owner"] } });
    await world.install("meadow", menaceManifest({ component }));
    await olga.client.call("communities.removeMember", { params: { community: "meadow", endpoint: world.alice.identity.endpoint } });
    expect((await world.alice.client.call("packages.get", { params: { community: "meadow", install: menaceId } })).state).toBe("active");
    expect(told(await world.call({ ...inGarden, community: "meadow" }))).toBe("403 auth.forbidden");
    const install = { community: "meadow", install: menaceId };
    const tries = [
      world.alice.client.call("packages.change", { params: install, body: { active: false } }),
      world.alice.client.call("packages.remove", { params: install, query: { data: "purge" } }),
      world.alice.client.call("policy.put", { params: { community: "meadow" }, body: {} }),
    ];
    expect(await Promise.all(tries.map(outcome))).toEqual(Array(tries.length).fill("auth.forbidden"));
    expect(told(await world.call({ ...inGarden, community: "meadow" }, olga))).toBe("200");
  });
});

describe("a request that is sent again", () => {
  test("is refused: the call ran once", async () => {
    const kept = await signedExtensionRequest(world, bob, { ...inGarden, path: "/count", method: "POST", body: new Uint8Array(1) });
    const first = await sendCall(kept);
    expect(first.status).toBe(200);
    for (let i = 0; i < 3; i++) expect(told(await sendCall(kept))).toBe("401 auth.replayed");
    expect((await world.call({ ...inGarden, path: "/kv/count" })).text).toBe(first.text);
  });

  test("of ten copies at once one runs", async () => {
    const before = Number((await world.call({ ...inGarden, path: "/kv/count" })).text);
    const kept = await signedExtensionRequest(world, bob, { ...inGarden, path: "/count", method: "POST", body: new Uint8Array(1) });
    const answers = (await Promise.all(Array.from({ length: 10 }, () => sendCall(kept)))).map(told).sort();
    expect(answers).toEqual(["200", ...Array<string>(9).fill("401 auth.replayed")]);
    expect(Number((await world.call({ ...inGarden, path: "/kv/count" })).text)).toBe(before + 1);
  });

  test("to another path, with another body, method or community is refused as forged, and runs nothing", async () => {
    const kept = await signedExtensionRequest(world, bob, {
      ...inGarden,
      path: "/count",
      method: "POST",
      body: new TextEncoder().encode("a"),
    });
    const before = await rows();
    const changed: readonly (readonly [string, Parameters<typeof sendCall>[0]])[] = [
      ["401 auth.bad_signature", { ...kept, url: kept.url.replace("/count", "/echo") }],
      ["401 auth.bad_signature", { ...kept, url: kept.url.replace("/garden/", "/meadow/") }],
      ["401 auth.bad_signature", { ...kept, url: `${kept.url}?x=1` }],
      ["401 auth.bad_signature", { ...kept, method: "PUT" }],
      ["400 auth.digest_mismatch", { ...kept, body: new TextEncoder().encode("b") }],
    ];
    for (const [expected, one] of changed) expect(told(await sendCall(one))).toBe(expected);
    expect(await rows()).toBe(before);
    expect(told(await sendCall(kept))).toBe("200");
  });
});

describe("two at once", () => {
  test("uploads of one package make one install, and leave nothing else", async () => {
    await world.found("orchard");
    const { bundle, signature } = await world.pack(menaceManifest({ component, version: "3.0.0" }));
    const files = { bundle: new Uint8Array(bundle), signature };
    const idempotencyKey = "the-same-click-0001";
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => outcome(world.alice.client.upload("orchard", files, { idempotencyKey }))),
    );
    expect(answers.filter((answer) => answer === "done").length).toBeGreaterThanOrEqual(1);
    expect(answers.filter((answer) => !["done", "install.exists", "store.conflict", "request.in_progress"].includes(answer))).toEqual([]);
    const { packages } = await world.alice.client.call("packages.list", { params: { community: "orchard" }, query: {} });
    expect(packages.map(({ version, state }) => `${version} ${state}`)).toEqual(["3.0.0 installed"]);
    expect(filesBelow(join(world.place.data, "uploads"))).toEqual([]);
  });

  test("consents end in one active install with what was declared", async () => {
    const { contentHash, declared } = await world.state("orchard", menaceId);
    const body = { consent: { contentHash }, active: true };
    const change = () => outcome(world.alice.client.call("packages.change", { params: { community: "orchard", install: menaceId }, body }));
    const answers = await Promise.all(Array.from({ length: 4 }, change));
    expect(answers).toContain("done");
    expect(answers.filter((answer) => !["done", "store.conflict", "request.conflict"].includes(answer))).toEqual([]);
    expect(await world.state("orchard", menaceId)).toMatchObject({ state: "active", granted: declared });
    expect(told(await world.call({ ...inGarden, community: "orchard" }))).toBe("200");
  });

  test("consent to what was shown is not consent to what came since", async () => {
    const shown = await world.pack(menaceManifest({ component, version: "3.1.0" }));
    const wanted = menaceManifest({ component, version: "3.2.0" });
    const later = await world.pack({
      ...wanted,
      capabilities: [...(wanted.capabilities ?? []), { name: "members.read", reason: "More." }],
    });
    for (const { bundle, signature } of [shown, later])
      await world.alice.client.upload("orchard", { bundle: new Uint8Array(bundle), signature });
    const params = { community: "orchard", install: menaceId };
    const { pending, granted } = await world.state("orchard", menaceId);
    expect(pending?.contentHash).toBe(later.contentHash);
    expect(granted.capabilities).not.toContain("members.read");
    const stale = { consent: { contentHash: shown.contentHash } };
    expect(await outcome(world.alice.client.call("packages.change", { params, body: stale }))).toBe("install.consent_stale");
    const beyond = { consent: { contentHash: later.contentHash, grant: { capabilities: ["proposals.read"] } } };
    expect(await outcome(world.alice.client.call("packages.change", { params, body: beyond }))).toBe("install.grant_beyond_declared");
    expect(told(await world.call({ ...inGarden, community: "orchard" }))).toBe("200");
  });

  test("uninstalling while calls run ends in 404, nothing of its data, and no open row", async () => {
    await world.setPolicy("orchard", { limits: wide });
    const secret = { key: { value: "to be forgotten for good", hosts: [] } };
    const params = { community: "orchard", install: menaceId };
    await world.alice.client.call("packages.change", { params, body: { secrets: secret } });
    const calls = Promise.all(
      Array.from({ length: 10 }, () =>
        world.call({ ...inGarden, community: "orchard", path: "/count", method: "POST", body: new Uint8Array(1) }),
      ),
    );
    await world.alice.client.call("packages.remove", { params, query: { data: "purge" } });
    for (const answer of (await calls).map(told)) expect(["200", "404 ext.not_found", "503"]).toContain(answer);
    expect(told(await world.call({ ...inGarden, community: "orchard" }))).toBe("404 ext.not_found");
    await world.install("orchard", menaceManifest({ component, version: "3.3.0" }));
    expect((await world.call({ ...inGarden, community: "orchard", path: "/keys" })).text).toBe("");
    expect((await world.call({ ...inGarden, community: "orchard", path: "/secret/key" })).text).toBe("secret.not_found");
    expect((await world.log("orchard", menaceId)).map(ended)).toEqual(["ok", "ok"]);
  });
});

describe("pages of an extension", () => {
  const pageId = "org.example.paged";
  const pageUrl = (contentHash: string, file = "index.html", id = pageId) =>
    `http://127.0.0.1:${world.place.ports.runner}/ext-ui/${id}/${contentHash}/ui/${file}`;
  const statusOf = async (url: string) => (await fetch(url)).status;

  test("are served for a hash that is installed and active, under that name, and for no other", async () => {
    const files = [bundleFile("ui/index.html", "<!doctype html><title>x</title>")];
    const wanted = { ...menaceManifest({ component, name: pageId }), ui: { entry: "ui/index.html" }, files };
    const never = await world.pack({ ...wanted, version: "9.0.0" });
    const { contentHash } = await world.install("garden", wanted);
    expect(await statusOf(pageUrl(contentHash))).toBe(200);
    for (const url of [
      pageUrl(never.contentHash),
      pageUrl(`sha256:${"0".repeat(64)}`),
      pageUrl(contentHash, "index.html", menaceId),
      pageUrl(contentHash, "none.html"),
      pageUrl(contentHash, "..%2f..%2fmanifest.json"),
      pageUrl(contentHash, "../manifest.json"),
      pageUrl(contentHash.toUpperCase()),
    ])
      expect([url, await statusOf(url)]).toEqual([url, 404]);
    const params = { community: "garden", install: pageId };
    await world.alice.client.call("packages.change", { params, body: { active: false } });
    await eventually(async () => (await statusOf(pageUrl(contentHash))) === 404, "a page that is active no more is gone within seconds");
    await world.alice.client.call("packages.remove", { params, query: { data: "purge" } });
    expect(await statusOf(pageUrl(contentHash))).toBe(404);
  });

  test("the same listener says nothing of calls, health or the token", async () => {
    const base = `http://127.0.0.1:${world.place.ports.runner}`;
    for (const path of ["/v1/execute", "/v1/prepare", "/healthz", "/metrics", "/internal/broker", "/", "/ext-ui/"])
      for (const method of ["GET", "POST"])
        expect([path, method, (await fetch(`${base}${path}`, { method })).status]).toEqual([path, method, 404]);
  });

  test("the listener for the hub takes nobody without this boot's token", async () => {
    const port = listeningPorts(runnerPid(world.running)).find((one) => one !== world.place.ports.runner);
    expect(port).toBeDefined();
    for (const authorization of ["", "Bearer x", `Bearer ${"R".repeat(43)}`])
      for (const path of ["/v1/execute", "/v1/prepare"]) {
        const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", headers: { authorization }, body: "{}" });
        expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([401, "runner.token_invalid"]);
      }
  });
});

/** TCP ports that a process listens on. */
function listeningPorts(pid: number): number[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((name) => /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${name}`))?.[1] ?? []),
  );
  return readFileSync(`/proc/${pid}/net/tcp`, "utf8")
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === "0A" && inodes.has(fields[9] ?? ""))
    .map((fields) => Number.parseInt(fields[1]?.split(":")[1] ?? "", 16));
}

test("after all of it no row is open", async () => {
  expect((await world.log("garden", menaceId)).filter(({ status }) => status === "started" || status === "lost")).toEqual([]);
});
