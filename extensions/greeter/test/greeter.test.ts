import { createMockHost, equal, missingHandlers, test } from "@althing/sdk/testing";
import manifest from "../manifest.json" with { type: "json" };
import { extension } from "../src/index.ts";

test("everything that the manifest declares has a handler", () => {
  equal(missingHandlers(extension, manifest), []);
});

test("greets by name, whatever the script", () => {
  equal(createMockHost({ extension, manifest }).request("GET", "/greet/Bj%C3%B6rk").text(), "Hello, Björk!");
});

test("greets the caller in the community's words", () => {
  const host = createMockHost({ extension, manifest, settings: { greeting: "Góðan dag" } });
  equal(host.request("GET", "/greet", { actor: { id: "1", handle: "ada" } }).text(), "Góðan dag, ada!");
  equal(host.request("GET", "/greet").text(), "Góðan dag, stranger!");
});
