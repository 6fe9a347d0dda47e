import { expect, test } from "vitest";
import { viewOfManifest } from "./manifest-view.ts";
import { diffManifests } from "./upgrade-diff.ts";

const before = viewOfManifest({
  endpoints: [
    { method: "GET", path: "/a" },
    { method: "GET", path: "/b" },
  ],
  settings: { type: "object", properties: { greeting: { type: "string" }, old: { type: "integer" } } },
  limits: { timeMs: 100 },
  ui: { entry: "ui/index.html", nav: [{ label: "A", path: "/" }] },
});
const after = viewOfManifest({
  endpoints: [
    { method: "GET", path: "/a", public: true },
    { method: "POST", path: "/b" },
  ],
  settings: { type: "object", properties: { greeting: { type: "string", maxLength: 4 }, key: { type: "string", secret: true } } },
  limits: { timeMs: 500, fuel: 9 },
  ui: { entry: "ui/index.html", nav: [{ label: "A", path: "/" }] },
});

test("what is new, gone and different is named", () => {
  expect(diffManifests(before, after).map(({ part, change, name }) => `${part} ${change} ${name}`)).toEqual([
    "settings changed greeting",
    "settings removed old",
    "secrets added key",
    "limits changed timeMs",
    "limits added fuel",
    "endpoints changed GET /a",
    "endpoints removed GET /b",
    "endpoints added POST /b",
  ]);
});

test("limits carry both numbers", () => {
  expect(diffManifests(before, after).find(({ name }) => name === "timeMs")).toMatchObject({ before: 100, after: 500 });
});

test("the same version is no change", () => {
  expect(diffManifests(after, after)).toEqual([]);
});
