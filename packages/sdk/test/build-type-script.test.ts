import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tempDir, type TempDir } from "@althing/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildTypeScript, explainStack, type BuildResult } from "../src/index.ts";
import { fakeStore, hostFunctions, runComponent, type FakeHost, type RunningComponent } from "./run-component.ts";

const entry = fileURLToPath(new URL("./guests/every-call.ts", import.meta.url));
let dir: TempDir;
let built: BuildResult;
let guest: RunningComponent;

beforeAll(async () => {
  dir = await tempDir();
  built = await buildTypeScript({ entry, outFile: join(dir.path, "extension.wasm") });
  guest = await runComponent(built.component, dir.path);
});
afterAll(() => dir.remove());

test("the component imports the world's interfaces and nothing of a system", () => {
  expect(guest.imports.filter((name) => !name.startsWith("althing:extension/"))).toEqual([]);
  expect(guest.exports).toContain("handle");
  expect(built.bytes).toBe(built.component.byteLength);
  expect(built.bytes).toBeLessThan(2.5 * 1024 * 1024);
});

test("answers a request: path, header and query in Unicode", async () => {
  const { status, text } = await guest.http("GET", "/hello/Bj%C3%B6rk%20%F0%9F%8C%BF?q=a%20b+%C3%BC");
  expect([status, text]).toEqual([200, "Hello, Björk 🌿! é a b ü"]);
});

test("a body of 1 MiB comes back byte for byte", async () => {
  const body = Uint8Array.from({ length: 1024 * 1024 }, (_, index) => (index * 31) & 0xff);
  expect(Buffer.from((await guest.http("POST", "/echo", { body })).body).equals(body)).toBe(true);
});

test("a body of 1 MiB of text is decoded and encoded", async () => {
  const body = "grün 🌿 ".repeat(80_000);
  expect((await guest.http("POST", "/upper", { body })).text).toBe(body.toUpperCase());
});

test("what is not UTF-8 becomes U+FFFD as the standard says", async () => {
  const body = Uint8Array.of(0x61, 0xf0, 0x9f, 0x8c, 0x62, 0xc0, 0xaf, 0xed, 0xa0, 0x80, 0xe2, 0x82);
  expect((await guest.http("POST", "/upper", { body })).text).toBe(new TextDecoder().decode(body).toUpperCase());
});

test("writes and reads its data over two calls", async () => {
  const store = fakeStore(1_000n);
  await guest.http("POST", "/count", { host: store.functions });
  expect((await guest.http("POST", "/count", { host: store.functions })).text).toBe('{"count":2,"revision":1001}');
  expect(store.text("count")).toBe("2");
});

test("the largest exact revision is kept, one more is refused and not rounded", async () => {
  const last = BigInt(Number.MAX_SAFE_INTEGER);
  expect((await guest.http("POST", "/count", { host: fakeStore(last).functions })).text).toContain(String(last));
  await expect(guest.http("POST", "/count", { host: fakeStore(last + 2n).functions })).rejects.toContain("capability.bad_argument");
});

test("a write that another one overtook is repeated on the newer value", async () => {
  const store = fakeStore();
  let isFirst = true;
  const put = store.functions["kv.put"] as (...args: unknown[]) => unknown;
  const overtaken: FakeHost = {
    ...store.functions,
    "kv.put": (...args: unknown[]) => {
      if (isFirst) put("count", new TextEncoder().encode("41"), undefined);
      isFirst = false;
      return put(...args);
    },
  };
  expect((await guest.http("POST", "/count", { host: overtaken })).text).toContain('"count":42');
});

test("lists over pages", async () => {
  const store = fakeStore();
  for (let index = 0; index < 250; index++) {
    (store.functions["kv.put"] as (...args: unknown[]) => unknown)(`k/${String(index).padStart(3, "0")}`, new Uint8Array(), undefined);
  }
  expect((JSON.parse((await guest.http("GET", "/keys", { host: store.functions })).text) as string[]).length).toBe(250);
});

test("a refusal that nobody caught leaves as its code, one that was caught does not", async () => {
  await expect(guest.http("GET", "/denied")).rejects.toBe("capability.denied: rooms.post is not granted");
  expect((await guest.http("GET", "/caught")).text).toBe('{"host":"capability.denied"}');
});

test("an error leaves as one line; the stack goes to the log, in the author's places when explained", async () => {
  const lines: string[] = [];
  const host: FakeHost = { "log.write": (_level: string, message: string) => lines.push(message) };
  await expect(guest.http("GET", "/throws", { host })).rejects.toBe("TypeError: boom é");
  expect(lines.join("\n")).toContain("componentize-qjs:user.js");
  if (built.map === undefined) throw new Error("no map");
  expect(explainStack(lines.join("\n"), built.map, join(fileURLToPath(new URL("./guests", import.meta.url))))).toMatch(
    /every-call\.ts:\d+:\d+/,
  );
});

test("arguments of the wrong type are errors with words, not traps", async () => {
  expect(JSON.parse((await guest.http("GET", "/wrong")).text)).toEqual(
    Array.from({ length: 3 }, () => ({ host: "capability.bad_argument" })),
  );
});

test("an async handler is told why it cannot be", async () => {
  await expect(guest.http("GET", "/async")).rejects.toContain("handlers are not async");
});

test("a request that no handler answers is the author's fault, in words", async () => {
  await expect(guest.http("GET", "/nothing")).rejects.toBe(
    "Error: the manifest declares GET /nothing, but the extension has no handler for it",
  );
});

test("clock, randomness and the rest of the globals are what the guide says", async () => {
  const ask = async (requestId: string) =>
    JSON.parse((await guest.http("GET", "/globals", { context: { requestId } })).text) as Record<string, unknown>;
  const globals = await ask("request-1");
  expect(globals).toMatchObject({
    now: "2026-05-01T12:00:00.000Z",
    isDate: true,
    year: 2020,
    performance: 0,
    url: "https://example.org/a?b=1#c",
    idn: expect.stringContaining("Invalid URL"),
    query: ["1", "2"],
    clone: true,
    base64: "x",
    uuid: expect.stringContaining("no source of secret randomness"),
    fetch: expect.stringContaining("http.fetch"),
    timer: expect.stringContaining("not available"),
  });
  expect(globals["called"]).toContain("2026");
  expect((await ask("request-1"))["random"]).toEqual(globals["random"]);
  expect((await ask("request-2"))["random"]).not.toEqual(globals["random"]);
});

test("console and log reach the execution log with their levels", async () => {
  const lines: unknown[] = [];
  await guest.http("GET", "/log", { host: { "log.write": (...args: unknown[]) => lines.push(args) } });
  expect(lines).toEqual([
    ["info", 'said {"a":"1n"} shown'],
    ["warn", "warned"],
    ["error", "logged"],
  ]);
});

test("every host function crosses with its arguments and results", async () => {
  const calls: unknown[] = [];
  const note =
    (name: string, result: unknown) =>
    (...args: unknown[]) => (calls.push([name, ...args]), result);
  const host: FakeHost = {
    "http.fetch": note("http.fetch", { status: 200, headers: [], body: new TextEncoder().encode("ö") }),
    "secrets.get": note("secrets.get", "s"),
    "metrics.record": note("metrics.record", undefined),
    "events.emit": note("events.emit", "event-1"),
    "rooms.post": note("rooms.post", "message-1"),
    "members.listMembers": note("members.listMembers", {
      members: [{ id: "1", handle: "ada", roles: ["admin"], since: "2026" }],
      next: undefined,
    }),
    "proposals.get": note("proposals.get", '{"id":"p1"}'),
    "proposals.listProposals": note("proposals.listProposals", '{"items":[]}'),
    "schedule.postpone": note("schedule.postpone", undefined),
    "kv.delete": note("kv.delete", undefined),
  };
  expect(JSON.parse((await guest.http("GET", "/all", { host })).text)).toEqual({
    fetch: "ö",
    secret: "s",
    metric: "recorded",
    event: "event-1",
    room: "message-1",
    members: [{ id: "1", handle: "ada", roles: ["admin"], since: "2026" }],
    proposal: { id: "p1" },
    proposals: { items: [] },
    postponed: "postponed",
    deleted: "deleted",
  });
  expect(calls).toEqual([
    [
      "http.fetch",
      { method: "POST", url: "https://example.org/", headers: [{ name: "x-a", value: "b" }], body: new TextEncoder().encode("ü") },
    ],
    ["secrets.get", "token"],
    ["metrics.record", "histogram", "size", [{ name: "kind", value: "é" }], 1.5],
    ["events.emit", "greeted", "ada", '{"n":1}'],
    ["rooms.post", "garden", "hello"],
    ["members.listMembers", undefined, 100],
    ["proposals.get", "p1"],
    ["proposals.listProposals", "p1", 100],
    ["schedule.postpone", "tick", "1970-01-01T00:00:00.000Z"],
    ["kv.delete", "gone", undefined],
  ]);
  expect(hostFunctions.length).toBe(14);
});

test("events, filters and jobs come and go", async () => {
  const event = {
    topic: "member.joined",
    index: 9007199254740991n,
    id: "e",
    time: "",
    actor: "",
    subject: "",
    data: '{"a":"é"}',
    depth: 1,
  };
  expect(await guest.invoke({ tag: "event", val: event })).toEqual({ tag: "done", val: 'member.joined 9007199254740991 {"a":"é"}' });
  expect(await guest.invoke({ tag: "job", val: { name: "tick", slot: "2026-01-01T00:00:00Z" } })).toEqual({
    tag: "done",
    val: "ran 2026-01-01T00:00:00.000Z",
  });
  const filter = (payload: unknown) =>
    guest.invoke({ tag: "filter", val: { point: "comment.before_create", payload: JSON.stringify(payload) } });
  expect(await filter({ text: "é" })).toEqual({ tag: "accept", val: '{"text":"é"}' });
  expect(await filter({ text: "spam" })).toEqual({ tag: "refuse", val: "nein, ß" });
});

test.each([
  ['import { readFileSync } from "node:fs";\nexport const extension = readFileSync;\n', "index.ts:1:30", "node:fs"],
  ["export const other = 1;\n", "index.ts", "extension"],
  ["export const extension = {\n  http: {\n", "index.ts:3:1", "Expected"],
  ["\nexport const extension = { now: Date.now() };\nconsole.log(extension);\n", "index.ts:2:38", "only inside a handler"],
  ['import "./gone.ts";\nexport const extension = {};\n', "index.ts:1:8", "./gone.ts"],
])("%j is a fault at %s", async (source, path, part) => {
  await using project = await tempDir();
  await writeFile(join(project.path, "index.ts"), source);
  const failure = buildTypeScript({ entry: join(project.path, "index.ts") });
  await expect(failure).rejects.toMatchObject({ code: "build.failed", faults: [{ path, message: expect.stringContaining(part) }] });
});

test("an entry that is not there is said so", async () => {
  await expect(buildTypeScript({ entry: join(dir.path, "none.ts") })).rejects.toMatchObject({
    code: "build.failed",
    faults: [{ path: "none.ts" }],
  });
});
