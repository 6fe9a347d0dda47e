/**
 * Habits that a program can see: names of files, the comment that opens a file, words that mean "later".
 *
 * Invariant: a rule stands here only when it has no exceptions; matters of taste are for reviewers (CONTRIBUTING.md).
 */
import { posix } from "node:path";
import { isCode, isTest, nodesOf, type SourceTree, type SyntaxNode } from "./source-tree.ts";

const later = new RegExp(`\\b(?:${"TO"}${"DO"}|${"FIX"}${"ME"}|${"X"}${"XX"})\\b`);
const vagueNames = /^(?:utils?|helpers?|misc|common|shared|lib)$/;

function judgeName(path: string): string[] {
  const stem = posix.basename(path).replace(/(?:\.test|\.config)?\.[cm]?[jt]sx?$/, "");
  if (!/^[a-z0-9]+(?:[-.][a-z0-9]+)*$/.test(stem)) return [`${path}: files are named in kebab-case after their main export`];
  return vagueNames.test(stem) ? [`${path}: a name must say what is inside`] : [];
}

function judgeText(path: string, text: string): string[] {
  const findings = later.test(text) ? [`${path}: do it, or open an issue; code does not wait in comments`] : [];
  const needsHeader = !isTest(path) && !path.endsWith(".config.ts");
  const opening = text.replace(/^#!.*\n/, "").trimStart();
  return needsHeader && !opening.startsWith("/**")
    ? [...findings, `${path}: opens with no comment that says what it is and what holds`]
    : findings;
}

function judgeInterfaces(path: string, program: SyntaxNode): string[] {
  const names = [...nodesOf(program)]
    .filter((node) => node.type === "TSInterfaceDeclaration")
    .map((node) => String((node["id"] as SyntaxNode)["name"]));
  return names.filter((name) => /^I[A-Z][a-z]/.test(name)).map((name) => `${path}: ${name}: no I before names of interfaces`);
}

export function checkHouseRules(tree: SourceTree): string[] {
  return tree.paths
    .filter((path) => isCode(path) && /^(?:packages|tests|tools|bench)\//.test(path))
    .flatMap((path) => [...judgeName(path), ...judgeText(path, tree.read(path)), ...judgeInterfaces(path, tree.parse(path))]);
}
