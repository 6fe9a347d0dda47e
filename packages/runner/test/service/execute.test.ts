import { randomBytes } from "node:crypto";
import { limits } from "@althing/contract";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { extension, guestComponent, makeBundle, openServiceWorld, type HeadChange, type ServiceWorld } from "./service-world.ts";

let world: ServiceWorld;
beforeAll(async () => {
  world = await openServiceWorld();
  await world.execute(world.head());
});
afterAll(() => world.close());
beforeEach(() => {
  world.hub.override = undefined;
});

const run = async (change: HeadChange, body: Uint8Array | string = "") => (await world.execute(world.head(change), body)).result;
const httpCall = (path: string, headers: [string, string][]) => ({
  kind: "http" as const,
  method: "POST",
  path,
  query: "",
  params: [],
  headers,
});
const failure = (code: string, rule: string) => expect.objectContaining({ kind: "failed", code, rule });

test("a response comes back whole: status, headers in order, bytes that are no text", async () => {
  const body = randomBytes(100_000);
  const headers: [string, string][] = [
    ["x-ext-b", "1"],
    ["x-ext-a", "2"],
  ];
  const answer = await world.execute(world.head({ call: httpCall("/echo", headers) }), body);
  expect(answer.result.outcome).toEqual({ kind: "response", status: 201, headers });
  expect(Buffer.from(answer.body).equals(body)).toBe(true);
  expect(answer.result.usage.fuel).toBeGreaterThan(1_000);
  expect(answer.result.usage.peakMemoryBytes).toBeGreaterThan(100_000);
  expect(answer.headers.get("x-request-id")).toBe("req-1");
});

test("the guest gets its context and the request as the head has them", async () => {
  const actor = { id: "u1", handle: "ada", permissions: ["members.read"] };
  const call = { ...httpCall("/context", [["accept", "*/*"]]), query: "a=1", params: [["id", "7"] as [string, string]] };
  const answer = await world.execute(world.head({ actor, settings: '{"greeting":"hi"}', call }));
  const { ctx, request } = JSON.parse(Buffer.from(answer.body).toString()) as Record<string, Record<string, unknown>>;
  expect(ctx).toMatchObject({ requestId: "req-1", extension, version: "1.0.0", actor, settings: '{"greeting":"hi"}', timeLimitMs: 5_000 });
  expect(ctx?.["time"]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  expect(request).toEqual({
    method: "POST",
    path: "/context",
    query: "a=1",
    params: [{ name: "id", value: "7" }],
    headers: [{ name: "accept", value: "*/*" }],
    body: "bytes:",
  });
});

test.each([
  ["event", { kind: "event", topic: "vote.cast", index: 2 ** 53 - 1, id: "e", time: "t", actor: "a", subject: "s", data: "{}", depth: 1 }],
  ["job", { kind: "job", name: "tidy", slot: "2026-01-01T00:00:00Z" }],
] as const)("a call of kind %s is done with one printable line", async (kind, call) => {
  const note = kind === "event" ? `vote.cast at 9007199254740991\\u{7}` : "tidy";
  expect((await run({ call })).outcome).toEqual({ kind: "done", note });
});

test("a filter accepts with its payload, or refuses with one printable line", async () => {
  const filter = (payload: string) => run({ call: { kind: "filter", point: "member.before_join", payload } });
  expect((await filter('{"a":1}')).outcome).toEqual({ kind: "accept", payload: '{"a":1}' });
  expect((await filter("bad")).outcome).toEqual({ kind: "refuse", reason: "no bad\\nthings" });
});

test.each([
  ["a trap", { path: "/trap" }, "", failure("ext.trap", "trap")],
  ["an outcome that the call cannot have", { path: "/done" }, "", failure("ext.trap", "outcome")],
  ["fuel used up", { path: "/spin", limits: { fuel: 1_000_000 } }, "", failure("ext.quota_exceeded", "fuel")],
  ["the deadline", { path: "/spin", limits: { fuel: 10 ** 12, timeMs: 200 } }, "", failure("ext.timeout", "time")],
  [
    "a body over the limit",
    { path: "/big", query: "2000", limits: { resultBytes: 1_000 } },
    "",
    failure("ext.response_too_large", "result"),
  ],
  [
    "more memory than allowed",
    { path: "/big", query: String(2 ** 25), limits: { memoryBytes: 2 ** 24 } },
    "",
    failure("ext.quota_exceeded", "memory"),
  ],
  ["more headers than taken", { path: "/many-headers", query: "101" }, "", failure("ext.response_too_large", "headers")],
  ["the guest's own error", { path: "/throw" }, "it broke", { kind: "failed", code: "ext.trap", rule: "error", detail: "it broke" }],
  [
    "control characters in its error",
    { path: "/throw" },
    "a\u001b[2Jb\nc",
    { kind: "failed", code: "ext.trap", rule: "error", detail: "a\\u{1b}[2Jb\\nc" },
  ],
  ["a denial let through", { path: "/throw" }, "capability.denied: storage.kv", failure("ext.capability_denied", "capability")],
  ["a text that only begins alike", { path: "/throw" }, "capability.deniedness", failure("ext.trap", "error")],
  [
    "more host calls than allowed",
    { path: "/host", limits: { hostCalls: 2 } },
    JSON.stringify(Array(3).fill(["kv", "get", "a"])),
    failure("ext.quota_exceeded", "host_calls"),
  ],
] as const)("%s ends the call with its code", async (_what, change, body, outcome) => {
  expect((await run(change, body)).outcome).toEqual(outcome);
});

test("a long error of a guest is cut", async () => {
  const { outcome } = await run({ path: "/throw" }, "x".repeat(50_000));
  if (outcome.kind !== "failed") throw new Error("it did not fail");
  expect(outcome.detail).toHaveLength(1_001);
});

test("headers over 16 KiB are refused however few they are", async () => {
  const { outcome } = await run({ call: httpCall("/echo", [["x-ext-a", "v".repeat(limits.extensionHeadersMaxBytes)]]) });
  expect(outcome).toEqual(failure("ext.response_too_large", "headers"));
});

test("lines of the log come in order, each one line and cut", async () => {
  const { log } = await run({ path: "/log" }, JSON.stringify(["first", "two\nlines \u0007", "y".repeat(10_000)]));
  expect(log.map((line) => [line.level, line.message])).toEqual([
    ["info", "first"],
    ["info", "two\\nlines \\u{7}"],
    ["info", `${"y".repeat(4_096)}…`],
  ]);
  expect(log.every((line, i) => line.at >= (log[i - 1]?.at ?? 0))).toBe(true);
});

test("a log over its bytes is dropped and the guest goes on; one far over ends it", async () => {
  const flooded = await run({ path: "/flood", query: "60", limits: { logBytes: 8_000 } });
  expect(flooded.outcome.kind).toBe("response");
  expect(flooded.log.at(-1)?.message).toMatch(/^\d+ more lines were dropped: a log holds 8000 bytes$/);
  expect(JSON.stringify(flooded.log).length).toBeLessThan(9_000);
  expect((await run({ path: "/flood", query: "1000", limits: { logBytes: 8_000 } })).outcome).toEqual(failure("ext.quota_exceeded", "log"));
});

test("a caller that goes away ends the guest and frees its place", async () => {
  const gone = new AbortController();
  const spinning = world.execute(world.head({ path: "/spin", limits: { fuel: 10 ** 12, timeMs: 60_000 } }), "", { signal: gone.signal });
  await expect.poll(() => world.runner.health().slots.running).toBe(1);
  gone.abort();
  await expect(spinning).rejects.toThrow();
  await expect.poll(() => world.runner.health().slots.running).toBe(0);
});

test("a call does not wait for a preparation beyond its time, and the next one finds it done", async () => {
  const other = await makeBundle({ "manifest.json": '{"other":1}', "extension.wasm": await guestComponent() });
  world.hub.bundles.set(other.contentHash, other.tar);
  const asked = Promise.withResolvers<() => void>();
  world.hub.override = (request, response) => {
    if (request.url?.endsWith(other.contentHash) !== true) return false;
    asked.resolve(() => void response.writeHead(200, { "content-type": "application/octet-stream" }).end(other.tar));
    return true;
  };
  const head = world.head({ contentHash: other.contentHash, limits: { timeMs: 100 } });
  const { result: early } = await world.execute(head, "", { deadlineMs: 300 });
  expect(early.outcome).toEqual(failure("ext.unavailable", "preparation"));
  expect(early.usage).toMatchObject({ durationMs: 0, fuel: 0 });
  (await asked.promise)();
  expect((await run({ contentHash: other.contentHash })).outcome).toMatchObject({ kind: "response" });
  expect(world.hub.asked.filter((what) => what.endsWith(other.contentHash))).toHaveLength(1);
});

test("metrics name invocations, errors, timeouts, host calls and the pool", async () => {
  const text = await (await fetch(`${world.runner.internalUrl}/metrics`)).text();
  expect(text).toContain(`althing_runner_invocations_total{extension="${extension}",trigger="http",result="response"}`);
  expect(text).toContain('althing_runner_errors_total{code="ext.timeout",rule="time"} 1');
  expect(text).toContain(`althing_runner_timeouts_total{extension="${extension}"} 1`);
  expect(text).toContain('althing_runner_host_calls_total{op="log.write",result="ok"}');
  expect(text).toMatch(/althing_runner_sandbox_processes \d/);
  expect(text).toContain("althing_runner_queue_depth 0");
});
