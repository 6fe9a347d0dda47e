/**
 * TypeScript types of what a guest in QuickJS sees, made from the WIT.
 *
 * Invariant: `guest/bindings.ts` is this function's output, and a test compares them: the types cannot drift from the interface. jco reads the WIT and writes
 * declarations in its own form of the ABI; QuickJS differs in two points, which are rewritten: u64 is a number, an absent option is null. Names carry their
 * interface (`KvEntry`; `Wit…` for the shared types), because several interfaces have a `page`.
 */
import { $init, generateTypes } from "@bytecodealliance/jco-transpile/component";

const header = `/**
 * The world \`althing:extension\` as a guest in QuickJS sees it. Written by packages/sdk/src/build/write-bindings.ts from the WIT; do not edit.
 */
`;

interface Declaration {
  readonly comment: string;
  readonly kind: "function" | "interface" | "type";
  readonly name: string;
  /** What follows the name. */
  readonly rest: string;
}

const statement =
  /((?: {2}\/\*\*\n(?: {3}\*.*\n)* {3}\*\/\n)?) {2}(?:export )?(function|interface|type) (\w+)([^\n]*;\n| \{\n(?: {4,}.*\n)* {2}\}\n| =\n(?: {4,}.*\n)*)/g;

function declarationsIn(body: string): Declaration[] {
  return [...body.matchAll(statement)].map(([, comment = "", kind = "", name = "", rest = ""]) => {
    const isKnown = kind === "function" || kind === "interface";
    return { comment: comment.includes("# Variants") ? "" : comment, kind: isKnown ? kind : "type", name, rest };
  });
}

/** jco's types in the form that componentize-qjs gives to guests. */
function toQuickJs(text: string): string {
  return text
    .replace(/\bbigint\b/g, "number")
    .replace(/ \| undefined\b/g, " | null")
    .replace(/^(\s*)(\w+)\?: ([^,;]+),$/gm, "$1$2: $3 | null,")
    .replace(/,$/gm, ";");
}

const pascal = (name: string) => name.slice(0, 1).toUpperCase() + name.slice(1);
const prefixOf = (module: string) => (module === "types" ? "Wit" : pascal(module));

function renderModule(module: string, body: string): string {
  const declarations = declarationsIn(toQuickJs(body));
  const isShared = ({ rest }: Declaration) => rest.includes("import(");
  const own = declarations.filter((one) => one.kind !== "function" && !isShared(one));
  const prefixes = new Map(own.map(({ name }) => [name, prefixOf(module) + name]));
  for (const { name } of declarations.filter((one) => one.kind !== "function" && isShared(one))) prefixes.set(name, `Wit${name}`);
  const nameIn = (line: string) => line.replace(/(?<![.\w'])[A-Z]\w*(?!\w)/g, (word) => prefixes.get(word) ?? word);
  const named = (text: string) => text.replace(/^(?! *\*).*$/gm, nameIn);
  const types = own.map(({ comment, kind, name, rest }) => `${comment}  export ${kind} ${prefixOf(module)}${name}${named(rest)}`);
  const functions = declarations.filter(({ kind }) => kind === "function");
  const methods = functions.map(({ comment, name, rest }) =>
    `${comment}  ${name.replace(/^_/, "")}${named(rest)}`.replace(/^/gm, "  ").trimEnd(),
  );
  const face = functions.length === 0 ? "" : `  export interface ${prefixOf(module)}Functions {\n${methods.join("\n")}\n  }\n`;
  return `${types.join("")}${face}`.replace(/^ {2}/gm, "").replace(/^\/\*\*\n \* (.*)\n \*\/$/gm, "/** $1 */");
}

/**
 * @param wit text of `extension.wit`
 * @returns text of `bindings.ts`
 */
export async function generateBindings(wit: string): Promise<string> {
  await $init;
  const files = generateTypes("extension", {
    wit: { tag: "source", val: wit },
    world: "extension",
    features: { tag: "list", val: [] },
    guest: true,
    variantsInlineCases: true,
  });
  const modules = files.flatMap(([, bytes]) => {
    const match = /declare module 'althing:extension\/([a-z]+)@[^']+' \{\n([\s\S]*)\}\n$/.exec(new TextDecoder().decode(bytes));
    return match?.[1] === undefined || match[2] === undefined || match[1] === "extension" ? [] : [{ module: match[1], body: match[2] }];
  });
  const hosts = modules
    .filter(({ module }) => module !== "types")
    .map(({ module }) => `  readonly ${module}: ${prefixOf(module)}Functions;\n`);
  const host = `/** What the platform offers to a guest, interface by interface. */\nexport interface HostImports {\n${hosts.join("")}}\n`;
  return [header, ...modules.map(({ module, body }) => renderModule(module, body)), host].join("\n");
}
