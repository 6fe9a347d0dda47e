/**
 * The error catalogue in both directions: every code has a place that raises it.
 *
 * Invariant: a code counts as raised when it stands as a literal in product code outside of the catalogue and the tables that only promise
 * it (routes, OpenAPI); the other direction, a raised code that the catalogue lacks, is a type error. Codes that wait for
 * code to come are listed with the reason, and leave the list when that comes.
 */
import { isCode, isTest, literalText, nodesOf, type SourceTree } from "./source-tree.ts";

const tables = new Set(["errors.ts", "routes.ts", "openapi.ts"].map((name) => `packages/contract/src/${name}`));

export function raisedCodes(tree: SourceTree, codes: ReadonlySet<string>): Set<string> {
  const raised = new Set<string>();
  for (const path of tree.paths) {
    if (!/^packages\/[^/]+\/src\//.test(path) || !isCode(path) || isTest(path) || tables.has(path)) continue;
    for (const node of nodesOf(tree.parse(path))) {
      const text = literalText(node);
      if (text !== undefined && codes.has(text)) raised.add(text);
    }
  }
  return raised;
}

export function checkErrorCodes(tree: SourceTree, codes: readonly string[], planned: Readonly<Record<string, string>>): string[] {
  const raised = raisedCodes(tree, new Set(codes));
  return [
    ...codes
      .filter((code) => !raised.has(code) && planned[code] === undefined)
      .map((code) => `${code}: nothing raises it; raise it, or say in tests/guards/planned-errors.json what will`),
    ...Object.keys(planned)
      .filter((code) => raised.has(code))
      .map((code) => `tests/guards/planned-errors.json: ${code} is raised now; take it off the list`),
    ...Object.keys(planned)
      .filter((code) => !codes.includes(code))
      .map((code) => `tests/guards/planned-errors.json: ${code} is not in the catalogue`),
  ];
}
