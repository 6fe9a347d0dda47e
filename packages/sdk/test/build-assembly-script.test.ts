import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tempDir, type TempDir } from "@althing/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildAssemblyScript, type BuildResult } from "../src/index.ts";
import { fakeStore, runComponent, type FakeHost, type RunningComponent } from "./run-component.ts";

let dir: TempDir;
let built: BuildResult;
let guest: RunningComponent;

beforeAll(async () => {
  dir = await tempDir();
  const entry = join(dir.path, "index.ts");
  await copyFile(fileURLToPath(new URL("./guests/every-call.as", import.meta.url)), entry);
  built = await buildAssemblyScript({ entry, outFile: join(dir.path, "extension.wasm") });
  guest = await runComponent(built.component, dir.path);
});
afterAll(() => dir.remove());

test("the component is a few kilobytes and imports the world's interfaces only", () => {
  expect(guest.imports.filter((name) => !name.startsWith("althing:extension/"))).toEqual([]);
  expect(guest.exports).toEqual(["handle"]);
  expect(built.bytes).toBeLessThan(64 * 1024);
});

test("answers a request: path, header and query in Unicode", async () => {
  expect((await guest.http("GET", "/hello/Bj%C3%B6rk%F0%9F%8C%BF?q=1")).text).toBe("Hello, Björk🌿! é q=1");
});

test("a body of 1 MiB comes back byte for byte", async () => {
  const body = Uint8Array.from({ length: 1024 * 1024 }, (_, index) => (index * 31) & 0xff);
  expect(Buffer.from((await guest.http("POST", "/echo", { body })).body).equals(body)).toBe(true);
});

test("writes and reads its data over two calls, with revisions of 64 bits", async () => {
  const store = fakeStore(2n ** 63n);
  await guest.http("POST", "/count", { host: store.functions });
  expect((await guest.http("POST", "/count", { host: store.functions })).text).toBe('{"count":2,"revision":"9223372036854775809"}');
  expect((await guest.http("GET", "/stale", { host: store.functions })).text).toBe("kv.conflict");
  expect(store.text("count")).toBe("2");
});

test("lists over pages", async () => {
  const store = fakeStore();
  const put = store.functions["kv.put"] as (...args: unknown[]) => unknown;
  for (const key of ["a", "b", "c", "d", "e"]) put(`k/${key}`, new TextEncoder().encode(`${key}ü`), undefined);
  expect((await guest.http("GET", "/keys", { host: store.functions })).text).toBe("k/a=aü;k/b=bü;k/c=cü;k/d=dü;k/e=eü;");
});

test("a refusal leaves as its code; an abort is a trap with a line in the log", async () => {
  await expect(guest.http("GET", "/denied")).rejects.toBe("capability.denied: rooms.post is not granted");
  const lines: unknown[] = [];
  const host: FakeHost = { "log.write": (...args: unknown[]) => lines.push(args) };
  await expect(guest.http("GET", "/throws", { host })).rejects.toThrow(/unreachable/);
  expect(lines).toEqual([["error", expect.stringMatching(/^abort: boom é at index\.ts:\d+:\d+$/)]]);
  await expect(guest.http("GET", "/nothing")).rejects.toContain("no handler");
});

test("the context arrives whole, with and without a person", async () => {
  const actor = { id: "a1", handle: "åda", permissions: ["p.one", "p.two"] };
  const rest = "|2000|2026-05-01T12:00:00.000Z";
  expect((await guest.http("GET", "/context", { context: { actor, settings: '{"ü":1}' } })).text).toBe(
    `request-1|garden|org.example.test|1.0.0|a1/åda/p.one,p.two|{"ü":1}${rest}`,
  );
  expect((await guest.http("GET", "/context")).text).toBe(`request-1|garden|org.example.test|1.0.0|nobody|{}${rest}`);
});

test("every host function crosses with its arguments and results, and refused ones with their code", async () => {
  const calls: unknown[] = [];
  const note =
    (name: string, result: unknown) =>
    (...args: unknown[]) => (calls.push([name, ...args]), result);
  const host: FakeHost = {
    "log.write": note("log.write", undefined),
    "http.fetch": note("http.fetch", { status: 201, headers: [{ name: "x-h", value: "v" }], body: new TextEncoder().encode("ö") }),
    "secrets.get": note("secrets.get", "s"),
    "metrics.record": note("metrics.record", undefined),
    "events.emit": note("events.emit", "event-1"),
    "rooms.post": note("rooms.post", "message-1"),
    "members.listMembers": note("members.listMembers", {
      members: [{ id: "1", handle: "ada", roles: ["admin", "é"], since: "2026" }],
      next: "x",
    }),
    "proposals.get": note("proposals.get", '{"id":"p1"}'),
    "proposals.listProposals": note("proposals.listProposals", "[]"),
    "schedule.postpone": note("schedule.postpone", undefined),
    "kv.delete": note("kv.delete", undefined),
  };
  expect((await guest.http("GET", "/all", { host })).text).toBe(
    '201x-hö|s|recorded|event-1|message-1|ada:admin+é|{"id":"p1"}|[]|postponed|removed',
  );
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
    ["proposals.listProposals", "p1", 5],
    ["schedule.postpone", "tick", "1970-01-01T00:00:00.000Z"],
    ["kv.delete", "gone", undefined],
    ["log.write", "info", "é"],
  ]);
  expect((await guest.http("GET", "/all")).text).toBe(Array.from({ length: 10 }, () => "capability.denied").join("|"));
});

test("events, filters and jobs come and go", async () => {
  const event = {
    topic: "member.joined",
    index: 18446744073709551615n,
    id: "e",
    time: "",
    actor: "",
    subject: "",
    data: '{"a":"é"}',
    depth: 3,
  };
  expect(await guest.invoke({ tag: "event", val: event })).toEqual({ tag: "done", val: 'member.joined 18446744073709551615 {"a":"é"} 3' });
  expect(await guest.invoke({ tag: "job", val: { name: "tick", slot: "2026-01-01T00:00:00Z" } })).toEqual({
    tag: "done",
    val: "ran 2026-01-01T00:00:00Z",
  });
  const filter = (payload: string) => guest.invoke({ tag: "filter", val: { point: "comment.before_create", payload } });
  expect(await filter('"é"')).toEqual({ tag: "accept", val: '"é"' });
  expect(await filter('"spam"')).toEqual({ tag: "refuse", val: "nein, ß" });
});

test.each([
  ["let a: i32 = nothing;\na;\n", "index.ts:1:14", "nothing"],
  ['import { onHttp } from "@althing/sdk/nowhere";\nonHttp;\n', "index.ts:1:24", "not found"],
  ["export const now = Date.now();\n", "index.ts", "context.time"],
])("%j is a fault at %s", async (source, path, part) => {
  await using project = await tempDir();
  await writeFile(join(project.path, "index.ts"), source);
  const failure = buildAssemblyScript({ entry: join(project.path, "index.ts") });
  await expect(failure).rejects.toMatchObject({ code: "build.failed", faults: [{ path, message: expect.stringContaining(part) }] });
});
