import type { SettingNode } from "@althing/extension/manifest";
import { expect, test } from "vitest";
import { applySettingWords } from "./package-settings.ts";

const properties: Record<string, SettingNode> = {
  greeting: { type: "string" },
  key: { type: "string", secret: true },
  count: { type: "integer" },
  loud: { type: "boolean" },
  rooms: { type: "array", items: { type: "string" } },
  places: { type: "array", items: { type: "integer" } },
};

test("words are typed by the schema, and what is not named stays", () => {
  const words = ["greeting=a=b, c", "count=3", "loud=true", "rooms=a, b", "places=[1,2]"];
  expect(applySettingWords({ kept: 1 }, properties, words)).toEqual({
    kept: 1,
    greeting: "a=b, c",
    count: 3,
    loud: true,
    rooms: ["a", "b"],
    places: [1, 2],
  });
  expect(applySettingWords({ greeting: "x", count: 1 }, properties, ["count=default"])).toEqual({ greeting: "x" });
});

test.each(["key=very-secret", "unknown=1", "count=three", "greeting", "=x"])("%s is wrong usage", (word) => {
  expect(() => applySettingWords({}, properties, [word])).toThrow(expect.objectContaining({ code: "cli.usage" }));
});
