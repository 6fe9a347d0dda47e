/**
 * The settings of a built-in module as a JSON Schema with titles that people read, for the same form that packages get.
 *
 * Invariant: made of the one schema by which the hub judges them.
 */
import { moduleSettings, type ModuleName } from "@althing/contract";

type Node = Readonly<Record<string, unknown>>;

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function titled(node: unknown, titleOf: (name: string) => string | undefined): unknown {
  if (!isNode(node)) return node;
  const { properties, items, ...rest } = node;
  return {
    ...rest,
    ...(isNode(properties)
      ? {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, child]) => {
              const inner = titled(child, titleOf);
              const title = titleOf(name);
              return [name, isNode(inner) && title !== undefined ? { title, ...inner } : inner];
            }),
          ),
        }
      : {}),
    ...(items === undefined ? {} : { items: titled(items, titleOf) }),
  };
}

/** @param titleOf the title of a setting */
export function moduleSchemaOf(module: ModuleName, titleOf: (name: string) => string | undefined): Node {
  const { $schema: _schema, ...schema } = moduleSettings[module].toJSONSchema({ io: "input", unrepresentable: "any" });
  const shown = titled(schema, titleOf);
  return isNode(shown) ? shown : {};
}
