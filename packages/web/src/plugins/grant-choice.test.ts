import type { Grants } from "@althing/contract";
import { expect, test } from "vitest";
import { declaredAfter, grantToSend, itemKey, itemsOf, refusedBefore, withoutRefused } from "./grant-choice.ts";

const nothing: Grants = { capabilities: [], egress: [], events: [], filters: [], jobs: [], publicEndpoints: [], uiHosts: [] };
const declared: Grants = { ...nothing, capabilities: ["http.fetch", "storage.kv"], egress: ["a.example", "b.example"], jobs: ["tick"] };

test("who refuses nothing grants all that is declared", () => {
  expect(grantToSend(declared, new Set())).toBeUndefined();
});

test("a refusal narrows its own kind and no other", () => {
  const refused = new Set([itemKey({ kind: "egress", item: "b.example" })]);
  expect(grantToSend(declared, refused)).toEqual({ egress: ["a.example"] });
  expect(withoutRefused(declared, refused)).toEqual({ ...declared, egress: ["a.example"] });
});

test("everything can be refused", () => {
  const refused = new Set(itemsOf(declared).map(itemKey));
  expect(grantToSend(declared, refused)).toEqual({ capabilities: [], egress: [], jobs: [] });
});

test("the same text in two kinds is two things", () => {
  const both = { ...nothing, egress: ["a.example"], uiHosts: ["a.example"] };
  expect(grantToSend(both, new Set([itemKey({ kind: "uiHosts", item: "a.example" })]))).toEqual({ uiHosts: [] });
});

test("an upgrade declares what stays and what it adds", () => {
  const diff = { added: { ...nothing, egress: ["c.example"] }, removed: { ...nothing, jobs: ["tick"] } };
  expect(declaredAfter(declared, diff)).toEqual({ ...declared, egress: ["a.example", "b.example", "c.example"], jobs: [] });
});

test("what was refused before is found", () => {
  expect(refusedBefore(declared, { ...declared, capabilities: ["storage.kv"] })).toEqual(new Set(["capabilities http.fetch"]));
});
