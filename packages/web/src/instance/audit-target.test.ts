import { expect, test } from "vitest";
import { targetRows } from "./audit-target.ts";

test("plain texts stand as they are", () => expect(targetRows({ handle: "bob" })).toEqual([{ name: "handle", text: "bob" }]));

test("what holds nothing is left out", () => expect(targetRows({ defaults: "{}", locks: "[]" })).toEqual([]));

test("a list of names is a list of names", () =>
  expect(targetRows({ locks: '["publicEndpoints","outboundHttp"]' })).toEqual([{ name: "locks", text: "publicEndpoints, outboundHttp" }]));

test("things are shown by what they are called, and whole behind that", () => {
  const anchors = JSON.stringify([{ id: "ed25519:ab", kind: "key", subject: "x" }]);
  expect(targetRows({ anchors })).toEqual([
    { name: "anchors", text: "ed25519:ab", whole: JSON.stringify(JSON.parse(anchors), undefined, 2) },
  ]);
});

test("an object is shown by what was set in it", () =>
  expect(targetRows({ defaults: '{"backgroundJobs":true,"limits":{"fuel":1}}' })[0]?.text).toBe("backgroundJobs, limits"));

test("many are counted", () => expect(targetRows({ list: '["a","b","c","d"]' })[0]?.text).toBe("a, b, c … (4)"));

test("JSON that was cut off is shown by the names in it, and kept", () => {
  const cut = '[{"id":"ed25519:ab","kind":"key"},{"id":"ed255';
  expect(targetRows({ anchors: cut })).toEqual([{ name: "anchors", text: "ed25519:ab", whole: cut }]);
  expect(targetRows({ defaults: '{"limits":{"fuel"' })[0]).toEqual({
    name: "defaults",
    text: '{"limits":{"fuel"…',
    whole: '{"limits":{"fuel"',
  });
});

test("a text that only looks like JSON is no trouble", () => expect(targetRows({ reason: "[sic]" })[0]?.whole).toBe("[sic]"));
