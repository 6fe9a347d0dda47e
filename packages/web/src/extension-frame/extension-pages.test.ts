import { expect, test } from "vitest";
import { mayShow, navLinks, readExtensionPages, type FramedInstall } from "./extension-pages.ts";

const install: FramedInstall = {
  extension: "org.example.x",
  displayName: "Example",
  uiUrl: "https://ext.example.org/ext-ui/x/y/ui/index.html",
  manifest: {
    endpoints: [{ method: "GET", path: "/a" }, { method: 1, path: "/b" }, null],
    ui: {
      nav: [
        { label: "Start", path: "/start" },
        { label: "Admin", path: "/start/admin", permission: "members.manage" },
        { label: "Own", path: "/own", permission: "ext.org.example.x.run" },
        { label: "One", path: "/one/:id" },
        { label: "", path: "/no-label" },
        { label: "Bad", path: "javascript:alert(1)" },
      ],
    },
  },
};
const pages = readExtensionPages(install);

test.each([undefined, "", "javascript:alert(1)", "data:text/html,x", "//host/x"])("an install with its pages at %j has none", (uiUrl) =>
  expect(readExtensionPages({ ...install, uiUrl })).toBeUndefined(),
);

test("what is not as a manifest has it is left out", () => {
  expect(pages?.endpoints).toEqual([{ method: "GET", path: "/a" }]);
  expect(pages?.nav.map(({ label }) => label)).toEqual(["Start", "Admin", "Own", "One"]);
  expect(readExtensionPages({ ...install, manifest: {} })).toMatchObject({ endpoints: [], nav: [] });
});

test("links are what the viewer may open and what needs no name filled in", () => {
  const labels = (...permissions: string[]) => pages && navLinks(pages, permissions).map(({ label }) => label);
  expect(labels()).toEqual(["Start"]);
  expect(labels("members.manage", "ext.*")).toEqual(["Start", "Admin", "Own"]);
});

test.each([
  ["/", [], true],
  ["/start", [], true],
  ["/start/deep/er", [], true],
  ["/start/admin", [], false],
  ["/start/admin/deep", [], false],
  ["/start/admin/deep", ["members.manage"], true],
  ["/one", [], false],
  ["/one/1", [], true],
  ["/elsewhere", ["members.manage"], false],
  ["/start/..", [], false],
  ["https://example.org", [], false],
])("%s with %j: %s", (path, permissions, may) => expect(pages && mayShow(pages, path, permissions)).toBe(may));
