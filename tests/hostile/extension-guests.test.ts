/**
 * Hostile guests through the whole way: each ends as the table says and within its bounds, while a neighbour in another community is served, and the
 * process that ran it goes on or is replaced.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isAlive } from "../e2e/althing-process.ts";
import { buildMenace, buildMenaceInTypeScript, menaceId, menaceManifest, menaceTypeScriptEndpoints } from "./extension-guests.ts";
import { ended, openExtensionWorld, processTree, runnerPid, sandboxPids, told, type ExtensionWorld } from "./extension-world.ts";

const typedId = "org.example.typed";
const wide = {
  ...{ requestsPerSecond: 1_000, communityRequestsPerSecond: 2_000, concurrency: 20, communityConcurrency: 20 },
  ...{ fuelPerHour: 1e15, wallTimeMsPerHour: 1e9 },
  // What another limit ends is ended by that one on a slow machine, too.
  timeMs: 10_000,
};
const mib = 1024 * 1024;
let world: ExtensionWorld;

/** garden is attacked; meadow is the neighbour, with the same package of its own. */
beforeAll(async () => {
  const [opened, raw, typed] = await Promise.all([openExtensionWorld(), buildMenace(), buildMenaceInTypeScript()]);
  world = opened;
  await world.setInstancePolicy({ ceilings: { limits: { ...wide, fuel: 1e13 } } });
  for (const name of ["garden", "meadow"]) {
    await world.found(name);
    await world.setPolicy(name, { limits: wide });
    await world.install(name, menaceManifest({ component: raw }));
  }
  const { egress: _none, ...rest } = menaceManifest({ component: typed, name: typedId, endpoints: [...menaceTypeScriptEndpoints] });
  await world.install("garden", { ...rest, capabilities: rest.capabilities?.filter(({ name }) => name !== "http.fetch") ?? [] });
});
afterAll(() => world?.[Symbol.asyncDispose]());

const attack = (extension: string, path: string) => world.call({ community: "garden", extension, path });
const neighbour = (path = "/ok") => world.call({ community: "meadow", extension: menaceId, path });

/** What the neighbour gets, one call after the other, as long as something goes on. */
async function servedDuring<T>(work: Promise<T>): Promise<T> {
  let going = true;
  const stop = () => void (going = false);
  work.then(stop, stop);
  const answers: string[] = [];
  do answers.push(told(await neighbour()));
  while (going);
  expect(new Set(answers)).toEqual(new Set(["200"]));
  return work;
}

describe.each([
  [menaceId, "/loop", "429 ext.quota_exceeded", "fuel"],
  [menaceId, "/recurse", "502 ext.trap", "trap"],
  [menaceId, "/grow", "429 ext.quota_exceeded", "memory"],
  [menaceId, "/hoard", "429 ext.quota_exceeded", "memory"],
  [menaceId, "/fill", "429 ext.quota_exceeded", "fuel"],
  [menaceId, "/storm/500", "429 ext.quota_exceeded", "host_calls"],
  [menaceId, "/logs/100000/1", "429 ext.quota_exceeded", "log"],
  [menaceId, "/big/8000000", "502 ext.response_too_large", "result"],
  [typedId, "/loop", "429 ext.quota_exceeded", "fuel"],
  [typedId, "/swallow", "502 ext.trap", "trap"],
  [typedId, "/recurse", "502 ext.trap", "trap"],
  [typedId, "/hoard", "429 ext.quota_exceeded", "fuel|memory"],
  [typedId, "/backtrack", "429 ext.quota_exceeded", "fuel"],
  [typedId, "/storm/500", "429 ext.quota_exceeded", "host_calls"],
  [typedId, "/labels/100", "502 ext.trap", "error"],
  [typedId, "/big/8000000", "502 ext.response_too_large", "result"],
] as const)("%s %s", (extension, path, expected, rule) => {
  test(`ends ${expected} by ${rule}, twice, and the neighbour is served meanwhile`, async () => {
    expect(told(await attack(extension, "/ok"))).toBe("200");
    const before = sandboxPids(world.running);
    for (let round = 0; round < 2; round++) expect(told(await servedDuring(attack(extension, path)))).toBe(expected);
    const [row] = await world.log("garden", extension);
    expect(row?.detail).toMatch(new RegExp(`^(?:${rule}): `));
    expect(row?.fuel).toBeLessThanOrEqual(50_000_000);
    expect(row?.peakMemoryBytes).toBeLessThanOrEqual(80 * mib);
    expect(row?.hostCalls).toBeLessThanOrEqual(100_001);
    expect(JSON.stringify(row?.log ?? []).length).toBeLessThan(64 * 1024);
    expect(told(await attack(extension, "/ok"))).toBe("200");
    expect(
      before.filter((pid) => !isAlive(pid)),
      "processes that it took along",
    ).toEqual([]);
  });
});

describe("floods that are no crime", () => {
  test("of log lines: the guest goes on, the log keeps an excerpt", async () => {
    expect(told(await attack(typedId, "/logs/150/8192"))).toBe("200");
    const [row] = await world.log("garden", typedId);
    expect(ended(row)).toBe("ok");
    expect(JSON.stringify(row?.log ?? []).length).toBeLessThan(16 * 1024);
  });

  test("of metric labels: fifty series and no more, here and at the hub's metrics", async () => {
    const { json } = await attack(menaceId, "/labels/190");
    expect(json).toEqual({ taken: 50, code: "capability.bad_argument" });
    expect((await attack(menaceId, "/labels/190")).json).toEqual(json);
    const text = await (await fetch(`http://127.0.0.1:${world.place.ports.internal}/metrics`)).text();
    const series = text.split("\n").filter((line) => line.includes("flood") && line.includes("label") && !line.startsWith("#"));
    expect(series.length).toBeLessThanOrEqual(50);
  });
});

describe("what belongs to another community", () => {
  test("is not among an extension's data, whatever key it asks for, though the package is the same", async () => {
    const body = new TextEncoder().encode("of the meadow");
    expect(told(await world.call({ community: "meadow", extension: menaceId, path: "/kv/note", method: "PUT", body }))).toBe("200");
    expect((await neighbour("/kv/note")).text).toBe("of the meadow");
    const { id: meadow } = await world.alice.client.call("communities.get", { params: { community: "meadow" } });
    const id = meadow.toString();
    for (const key of ["note", `${id}.note`, `..%252f${id}%252fnote`, `${id}:${menaceId}:note`, `*`, `%253e`]) {
      const { status, text } = await attack(menaceId, `/kv/${key}`);
      expect([key, status, text]).toEqual([key, expect.any(Number), expect.not.stringContaining("meadow")]);
    }
    expect((await attack(menaceId, "/keys")).text).not.toContain("note");
  });

  test("nor is another extension's of the same community", async () => {
    const body = new TextEncoder().encode("mine");
    await world.call({ community: "garden", extension: menaceId, path: "/kv/own", method: "PUT", body });
    const other = "org.example.other";
    await world.install("garden", { ...menaceManifest({ name: other }), component: await buildMenace() });
    expect((await attack(other, "/kv/own")).status).toBe(404);
    expect((await attack(other, "/keys")).text).toBe("");
  });

  test("its secrets are not readable, nor in a log or an answer of the interface", async () => {
    const value = "of-the-meadow-only";
    const params = { community: "meadow", install: menaceId };
    const changed = await world.alice.client.call("packages.change", { params, body: { secrets: { key: { value, hosts: [] } } } });
    expect(JSON.stringify(changed)).not.toContain(value);
    expect((await neighbour("/secret/key")).text).toBe(value);
    expect((await attack(menaceId, "/secret/key")).text).toBe("secret.not_found");
    expect((await world.call({ community: "garden", extension: typedId, path: "/ok" })).text).not.toContain(value);
    expect(JSON.stringify([await world.log("meadow", menaceId), await world.state("meadow", menaceId)])).not.toContain(value);
  });
});

describe("a loop that only time ends", () => {
  test("in every place that it can get keeps no neighbour from being served", { timeout: 60_000 }, async () => {
    await world.setPolicy("garden", { limits: { ...wide, fuel: 1e13, timeMs: 700 } });
    await neighbour();
    const flood = Promise.all(Array.from({ length: 12 }, (_, i) => attack(i % 2 === 0 ? menaceId : typedId, "/loop")));
    const answers = (await servedDuring(flood)).map(told);
    expect(
      answers.every((answer) => /^(?:504 ext\.timeout|404 ext\.not_found|503 ext\.unavailable)$/.test(answer)),
      answers.join(),
    ).toBe(true);
    expect(answers).toContain("504 ext.timeout");
    // More than five timeouts without a success: out of service, both, and nobody else.
    for (const id of [menaceId, typedId]) expect((await world.state("garden", id)).state).toBe("quarantined");
    expect((await world.state("meadow", menaceId)).state).toBe("active");
  });
});

test("after all of it the runner is the one that started, its sandboxes are few, and no row is open", async () => {
  for (const [community, id] of [
    ["garden", menaceId],
    ["garden", typedId],
    ["meadow", menaceId],
  ] as const)
    expect((await world.log(community, id)).filter(({ status }) => status === "started" || status === "lost")).toEqual([]);
  expect(told(await neighbour())).toBe("200");
  expect(processTree(runnerPid(world.running)).length).toBeLessThan(40);
  expect(world.running.stderr()).not.toContain("the runner ended");
});
