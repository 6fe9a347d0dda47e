import type { RJSFSchema } from "@rjsf/utils";
import { expect, test } from "vitest";
import { createSettingsValidator, errorTree, judgeSettings } from "./settings-validator.ts";

const schema = {
  type: "object",
  additionalProperties: false,
  properties: {
    greeting: { type: "string", minLength: 1, maxLength: 4 },
    count: { type: "integer", minimum: 1, maximum: 5 },
    kind: { type: "string", enum: ["a", "b"] },
    mail: { type: "string", format: "email" },
    words: { type: "array", items: { type: "string", minLength: 2 }, maxItems: 2, uniqueItems: true },
    inner: { type: "object", properties: { deep: { type: "boolean" } }, required: ["deep"] },
    "a/b~c": { type: "string", maxLength: 1 },
  },
  required: ["greeting"],
} as const;

const told = (value: unknown): string[] => judgeSettings(schema, value).map(({ path, keyword }) => `${path}:${keyword}`);

test.each<[string, unknown, string[]]>([
  ["what fits", { greeting: "Hi", count: 5, kind: "a", words: ["ab"], inner: { deep: true } }, []],
  ["nothing", {}, ["greeting:required"]],
  ["no value at all", undefined, ["greeting:required"]],
  ["bounds", { greeting: "Hello", count: 0 }, ["greeting:maxLength", "count:minimum"]],
  ["kinds", { greeting: 7, count: 1.5, kind: "c" }, ["greeting:type", "count:type", "kind:enum"]],
  ["places in lists and below", { greeting: "Hi", words: ["ab", "c"], inner: {} }, ["words.1:minLength", "inner.deep:required"]],
  ["twice the same", { greeting: "Hi", words: ["ab", "ab"] }, ["words:uniqueItems"]],
  ["a name that needs escaping", { greeting: "Hi", "a/b~c": "xx" }, ["a/b~c:maxLength"]],
])("%s: each fault at its place, once", (_, value, faults) => {
  expect(told(value)).toEqual(faults);
});

test("a setting that does not exist is told of", () => {
  expect(judgeSettings(schema, { greeting: "Hi", nonsense: 1 }).map(({ keyword }) => keyword)).toContain("additionalProperties");
});

test("formats are advice, as for the hub", () => {
  expect(told({ greeting: "Hi", mail: "no mail" })).toEqual([]);
});

test("characters are counted, not their halves", () => {
  expect(told({ greeting: "🦊🦊🦊🦊" })).toEqual([]);
});

test.each<[string, unknown]>([
  ["no schema", undefined],
  ["a pattern that is no regular expression", { properties: { greeting: { type: "string", pattern: "(" } } }],
  ["a reference into nothing", { $ref: "#/nowhere" }],
])("%s does not break the page", (_, broken) => {
  expect(() => judgeSettings(broken, { greeting: "x" })).not.toThrow();
});

const formSchema: RJSFSchema = {
  type: "object",
  properties: { words: { type: "array", items: { type: "string", minLength: 2 } } },
};

test("the form library gets a tree of the fields", () => {
  const settingsValidator = createSettingsValidator(({ keyword, limit }) => `${keyword} ${String(limit)}`);
  const { errors, errorSchema } = settingsValidator.validateFormData({ words: ["ab", "c"] }, formSchema);
  expect(errors).toHaveLength(1);
  expect(errorSchema).toMatchObject({ words: { 1: { __errors: ["minLength 2"] } } });
  expect(settingsValidator.isValid({ type: "string" }, "x", {})).toBe(true);
  expect(settingsValidator.isValid({ type: "string" }, 1, {})).toBe(false);
});

test("what the hub said goes to the same places", () => {
  expect(
    errorTree([
      { path: "words.0", message: "no" },
      { path: "(root)", message: "too much" },
    ]),
  ).toEqual({
    __errors: ["too much"],
    words: { 0: { __errors: ["no"] } },
  });
});
