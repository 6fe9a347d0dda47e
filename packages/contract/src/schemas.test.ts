/** Schemas of records decide whether the store gives one value to several readers: any transform among them costs each request a parse of its own. */
import { expect, it } from "vitest";
import { z } from "zod";
import * as contract from "./index.ts";

const schemas = Object.entries(contract).flatMap(([name, value]) => (value instanceof z.ZodType ? [{ name, schema: value }] : []));

it("every schema is one that JSON Schema can express", () => {
  expect(schemas.length).toBeGreaterThan(100);
  for (const { name, schema } of schemas)
    expect(() => z.toJSONSchema(schema, { io: "output", unrepresentable: "throw" }), name).not.toThrow();
});

it.each([
  ["signPubSchema", "AB".repeat(32), "ab".repeat(32)],
  ["kexPubSchema", "AB".repeat(32), "ab".repeat(32)],
  ["proposalTextSchema", { title: " A park ", body: "one\r\ntwo\rthree" }, { title: "A park", body: "one\ntwo\nthree" }],
] as const)("%s writes what it takes in one form", (name, given, kept) => {
  expect({ value: contract[name].parse(given) }).toMatchObject({ value: kept });
});
