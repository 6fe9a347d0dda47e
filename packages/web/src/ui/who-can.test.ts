import { errorCatalogue } from "@althing/contract";
import { expect, test } from "vitest";
import { whoCan } from "./who-can.ts";

test.each([
  ["request.invalid", "you"],
  ["request.precondition_failed", "you"],
  ["system.internal", "operator"],
  ["ext.not_found", "communityAdmin"],
  ["filter.refused", "communityAdmin"],
  ["manifest.invalid", "author"],
  ["auth.forbidden", undefined],
] as const)("%s is for %s to change", (code, expected) => expect(whoCan(code, errorCatalogue[code])).toBe(expected));

test("nobody is told to change what the catalogue sends to somebody else", () => {
  const elsewhere = /^(?:An admin|The operator|Its publisher|Ask that admin|Ask a moderator|Its author)/;
  const told = Object.entries(errorCatalogue).filter(([code, row]) => elsewhere.test(row.fix) && whoCan(code, row) === "you");
  expect(told.map(([code]) => code)).toEqual([]);
});
