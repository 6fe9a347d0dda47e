/**
 * The JSON Schemas that a manifest may give for its settings: a closed part of draft 2020-12.
 *
 * Invariant: such a schema is hostile input that hub and pages will evaluate, so only keywords whose cost is bounded are taken: no references
 * (they can recurse), no regular expressions (one can stall the process), no combination of schemas, bounded depth and size. Every default fits its
 * own schema, and a secret has none.
 */
import { z } from "zod";
import type { Fault } from "@althing/contract";

const maxDepth = 5;
const maxProperties = 50;
const maxChoices = 100;

const text = (max: number) => z.string().max(max);
const scalar = z.union([z.string().max(1_000), z.number(), z.boolean()]);
const notes = { title: text(100).optional(), description: text(500).optional() };
const choices = { enum: z.array(scalar).min(1).max(maxChoices).optional(), const: scalar.optional() };
const count = z.int().min(0).max(100_000);
const formats = ["date", "date-time", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uuid"] as const;

export type SettingNode = z.infer<typeof stringNode> | z.infer<typeof numberNode> | z.infer<typeof booleanNode> | ArrayNode | ObjectNode;

interface ArrayNode {
  readonly type: "array";
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  readonly items: SettingNode;
  readonly minItems?: number | undefined;
  readonly maxItems?: number | undefined;
  readonly uniqueItems?: boolean | undefined;
  readonly default?: unknown;
}

interface ObjectNode {
  readonly type: "object";
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  readonly properties: Readonly<Record<string, SettingNode>>;
  readonly required?: readonly string[] | undefined;
  readonly additionalProperties?: false | undefined;
  readonly default?: unknown;
}

const stringNode = z.strictObject({
  type: z.literal("string"),
  ...notes,
  ...choices,
  minLength: count.optional(),
  maxLength: count.optional(),
  format: z.enum(formats).optional(),
  secret: z.boolean().optional(),
  default: text(10_000).optional(),
});

const numberNode = z.strictObject({
  type: z.enum(["number", "integer"]),
  ...notes,
  ...choices,
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
  exclusiveMaximum: z.number().optional(),
  multipleOf: z.number().positive().optional(),
  default: z.number().optional(),
});

const booleanNode = z.strictObject({
  type: z.literal("boolean"),
  ...notes,
  const: z.boolean().optional(),
  default: z.boolean().optional(),
});

const node: z.ZodType<SettingNode> = z.lazy(() =>
  z.discriminatedUnion("type", [stringNode, numberNode, booleanNode, arrayNode, objectNode]),
);

const arrayNode = z.strictObject({
  type: z.literal("array"),
  ...notes,
  items: node,
  minItems: count.optional(),
  maxItems: count.optional(),
  uniqueItems: z.boolean().optional(),
  default: z.array(z.json()).optional(),
});

const propertyName = z
  .string()
  .regex(/^[a-zA-Z][a-zA-Z0-9_-]{0,63}$/, "names of settings are 1–64 letters, digits, _ and -, a letter first");

const objectNode = z.strictObject({
  type: z.literal("object"),
  ...notes,
  properties: z
    .record(propertyName, node)
    .refine((all) => Object.keys(all).length <= maxProperties, `at most ${maxProperties} settings in one object`),
  required: z.array(z.string()).max(maxProperties).optional(),
  additionalProperties: z.literal(false).optional(),
  default: z.record(z.string(), z.json()).optional(),
});

export const settingsSchema = objectNode.extend({ $schema: z.literal("https://json-schema.org/draft/2020-12/schema").optional() });
export type SettingsSchema = z.infer<typeof settingsSchema>;

function fitsNumber(
  value: number,
  { type, minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf }: z.infer<typeof numberNode>,
): boolean {
  return (
    (type === "number" || Number.isInteger(value)) &&
    value >= (minimum ?? -Infinity) &&
    value <= (maximum ?? Infinity) &&
    value > (exclusiveMinimum ?? -Infinity) &&
    value < (exclusiveMaximum ?? Infinity) &&
    (multipleOf === undefined || Number.isInteger(value / multipleOf))
  );
}

/** Does a value fit a node? Formats are advice to forms and are not judged. */
export function fitsSetting(value: unknown, schema: SettingNode): boolean {
  if ("enum" in schema && schema.enum !== undefined && !schema.enum.some((choice) => choice === value)) return false;
  if ("const" in schema && schema.const !== undefined && schema.const !== value) return false;
  switch (schema.type) {
    case "string":
      return (
        typeof value === "string" && [...value].length >= (schema.minLength ?? 0) && [...value].length <= (schema.maxLength ?? Infinity)
      );
    case "number":
    case "integer":
      return typeof value === "number" && fitsNumber(value, schema);
    case "boolean":
      return typeof value === "boolean";
    case "array":
      return (
        Array.isArray(value) &&
        value.length >= (schema.minItems ?? 0) &&
        value.length <= (schema.maxItems ?? Infinity) &&
        (schema.uniqueItems !== true || new Set(value.map((item) => JSON.stringify(item))).size === value.length) &&
        value.every((item) => fitsSetting(item, schema.items))
      );
    case "object": {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
      const entries = Object.entries(value);
      const isComplete = (schema.required ?? []).every((name) => Object.hasOwn(value, name));
      return (
        isComplete &&
        entries.every(([name, item]) => Object.hasOwn(schema.properties, name) && fitsSetting(item, schema.properties[name] as SettingNode))
      );
    }
  }
}

function judgeNode(schema: SettingNode, path: string, depth: number, faults: Fault[]): void {
  if (depth > maxDepth) {
    faults.push({ path, message: `settings are nested deeper than ${maxDepth}` });
    return;
  }
  if (schema.type === "string" && schema.secret === true) {
    if (depth !== 2) faults.push({ path, message: "a secret is a setting of its own, not part of another" });
    if (schema.default !== undefined || schema.enum !== undefined || schema.const !== undefined) {
      faults.push({ path, message: "a secret has no default and no fixed values" });
    }
  }
  if (schema.default !== undefined && !fitsSetting(schema.default, schema)) {
    faults.push({ path: `${path}.default`, message: "the default does not fit its own schema" });
  }
  if (schema.type === "array") judgeNode(schema.items, `${path}.items`, depth + 1, faults);
  if (schema.type !== "object") return;
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(schema.properties, name)) faults.push({ path: `${path}.required`, message: `${name} is no setting` });
  }
  for (const [name, child] of Object.entries(schema.properties)) judgeNode(child, `${path}.properties.${name}`, depth + 1, faults);
}

/** What the shape alone cannot say. */
export function judgeSettings(schema: SettingsSchema, path = "settings"): Fault[] {
  const faults: Fault[] = [];
  judgeNode(schema, path, 1, faults);
  return faults;
}
