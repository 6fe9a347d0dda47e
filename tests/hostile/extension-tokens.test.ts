/**
 * What lies between hub and runner: tokens that were stolen, guessed or kept, and guests that wait for the world outside for ever.
 */
import type { PluginLimits } from "@althing/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../e2e/althing-process.ts";
import { buildMenace, menaceHost, menaceId, menaceManifest } from "./extension-guests.ts";
import { told } from "./extension-world.ts";
import { openSteeredWorld, runnerToken, sitePaths, type SteeredWorld } from "./steered-world.ts";

let world: SteeredWorld;
const wide = {
  ...{ requestsPerSecond: 1_000, communityRequestsPerSecond: 2_000, concurrency: 20, communityConcurrency: 20 },
  ...{ fuelPerHour: 1e15, wallTimeMsPerHour: 1e9 },
};

beforeAll(async () => {
  const [opened, component] = await Promise.all([openSteeredWorld(menaceHost), buildMenace()]);
  world = opened;
  await world.client.call("instancePolicy.put", { body: { defaults: {}, ceilings: { limits: { ...wide, fuel: 1e13 } }, locks: [] } });
  for (const community of ["garden", "meadow"]) {
    await world.client.call("communities.create", { body: { name: community } });
    await setLimits({}, community);
    await world.install(community, menaceManifest({ component }));
  }
});
afterAll(() => world?.[Symbol.asyncDispose]());

async function setLimits(limits: Partial<PluginLimits>, community = "garden"): Promise<void> {
  const outboundHttp = { enabled: true, allowlist: [menaceHost] };
  await world.client.call("policy.put", { params: { community }, body: { outboundHttp, limits: { ...wide, ...limits } } });
}
const call = (path: string, headers?: Record<string, string>) => world.call("garden", menaceId, path, headers);
const internal = (path: string, init: RequestInit & { readonly token?: string }) => {
  const { token, ...rest } = init;
  return fetch(`http://127.0.0.1:${world.hub.config.ports.internal}${path}`, {
    ...rest,
    headers: { "content-type": "application/json", ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
  });
};
const askBroker = (token: string | undefined, request: object) =>
  internal("/internal/broker", { method: "POST", body: JSON.stringify(request), ...(token === undefined ? {} : { token }) });
const codeOf = async (answer: Response): Promise<string> =>
  `${answer.status} ${String(((await answer.json()) as { code?: unknown }).code)}`;

describe("the token of an invocation", () => {
  const reading = { op: "kv.get", key: "k" };

  test("is another one for each call, and worth nothing when the call has ended, however it ended", async () => {
    const from = world.heads.length;
    for (const path of ["/ok", "/ok", "/trap", "/loop", "/denied"]) await call(path);
    const tokens = world.heads.slice(from).map(({ broker }) => broker.token);
    expect(new Set(tokens).size).toBe(5);
    for (const token of tokens) expect(await codeOf(await askBroker(token, reading))).toBe("401 broker.token_invalid");
  });

  test("opens, while the call runs, its own community's data alone, whatever is asked with it", async () => {
    await setLimits({ fuel: 1e13, timeMs: 1_500 });
    const from = world.heads.length;
    const running = call("/loop");
    const head = await eventually(() => world.heads[from], "the call is on its way");
    const { token } = head.broker;
    const value = Buffer.from("stolen").toString("base64");
    expect(await (await askBroker(token, { op: "kv.put", key: "k", value })).json()).toMatchObject({ ok: {} });
    // Fields that would name another place are none of the protocol's.
    for (const extra of [{ community: "meadow" }, { extension: "org.example.other" }, { install: head.install }])
      expect((await askBroker(token, { ...reading, ...extra })).status).toBe(400);
    // What was not granted stays so, token or not.
    expect(await (await askBroker(token, { op: "members.list-members", limit: 10 })).json()).toMatchObject({
      error: { code: "capability.denied" },
    });
    expect(told(await running)).toBe("504 ext.timeout");
    expect(await codeOf(await askBroker(token, reading))).toBe("401 broker.token_invalid");
    expect((await world.call("meadow", menaceId, "/keys")).text).not.toContain("k ");
    expect((await call("/kv/k")).text).toBe("stolen");
  });

  test("is neither guessed nor replaced by the runner's, and no other door opens with it", async () => {
    for (const token of [undefined, "", "x", "A".repeat(43), runnerToken, `${runnerToken} `])
      expect((await askBroker(token, reading)).status).toBe(401);
    await call("/ok");
    const { broker, contentHash } = world.heads.at(-1) ?? {};
    for (const token of [undefined, broker?.token, "R".repeat(42), `${"R".repeat(42)}S`]) {
      const answer = await internal(`/internal/bundles/${contentHash}`, token === undefined ? {} : { token });
      expect(await codeOf(answer)).toBe("401 runner.token_invalid");
    }
    expect((await internal(`/internal/bundles/${contentHash}`, { token: runnerToken })).status).toBe(200);
    // None of it at the public door.
    for (const path of ["/internal/broker", `/internal/bundles/${contentHash}`])
      expect([401, 404, 405]).toContain(
        (await fetch(`${world.hub.url}${path}`, { headers: { authorization: `Bearer ${runnerToken}` } })).status,
      );
  });

  test("is in no log and no row", async () => {
    await call("/loop");
    const tokens = world.heads.map(({ broker }) => broker.token);
    const rows = JSON.stringify(
      await world.client.call("packages.log", { params: { community: "garden", install: menaceId }, query: { limit: 500 } }),
    );
    for (const token of [...tokens, runnerToken]) {
      expect(world.hub.log().includes(token)).toBe(false);
      expect(rows.includes(token)).toBe(false);
    }
  });
});

describe("the runner's internal listener", () => {
  const post = (path: string, headers: Record<string, string>) =>
    fetch(`${world.runner.internalUrl}${path}`, { method: "POST", headers, body: "{}" });

  test("reads nothing without this boot's token", async () => {
    for (const authorization of [
      undefined,
      "",
      "Bearer ",
      "Bearer x",
      `Bearer ${"R".repeat(42)}`,
      `bearer ${runnerToken}x`,
      runnerToken,
      `Basic ${runnerToken}`,
    ])
      for (const path of ["/v1/execute", "/v1/prepare"])
        expect(await codeOf(await post(path, authorization === undefined ? {} : { authorization }))).toBe("401 runner.token_invalid");
    expect((await post("/v1/execute", { authorization: `Bearer ${runnerToken}` })).status).toBe(400);
  });

  test("refuses a forged frame and goes on", async () => {
    const headers = { authorization: `Bearer ${runnerToken}` };
    const head = Buffer.from(JSON.stringify({ ...world.heads.at(-1), limits: { fuel: -1 } }));
    const length = Buffer.alloc(4);
    const bodies = [Buffer.alloc(3), Buffer.alloc(4, 0xff), Buffer.concat([length, head]), Buffer.from([0, 0, 0, 2, 0x7b, 0x7d])];
    for (const body of bodies) {
      const answer = await fetch(`${world.runner.internalUrl}/v1/execute`, { method: "POST", headers, body });
      expect([400, 413]).toContain(answer.status);
    }
    expect(told(await call("/ok"))).toBe("200");
  });

  test("runs for a forged head only what the hub has as a bundle, and the token in it must be a running call's", async () => {
    const honest = world.heads.at(-1);
    const frame = (change: object) => {
      const head = Buffer.from(JSON.stringify({ ...honest, ...change }));
      const length = Buffer.alloc(4);
      length.writeUInt32BE(head.length);
      return Buffer.concat([length, head]);
    };
    const send = async (change: object) => {
      const body = frame(change);
      const answer = await fetch(`${world.runner.internalUrl}/v1/execute`, {
        method: "POST",
        headers: { authorization: `Bearer ${runnerToken}` },
        body,
      });
      const bytes = Buffer.from(await answer.arrayBuffer());
      return bytes.subarray(4, 4 + bytes.readUInt32BE(0)).toString();
    };
    expect(await send({ contentHash: `sha256:${"0".repeat(64)}` })).toMatch(/"ext\.(?:integrity|unavailable)"/);
    // The old token: the guest is told that its data is not available, and nothing is written.
    const call_ = { kind: "http", method: "PUT", path: "/kv/forged", query: "", params: [["key", "forged"]], headers: [] };
    expect(await send({ call: call_ })).toContain('"status":409');
    expect((await call("/kv/forged")).status).toBe(404);
  });
});

describe("a guest and the world outside", () => {
  const fetching = (path: string) => call("/fetch", { "x-ext-url": `${world.siteUrl}${path}` });

  test("reaches what it was granted, and no more", async () => {
    expect((await fetching(sitePaths.prompt)).text).toBe("200 prompt");
    const port = new URL(world.siteUrl).port;
    for (const [url, code] of [
      ["https://other.example.org/", "fetch.host_not_allowed"],
      [`https://127.0.0.1:${port}/`, "fetch.url_forbidden"],
      [`https://localhost:${port}/`, "fetch.url_forbidden"],
      [`http://${menaceHost}:${port}/`, "fetch.url_forbidden"],
      [`https://${menaceHost}/`, "fetch.private_address"],
      [`https://${menaceHost}:${world.hub.config.ports.internal}/metrics`, "fetch.url_forbidden"],
      ["file:///etc/passwd", "fetch.url_forbidden"],
    ] as const)
      expect([url, (await call("/fetch", { "x-ext-url": url })).text]).toEqual([url, code]);
  });

  test("that waits for a server that never answers ends at its deadline, its connection with it, and its place is free", async () => {
    await setLimits({ timeMs: 600, concurrency: 2 });
    for (let round = 0; round < 2; round++) {
      const began = performance.now();
      const answers = await Promise.all([fetching(sitePaths.never), fetching(sitePaths.never)]);
      expect(answers.map(told)).toEqual(["504 ext.timeout", "504 ext.timeout"]);
      expect(performance.now() - began).toBeLessThan(3_000);
    }
    expect(world.requests.filter((line) => line.endsWith(sitePaths.never))).toHaveLength(4);
    expect((await fetching(sitePaths.prompt)).text).toBe("200 prompt");
    const [row] = (
      await world.client.call("packages.log", {
        params: { community: "garden", install: menaceId },
        query: { limit: 1, status: "timeout" },
      })
    ).executions;
    expect(row?.durationMs).toBeGreaterThanOrEqual(590);
    expect(row?.durationMs).toBeLessThan(1_500);
  });

  test("has a day's bytes, and when they are used up is refused by the quota's name", async () => {
    await setLimits({ fuel: 1e13, egressBytesPerDay: 1_200_000 });
    expect((await fetching(sitePaths.large)).text).toMatch(/^200 /);
    expect((await fetching(sitePaths.large)).text).toBe("ext.quota_exceeded");
    const usage = await world.client.call("packages.usage", { params: { community: "garden", install: menaceId }, query: {} });
    expect(usage.limits.find(({ quota }) => quota === "egressBytesPerDay")?.state).not.toBe("ok");
    // Tomorrow is another day.
    world.hub.shiftMs += 24 * 3_600_000;
    expect((await fetching(sitePaths.prompt)).text).toBe("200 prompt");
  });
});

test("what was running is gone: no row is open, no call is, and the runner says so", async () => {
  const { executions } = await world.client.call("packages.log", {
    params: { community: "garden", install: menaceId },
    query: { limit: 500 },
  });
  expect(executions.filter(({ status }) => status === "started")).toEqual([]);
  await eventually(() => world.runner.health().slots.running === 0 && world.runner.health().slots.queued === 0, "no call is running");
});
