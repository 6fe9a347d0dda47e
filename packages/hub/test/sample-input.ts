/**
 * The smallest input that a schema of the contract takes, for tests that walk all routes.
 *
 * Invariant: made of the schema alone and checked by it, so that a new route is walked without anybody naming it; ids are well-formed and belong to nothing.
 */
import { z } from "zod";

/** Strings of every form that ids and names of the contract have; the first that fits is taken. */
const texts = [
  "ghost",
  "Ghost",
  "org.example.ghost",
  "01J00000000000000000000000",
  "A".repeat(43),
  "a".repeat(64),
  "A".repeat(86),
  `U${"A".repeat(55)}`,
  `sha256:${"a".repeat(64)}`,
  "2026-01-05T12:00:00.000Z",
  "1.0.0",
  "1/2",
  "https://example.com",
  "AAAA",
  "1",
  "",
];

interface JsonSchema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
}

function textFor(schema: JsonSchema): string {
  const all = [schema, ...(schema.allOf ?? [])];
  const fits = (text: string) =>
    all.every(
      ({ pattern, minLength = 0, maxLength = Infinity, format }) =>
        (pattern === undefined || new RegExp(pattern, "u").test(text)) &&
        text.length >= minLength &&
        text.length <= maxLength &&
        (format !== "date-time" || text.startsWith("2026-")) &&
        (format !== "uri" || text.startsWith("https:")),
    );
  return texts.find(fits) ?? "a".repeat(schema.minLength ?? 1);
}

function valueFor(schema: JsonSchema): unknown {
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return schema.enum[0];
  const union = schema.anyOf ?? schema.oneOf;
  if (union !== undefined) return valueFor(union[0] ?? {});
  if (schema.type === "object")
    return Object.fromEntries((schema.required ?? []).map((name) => [name, valueFor(schema.properties?.[name] ?? {})]));
  if (schema.type === "array") return Array.from({ length: schema.minItems ?? 0 }, () => valueFor(schema.items ?? {}));
  if (schema.type === "string" || schema.pattern !== undefined || schema.allOf !== undefined) return textFor(schema);
  if (schema.type === "integer" || schema.type === "number") return schema.minimum ?? (schema.exclusiveMinimum ?? 0) + 1;
  if (schema.type === "boolean") return true;
  return "x";
}

/** @throws {Error} no sample is known; give the test one by hand */
export function sampleInput(schema: z.ZodType, what: string): unknown {
  const value = valueFor(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema);
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new Error(`no sample for ${what}: ${JSON.stringify(value)}: ${parsed.error.message}`);
  return value;
}
