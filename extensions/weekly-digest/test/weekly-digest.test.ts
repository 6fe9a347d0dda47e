import { createMockHost, equal, missingHandlers, test } from "@althing/sdk/testing";
import manifest from "../manifest.json" with { type: "json" };
import { extension, weekOf } from "../src/index.ts";

test("everything that the manifest declares has a handler", () => {
  equal(missingHandlers(extension, manifest), []);
});

test("weeks begin on Monday, across months and years", () => {
  equal(weekOf(new Date("2026-01-05T00:00:00Z")), "2026-01-05");
  equal(weekOf(new Date("2026-01-11T23:59:59Z")), "2026-01-05");
  equal(weekOf(new Date("2026-01-01T12:00:00Z")), "2025-12-29");
});

test("counts a week and says it in the next", () => {
  const host = createMockHost({ extension, manifest });
  host.event({ topic: "proposal.created", index: 1, time: "2026-01-06T10:00:00Z" });
  host.event({ topic: "comment.created", index: 2, time: "2026-01-07T10:00:00Z" });
  host.event({ topic: "comment.created", index: 3, time: "2026-01-11T23:00:00Z" });
  host.event({ topic: "member.joined", index: 4, time: "2026-01-12T00:00:00Z" });
  equal(host.request("GET", "/latest").status, 204);
  equal(host.job("digest", new Date("2026-01-12T00:05:00Z")), "digest of 2026-01-05");
  const digest = { week: "2026-01-05", counts: { proposal: 1, comment: 2 } };
  equal(host.emitted, [{ topic: "ext.org.althing.weekly-digest.digest", subject: "2026-01-05", data: digest }]);
  equal(host.request("GET", "/latest").json(), digest);
});

test("an event that is delivered twice counts once", () => {
  const host = createMockHost({ extension, manifest });
  const event = { topic: "member.joined", index: 7, time: "2026-01-06T10:00:00Z" };
  host.event(event);
  host.event(event);
  equal(host.kv.json("week/2026-01-05"), { lastIndex: 7, byKind: { member: 1 } });
});

test("a week without events has an empty digest, and old weeks go", () => {
  const host = createMockHost({ extension, manifest, settings: { keepWeeks: 1 } });
  host.event({ topic: "member.joined", index: 1, time: "2025-11-03T10:00:00Z" });
  host.event({ topic: "member.joined", index: 2, time: "2026-01-12T10:00:00Z" });
  host.job("digest", new Date("2026-01-12T00:05:00Z"));
  equal(host.kv.keys, ["latest", "week/2026-01-12"]);
  equal(host.kv.json("latest"), { week: "2026-01-05", counts: {} });
});
