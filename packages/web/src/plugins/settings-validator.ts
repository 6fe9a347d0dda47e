/**
 * Judges settings against a package's JSON Schema in the browser, for the form.
 *
 * Invariant: it interprets the schema and makes no code of it, which the page's security policy would forbid; a schema is the author's and may be anything.
 * It says what the hub would say: formats are advice to the form and are not judged, because the hub does not judge them. The hub judges again.
 */
import { Validator, type OutputUnit, type Schema } from "@cfworker/json-schema";
import {
  createErrorHandler,
  toErrorSchema,
  unwrapErrorHandler,
  validationDataMerge,
  type ErrorSchema,
  type RJSFSchema,
  type RJSFValidationError,
  type ValidatorType,
} from "@rjsf/utils";

export interface SettingFault {
  /** `words.0`; empty: the whole. */
  readonly path: string;
  readonly keyword: string;
  /** What the keyword of the schema says: the smallest number, the kind. */
  readonly limit: unknown;
  /** In the library's words. */
  readonly text: string;
}

/** A fault in the reader's words. */
export type FaultWords = (fault: SettingFault) => string;

/** Say no more than that something below is wrong. */
const containers = new Set(["properties", "items", "prefixItems", "allOf", "$ref", "false"]);

function child(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
}

/** `#/a/0` as `["a", "0"]`. */
function pointer(location: string): string[] {
  return location
    .replace(/^#\/?/, "")
    .split("/")
    .filter((part) => part !== "")
    .map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"));
}

const at = (root: unknown, path: readonly string[]): unknown => path.reduce<unknown>(child, root);

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The same schema without formats. */
function withoutFormats(schema: unknown): Schema {
  if (!isRecord(schema)) return {};
  const { format: _format, properties, items, ...rest } = schema;
  return {
    ...rest,
    ...(isRecord(properties)
      ? { properties: Object.fromEntries(Object.entries(properties).map(([name, node]) => [name, withoutFormats(node)])) }
      : {}),
    ...(isRecord(items) ? { items: withoutFormats(items) } : {}),
  };
}

function faultsOfUnit(unit: OutputUnit, schema: unknown, value: unknown): SettingFault[] {
  const path = pointer(unit.instanceLocation);
  if (unit.keyword === "required") {
    const needed = at(schema, pointer(unit.keywordLocation));
    const here = at(value, path);
    return (Array.isArray(needed) ? needed : [])
      .map(String)
      .filter((name) => !isRecord(here) || !Object.hasOwn(here, name))
      .map((name) => ({ path: [...path, name].join("."), keyword: "required", limit: undefined, text: unit.error }));
  }
  if (containers.has(unit.keyword)) return [];
  return [{ path: path.join("."), keyword: unit.keyword, limit: at(schema, pointer(unit.keywordLocation)), text: unit.error }];
}

/** Every place that does not fit, each fault once. A schema that cannot be read finds nothing: the hub judges. */
export function judgeSettings(schema: unknown, value: unknown): SettingFault[] {
  const plain = withoutFormats(schema);
  try {
    const { errors } = new Validator(plain, "2020-12", false).validate(value ?? {});
    const faults = errors.flatMap((unit) => faultsOfUnit(unit, plain, value));
    return [...new Map(faults.map((fault) => [`${fault.path} ${fault.keyword}`, fault])).values()];
  } catch {
    return [];
  }
}

const asFormError = (path: string, name: string, message: string): RJSFValidationError => ({
  name,
  property: path === "" ? "" : `.${path}`,
  message,
  stack: path === "" ? message : `${path}: ${message}`,
});

/** Faults as the form library keeps them: a tree of the fields. */
export function errorTree(faults: readonly { readonly path: string; readonly message: string }[]): ErrorSchema {
  return toErrorSchema(faults.map(({ path, message }) => asFormError(path === "(root)" ? "" : path, "server", message)));
}

/** For `@rjsf/core`. */
export function createSettingsValidator(words: FaultWords): ValidatorType {
  const errorsOf = (schema: RJSFSchema, formData: unknown) =>
    judgeSettings(schema, formData).map((fault) => asFormError(fault.path, fault.keyword, words(fault)));
  return {
    validateFormData(formData, schema, customValidate, transformErrors, uiSchema) {
      const found = errorsOf(schema, formData);
      const errors = transformErrors?.(found, uiSchema) ?? found;
      const data = { errors, errorSchema: toErrorSchema(errors) };
      if (customValidate === undefined) return data;
      const handler = customValidate(formData, createErrorHandler(formData ?? {}), uiSchema);
      return validationDataMerge(data, unwrapErrorHandler(handler));
    },
    isValid: (schema: RJSFSchema, formData: unknown) => judgeSettings(schema, formData).length === 0,
    rawValidation: () => ({ errors: [] }),
  };
}
