import { repositoryRoot } from "@althing/testkit";
import { expect, test } from "vitest";
import { checkHouseRules } from "../../tools/guards/check-house-rules.ts";
import { openSourceTree } from "../../tools/guards/source-tree.ts";

const tree = openSourceTree(repositoryRoot);
const later = `${"TO"}${"DO"}`;

test("files are named, opened and finished as the house does", () => {
  expect(checkHouseRules(tree)).toEqual([]);
});

test.each([
  ["packages/hub/src/someThing.ts", "/** x */", "kebab-case"],
  ["packages/hub/src/utils.ts", "/** x */", "must say what is inside"],
  ["packages/hub/src/planted.ts", "export const x = 1;", "opens with no comment"],
  ["packages/hub/src/planted.ts", `/** x */\n// ${later}: later`, "does not wait in comments"],
  ["packages/hub/src/planted.ts", "/** x */\nexport interface IThing { a: 1 }", "no I before names"],
])("planted, %s with %j is refused", (path, code, reason) => {
  const findings = checkHouseRules(tree.with({ [path]: code })).filter((finding) => finding.startsWith(path));
  expect(findings.join()).toContain(reason);
});
