import { expect, test } from "vitest";
import { viewOfManifest } from "./manifest-view.ts";

const manifest = {
  manifestVersion: 2,
  name: "org.example.full",
  version: "1.2.3",
  publisher: { id: "ed25519:ab", name: "Example" },
  displayName: "<b>Full</b>",
  capabilities: [{ name: "http.fetch", reason: "To ask." }],
  egress: [{ host: "*.example.org", reason: "There it asks." }],
  endpoints: [
    { method: "GET", path: "/a/:id", public: true },
    { method: "POST", path: "/b", permission: "members.manage" },
  ],
  events: ["proposal.*"],
  filters: [{ point: "comment.before_create", mode: "fail_closed", priority: 5 }],
  jobs: [{ name: "tick", schedule: { cron: "0 9 * * 1", timeZone: "Europe/Berlin" } }],
  settings: {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    properties: { greeting: { type: "string" }, key: { type: "string", secret: true, title: "Key" } },
    required: ["greeting", "key"],
  },
  ui: { entry: "ui/index.html", nav: [{ label: "Start", path: "/" }], csp: { connect: ["a.example.org"], img: ["a.example.org"] } },
  limits: { timeMs: 500 },
};

test("everything that people decide about is read", () => {
  const view = viewOfManifest(manifest);
  expect(view).toMatchObject({
    displayName: "<b>Full</b>",
    stage: "stable",
    publisher: { id: "ed25519:ab", name: "Example" },
    egress: [{ name: "*.example.org", reason: "There it asks." }],
    filters: [{ point: "comment.before_create", isStrict: true }],
    jobs: [{ name: "tick", schedule: { timeZone: "Europe/Berlin" } }],
    limits: { timeMs: 500 },
  });
  expect(view.endpoints).toEqual([
    { method: "GET", path: "/a/:id", permission: undefined, isPublic: true },
    { method: "POST", path: "/b", permission: "members.manage", isPublic: false },
  ]);
  expect(view.ui?.hosts).toEqual(["a.example.org"]);
});

test("secrets are parted from settings, so that no form asks for a value that never comes back", () => {
  const view = viewOfManifest(manifest);
  expect(view.settings).toEqual({
    type: "object",
    additionalProperties: false,
    properties: { greeting: { type: "string" } },
    required: ["greeting"],
  });
  expect(view.secrets).toEqual([{ name: "key", title: "Key", description: undefined, isNeeded: true }]);
});

test.each<[string, unknown]>([
  ["nothing", undefined],
  ["a text", "x"],
  ["lists", []],
  [
    "every field of the wrong kind",
    {
      displayName: 1,
      publisher: [],
      capabilities: {},
      egress: [null, 1, { host: 2 }],
      endpoints: [{ method: "GET" }],
      events: [1],
      filters: "x",
      jobs: [{ name: "a", schedule: "sometimes" }],
      settings: 7,
      ui: { entry: 1 },
      limits: null,
    },
  ],
])("%s breaks nothing and asks for nothing", (_, broken) => {
  expect(viewOfManifest(broken)).toMatchObject({
    capabilities: [],
    egress: [],
    endpoints: [],
    events: [],
    filters: [],
    jobs: [],
    settings: undefined,
    secrets: [],
    ui: undefined,
  });
});
