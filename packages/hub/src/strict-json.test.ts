import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hasCode } from "@althing/contract";
import { parseStrictJson } from "./strict-json.ts";

const parse = (text: string) => parseStrictJson(new TextEncoder().encode(text));
function refusal(text: string): string {
  try {
    parse(text);
  } catch (error) {
    if (hasCode(error, "request.malformed")) return String(error.params["detail"]);
    throw error;
  }
  return "taken";
}

describe("strict JSON", () => {
  test("takes what JSON.parse takes, whatever strings hold", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value);
        if (text.includes('"__proto__"')) return;
        expect(parse(text)).toEqual(JSON.parse(text));
        expect(parse(JSON.stringify(value, null, 2))).toEqual(JSON.parse(text));
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  test.each([
    ['{"a":1,"a":1}', "twice"],
    ['{"a":1,"\\u0061":2}', "twice"],
    ['{"x":{"b":1},"y":[{"c":1,"d":{},"c":2}]}', "twice"],
    ['{"__proto__":1}', "__proto__"],
    ['{"\\u005f_proto__":1}', "__proto__"],
    ['{"a":', "not JSON"],
    ["", "not JSON"],
    ["[1,]", "not JSON"],
    ["NaN", "not JSON"],
    [`${"[".repeat(33)}${"]".repeat(33)}`, "deeper"],
    [`${'{"a":'.repeat(33)}1${"}".repeat(33)}`, "deeper"],
  ])("refuses %s", (text, detail) => {
    expect(refusal(text)).toContain(detail);
  });

  test.each(['{"a":"a","b":"a"}', '[{"a":1},{"a":2}]', '{"a":{"a":{"a":1}}}', '{"a":"\\"a\\":","b":"\\\\"}', '["a","a"]', '{"":1}'])(
    "takes %s",
    (text) => {
      expect(refusal(text)).toBe("taken");
    },
  );

  test("never repeats the body in what it says", () => {
    expect(refusal('{"secret-value":1,"secret-value":2}')).not.toContain("secret");
    expect(refusal('{"secret-value')).not.toContain("secret");
  });

  test("stays linear on the largest body", () => {
    const text = `{${Array.from({ length: 60_000 }, (_, i) => `"${i}\\\\":"${"\\\\".repeat(10)}"`).join(",")}}`;
    const started = performance.now();
    parse(text);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
