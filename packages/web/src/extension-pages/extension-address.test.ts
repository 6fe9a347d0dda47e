import { expect, test } from "vitest";
import { extensionAddress, readExtensionAddress } from "./extension-address.ts";

test.each([
  ["/c/garden/x/org.example.a", { community: "garden", extension: "org.example.a", path: "/" }],
  ["/c/garden/x/org.example.a/", { community: "garden", extension: "org.example.a", path: "/" }],
  ["/c/garden/x/org.example.a/b%20c", { community: "garden", extension: "org.example.a", path: "/b c" }],
])("%s is read", (address, place) => expect(readExtensionAddress(address)).toEqual(place));

test.each([
  "/",
  "/c/garden",
  "/c/garden/x",
  "/c/garden/x/",
  "/c/garden/x/nodots",
  "/c/GARDEN/x/org.example.a",
  "/c/%67arden/x/org.example.a",
  "/c/garden/x/org.a/%2e%2e",
  "/c/garden/x/org.example.a/b%2fc",
  "/c/a/b",
])("%s names nothing", (address) => expect(readExtensionAddress(address)).toBeUndefined());

test.each(["/", "/a", "/a b/ü?#%"])("an address that was written for %j is read back", (path) => {
  const address = extensionAddress({ community: "garden", extension: "org.example.a", path });
  expect(readExtensionAddress(new URL(address, "http://host").pathname)?.path).toBe(path);
});
