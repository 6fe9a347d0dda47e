import { expect, test } from "vitest";
import { extensionAddress, readCommunityRoute } from "./community-route.ts";

test.each([
  ["/c/garden", { community: "garden" }],
  ["/c/garden/", { community: "garden" }],
  ["/c/garden/x/org.example.a", { community: "garden", extension: { id: "org.example.a", path: "/" } }],
  ["/c/garden/x/org.example.a/b%20c", { community: "garden", extension: { id: "org.example.a", path: "/b c" } }],
])("%s is read", (address, route) => expect(readCommunityRoute(address)).toEqual(route));

test.each([
  "/",
  "/c/",
  "/c//",
  "/c/GARDEN",
  "/c/%67arden",
  "/c/garden/x",
  "/c/garden/x/",
  "/c/garden/x/nodots",
  "/c/garden/x/org.a/%2e%2e",
  "/c/a/b",
])("%s names nothing", (address) => expect(readCommunityRoute(address)).toBeUndefined());

test.each(["/", "/a", "/a b/ü?#%"])("an address that was written for %j is read back", (path) => {
  const address = extensionAddress("garden", "org.example.a", path);
  expect(readCommunityRoute(new URL(address, "http://host").pathname)?.extension?.path).toBe(path);
});
