import { errorCatalogue } from "@althing/contract";
import { repositoryRoot } from "@althing/testkit";
import { expect, test } from "vitest";
import { checkErrorCodes } from "../../tools/guards/check-error-codes.ts";
import { openSourceTree } from "../../tools/guards/source-tree.ts";
import frozen from "./frozen-errors.json" with { type: "json" };
import planned from "./planned-errors.json" with { type: "json" };

const tree = openSourceTree(repositoryRoot);
const codes = Object.keys(errorCatalogue);

test("every code of the catalogue is raised somewhere, or its place is planned", () => {
  expect(checkErrorCodes(tree, codes, planned)).toEqual([]);
});

test("a planted code that nothing raises is found, and a plan that came true as well", () => {
  expect(checkErrorCodes(tree, [...codes, "planted.code"], planned).join()).toContain("planted.code: nothing raises it");
  const raising = tree.with({ "packages/hub/src/planted.ts": 'throw new AppError("planted.code");' });
  expect(checkErrorCodes(raising, [...codes, "planted.code"], planned).join()).not.toContain("planted.code");
  expect(checkErrorCodes(raising, [...codes, "planted.code"], { ...planned, "planted.code": "soon" }).join()).toContain("is raised now");
});

test("codes are append-only: none that was published is gone or has another status", () => {
  const now = Object.fromEntries(Object.entries(errorCatalogue).map(([code, row]) => [code, row.status]));
  expect(now).toMatchObject(frozen);
});

test("each row can be shown: a text that ends a sentence, a way out, parameters that are names", () => {
  for (const [code, row] of Object.entries(errorCatalogue)) {
    expect(code).toMatch(/^[a-z]+(?:\.[a-z_]+)+$/);
    expect(row.text, code).toMatch(/\.$/);
    expect(row.fix.length, code).toBeGreaterThan(5);
    expect(row.text.replace(/\{\w+\}/g, ""), code).not.toMatch(/[{}]/);
    expect(row.status === 0 || (row.status >= 400 && row.status < 600), code).toBe(true);
  }
});
