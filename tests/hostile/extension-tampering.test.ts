/**
 * Who can write to the data folder, and who sends what is no honest archive: altered bytes and records run nothing, and what was refused leaves nothing.
 *
 * What is altered is altered as an attacker on the machine would: files are rewritten in place, records with the checksum that belongs to them. The key of
 * the prepared components' seals is left alone, because who holds it is the runner.
 */
import { createHash } from "node:crypto";
import { chmodSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { crc32, gzipSync, inflateSync } from "node:zlib";
import type { Install } from "@althing/contract";
import { newPublisherKey } from "@althing/extension";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import cases from "../../packages/extension/test/vectors/archives/cases.json" with { type: "json" };
import { eventually } from "../e2e/althing-process.ts";
import { buildMenace, menaceId, menaceManifest } from "./extension-guests.ts";
import { filesBelow, killed, openExtensionWorld, runnerPid, sandboxPids, told, type ExtensionWorld } from "./extension-world.ts";

let world: ExtensionWorld;
let component: Uint8Array;
let founded = 0;

beforeAll(async () => {
  [world, component] = await Promise.all([openExtensionWorld(), buildMenace()]);
});
afterAll(() => world?.[Symbol.asyncDispose]());

/** A community of its own with the package in it. Another version each time, so that no two share their bytes. */
async function installed(): Promise<{ community: string; install: Install }> {
  founded += 1;
  const community = `place-${founded}`;
  await world.found(community);
  return { community, install: await world.install(community, menaceManifest({ component, version: `1.0.${founded}` })) };
}
const callIn = (community: string, path = "/ok") => world.call({ community, extension: menaceId, path });
const ran = async (community: string) => (await world.log(community, menaceId)).length;

async function restartRunner(): Promise<void> {
  const { community } = await installed();
  const old = runnerPid(world.running);
  await killed([old]);
  await eventually(async () => (await callIn(community)).status === 200, "the runner is back", 30_000);
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "taken",
    (error: unknown) => (error instanceof Error && "code" in error ? String(error.code) : String(error)),
  );

// --- archives ---

interface ArchiveCase {
  readonly id: string;
  readonly verdict: string;
  readonly base64?: string;
  readonly deflated?: string;
}
const archiveOf = ({ base64, deflated }: ArchiveCase): Uint8Array<ArrayBuffer> =>
  new Uint8Array(deflated === undefined ? Buffer.from(base64 ?? "", "base64") : inflateSync(Buffer.from(deflated, "base64")));

/** What lies in the data folder of packages and uploads. */
const kept = () =>
  ["bundles", "uploads", "runner/components"].flatMap((folder) =>
    filesBelow(join(world.place.data, folder)).map((file) => `${folder}/${file}`),
  );

describe("archives that are none", () => {
  const rejected = (cases as readonly ArchiveCase[]).filter(
    ({ verdict, base64, deflated }) => verdict === "reject" && (base64 ?? deflated) !== undefined,
  );

  test(
    "of every kind (links, bombs, traversals, forged sizes) are refused at upload by name, and leave no file and no package",
    { timeout: 60_000 },
    async () => {
      await world.found("archives");
      const before = kept();
      const answers = new Map<string, string>();
      for (const one of rejected)
        answers.set(one.id, await codeOf(world.alice.client.upload("archives", { bundle: archiveOf(one), signature: "{}" })));
      const wrong = [...answers].filter(([, code]) => code !== "bundle.malformed" && code !== "bundle.too_large");
      expect(wrong).toEqual([]);
      expect(answers.size).toBeGreaterThan(90);
      expect(kept()).toEqual(before);
      expect((await world.alice.client.call("packages.list", { params: { community: "archives" }, query: {} })).packages).toEqual([]);
    },
  );

  test(
    "of 300 MB in 1.4 MB is given up early, and the connection that brought it serves the next request",
    { timeout: 60_000 },
    async () => {
      const before = kept();
      const began = performance.now();
      const bomb = new Uint8Array(gzipSync(Buffer.alloc(300 * 1024 * 1024), { level: 1 }));
      expect(await codeOf(world.alice.client.upload("archives", { bundle: bomb }))).toMatch(/^bundle\.(?:malformed|too_large)$/);
      expect(performance.now() - began).toBeLessThan(15_000);
      expect(kept()).toEqual(before);
    },
  );

  test("that break off in the middle leave nothing, whatever was received", async () => {
    const before = kept();
    const { bundle, signature } = await world.pack(menaceManifest({ component, version: "7.0.0" }));
    for (const share of [0.2, 0.9])
      expect(
        await codeOf(
          world.alice.client.upload("archives", { bundle: new Uint8Array(bundle.subarray(0, bundle.length * share)), signature }),
        ),
      ).toBe("bundle.malformed");
    expect(kept()).toEqual(before);
  });
});

describe("packages whose parts do not belong together", () => {
  test("an altered bundle, another's signature, no signature, and an unknown signer are refused, each by its code", async () => {
    const before = kept();
    const [good, other] = await Promise.all(["8.0.0", "8.0.1"].map((version) => world.pack(menaceManifest({ component, version }))));
    const stranger = await world.pack(menaceManifest({ component, version: "8.0.2", signer: newPublisherKey() }));
    const bundle = new Uint8Array(good?.bundle ?? []);
    const upload = (signature?: string, bytes = bundle) =>
      codeOf(world.alice.client.upload("archives", { bundle: bytes, ...(signature === undefined ? {} : { signature }) }));
    expect(await upload(other?.signature)).toBe("trust.content_mismatch");
    expect(await upload()).toBe("trust.unsigned");
    expect(await upload(stranger.signature, new Uint8Array(stranger.bundle))).toBe("trust.untrusted_signer");
    const broken = (good?.signature ?? "").replace(/"sig": "(.)/, (_all, first: string) => `"sig": "${first === "A" ? "B" : "A"}`);
    expect(broken).not.toBe(good?.signature);
    expect(await upload(broken)).toMatch(/^trust\.(?:bad_signature|malformed)$/);
    expect(kept()).toEqual(before);
  });
});

// --- prepared components ---

function rewrite(path: string, change: (bytes: Buffer) => Uint8Array | string): void {
  const bytes = readFileSync(path);
  chmodSync(path, 0o600);
  writeFileSync(path, change(bytes));
}

/** The entry of the component that all packages here share. */
function preparedFolder(): string {
  const folder = join(world.place.data, "runner/components");
  const [name] = readdirSync(folder).filter((entry) => /^[0-9a-f]{64}$/.test(entry));
  return join(folder, name ?? "none");
}
/** The next call gets a process that reads the files. */
async function freshSandboxes(): Promise<void> {
  const old = sandboxPids(world.running);
  await killed(old);
  // A runner that has not heard of it yet would hand the call to a process that is gone.
  await eventually(() => sandboxPids(world.running).length > 0, "a spare process");
  await sleep(200);
}

const runnerLog = () => readFileSync(join(world.place.data, "logs/runner.log"), "utf8");
const digest = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

describe("a prepared component that was altered between two calls", () => {
  const forge = (bytes: Buffer) => bytes.toString("latin1").replace(/createInstantiate/g, "createInstantiat3");

  test.each([
    ["its glue", "component.js", (bytes: Buffer) => forge(bytes)],
    ["a byte of its module", "component.core.wasm", (bytes: Buffer) => bytes.fill(0, bytes.length - 10)],
    ["its end", "component.core.wasm", (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
  ])("%s: it is found when it is next loaded, thrown away, made anew, and what was altered did not run", async (_what, name, change) => {
    const { community } = await installed();
    expect(told(await callIn(community))).toBe("200");
    const path = join(preparedFolder(), name);
    const honest = digest(path);
    const said = runnerLog().length;
    rewrite(path, change);
    expect(digest(path)).not.toBe(honest);
    await freshSandboxes();
    expect(told(await callIn(community))).toBe("200");
    expect(digest(path)).toBe(honest);
    expect(runnerLog().slice(said)).toContain("altered on disk");
  });

  test.each([
    ["its glue", "component.js", forge],
    [
      "its index, which says that other bytes are the right ones",
      "prepared.json",
      (bytes: Buffer) => bytes.toString().replace(/"sha256":"[0-9a-f]{8}/, '"sha256":"00000000'),
    ],
  ])("%s, before the runner starts anew: the same", { timeout: 60_000 }, async (_what, name, change) => {
    const { community } = await installed();
    const path = join(preparedFolder(), name);
    const honest = digest(path);
    rewrite(path, change);
    expect(digest(path)).not.toBe(honest);
    await restartRunner();
    expect(told(await callIn(community))).toBe("200");
    expect(digest(path)).toBe(honest);
  });
});

// --- bundles ---

const bundlePath = ({ contentHash }: Install): string => {
  const hex = contentHash.slice("sha256:".length);
  return join(world.place.data, "bundles", hex.slice(0, 2), hex);
};

/** By the call; or before it, by the runner that prepares what runs: then the package is in quarantine already. */
const foundAltered = ["502 ext.integrity", "404 ext.not_found"];

describe("a stored bundle that was altered", () => {
  test("is never loaded: refused, quarantined with the reason, and nothing ran", { timeout: 60_000 }, async () => {
    const { community, install } = await installed();
    expect(told(await callIn(community))).toBe("200");
    const bytes = readFileSync(bundlePath(install));
    rewrite(bundlePath(install), (all) => all.toString("latin1").replace("Maximum", "Minimum").replace(/.$/s, "x"));
    await restartRunner();
    const rows = await ran(community);
    expect(foundAltered).toContain(told(await callIn(community)));
    const { state, quarantine } = await world.state(community, menaceId);
    expect([state, quarantine?.reason]).toEqual(["quarantined", expect.stringContaining("hash")]);
    expect(told(await callIn(community))).toBe("404 ext.not_found");
    // The one row says that it did not run.
    const log = await world.log(community, menaceId);
    expect(log.length).toBeLessThanOrEqual(rows + 1);
    if (log.length > rows) expect(log[0]).toMatchObject({ status: "error", code: "ext.integrity", fuel: 0 });
    // With the honest bytes back an admin brings it back.
    const params = { community, install: menaceId };
    expect(await codeOf(world.alice.client.call("packages.retry", { params, body: {} }))).toBe("ext.integrity");
    writeFileSync(bundlePath(install), bytes);
    expect((await world.alice.client.call("packages.retry", { params, body: {} })).state).toBe("active");
    expect(told(await callIn(community))).toBe("200");
  });

  test("and one that is gone: the same", { timeout: 60_000 }, async () => {
    const { community, install } = await installed();
    rmSync(bundlePath(install));
    await restartRunner();
    expect(foundAltered).toContain(told(await callIn(community)));
    expect((await world.state(community, menaceId)).state).toBe("quarantined");
  });

  test("is found by the look that a changed trust makes, before anything runs", async () => {
    const { community, install } = await installed();
    rmSync(bundlePath(install));
    await world.alice.client.call("trust.add", { body: { pem: newPublisherKey().publicKeyPem } });
    const rows = await ran(community);
    expect(told(await callIn(community))).toBe("502 ext.integrity");
    expect(await ran(community)).toBe(rows);
  });
});

// --- records ---

function openRecords(): DatabaseSync {
  const database = new DatabaseSync(join(world.place.data, "state/state.db"));
  database.exec("PRAGMA busy_timeout = 5000");
  return database;
}

/** Rewrites a record as one who knows the format: with the checksum that fits. */
function forgeRecord(prefix: string, change: (row: Record<string, unknown>) => Record<string, unknown>): void {
  const database = openRecords();
  try {
    const rows = database.prepare("SELECT key, revision, value FROM records").all();
    const found = rows.filter(({ key: bytes }) =>
      Buffer.from(bytes as Uint8Array)
        .toString("latin1")
        .startsWith(prefix),
    );
    expect(found.length, `records of ${prefix}`).toBe(1);
    for (const { key: bytes, revision, value } of found) {
      const text = JSON.stringify(change(JSON.parse(String(value)) as Record<string, unknown>));
      const crc = crc32(text, crc32(`${Number(revision)}\0`, crc32(bytes as Uint8Array)));
      database.prepare("UPDATE records SET value = ?, crc = ? WHERE key = ?").run(text, crc, bytes as Uint8Array);
    }
  } finally {
    database.close();
  }
}

describe("a record of an install that was altered between two calls", () => {
  const forgeries: readonly (readonly [string, (row: Record<string, unknown>, other: Install) => Record<string, unknown>])[] = [
    [
      "grants what the bundle does not declare",
      (row) => ({ ...row, granted: { ...Object(row["granted"]), capabilities: ["members.read"] } }),
    ],
    [
      "grants a host that the bundle does not declare",
      (row) => ({ ...row, granted: { ...Object(row["granted"]), egress: ["evil.example.org"] } }),
    ],
    ["names another version than the bundle", (row) => ({ ...row, current: { ...Object(row["current"]), version: "9.9.9" } })],
    [
      "names other bytes than were signed",
      (row, other) => ({ ...row, current: { ...Object(row["current"]), contentHash: other.contentHash } }),
    ],
    [
      "names bytes that are not there",
      (row) => ({ ...row, current: { ...Object(row["current"]), contentHash: `sha256:${"0".repeat(64)}` } }),
    ],
  ];

  test.each(forgeries)("and %s runs nothing: 502, quarantined", async (_what, change) => {
    const { install: other } = await installed();
    const { community, install } = await installed();
    expect(told(await callIn(community))).toBe("200");
    const rows = await ran(community);
    forgeRecord(`ext-installs\0${install.community}\0`, (row) => change(row, other));
    expect(told(await callIn(community))).toBe("502 ext.integrity");
    expect(await ran(community)).toBe(rows);
    expect((await world.state(community, menaceId)).state).toBe("quarantined");
    expect(told(await callIn(community))).toBe("404 ext.not_found");
  });

  test("with a wrong checksum is damage, and nothing runs", async () => {
    const { community, install } = await installed();
    const database = openRecords();
    const { changes } = database
      .prepare(`UPDATE records SET value = replace(value, '"isActive":true', '"isActive": true') WHERE value LIKE ?`)
      .run(`%${install.id}%"isActive":true%`);
    database.close();
    expect(changes).toBe(1);
    const answer = await callIn(community);
    expect(answer.status).toBeGreaterThanOrEqual(500);
    expect(answer.text).not.toBe("ok");
  });
});

// --- what may run, decided anew ---

describe("between two calls", () => {
  test("trust that is taken away holds from the next call on, and comes back with it", async () => {
    const key = newPublisherKey();
    await world.alice.client.call("trust.add", { body: { pem: key.publicKeyPem } });
    await world.found("orchard");
    await world.install("orchard", menaceManifest({ component, name: "org.example.orchard", signer: key }));
    const call = () => world.call({ community: "orchard", extension: "org.example.orchard", path: "/ok" });
    expect(told(await call())).toBe("200");
    await world.alice.client.call("trust.remove", { params: { id: key.publisherId } });
    const rows = (await world.log("orchard", "org.example.orchard")).length;
    expect(told(await call())).toBe("409 install.blocked");
    expect(await world.log("orchard", "org.example.orchard")).toHaveLength(rows);
    expect((await world.state("orchard", "org.example.orchard")).blocked).toBeDefined();
    await world.alice.client.call("trust.add", { body: { pem: key.publicKeyPem } });
    expect(told(await call())).toBe("200");
  });

  test("a policy that is changed holds from the next call on", async () => {
    const { community } = await installed();
    expect(told(await callIn(community))).toBe("200");
    await world.setPolicy(community, { trust: "trusted_publishers", trustedPublishers: ["ed25519:somebody-else"] });
    expect(told(await callIn(community))).toBe("409 install.blocked");
    await world.setPolicy(community, { limits: { fuel: 1_000 } });
    expect(told(await callIn(community))).toBe("429 ext.quota_exceeded");
    await world.setPolicy(community, {});
    expect(told(await callIn(community))).toBe("200");
  });

  test("an instance's ceiling that is lowered holds for every community at once", async () => {
    const [one, other] = [await installed(), await installed()];
    await world.setInstancePolicy({ ceilings: { limits: { fuel: 1_000 } } });
    expect([told(await callIn(one.community)), told(await callIn(other.community))]).toEqual(Array(2).fill("429 ext.quota_exceeded"));
    await world.setInstancePolicy({});
    expect(told(await callIn(one.community))).toBe("200");
  });
});

test("after all of it nothing is on its way in", () => {
  expect(filesBelow(join(world.place.data, "uploads"))).toEqual([]);
  expect(filesBelow(join(world.place.data, "bundles/staging"))).toEqual([]);
  expect(existsSync(join(world.place.data, "runner/components"))).toBe(true);
  expect(readdirSync(join(world.place.data, "runner/components")).filter((name) => name.startsWith(".staging"))).toEqual([]);
});
