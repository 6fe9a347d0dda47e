import { moduleNames } from "@althing/contract";
import { expect, test } from "vitest";
import { moduleSchemaOf } from "./module-schema.ts";
import { judgeSettings } from "./settings-validator.ts";

test.each(moduleNames)("every setting of %s has a title, and its defaults fit", (module) => {
  const asked = new Set<string>();
  const schema = moduleSchemaOf(module, (name) => {
    asked.add(name);
    return `Title of ${name}`;
  });
  expect(JSON.stringify(schema)).not.toContain('"properties":{}');
  expect(asked.size).toBeGreaterThan(0);
  for (const name of asked) expect(JSON.stringify(schema)).toContain(`"title":"Title of ${name}"`);
  expect(judgeSettings(schema, {})).toEqual([]);
});

test("what the hub would refuse is refused by the same schema", () => {
  const schema = moduleSchemaOf("proposals", () => undefined);
  expect(judgeSettings(schema, { votingDays: 0 }).map(({ path, keyword }) => `${path} ${keyword}`)).toEqual(["votingDays minimum"]);
  expect(
    judgeSettings(
      moduleSchemaOf("welcome", () => undefined),
      { questions: [{ id: "A b", text: "" }] },
    ).map(({ path }) => path),
  ).toEqual(["questions.0.id", "questions.0.text"]);
});
