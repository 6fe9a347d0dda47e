import { repositoryRoot } from "@althing/testkit";
import { expect, test } from "vitest";
import { checkReferences } from "../../tools/guards/check-references.ts";
import { openSourceTree } from "../../tools/guards/source-tree.ts";

const planted = ["docs", "guides", "planted.md"].join("/");
const tree = openSourceTree(repositoryRoot);

test("every page, link and script that is named exists", () => {
  expect(checkReferences(tree)).toEqual([]);
});

test.each([
  ["packages/hub/src/planted.ts", `/** See ${"docs"}/architecture/no-such-page.md. */`, "does not exist"],
  [planted, "[there](../nowhere.md)", "leads nowhere"],
  [planted, "npm run no-such-script", "there is no script"],
])("planted, %s with %j is found", (path, text, reason) => {
  const findings = checkReferences(tree.with({ [path]: text })).filter((finding) => finding.startsWith(path));
  expect(findings.join()).toContain(reason);
});
