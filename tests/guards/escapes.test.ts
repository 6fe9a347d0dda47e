import { repositoryRoot } from "@althing/testkit";
import { expect, test } from "vitest";
import { checkEscapes, checkSkips } from "../../tools/guards/check-escapes.ts";
import { openSourceTree } from "../../tools/guards/source-tree.ts";
import budget from "./escape-budget.json" with { type: "json" };
import skipped from "./skipped-tests.json" with { type: "json" };

const tree = openSourceTree(repositoryRoot);
const planted = "packages/hub/src/planted.ts";
const plantedTest = "packages/hub/src/planted.test.ts";
const mine = (findings: readonly string[]) => findings.filter((finding) => finding.startsWith("packages/hub/src/planted"));

test("ways around the type checker and the linter do not grow, and every one has its reason", () => {
  expect(checkEscapes(tree, budget)).toEqual([]);
});

test.each([
  ["any", "export const x: any = 1;"],
  ["castThroughUnknown", "export const x = 1 as unknown as string;"],
  ["silenced", `// oxlint-${"disable"}-next-line no-eval\nexport const x = 1;`],
  ["silenced", `// @ts-${"expect-error"} it is so\nexport const x = 1;`],
])("a planted %s is found: %s", (kind, code) => {
  expect(mine(checkEscapes(tree.with({ [planted]: code }), budget)).join()).toContain(`1 × ${kind}`);
});

test("the word any in a comment or a name is none, and a budget that is too large is reported", () => {
  const clean = tree.with({ [planted]: '// any\nexport const anyone = "any";' });
  expect(mine(checkEscapes(clean, budget))).toEqual([]);
  expect(mine(checkEscapes(clean, { ...budget, [planted]: { any: 1, reason: "gone" } })).join()).toContain("lower the 1");
});

test("every test that does not always run is listed with its reason", () => {
  expect(checkSkips(tree, skipped)).toEqual([]);
});

test.each([
  'test.skip("a", () => {});',
  'it.skipIf(true)("a", () => {});',
  'describe.only("a", () => {});',
  'test.todo("a");',
  'xtest("a", () => {});',
])("planted, %s is found", (code) => {
  expect(mine(checkSkips(tree.with({ [plantedTest]: code }), skipped))).toHaveLength(1);
});
