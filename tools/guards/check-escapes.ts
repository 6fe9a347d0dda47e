/**
 * Counts the ways around the checks: `any`, casts through `unknown`, silenced lint rules and compiler errors, tests that do not run.
 * Casts in tests are not counted: hostile input has the wrong type on purpose.
 *
 * Invariant: what there is stands in a checked-in list with a reason, and the list is exact: one more fails, and one less fails too,
 * so that the number only goes down. Code is counted in the syntax tree; comments, which the tree does not have, in the text.
 */
import { isCode, isTest, lineAt, literalText, nodesOf, type SourceTree, type SyntaxNode } from "./source-tree.ts";

export interface Escapes {
  readonly any: number;
  readonly castThroughUnknown: number;
  readonly silenced: number;
}
export interface EscapeBudget extends Partial<Escapes> {
  readonly reason: string;
}

// In pieces, so that this file does not count itself.
const silencing = new RegExp(`(?:ox|es)lint-${"disable"}|@ts-(?:${"ignore"}|${"expect-error"}|${"nocheck"})`, "g");

function isCast(node: SyntaxNode, through: string): boolean {
  return node.type === "TSAsExpression" && (node["typeAnnotation"] as SyntaxNode).type === through;
}

export function countEscapes(tree: SourceTree, path: string): Escapes {
  const nodes = [...nodesOf(tree.parse(path))];
  const throughUnknown = nodes.filter(
    (node) => node.type === "TSAsExpression" && isCast(node["expression"] as SyntaxNode, "TSUnknownKeyword"),
  );
  return {
    any: nodes.filter((node) => node.type === "TSAnyKeyword").length,
    castThroughUnknown: isTest(path) ? 0 : throughUnknown.length,
    silenced: [...tree.read(path).matchAll(silencing)].length,
  };
}

export function checkEscapes(tree: SourceTree, budget: Readonly<Record<string, EscapeBudget>>): string[] {
  const findings: string[] = [];
  for (const path of tree.paths.filter(isCode)) {
    const found = countEscapes(tree, path);
    for (const kind of ["any", "castThroughUnknown", "silenced"] as const) {
      const allowed = budget[path]?.[kind] ?? 0;
      if (found[kind] > allowed)
        findings.push(`${path}: ${found[kind]} × ${kind}, ${allowed} allowed; type it, or argue for it in tests/guards/escape-budget.json`);
      if (found[kind] < allowed)
        findings.push(`${path}: only ${found[kind]} × ${kind} are left; lower the ${allowed} in tests/guards/escape-budget.json`);
    }
  }
  const gone = Object.keys(budget).filter((path) => !tree.paths.includes(path));
  return [...findings, ...gone.map((path) => `tests/guards/escape-budget.json: ${path} is gone`)];
}

export interface SkippedTest {
  readonly file: string;
  readonly name: string;
  readonly reason: string;
}

const skipping = new Set(["skip", "skipIf", "runIf", "todo", "fails"]);
const runners = new Set(["test", "it", "describe", "suite", "bench"]);

/** `test.skipIf(x)`, `describe.concurrent.only`: the words of a call, when it begins with a runner's name. */
function chainOf(node: SyntaxNode): string[] {
  if (node.type === "Identifier") return [String(node["name"])];
  if (node.type === "CallExpression") return chainOf(node["callee"] as SyntaxNode);
  if (node.type !== "MemberExpression") return [];
  return [...chainOf(node["object"] as SyntaxNode), String((node["property"] as SyntaxNode)["name"])];
}

interface Skip {
  readonly word: string;
  readonly name: string;
  readonly line: number;
}

function skipsOf(tree: SourceTree, path: string): Skip[] {
  const text = tree.read(path);
  const found: Skip[] = [];
  for (const node of nodesOf(tree.parse(path))) {
    if (node.type !== "CallExpression") continue;
    const name = literalText((node["arguments"] as readonly unknown[])[0]);
    const [first = "", ...words] = chainOf(node["callee"] as SyntaxNode);
    if (name === undefined) continue;
    if (/^x(?:it|test|describe)$|^f(?:it|describe)$/.test(first)) found.push({ word: first, name, line: lineAt(text, node.start) });
    if (!runners.has(first) && first !== "context") continue;
    for (const word of words) if (word === "only" || skipping.has(word)) found.push({ word, name, line: lineAt(text, node.start) });
  }
  return found;
}

export function checkSkips(tree: SourceTree, allowed: readonly SkippedTest[]): string[] {
  const used = new Set<SkippedTest>();
  const findings = tree.paths
    .filter((path) => isCode(path) && isTest(path))
    .flatMap((path) =>
      skipsOf(tree, path).flatMap(({ word, name, line }) => {
        if (word === "only") return [`${path}:${line}: .only hides every other test`];
        const entry = allowed.find((item) => item.file === path && item.name === name);
        if (entry) used.add(entry);
        return entry
          ? []
          : [`${path}:${line}: "${name}" does not always run (${word}); list it with a reason in tests/guards/skipped-tests.json`];
      }),
    );
  const stale = allowed
    .filter((entry) => !used.has(entry))
    .map((entry) => `tests/guards/skipped-tests.json: ${entry.file} no longer skips "${entry.name}"`);
  return [...findings, ...stale];
}
