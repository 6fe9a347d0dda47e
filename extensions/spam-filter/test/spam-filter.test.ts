import { createMockHost, equal, missingHandlers, test } from "@althing/sdk/testing";
import manifest from "../manifest.json" with { type: "json" };
import { extension } from "../src/index.ts";

const host = createMockHost({ extension, manifest, settings: { words: ["free money", "Café"], maxLinks: 1 } });

test("everything that the manifest declares has a handler", () => {
  equal(missingHandlers(extension, manifest), []);
});

test("an honest text passes unchanged", () => {
  const payload = { title: "A bench", body: "by the river, see https://example.org", count: 3, tags: [] };
  equal(host.filter("proposal.before_create", payload), { accept: payload });
});

test("an unwanted word is found in any case, width, accent and place, and named", () => {
  for (const text of ["FREE MONEY", "ｆｒｅｅ money!", "(free money)", "a\nfree money"]) {
    equal(host.filter("comment.before_create", { deep: [{ text }] }), { refuse: "“free money” is not welcome here." }, text);
  }
  equal(host.filter("comment.before_create", { text: "cafe" }), { refuse: "“Café” is not welcome here." });
});

test("a word inside another is none", () => {
  equal(host.filter("comment.before_create", { text: "carefree moneybags, cafeteria" }), {
    accept: { text: "carefree moneybags, cafeteria" },
  });
});

test("links are counted over the whole payload", () => {
  const refused = host.filter("comment.before_create", { title: "https://a.example", body: "HTTP://b.example" });
  equal(refused, { refuse: "2 links are too many; 1 are allowed." });
});

test("without settings nothing but a flood of links is refused", () => {
  const plain = createMockHost({ extension, manifest });
  equal(plain.filter("comment.before_create", { text: "free money" }), { accept: { text: "free money" } });
  equal(plain.filter("comment.before_create", { text: "https://x ".repeat(4) }), { refuse: "4 links are too many; 3 are allowed." });
});
