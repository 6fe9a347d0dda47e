import type { Grants } from "@althing/contract";
import { expect, test } from "vitest";
import { rateRisk, type RiskGrade, type RiskWhy } from "./risk.ts";

const nothing: Grants = { capabilities: [], egress: [], events: [], filters: [], jobs: [], publicEndpoints: [], uiHosts: [] };
const trusted = { isTrusted: true, hasStrictFilter: false };

test.each<[string, Partial<Grants>, RiskGrade, RiskWhy[]]>([
  ["asks for nothing", {}, "low", []],
  ["keeps data of its own", { capabilities: ["storage.kv", "metrics"] }, "low", []],
  ["sends to one host", { capabilities: ["http.fetch"], egress: ["a.example"] }, "medium", ["sends"]],
  ["may send but to nobody", { capabilities: ["http.fetch"] }, "low", []],
  ["is told what happens", { events: ["proposal.*"] }, "medium", ["told"]],
  ["works by itself", { jobs: ["tick"] }, "medium", ["alone"]],
  ["answers strangers", { publicEndpoints: ["GET /x"] }, "medium", ["strangers"]],
  ["sends to a family of hosts", { capabilities: ["http.fetch"], egress: ["*.example"] }, "high", ["manyHosts", "sends"]],
  [
    "sees members and sends",
    { capabilities: ["members.read", "http.fetch"], egress: ["a.example"] },
    "high",
    ["readsAndSends", "sends", "readsPeople"],
  ],
  [
    "sees what people write and its pages reach a host",
    { filters: ["comment.before_create"], uiHosts: ["a.example"] },
    "high",
    ["readsAndSends", "filters", "pages"],
  ],
  [
    "answers strangers and sends",
    { capabilities: ["http.fetch"], egress: ["a.example"], publicEndpoints: ["GET /x"] },
    "high",
    ["strangersAndSends", "sends", "strangers"],
  ],
])("a signed package that %s", (_, asked, grade, whys) => {
  const risk = rateRisk({ ...nothing, ...asked }, trusted);
  expect(risk.grade).toBe(grade);
  expect(risk.reasons.map(({ why }) => why)).toEqual(whys);
});

test("without a trusted signature nothing is harmless", () => {
  expect(rateRisk(nothing, { isTrusted: false, hasStrictFilter: false })).toEqual({
    grade: "high",
    reasons: [{ grade: "high", why: "untrusted" }],
  });
});

test("a filter that refuses when it fails can stop the community", () => {
  const risk = rateRisk({ ...nothing, filters: ["comment.before_create"] }, { isTrusted: true, hasStrictFilter: true });
  expect(risk.grade).toBe("high");
  expect(risk.reasons.map(({ why }) => why)).toEqual(["strictFilter", "filters"]);
});

test("refusing what makes it dangerous lowers the grade", () => {
  const asked = { ...nothing, capabilities: ["members.read", "http.fetch"], egress: ["a.example"] };
  expect(rateRisk({ ...asked, egress: [] }, trusted).grade).toBe("medium");
});
