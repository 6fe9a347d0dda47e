import { errorCatalogue } from "@althing/contract";
import { describe, expect, test } from "vitest";
import { adviceWords } from "./advice-words.ts";
import { adviceAt, fillIn } from "./advice.ts";
import { errorFixes } from "./error-fixes.ts";

const words: Readonly<Record<string, Readonly<Record<string, string>>>> = adviceWords;
const rows = Object.entries(errorCatalogue);

function shownAt(code: string): string {
  const found = rows.find(([one]) => one === code);
  if (found === undefined) throw new Error(`no code ${code}`);
  const advice = adviceAt(code, found[1].kind, found[1].fix);
  if (advice.from === "catalogue") return advice.text;
  const [group = "", name = ""] = advice.key.split(".");
  return words[group]?.[name] ?? "";
}

describe("the advice under a refusal", () => {
  test("is there for every code", () => {
    expect(rows.filter(([code]) => shownAt(code) === "").map(([code]) => code)).toEqual([]);
  });

  test("sends nobody to a command line, a header or a page of the reference", () => {
    const wrong = rows
      .map(([code]) => [code, shownAt(code)] as const)
      .filter(([, text]) => /althing |`|--|docs\/|openapi|healthz|CLI/.test(text));
    expect(wrong).toEqual([]);
  });

  test("has words of its own only for codes that exist, with parameters that the catalogue fills in too", () => {
    const byCode = new Map<string, string>(rows.map(([code, { text, fix }]) => [code, `${text} ${fix}`]));
    for (const [group, texts] of Object.entries(words).filter(([name]) => name !== "generic"))
      for (const [name, text] of Object.entries(texts)) {
        const catalogue = byCode.get(`${group}.${name}`);
        expect(catalogue, `${group}.${name}`).toBeDefined();
        for (const [, param] of text.matchAll(/\{\{(\w+)\}\}/g)) expect(catalogue, `${group}.${name}`).toContain(`{${param ?? ""}}`);
      }
  });

  test("is general where the catalogue speaks to another kind of client, and says who can help", () => {
    expect(adviceAt("x.y", "user", "Run `althing x`.")).toEqual({ from: "own", key: "generic.user" });
    expect(adviceAt("x.y", "system", "See /healthz.")).toEqual({ from: "own", key: "generic.system" });
    expect(adviceAt("bundle.other", "user", "docs/architecture/bundles.md")).toEqual({ from: "own", key: "generic.author" });
    expect(adviceAt("x.y", "user", undefined)).toEqual({ from: "own", key: "generic.user" });
    expect(adviceAt("constructor.name", "user", "Ask them.")).toEqual({ from: "catalogue", text: "Ask them." });
    expect(adviceAt("generic.user", "user", "Ask them.")).toEqual({ from: "catalogue", text: "Ask them." });
  });

  test("fills in what the refusal carries, and nothing that only every object has", () => {
    expect(fillIn("{who} can grant {constructor}.", { who: "alice" })).toBe("alice can grant {constructor}.");
  });

  test("has the whole catalogue's fixes", () => {
    expect(Object.keys(errorFixes).length).toBe(rows.length);
  });
});
