import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "@althing/testkit";
import { describe, expect, test } from "vitest";
import { manifestJsonSchema, manifestTable } from "./manifest-schema.ts";
import { checkManifest, parseManifest, readManifest } from "./parse-manifest.ts";

const least = {
  manifestVersion: 2,
  name: "org.example.greeter",
  version: "1.0.0",
  publisher: { id: "ed25519:00", name: "Ada" },
  displayName: "Greeter",
  engine: "^1.0.0",
};

const full = {
  ...least,
  version: "1.2.3-beta.1",
  description: "Greets people.",
  license: "Apache-2.0 OR MIT",
  homepage: "https://greeter.example.org/about",
  icon: "ui/icon.png",
  stage: "experimental",
  capabilities: [
    { name: "http.fetch", reason: "asks the weather" },
    { name: "storage.kv", reason: "remembers names" },
  ],
  egress: [{ host: "*.weather.example.org", reason: "the weather" }],
  endpoints: [
    { method: "GET", path: "/" },
    { method: "GET", path: "/people/:id", permission: "members.read" },
    { method: "POST", path: "/people/:id/hello", public: true },
  ],
  events: ["member.joined", "proposal.*"],
  filters: [{ point: "comment.before_create", mode: "fail_open" }],
  jobs: [{ name: "digest", schedule: "weekly" }],
  settings: {
    type: "object",
    properties: {
      greeting: { type: "string", maxLength: 100, default: "Hello" },
      token: { type: "string", secret: true },
      days: { type: "array", items: { type: "integer", minimum: 1, maximum: 7 }, default: [1, 2] },
    },
    required: ["greeting"],
  },
  ui: { entry: "ui/index.html", nav: [{ label: "People", path: "/people" }], csp: { connect: ["*.weather.example.org"] } },
  limits: { fuel: 1_000_000, timeMs: 500, memoryBytes: 16_777_216 },
  migrates: { settingsVersion: 2, step: "to-two" },
};

const bytes = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
const pathsOf = (value: unknown) => checkManifest(value).faults.map((fault) => fault.path);

test("the least and the full manifest are taken, with defaults filled in", () => {
  expect(parseManifest(bytes(least))).toMatchObject({ stage: "stable", capabilities: [], jobs: [] });
  expect(parseManifest(bytes(full))).toMatchObject({ filters: [{ priority: 50 }] });
});

describe("each rule names its path", () => {
  const one = (change: Record<string, unknown>) => ({ ...full, ...change });
  test.each<[string, Record<string, unknown>]>([
    ["manifestVersion", { manifestVersion: 1 }],
    ["surprise", { surprise: true }],
    ["name", { name: "greeter" }],
    ["name", { name: "Org.Example" }],
    ["name", { name: "org.-x" }],
    ["name", { name: "org..x" }],
    ["name", { name: "org.example/../x" }],
    ["version", { version: "v1.0.0" }],
    ["version", { version: "1.0" }],
    ["version", { version: "1.0.0+build" }],
    ["publisher.id", { publisher: { id: "a\u202eb", name: "x" } }],
    ["publisher.key", { publisher: { ...least.publisher, key: 1 } }],
    ["displayName", { displayName: " x" }],
    ["displayName", { displayName: "a\u0000" }],
    ["homepage", { homepage: "http://example.org" }],
    ["homepage", { homepage: "javascript:alert(1)" }],
    ["icon", { icon: "ui/../x.png" }],
    ["icon", { icon: "ui/x.svg" }],
    ["stage", { stage: "alpha" }],
    ["engine", { engine: "one" }],
    ["capabilities.0.name", { capabilities: [{ name: "fs.read", reason: "x" }], egress: [], ui: undefined }],
    ["capabilities.0.name", { capabilities: [{ name: "log", reason: "x" }], egress: [], ui: undefined }],
    ["capabilities.0.reason", { capabilities: [{ name: "http.fetch" }] }],
    [
      "capabilities.1",
      {
        capabilities: [
          { name: "http.fetch", reason: "x" },
          { name: "http.fetch", reason: "y" },
        ],
      },
    ],
    ["egress", { capabilities: [] }],
    ["egress.0.host", { egress: [{ host: "*example.org", reason: "x" }], ui: undefined }],
    ["egress.0.host", { egress: [{ host: "a.*.example.org", reason: "x" }], ui: undefined }],
    ["egress.0.host", { egress: [{ host: "x.*", reason: "x" }], ui: undefined }],
    ["egress.0.host", { egress: [{ host: "*.com", reason: "x" }], ui: undefined }],
    ["egress.0.host", { egress: [{ host: "127.0.0.1", reason: "x" }], ui: undefined }],
    ["egress.0.host", { egress: [{ host: "localhost", reason: "x" }], ui: undefined }],
    ["egress.0.host", { egress: [{ host: "Example.org", reason: "x" }], ui: undefined }],
    ["egress.0.host", { egress: [{ host: "https://example.org", reason: "x" }], ui: undefined }],
    ["endpoints.0.path", { endpoints: [{ method: "GET", path: "people" }] }],
    ["endpoints.0.path", { endpoints: [{ method: "GET", path: "/a//b" }] }],
    ["endpoints.0.path", { endpoints: [{ method: "GET", path: "/a/*" }] }],
    ["endpoints.0.path", { endpoints: [{ method: "GET", path: "/../x" }] }],
    ["endpoints.0.path", { endpoints: [{ method: "GET", path: "/%2e" }] }],
    ["endpoints.0.path", { endpoints: [{ method: "GET", path: "/a/" }] }],
    ["endpoints.0.path", { endpoints: [{ method: "GET", path: "/:a/:a" }] }],
    ["endpoints.0.method", { endpoints: [{ method: "TRACE", path: "/" }] }],
    ["endpoints.0.permission", { endpoints: [{ method: "GET", path: "/", public: true, permission: "members.read" }] }],
    [
      "endpoints.1",
      {
        endpoints: [
          { method: "GET", path: "/a/:x" },
          { method: "GET", path: "/a/:y" },
        ],
      },
    ],
    ["events.0", { events: ["*"] }],
    ["events.0", { events: ["a.*.b"] }],
    ["filters.0.point", { filters: [{ point: "room.after", mode: "fail_open" }] }],
    [
      "filters.1",
      {
        filters: [
          { point: "vote.before_cast", mode: "fail_open" },
          { point: "vote.before_cast", mode: "fail_closed" },
        ],
      },
    ],
    ["jobs.0.schedule", { jobs: [{ name: "a", schedule: "yearly" }] }],
    ["jobs.0.schedule.cron", { jobs: [{ name: "a", schedule: { cron: "* * * * * *", timeZone: "UTC" } }] }],
    ["jobs.0.schedule.timeZone", { jobs: [{ name: "a", schedule: { cron: "0 4 * * *", timeZone: "Mars/Olympus" } }] }],
    ["jobs.0.schedule.cron", { jobs: [{ name: "a", schedule: { cron: "0 4 * * *", timeZone: "Europe/Berlin" } }] }],
    [
      "jobs.1",
      {
        jobs: [
          { name: "a", schedule: "daily" },
          { name: "a", schedule: "hourly" },
        ],
      },
    ],
    ["settings.properties.a.type", { settings: { type: "object", properties: { a: { $ref: "#" } } } }],
    ["settings.properties.a.pattern", { settings: { type: "object", properties: { a: { type: "string", pattern: "(a+)+$" } } } }],
    ["settings.properties.a.default", { settings: { type: "object", properties: { a: { type: "integer", default: 1.5 } } } }],
    ["settings.properties.a", { settings: { type: "object", properties: { a: { type: "string", secret: true, default: "x" } } } }],
    ["settings.required", { settings: { type: "object", properties: {}, required: ["a"] } }],
    ["ui.entry", { ui: { entry: "index.html" } }],
    ["ui.csp.connect.0", { ui: { entry: "ui/index.html", csp: { connect: ["other.example.org"] } } }],
    ["limits.fuel", { limits: { fuel: 0 } }],
    ["migrates.step", { migrates: { settingsVersion: 1, step: "X" } }],
  ])("%s: %j", (path, change) => {
    expect(pathsOf(one(change))).toContain(path);
  });

  test("many faults come at once", () => {
    expect(pathsOf({ ...least, name: "x", version: "y", engine: "" })).toEqual(["name", "version", "engine"]);
    expect(() => parseManifest(bytes({ ...least, name: "x" }))).toThrow(
      expect.objectContaining({ code: "manifest.invalid", status: 422 }) as Error,
    );
  });
});

test("cron expressions are judged by the check that is handed in", () => {
  const value = { ...least, jobs: [{ name: "a", schedule: { cron: "0 4 * * 1", timeZone: "Europe/Berlin" } }] };
  const asked: string[] = [];
  const checkCron = (expression: string, zone: string) => (asked.push(`${expression} ${zone}`), undefined);
  expect(checkManifest(value, { checkCron }).faults).toEqual([]);
  expect(asked).toEqual(["0 4 * * 1 Europe/Berlin"]);
  expect(checkManifest(value, { checkCron: () => "runs twice a minute" }).faults).toEqual([
    { path: "jobs.0.schedule.cron", message: "runs twice a minute" },
  ]);
});

describe("hostile files", () => {
  const whole = (text: string) => readManifest(bytes(text)).faults;
  test.each([
    ["is not JSON", "{"],
    ["is not JSON", "\ufeff{}"],
    ["nested", "[".repeat(100_000) + "]".repeat(100_000)],
    ["more than", `"${"x".repeat(300_000)}"`],
    ["a key twice", JSON.stringify(least).replace("{", '{"version":"9.9.9",')],
    ["a key twice", JSON.stringify(least).replace("{", '{"v\\u0065rsion":"9.9.9",')],
  ])("%s", (message, text) => {
    expect(whole(text)).toHaveLength(1);
    expect(whole(text)[0]?.message).toContain(message);
  });

  test("a value that only looks like a key is no key", () => {
    expect(readManifest(bytes({ ...least, description: 'say "a": and \\": so' })).faults).toEqual([]);
  });

  test("__proto__ is no field and changes nothing", () => {
    expect(whole(JSON.stringify(least).replace("{", '{"__proto__":{"public":true},'))).not.toEqual([]);
    expect(
      whole(
        JSON.stringify({ ...least, settings: { type: "object", properties: {} } }).replace(
          '"properties":{',
          '"properties":{"__proto__":{"type":"boolean"}',
        ),
      ),
    ).not.toEqual([]);
  });

  test("the list of faults is bounded", () => {
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`x${index}`, 1]));
    expect(checkManifest({ ...least, ...many }).faults).toHaveLength(100);
  });

  test("bytes that are not UTF-8 are refused", () => {
    expect(readManifest(Buffer.concat([bytes(least).subarray(0, -2), Buffer.of(0xff), bytes('"}')])).faults).toHaveLength(1);
  });
});

test("editors get a JSON Schema with every field, closed", () => {
  const schema = manifestJsonSchema();
  expect(schema).toMatchObject({ type: "object", additionalProperties: false });
  expect(Object.keys(schema["properties"] as object).toSorted()).toEqual(Object.keys(full).toSorted());
});

test("the page about the manifest has the table that the schema makes", () => {
  expect(readFileSync(join(repositoryRoot, "docs/architecture/manifest.md"), "utf8")).toContain(manifestTable());
});
