/** Words that enter: what disguises a line is refused, what languages need is not, and two options that look the same are one. */
import { describe, expect, it } from "vitest";
import { createCommunitySchema, giveDelegationSchema, lookOf, moduleSettings, proposalTextSchema } from "./index.ts";
import { blockSchema, lineSchema } from "./text-schemas.ts";

const line = lineSchema(80);
const refused = [
  "a\u0000b",
  "a\nb",
  "a\u2028b",
  "a\u2029b",
  "a\u0085b",
  "\u202eevil",
  "a\u2066b",
  "\ud800",
  "",
  "   ",
  "\u200b",
  "\u2060\ufeff",
  "\u3164",
];
const kept = ["Gärten", "می\u200cخواهم", "👩\u200d🌾", "אבג", "שלום\u200f!", "日本語", "a < b"];

describe("a line", () => {
  it.each(refused)("is not %j", (text) => expect(line.safeParse(text).success).toBe(false));
  it.each(kept)("may be %s", (text) => expect(line.parse(text)).toBe(text));
});

describe("a block", () => {
  it("keeps its lines and refuses disguises", () => {
    expect(blockSchema(20).parse("a\r\nb\rc\n\td")).toBe("a\nb\nc\n\td");
    for (const text of ["a\u0007", "a\u2028b", "\u202e", "\udc00"]) expect(blockSchema(20).safeParse(text).success).toBe(false);
  });
});

describe("two options", () => {
  const options = (...texts: string[]) =>
    proposalTextSchema.safeParse({ title: "Which?", options: texts.map((text) => ({ text })) }).success;
  it.each([
    ["Roses", "Roses\u200b"],
    ["Roses", "Ro\u2060ses"],
    ["Roses", "\u200fRoses"],
    ["Two roses", "Two\u00a0roses"],
    ["Two roses", "Two  roses"],
    ["fig", "\ufb01g"],
    ["Caf\u00e9", "Cafe\u0301"],
  ])("that look the same are refused: %j, %j", (one, other) => expect(options(one, other)).toBe(false));
  it("that look different are two", () => expect(options("Roses", "roses", "Rose s")).toBe(true));
});

describe("names that many people see", () => {
  it("are lines too: of communities, of topics, of questions", () => {
    expect(createCommunitySchema.safeParse({ name: "garden", displayName: "Garden\u202egnp" }).success).toBe(false);
    expect(moduleSettings.delegation.safeParse({ topics: ["wa\u0000ter"] }).success).toBe(false);
    expect(moduleSettings.welcome.safeParse({ questions: [{ id: "why", text: "\u2066Why?" }] }).success).toBe(false);
    expect(moduleSettings.welcome.safeParse({ rules: "Be kind\u202e" }).success).toBe(false);
    expect(giveDelegationSchema.safeParse({ to: "bob", topic: "\ud800" }).success).toBe(false);
    expect(lookOf(" A\u200b  b ")).toBe("A b");
  });
});
