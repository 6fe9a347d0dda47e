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

/** Words of a setting; without them it is shown in the contract's own. */
export interface SettingWords {
  readonly title?: string | undefined;
  readonly hint?: string | undefined;
}

type WordsOf = (name: string) => SettingWords;

function worded(node: unknown, wordsOf: WordsOf): unknown {
  if (!isNode(node)) return node;
  const { properties, items, ...rest } = node;
  return {
    ...rest,
    ...(isNode(properties)
      ? {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, child]) => {
              const inner = worded(child, wordsOf);
              const { title, hint } = wordsOf(name);
              if (!isNode(inner)) return [name, inner];
              return [
                name,
                {
                  ...inner,
                  ...(title === undefined ? {} : { title }),
                  ...(hint === undefined || inner["description"] === undefined ? {} : { description: hint }),
                },
              ];
            }),
          ),
        }
      : {}),
    ...(items === undefined ? {} : { items: worded(items, wordsOf) }),
  };
}

/** @param wordsOf title and hint of a setting, in the reader's language */
export function moduleSchemaOf(module: ModuleName, wordsOf: WordsOf): Node {
  const { $schema: _schema, ...schema } = moduleSettings[module].toJSONSchema({ io: "input", unrepresentable: "any" });
  const shown = worded(schema, wordsOf);
  return isNode(shown) ? shown : {};
}
