import { readManifest, type Manifest } from "@althing/extension/manifest";
import { beforeAll, describe, expect, test } from "vitest";
import { differences, readCaseFile, type Observed } from "./request-cases.ts";

const written = {
  manifestVersion: 2,
  name: "org.example.hello",
  version: "1.0.0",
  publisher: { id: "x", name: "X" },
  displayName: "Hello",
  engine: "^1.0.0",
  endpoints: [
    { method: "GET", path: "/hello/:name" },
    { method: "POST", path: "/notes" },
  ],
  jobs: [{ name: "tick", schedule: "hourly" }],
};
const time = "2026-05-01T10:00:00.000Z";
let manifest: Manifest;
beforeAll(() => {
  const read = readManifest(new TextEncoder().encode(JSON.stringify(written)));
  if (read.manifest === undefined) throw new Error(JSON.stringify(read.faults));
  manifest = read.manifest;
});

const read = (...requests: object[]) => readCaseFile("a.requests.json", { requests }, manifest, time).cases;

describe("request files", () => {
  test("become the calls that the gateway would make", () => {
    const [get, post, event, job] = read(
      { as: "bob", request: { path: "/hello/%41da%2Fx?loud=1" } },
      { name: "writes", request: { method: "post", path: "/notes", json: { a: 1 }, headers: { "x-ext-a": "b" } } },
      { event: { topic: "member.joined", data: { who: "bob" } } },
      { job: { name: "tick" } },
    );
    expect(get).toMatchObject({
      name: "1",
      actor: { handle: "bob" },
      call: { method: "GET", path: "/hello/Ada/x", query: "loud=1", params: [["name", "Ada/x"]] },
    });
    expect(post).toMatchObject({
      name: "writes",
      call: {
        method: "POST",
        headers: [
          ["content-type", "application/json"],
          ["x-ext-a", "b"],
        ],
      },
    });
    expect(new TextDecoder().decode(post?.body)).toBe('{"a":1}');
    expect(event).toMatchObject({ actor: undefined, call: { kind: "event", topic: "member.joined", data: '{"who":"bob"}', depth: 1 } });
    expect(job).toMatchObject({ call: { kind: "job", name: "tick", slot: time } });
  });

  test.each([
    ["no request", {}, "must have one of"],
    ["two kinds", { request: { path: "/notes" }, job: { name: "tick" } }, "must have one of"],
    ["an endpoint that is not declared", { request: { path: "/other" } }, "no endpoint GET /other"],
    ["a method that is not declared", { request: { method: "DELETE", path: "/notes" } }, "no endpoint DELETE"],
    ["a path that climbs", { request: { path: "../notes" } }, "no endpoint"],
    ["a job that is not declared", { job: { name: "tock" } }, "no job tock"],
    ["an expectation that does not exist", { request: { path: "/hello/a" }, expect: { sttus: 200 } }, "there is no such field"],
    ["an expectation of the wrong kind", { request: { path: "/hello/a" }, expect: { status: "200" } }, "must be a number"],
  ])("with %s are refused with the place", (_, item, message) => {
    let faults: readonly { readonly path: string; readonly message: string }[] = [];
    try {
      read(item);
    } catch (error) {
      faults = error instanceof Error && "faults" in error ? (error.faults as typeof faults) : [];
    }
    expect(faults.map((fault) => fault.message).join()).toContain(message);
    expect(faults[0]?.path).toMatch(/^a\.requests\.json\.requests\.0/);
  });

  test("without a request are refused", () => {
    expect(() => readCaseFile("a", {}, manifest, time)).toThrow(expect.objectContaining({ code: "manifest.invalid" }));
  });
});

describe("differences", () => {
  const seen: Observed = {
    status: 200,
    headers: { "content-type": "application/json" },
    body: new TextEncoder().encode('{"b":2,"a":1}'),
    failed: undefined,
    detail: "",
    emits: ["ext.x.y"],
    fuel: 500,
  };

  test("are none when everything is as expected, whatever the order of keys", () => {
    expect(
      differences(
        { status: 200, json: { a: 1, b: 2 }, headers: { "Content-Type": "application/json" }, emits: ["ext.x.y"], maxFuel: 500 },
        seen,
      ),
    ).toEqual([]);
    expect(differences({}, seen)).toEqual([]);
  });

  test.each([
    [{ status: 201 }, "status"],
    [{ json: { a: 1 } }, "json"],
    [{ json: undefined }, "json"],
    [{ text: "x" }, "text"],
    [{ headers: { etag: "1" } }, "header etag"],
    [{ emits: [] }, "emits"],
    [{ maxFuel: 499 }, "fuel"],
    [{ fails: "ext.timeout" }, "failure"],
  ])("%j", (expectation, what) => {
    expect(differences(expectation, seen).join()).toContain(what);
  });

  test("a failure that nobody expected is one", () => {
    const failed = { ...seen, status: undefined, failed: "ext.trap", detail: "trap: unreachable" };
    expect(differences({}, failed)).toEqual(["it failed: trap: unreachable [ext.trap]"]);
    expect(differences({ fails: "ext.trap" }, failed)).toEqual([]);
  });
});
