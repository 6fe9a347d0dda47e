/**
 * Every failure that the gateway names, over HTTP with signed requests against a real instance: status, code, what the log says, and that nothing is left.
 */
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../e2e/althing-process.ts";
import type { Answered } from "../../packages/hub/test/serve-hub.ts";
import { buildMenace, menaceId, menaceManifest } from "./extension-guests.ts";
import {
  ended,
  filesBelow,
  killed,
  openExtensionWorld,
  runnerPid,
  signedExtensionRequest,
  told,
  type Called,
  type ExtensionWorld,
  type Person,
} from "./extension-world.ts";

const neighbourId = "org.example.neighbour";
const wide = {
  ...{ requestsPerSecond: 1_000, communityRequestsPerSecond: 2_000, concurrency: 20, communityConcurrency: 20 },
  ...{ fuelPerHour: 1e15, wallTimeMsPerHour: 1e9, fuel: 1e13 },
};
let world: ExtensionWorld;
let bob: Person;
let nora: Person;
let component: Uint8Array;

/** garden: wide limits but the usual fuel; meadow: fuel without end, so that time ends it; desert: the product's own limits. */
beforeAll(async () => {
  [world, component] = await Promise.all([openExtensionWorld(), buildMenace()]);
  await world.setInstancePolicy({ ceilings: { limits: wide } });
  for (const name of ["garden", "meadow", "desert"]) await world.found(name);
  const { fuel: _endless, ...usual } = wide;
  await world.setPolicy("garden", { limits: usual, publicEndpoints: true });
  await world.setPolicy("meadow", { limits: { ...wide, timeMs: 300 } });
  for (const community of ["garden", "meadow", "desert"]) await world.install(community, menaceManifest({ component }));
  bob = await world.join("bob", "garden", "meadow", "desert");
  nora = await world.join("nora");
});
afterAll(() => world?.[Symbol.asyncDispose]());

const inGarden = (path: string, more: Partial<Called> = {}): Called => ({ community: "garden", extension: menaceId, path, ...more });
const call = (path: string, more: Partial<Called> = {}, as?: Person) => world.call(inGarden(path, more), as);

/** What is counted by the hour holds within one: what an hour's end fell into is done once more. Hub and test share the machine's clock. */
async function inOneHour(work: () => Promise<() => void>): Promise<void> {
  const hour = () => Math.floor(Date.now() / 3_600_000);
  const before = hour();
  const check = await work();
  if (hour() === before) check();
  else (await work())();
}

/** Every answer, good or bad. */
function expectDressed(answer: Pick<Answered, "headers">): void {
  expect(answer.headers.get("x-request-id")).toMatch(/^\w{10,}/);
  expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
}

async function newestRow(community = "garden"): Promise<string> {
  return ended((await world.log(community, menaceId))[0]);
}

interface RawAnswer {
  readonly status: number;
  readonly code: string;
}

/** A request whose target no URL parser has tidied up. */
function rawTarget(path: string, headers: Record<string, string> = {}): Promise<RawAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
  httpRequest(
    { host: "127.0.0.1", port: world.place.ports.hub, path, headers: { host: `localhost:${world.place.ports.hub}`, ...headers } },
    (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, code: (JSON.parse(text) as { code: string }).code }));
    },
  )
    .on("error", reject)
    .end();
  return promise;
}

/** Alice's request by a client that sends the body when it is told to go on, as curl does with long ones. */
async function holdingBack(called: Called): Promise<RawAnswer> {
  const { headers, method, url, body } = await signedExtensionRequest(world, world.alice, called);
  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
  const sent = httpRequest(url, { method, headers: { ...headers, expect: "100-continue", "content-length": body?.length ?? 0 } });
  sent.on("continue", () => sent.end(body)).on("error", reject);
  sent.on("response", (answer) => {
    let text = "";
    answer.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    answer.on("end", () => {
      sent.destroy();
      resolve({ status: answer.statusCode ?? 0, code: (JSON.parse(text) as { code: string }).code });
    });
  });
  sent.flushHeaders();
  return promise;
}

/** Bytes of a head, as they are. */
function rawHead(lines: readonly string[]): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = "";
  const socket = connect(world.place.ports.hub, "127.0.0.1", () => socket.write(`${lines.join("\r\n")}\r\n\r\n`));
  socket.setEncoding("utf8").setTimeout(5_000, () => socket.destroy(new Error("no answer")));
  socket.on("data", (chunk: string) => (text += chunk));
  socket.on("error", reject).on("close", () => resolve(text));
  return promise;
}

describe("a request that is not fit to be passed on", () => {
  test.each([
    ["an empty segment", "/ok//"],
    ["an encoded slash", "/kv/a%2fb"],
    ["an encoded backslash", "/kv/a%5cb"],
    ["NUL", "/kv/a%00b"],
    ["a line end", "/kv/a%0d%0ab"],
    ["ill-formed UTF-8", "/kv/%ff"],
    ["a percent sign that encodes nothing", "/kv/%zz"],
  ])("%s in the path is 400, signed as it is, and nothing ran", async (_what, path) => {
    const rows = (await world.log("garden", menaceId)).length;
    const answer = await call(path);
    expect(told(answer)).toBe("400 ext.bad_request");
    expectDressed(answer);
    expect(await world.log("garden", menaceId)).toHaveLength(rows);
  });

  test.each(["/..", "/ok/../loop", "/%2e%2e/x", "/./ok", "/ok/%2E"])("%s is not tidied up but refused", async (path) => {
    expect(await rawTarget(`/api/communities/garden/ext/${menaceId}${path}`)).toMatchObject({ status: 400, code: "ext.bad_request" });
  });

  test("without a community it is 400", async () => {
    expect(await rawTarget(`/api/ext/${menaceId}/open`)).toEqual({ status: 400, code: "ext.bad_request" });
    expect(await rawTarget(`/api/ext/${menaceId}/open`, { "althing-community": "" })).toEqual({ status: 400, code: "ext.bad_request" });
  });

  test.each([
    ["content-length twice", ["content-length: 0", "content-length: 5"]],
    ["content-length and chunks", ["content-length: 5", "transfer-encoding: chunked"]],
    ["content-type twice", ["content-type: text/plain", "content-type: text/html"]],
    ["two hosts", ["host: elsewhere.example"]],
  ])("%s: 400, whoever finds it first", async (_what, lines) => {
    const { hub } = world.place.ports;
    const answer = await rawHead([
      `GET /api/communities/garden/ext/${menaceId}/open HTTP/1.1`,
      `host: localhost:${hub}`,
      "connection: close",
      ...lines,
    ]);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });

  test("headers over 16 KiB are 413, found by the parser", async () => {
    const answer = await rawHead([
      `GET /api/communities/garden/ext/${menaceId}/ok HTTP/1.1`,
      `host: localhost:${world.place.ports.hub}`,
      `x-ext-long: ${"x".repeat(17 * 1024)}`,
    ]);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('"ext.headers_too_large"');
  });

  test("a body over 5 MiB is 413 before any of it is sent, and reaches nobody; one of 5 MiB passes", async () => {
    const most = new Uint8Array(5 * 1024 * 1024);
    const rows = (await world.log("garden", menaceId)).length;
    expect(await holdingBack(inGarden("/echo", { method: "POST", body: new Uint8Array(most.length + 1) }))).toEqual({
      status: 413,
      code: "ext.payload_too_large",
    });
    expect(await world.log("garden", menaceId)).toHaveLength(rows);
    expect(told(await call("/count", { method: "POST", body: most }))).toBe("200");
    const large = most.subarray(1024);
    expect((await call("/echo", { method: "POST", body: large })).text).toHaveLength(large.length);
  });
});

describe("somebody who may not", () => {
  test("is 401 unsigned, and learns no more of what is there than of what is not", async () => {
    for (const path of [
      `/garden/ext/${menaceId}/ok`,
      `/nowhere/ext/${menaceId}/ok`,
      `/garden/ext/org.example.none/ok`,
      `/garden/ext/${menaceId}/nothing`,
    ])
      expect(await rawTarget(`/api/communities${path}`)).toEqual({ status: 401, code: "auth.required" });
  });

  test("reaches unsigned what manifest, consent and policy call public, in this community alone", async () => {
    const answer = await fetch(`${world.url}/api/communities/garden/ext/${menaceId}/open`);
    expect([answer.status, await answer.text()]).toEqual([200, "nobody"]);
    expect(await rawTarget(`/api/communities/meadow/ext/${menaceId}/open`)).toEqual({ status: 401, code: "auth.required" });
  });

  test("is 403 when a user but no member, alike for a community that does not exist", async () => {
    const inside = await call("/ok", {}, nora);
    const absent = await call("/ok", { community: "nowhere" }, nora);
    expect([told(inside), told(absent)]).toEqual(["403 auth.forbidden", "403 auth.forbidden"]);
    const { requestId: _one, ...a } = inside.json;
    const { requestId: _other, ...b } = absent.json;
    expect(a).toEqual(b);
  });

  test("is 403 without the endpoint's permission, which alice has", async () => {
    expect(told(await call("/guarded", {}, bob))).toBe("403 auth.forbidden");
    expect(told(await call("/guarded"))).toBe("200");
  });
});

describe("what is not there", () => {
  test.each([
    ["an extension that is not installed", { extension: "org.example.none" }, "404 ext.not_found"],
    ["what cannot be an extension's name", { extension: "nonsense" }, "404 ext.not_found"],
    ["a path that the manifest has not", { path: "/nothing" }, "404 ext.endpoint_not_found"],
    ["a method that the manifest has not", { method: "POST" }, "404 ext.endpoint_not_found"],
    ["one segment more", { path: "/ok/ok" }, "404 ext.endpoint_not_found"],
  ])("%s is %j: %s", async (_what, more, expected) => {
    const answer = await call("/ok", more);
    expect(told(answer)).toBe(expected);
    expectDressed(answer);
  });

  test("an extension that was deactivated is 404 from the next call on, and comes back", async () => {
    const params = { community: "garden", install: menaceId };
    await world.alice.client.call("packages.change", { params, body: { active: false } });
    expect(told(await call("/ok"))).toBe("404 ext.not_found");
    await world.alice.client.call("packages.change", { params, body: { active: true } });
    expect(told(await call("/ok"))).toBe("200");
  });
});

describe("what the guest does wrong", () => {
  test.each([
    ["/trap", "502 ext.trap", "error ext.trap"],
    ["/abort", "502 ext.trap", "error ext.trap"],
    ["/html", "502 ext.trap", "error ext.trap"],
    ["/split", "502 ext.trap", "error ext.trap"],
    ["/status/99", "502 ext.trap", "error ext.trap"],
    ["/status/700", "502 ext.trap", "error ext.trap"],
    ["/big/5242881", "502 ext.response_too_large", "error ext.response_too_large"],
    ["/denied", "403 ext.capability_denied", "denied ext.capability_denied"],
    ["/loop", "429 ext.quota_exceeded", "quota ext.quota_exceeded"],
    ["/grow", "429 ext.quota_exceeded", "quota ext.quota_exceeded"],
  ])("%s is %s and the row says %s", async (path, expected, row) => {
    const answer = await call(path);
    expect(told(answer)).toBe(expected);
    expectDressed(answer);
    if (answer.status === 429) expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    const [newest] = await world.log("garden", menaceId);
    expect(ended(newest)).toBe(row);
    expect(newest?.requestId).toBe(answer.headers.get("x-request-id"));
    expect(told(await call("/ok"))).toBe("200");
  });

  test("a loop that fuel does not end is 504 at its deadline", async () => {
    const began = performance.now();
    const answer = await call("/loop", { community: "meadow" });
    expect(told(answer)).toBe("504 ext.timeout");
    expectDressed(answer);
    expect(performance.now() - began).toBeLessThan(3_000);
    const [row] = await world.log("meadow", menaceId);
    expect(ended(row)).toBe("timeout ext.timeout");
    expect(row?.durationMs).toBeGreaterThanOrEqual(290);
  });

  test("five traps without a success between them take it out of service, and retry brings it back", async () => {
    for (let i = 0; i < 5; i++) expect(told(await call("/trap", { community: "desert" }))).toBe("502 ext.trap");
    expect(told(await call("/ok", { community: "desert" }))).toBe("404 ext.not_found");
    const { state, quarantine } = await world.state("desert", menaceId);
    expect([state, quarantine?.hint]).toEqual(["quarantined", expect.stringContaining("retry")]);
    await world.alice.client.call("packages.retry", { params: { community: "desert", install: menaceId }, body: {} });
    expect(told(await call("/ok", { community: "desert" }))).toBe("200");
  });

  test("cookies, places to go and shared caches do not get out; what is its own does", async () => {
    const { status, headers } = await call("/cookie");
    expect([status, headers.get("x-ext-own"), headers.get("set-cookie"), headers.get("location")]).toEqual([200, "1", null, null]);
    expect(headers.get("cache-control")).not.toMatch(/public/);
    expect(headers.get("content-security-policy")).toBe("sandbox");
  });

  test("nothing that proves who somebody is gets in", async () => {
    const { text } = await call("/seen", {
      headers: { cookie: "a=b", "x-ext-own": "1", "x-forwarded-for": "1.2.3.4", "x-althing-actor": "forged" },
    });
    const names = text.split("\n").map((line) => line.slice(0, line.indexOf("=")));
    for (const name of ["authorization", "cookie", "signature", "signature-input", "content-digest", "x-forwarded-for", "host"])
      expect(names).not.toContain(name);
    expect(text).toContain("x-ext-own=1\n");
    expect(text).not.toContain("forged");
  });
});

describe("quotas", () => {
  test("more than 20 requests a second to one extension are 429, named, with the time to wait", async () => {
    // The bucket holds a second's worth, so of sixty at once most are refused on a machine of any speed that answers them within a second.
    const answers = await Promise.all(Array.from({ length: 60 }, () => call("/ok", { community: "desert" })));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    for (const { code, json, headers } of refused) {
      expect(code).toBe("ext.quota_exceeded");
      expect(String(json["detail"])).toMatch(/requestsPerSecond|concurrency|communityConcurrency/i);
      expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
    }
    expect(new Set(answers.map(told))).toEqual(new Set(["200", "429 ext.quota_exceeded"]));
  });

  test("running calls beyond the limit are refused, and their places are free again when they end", async () => {
    await world.setPolicy("meadow", { limits: { ...wide, timeMs: 1_500, concurrency: 3 } });
    const held = Array.from({ length: 3 }, () => call("/loop", { community: "meadow" }));
    const running = async () => (await world.log("meadow", menaceId)).filter(({ status }) => status === "started").length === 3;
    await eventually(running, "three calls run");
    const refused = await call("/ok", { community: "meadow" });
    expect(told(refused)).toBe("429 ext.quota_exceeded");
    expect(String(refused.json["detail"])).toContain("concurrency");
    expect((await Promise.all(held)).map(told)).toEqual(Array(3).fill("504 ext.timeout"));
    expect((await Promise.all(Array.from({ length: 3 }, () => call("/ok", { community: "meadow" })))).map(told)).toEqual(
      Array(3).fill("200"),
    );
  });

  test.each([
    ["fuelPerHour", "lake", { fuelPerHour: 1_000_000 }],
    ["wallTimeMsPerHour", "pond", { wallTimeMsPerHour: 1_000 }],
  ] as const)("an hour's %s that is used up refuses, named, until the next hour", async (quota, name, limit) => {
    await world.found(name);
    await world.setPolicy(name, { limits: { ...wide, timeMs: 1_500, ...limit } });
    await world.install(name, menaceManifest({ component }));
    await inOneHour(async () => {
      const first = await call("/loop", { community: name });
      const next = await call("/ok", { community: name });
      const usage = await world.alice.client.call("packages.usage", { params: { community: name, install: menaceId }, query: {} });
      return () => {
        expect(told(first)).toBe("429 ext.quota_exceeded");
        expect(String(first.json["detail"])).toContain(quota);
        expect(told(next)).toBe("429 ext.quota_exceeded");
        expect(Number(next.headers.get("retry-after"))).toBeGreaterThan(0);
        expect(usage.limits.find((one) => one.quota === quota)).toMatchObject({ state: "exhausted" });
      };
    });
  });

  test("an extension cannot spend another's: its neighbour in the same community is served", async () => {
    await world.install("lake", menaceManifest({ component, name: neighbourId }));
    await inOneHour(async () => {
      await call("/loop", { community: "lake" });
      const own = await call("/ok", { community: "lake" });
      const neighbours = await call("/ok", { community: "lake", extension: neighbourId });
      return () => expect([own, neighbours].map(told)).toEqual(["429 ext.quota_exceeded", "200"]);
    });
  });
});

describe("a runner that is down", () => {
  test("is 503 for extensions alone, and they come back by themselves", { timeout: 60_000 }, async () => {
    await killed([runnerPid(world.running)]);
    const answer = await call("/ok");
    expect(told(answer)).toBe("503 ext.unavailable");
    expectDressed(answer);
    expect((await fetch(`${world.url}/healthz`)).status).toBeLessThan(600);
    expect((await world.alice.client.call("communities.list", { query: {} })).communities.length).toBeGreaterThan(0);
    await eventually(async () => (await call("/ok")).status === 200, "the runner is back", 30_000);
    expect(await newestRow()).toBe("ok");
  });
});

test("after all of it no row is open and no file on its way in", async () => {
  for (const community of ["garden", "meadow", "desert"]) {
    const rows = await world.log(community, menaceId);
    expect(rows.filter(({ status }) => status === "started" || status === "lost")).toEqual([]);
  }
  expect(filesBelow(join(world.place.data, "uploads"))).toEqual([]);
  expect(filesBelow(join(world.place.data, "bundles/staging"))).toEqual([]);
});
