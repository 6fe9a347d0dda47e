import { moduleNames } from "@althing/contract";
import { expect, test } from "vitest";
import { moduleSchemaOf } from "./module-schema.ts";
import { judgeSettings } from "./settings-validator.ts";

test.each(moduleNames)("every setting of %s has a title and a hint in the reader's language, and its defaults fit", (module) => {
  const asked = new Set<string>();
  const schema = moduleSchemaOf(module, (name) => {
    asked.add(name);
    return { title: `Title of ${name}`, hint: `Hint of ${name}` };
  });
  expect(JSON.stringify(schema)).not.toContain('"properties":{}');
  expect(asked.size).toBeGreaterThan(0);
  for (const name of asked) expect(JSON.stringify(schema)).toContain(`"title":"Title of ${name}"`);
  // No word of the contract's own is left, which is in one language.
  expect([...JSON.stringify(schema).matchAll(/"description":"([^"]*)"/g)].map(([, words]) => words)).toSatisfy((words: readonly string[]) =>
    words.every((one) => one.startsWith("Hint of ")),
  );
  expect(judgeSettings(schema, {})).toEqual([]);
});

test("what the hub would refuse is refused by the same schema", () => {
  const schema = moduleSchemaOf("proposals", () => ({}));
  expect(judgeSettings(schema, { votingDays: 0 }).map(({ path, keyword }) => `${path} ${keyword}`)).toEqual(["votingDays minimum"]);
  expect(
    judgeSettings(
      moduleSchemaOf("welcome", () => ({})),
      { questions: [{ id: "A b", text: "" }] },
    ).map(({ path }) => path),
  ).toEqual(["questions.0.id", "questions.0.text"]);
});
