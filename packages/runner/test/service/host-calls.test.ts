import type { BrokerRequest } from "@althing/contract";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { allCapabilities, openServiceWorld, type ServiceWorld } from "./service-world.ts";

let world: ServiceWorld;
beforeAll(async () => {
  world = await openServiceWorld();
  await world.execute(world.head());
});
afterAll(() => world.close());

let asked: BrokerRequest[] = [];
beforeEach(() => {
  asked = [];
  world.hub.broker = (request) => {
    asked.push(request);
    return { error: { code: "capability.unavailable", message: "no answer was prepared" } };
  };
});

const base64 = (text: string) => Buffer.from(text).toString("base64");

test("data goes to the broker and comes back: get, put, delete, list, with revisions as whole numbers", async () => {
  const answers: Record<string, object> = {
    "kv.get": { entry: { key: "a", value: base64("stored"), revision: 7 } },
    "kv.put": { revision: 8 },
    "kv.delete": {},
    "kv.list-entries": { entries: [{ key: "a", value: base64("x"), revision: 1 }], next: "a" },
  };
  world.hub.broker = (request) => {
    asked.push(request);
    return { ok: answers[request.op] };
  };
  const { seen, result } = await world.callHost([
    ["kv", "get", "a"],
    ["kv", "put", "a", { bytes: "new" }, 7, 60],
    ["kv", "put", "a", { bytes: "" }, null, null],
    ["kv", "delete", "a", 0],
    ["kv", "listEntries", "", null, 1_000],
  ]);
  expect(asked).toEqual([
    { op: "kv.get", key: "a" },
    { op: "kv.put", key: "a", value: base64("new"), expect: 7, ttlSeconds: 60 },
    { op: "kv.put", key: "a", value: "" },
    { op: "kv.delete", key: "a", expect: 0 },
    { op: "kv.list-entries", prefix: "", limit: 100 },
  ]);
  expect(seen).toEqual([
    { ok: { key: "a", value: "bytes:stored", revision: 7 } },
    { ok: 8 },
    { ok: 8 },
    {},
    { ok: { entries: [{ key: "a", value: "bytes:x", revision: 1 }], next: "a" } },
  ]);
  expect(result.usage.hostCalls).toBe(5);
});

test("an entry that is not there is no error", async () => {
  world.hub.broker = () => ({ ok: {} });
  expect((await world.callHost([["kv", "get", "none"]])).seen).toEqual([{ ok: null }]);
});

test.each([
  [["secrets", "get", "TOKEN"], { value: "s3cret" }, "s3cret"],
  [["events", "emit", "greeted", "ada", "{}"], { id: "e1" }, "e1"],
  [["rooms", "post", "garden", "hello"], { id: "m1" }, "m1"],
  [
    ["members", "listMembers", null, 10],
    { members: [{ id: "1", handle: "ada", roles: ["member"], since: "t" }] },
    { members: [{ id: "1", handle: "ada", roles: ["member"], since: "t" }] },
  ],
  [["proposals", "get", "p1"], { json: "{}" }, "{}"],
  [["proposals", "listProposals", null, 10], { json: "[]" }, "[]"],
  [["schedule", "postpone", "tidy", "2026-01-01T00:00:00Z"], {}, undefined],
])("%j is answered in the form of the WIT", async (call, ok, value) => {
  world.hub.broker = () => ({ ok });
  const [answer] = (await world.callHost([call])).seen;
  expect(answer).toMatchObject(value === undefined ? {} : { ok: value });
  expect(answer).not.toHaveProperty("error");
});

test("what is not granted is refused before anything is asked, typed to the guest, and stands in the log", async () => {
  const calls = [
    ["kv", "get", "a"],
    ["secrets", "get", "A"],
    ["metrics", "record", "counter", "a", [], 1],
    ["events", "emit", "t", "s", "{}"],
    ["rooms", "post", "r", "t"],
    ["members", "listMembers", null, 1],
    ["proposals", "get", "p"],
    ["schedule", "postpone", "j", "t"],
    ["http", "fetch", { method: "GET", url: "https://example.org/", headers: [], body: { bytes: "" } }],
  ];
  const { seen, result } = await world.callHost(calls, { capabilities: [] });
  expect(seen).toEqual(calls.map(() => ({ error: { code: "capability.denied", message: expect.stringContaining("not granted") } })));
  expect(asked).toEqual([]);
  expect(result.outcome.kind).toBe("response");
  expect(result.log.filter((line) => line.level === "warn" && line.message.includes("capability.denied"))).toHaveLength(calls.length);
});

test("each capability opens its own calls and no others", async () => {
  const calls = {
    "storage.kv": ["kv", "get", "a"],
    "secrets.get": ["secrets", "get", "A"],
    "members.read": ["members", "listMembers", null, 1],
  };
  for (const granted of Object.keys(calls)) {
    const { seen } = await world.callHost(Object.values(calls), { capabilities: [granted] });
    const codes = seen.map((answer) => (answer as { error: { code: string } }).error.code);
    expect(codes).toEqual(Object.keys(calls).map((name) => (name === granted ? "capability.unavailable" : "capability.denied")));
  }
});

test("a refusal of the broker reaches the guest with its code, as one printable line", async () => {
  world.hub.broker = () => ({ error: { code: "kv.conflict", message: "a is at revision 8,\nnot 7." } });
  expect((await world.callHost([["kv", "get", "a"]])).seen).toEqual([
    { error: { code: "kv.conflict", message: "a is at revision 8,\\nnot 7." } },
  ]);
});

test.each([
  ["no JSON", () => "nonsense" as unknown as object],
  ["a form that is none", () => ({ ok: { entry: { key: 1 } } })],
  ["neither ok nor error", () => ({})],
])("a broker that answers %s is not available, and the guest learns nothing of why", async (_what, broker) => {
  world.hub.broker = broker;
  expect((await world.callHost([["kv", "get", "a"]])).seen).toEqual([
    { error: { code: "capability.unavailable", message: "kv.get is not available just now" } },
  ]);
});

test("the broker hears of the call's request id and trace", async () => {
  world.hub.brokerHeaders.length = 0;
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await world.callHost([["kv", "get", "a"]], { requestId: "req-traced", traceparent });
  expect(world.hub.brokerHeaders[0]).toMatchObject({ "x-request-id": "req-traced", traceparent });
});

test.each([
  ["a key over its bytes", ["kv", "get", "é".repeat(129)], "kv.too_large"],
  ["a value over its bytes", ["kv", "put", "a", { bytes: "x".repeat(64 * 1024 + 1) }, null, null], "kv.too_large"],
  ["an empty page", ["kv", "listEntries", "", null, 0], "capability.bad_argument"],
  ["no time to live", ["kv", "put", "a", { bytes: "" }, null, 0], "capability.bad_argument"],
  ["a name no metric has", ["metrics", "record", "counter", "Bad Name", [], 1], "capability.bad_argument"],
  ["a counter that shrinks", ["metrics", "record", "counter", "a", [], -1], "capability.bad_argument"],
  [
    "a label twice",
    [
      "metrics",
      "record",
      "gauge",
      "a",
      [
        { name: "l", value: "1" },
        { name: "l", value: "2" },
      ],
      1,
    ],
    "capability.bad_argument",
  ],
  ["a label that is no line", ["metrics", "record", "gauge", "a", [{ name: "l", value: "a\nb" }], 1], "capability.bad_argument"],
])("%s is refused without asking the broker", async (_what, call, code) => {
  expect((await world.callHost([call])).seen).toEqual([{ error: { code, message: expect.any(String) } }]);
  expect(asked).toEqual([]);
});

test("metrics come with the result, labels in order; the 51st series of an install is refused, an old one goes on", async () => {
  const label = (name: string, value: string) => ({ name, value });
  const install = "01JXXXXXXXXXXXXXXXXXXXXXXX";
  const first = await world.callHost([["metrics", "record", "counter", "votes", [label("b", "2"), label("a", "1")], 2]], {
    install,
  } as object);
  expect(first.result.metrics).toEqual([
    {
      kind: "counter",
      name: "votes",
      labels: [
        ["a", "1"],
        ["b", "2"],
      ],
      value: 2,
    },
  ]);
  const many = Array.from({ length: 50 }, (_, i) => ["metrics", "record", "gauge", `g${i}`, [], i]);
  const { seen, result } = await world.callHost(
    [...many, ["metrics", "record", "counter", "votes", [label("a", "1"), label("b", "2")], 1]],
    { install } as object,
  );
  expect(seen.filter((answer) => "error" in (answer as object))).toEqual([
    { error: { code: "capability.bad_argument", message: expect.stringContaining("50 series") } },
  ]);
  expect(result.metrics).toHaveLength(50);
  expect((await world.callHost([["metrics", "record", "gauge", "g60", [], 1]])).seen).toEqual([{}]);
});

test("a secret that the guest read does not stand in the log or in the error of its call", async () => {
  world.hub.broker = () => ({ ok: { value: "hunter2-hunter2" } });
  const { result } = await world.callHost(
    [
      ["secrets", "get", "PASSWORD"],
      ["kv", "get", "x".repeat(300)],
    ],
    { capabilities: allCapabilities },
  );
  expect(JSON.stringify(result)).not.toContain("hunter2");
});

test("a call of a killed guest is given up at once", async () => {
  let answerLate: (() => void) | undefined;
  world.hub.broker = () => new Promise((resolve) => (answerLate = () => resolve({ ok: {} })));
  const started = performance.now();
  const { result } = await world.execute(world.head({ path: "/host", limits: { timeMs: 300 } }), JSON.stringify([["kv", "get", "a"]]));
  expect(result.outcome).toMatchObject({ kind: "failed", code: "ext.timeout" });
  expect(performance.now() - started).toBeLessThan(2_000);
  answerLate?.();
});
