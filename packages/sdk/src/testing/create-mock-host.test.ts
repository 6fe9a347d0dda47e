import { expect, test } from "vitest";
import {
  accept,
  defineExtension,
  events,
  HostError,
  http,
  HttpProblem,
  json,
  kv,
  members,
  refuse,
  rooms,
  secrets,
  text,
} from "../guest/index.ts";
import { createMockHost, missingHandlers } from "./create-mock-host.ts";

const manifest = {
  name: "org.example.trial",
  version: "1.0.0",
  capabilities: [{ name: "storage.kv" }, { name: "http.fetch" }],
  egress: [{ host: "*.example.org" }],
  endpoints: [
    { method: "GET", path: "/do/:what" },
    { method: "POST", path: "/put" },
  ],
  events: ["member.*"],
  filters: [{ point: "comment.before_create" }],
  jobs: [{ name: "tick" }],
  settings: { properties: { word: { type: "string", default: "hello" }, other: { type: "string" } } },
};

const acts: Readonly<Record<string, () => unknown>> = {
  room: () => rooms.post("r", "t"),
  members: () => [...members.each()],
  secret: () => secrets.get("s"),
  event: () => events.emit("a", "b", {}),
  outside: () => http.fetch("https://example.com/").status,
  inside: () => http.fetch("https://api.example.org/", { method: "POST", body: "b", headers: { a: "b" } }).text(),
  key: () => kv.put("k".repeat(257), ""),
  value: () => kv.put("k", new Uint8Array(64 * 1024 + 1)),
  conflict: () => kv.put("k", "", { expect: 9 }),
  ttl: () => kv.put("t", "x", { ttlSeconds: 10 }),
};

const extension = defineExtension({
  http: {
    "GET /do/:what": (request, { settings }) => json({ settings, result: acts[request.params.what]?.() ?? null }),
    "POST /put": (request) => {
      if (request.text() === "") throw new HttpProblem(400, "empty", "send something");
      kv.put("k", request.body);
      return text(kv.get("k")?.text() ?? "");
    },
  },
  events: { "member.joined": (event) => event.topic },
  filters: { "comment.before_create": (payload) => (payload === null ? refuse("empty") : accept(payload)) },
  jobs: { tick: ({ slot }) => slot.toISOString() },
});

test.each([
  ["room", "capability.denied"],
  ["members", "capability.denied"],
  ["secret", "capability.denied"],
  ["event", "capability.denied"],
  ["outside", "fetch.host_not_allowed"],
  ["inside", "fetch.unreachable"],
  ["key", "kv.too_large"],
  ["value", "kv.too_large"],
  ["conflict", "kv.conflict"],
])("what the platform would refuse is refused: %s with %s", (what, code) => {
  expect(() => createMockHost({ extension, manifest }).request("GET", `/do/${what}`)).toThrow(new RegExp(`^${code.replace(".", "\\.")}: `));
});

test("settings are the manifest's defaults under the test's", () => {
  const settings = (over: Record<string, unknown>) =>
    createMockHost({ extension, manifest, settings: over }).request("GET", "/do/nothing").json();
  expect(settings({})).toMatchObject({ settings: { word: "hello" } });
  expect(settings({ word: "hei", other: "x" })).toMatchObject({ settings: { word: "hei", other: "x" } });
});

test("requests are recorded and answered by the test", () => {
  const host = createMockHost({ extension, manifest, fetch: () => ({ body: "ü" }) });
  expect(host.request("GET", "/do/inside").json()).toMatchObject({ result: "ü" });
  expect(host.fetches).toEqual([{ method: "POST", url: "https://api.example.org/", headers: { a: "b" }, body: "b" }]);
});

test("entries live as long as they were told", () => {
  const host = createMockHost({ extension, manifest });
  host.request("GET", "/do/ttl");
  expect(host.kv.keys).toEqual(["t"]);
  host.setTime(new Date("2026-01-01T00:00:10Z"));
  expect(host.kv.keys).toEqual([]);
});

test("stored bytes are a copy: a guest that changes its buffer changes nothing", () => {
  const host = createMockHost({ extension, manifest });
  const body = new TextEncoder().encode("abc");
  expect(host.request("POST", "/put", { body }).text()).toBe("abc");
  body[0] = 0;
  expect(host.kv.text("k")).toBe("abc");
});

test("what the manifest does not declare is not called", () => {
  const host = createMockHost({ extension, manifest });
  expect(() => host.request("GET", "/other")).toThrow("no endpoint");
  expect(() => host.event({ topic: "vote.cast" })).toThrow("does not declare");
  expect(() => host.filter("vote.before_cast", {})).toThrow("does not declare");
  expect(() => host.job("tock")).toThrow("does not declare");
});

test("events, filters, jobs and problems come back as the platform sees them", () => {
  const host = createMockHost({ extension, manifest });
  expect(host.event({ topic: "member.joined" })).toBe("member.joined");
  expect(() => host.event({ topic: "member.left" })).toThrow("no handler");
  expect(host.filter("comment.before_create", { a: 1 })).toEqual({ accept: { a: 1 } });
  expect(host.filter("comment.before_create", null)).toEqual({ refuse: "empty" });
  expect(host.job("tick", new Date(0))).toBe("1970-01-01T00:00:00.000Z");
  expect(host.request("POST", "/put")).toMatchObject({ status: 400 });
});

test("host functions outside a handler are refused, also after one", () => {
  createMockHost({ extension, manifest }).job("tick");
  expect(() => kv.get("k")).toThrow("only inside a handler");
});

test("declared but not handled is listed", () => {
  expect(
    missingHandlers(extension, { ...manifest, endpoints: [{ method: "GET", path: "/x" }], events: ["member.*"], jobs: [{ name: "tock" }] }),
  ).toEqual(["GET /x", "event member.*", "job tock"]);
});

test("a refusal by the test's own fetch reaches the handler with its code", () => {
  const host = createMockHost({
    extension,
    manifest,
    fetch: () => {
      throw new HostError("fetch.timeout", "slow");
    },
  });
  expect(() => host.request("GET", "/do/inside")).toThrow("fetch.timeout: slow");
});
