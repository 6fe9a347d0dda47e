import { createMockHost, equal, HostError, missingHandlers, test, throws } from "@althing/sdk/testing";
import manifest from "../manifest.json" with { type: "json" };
import { extractPreview } from "../src/extract-preview.ts";
import { extension } from "../src/index.ts";

const page = `<html><head><title>Moss &amp; stone</title><meta name="description" content='On "moss"'></head></html>`;
const ask = (url: string) => ({ json: { url } });

test("everything that the manifest declares has a handler", () => {
  equal(missingHandlers(extension, manifest), []);
});

/** The first host that the settings allow by default. */
const site = "en.wikipedia.org";
const moss = `https://${site}/wiki/Moss`;

test("answers with title and description, and fetches once a day", () => {
  const host = createMockHost({ extension, manifest, fetch: () => ({ body: page }) });
  const expected = { url: moss, title: "Moss & stone", description: 'On "moss"' };
  equal(host.request("POST", "/preview", ask(moss)).json(), expected);
  equal(host.request("POST", "/preview", ask(moss)).json(), expected);
  equal(host.fetches.length, 1);
  host.setTime(new Date("2026-01-02T00:00:01Z"));
  host.request("POST", "/preview", ask(moss));
  equal(host.fetches.length, 2);
});

test("fetches nothing from a host that the community does not name", () => {
  const host = createMockHost({ extension, manifest, fetch: () => ({ body: page }) });
  for (const url of ["https://example.org/", `http://${site}/`, `https://${site}@example.org/`, "https://127.0.0.1/"]) {
    equal(host.request("POST", "/preview", ask(url)).status, 422, url);
  }
  equal(host.fetches, []);
});

test("a host that was not granted is refused by the platform, not by us", () => {
  const host = createMockHost({ extension, manifest, settings: { hosts: ["example.org"] }, fetch: () => ({ body: page }) });
  throws(() => host.request("POST", "/preview", ask("https://example.org/")), "fetch.host_not_allowed");
});

test("what is no address, no page or too slow is said so", () => {
  const host = createMockHost({ extension, manifest, fetch: () => ({ status: 404 }) });
  equal(host.request("POST", "/preview", ask("nonsense")).status, 400);
  equal(host.request("POST", "/preview", { body: "{" }).status, 400);
  equal(host.request("POST", "/preview", ask("https://github.com/nobody")).status, 502);
  const slow = createMockHost({
    extension,
    manifest,
    fetch: () => {
      throw new HostError("fetch.timeout", "github.com took more than 5000 ms");
    },
  });
  throws(() => slow.request("POST", "/preview", ask("https://github.com/nobody")), "fetch.timeout");
});

test("markup, broken entities and endless text stay plain and short", () => {
  equal(extractPreview("<title><b>a</b> &lt;script&gt; &#x1F33F; &#99999999; &nope;</title>").title, "a <script> 🌿 &#99999999; &nope;");
  equal(extractPreview(`<meta property=og:title content="${"x".repeat(999)}">`).title.length, 200);
  equal(extractPreview(""), { title: "", description: "" });
});
