import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot, tempDir } from "@althing/testkit";
import { expect, test } from "vitest";
import { checkImports, findCycles, packageNames } from "../../tools/guards/check-imports.ts";
import { openSourceTree } from "../../tools/guards/source-tree.ts";

const tree = openSourceTree(repositoryRoot);
const report = checkImports(tree);

test("every import follows the table of arrows, and every package says what it imports", () => {
  expect(report.findings).toEqual([]);
});

test("no files need each other in a circle", () => {
  expect(findCycles(tree, report.edges)).toEqual([]);
});

test("the guard sees the house: every package with code, and hundreds of imports", () => {
  const seen = new Set(report.edges.map((edge) => edge.from.split("/").slice(0, 2).join("/")));
  const withCode = packageNames(tree).filter((name) =>
    tree.paths.some((path) => path.startsWith(`packages/${name}/src/`) && /import|from/.test(tree.read(path))),
  );
  expect(withCode.filter((name) => !seen.has(`packages/${name}`))).toEqual([]);
  expect(report.edges.length).toBeGreaterThan(200);
});

test("a bad import planted in a copy of the repository is found", async () => {
  await using dir = await tempDir();
  for (const part of ["packages/contract", "packages/store", "packages/testkit"]) {
    await mkdir(join(dir.path, part), { recursive: true });
    await cp(join(repositoryRoot, part), join(dir.path, part), { recursive: true });
  }
  await cp(join(repositoryRoot, "package.json"), join(dir.path, "package.json"));
  await writeFile(join(dir.path, "packages/contract/src/planted.ts"), 'export { openMemoryStore } from "@althing/store";\n');
  const { findings } = checkImports(openSourceTree(dir.path));
  expect(findings.filter((finding) => finding.includes("planted"))).toEqual([
    "packages/contract/src/planted.ts:1: contract may not import store: everything agrees on it, so it can depend on nothing but zod",
  ]);
});

test.each([
  ["packages/client/src/x.ts", 'import "@althing/hub";', "client may not import hub"],
  ["packages/hub/src/x.ts", 'const a = await import("@althing/testkit");', "only tests may import testkit"],
  [
    "packages/web/src/x.tsx",
    'import { readFileSync } from "node:fs"; export const x = <p>{String(readFileSync)}</p>;',
    "it runs in browsers",
  ],
  ["packages/crypto/src/index.ts", 'import { readFileSync } from "node:fs"; export { readFileSync };', "a browser loads this file too"],
  ["packages/store/src/x.ts", 'import { x } from "../../contract/src/ids.ts";', "leaves its package"],
  ["packages/bus/src/x.ts", 'import { x } from "@althing/store/src/types.ts";', "only its public face"],
  ["packages/bus/src/x.ts", 'import { x } from "left-pad";', "left-pad is not among the dependencies"],
  ["packages/bus/src/x.ts", 'type T = import("@althing/client").AlthingClient; export type { T };', "bus may not import client"],
  ["packages/hub/src/x.ts", "const name = String(1); await import(name);", "cannot be judged"],
  ["packages/hub/src/x.ts", 'import vm from "node:vm";', "it is no sandbox"],
  ["packages/hub/src/x.ts", 'import fs from "fs";', "write node:fs"],
  ["packages/newcomer/package.json", '{"name":"@althing/newcomer"}', "has no row"],
])("in %s, %s is refused", (path, code, reason) => {
  const { findings } = checkImports(tree.with({ [path]: code }));
  expect(findings.filter((finding) => finding.startsWith(path.replace("/package.json", ""))).join("\n")).toContain(reason);
});

test("an import in a comment or a string is none", () => {
  const path = "packages/contract/src/x.ts";
  const { findings } = checkImports(tree.with({ [path]: '// import "@althing/hub";\nexport const x = \'import "@althing/hub"\';\n' }));
  expect(findings.filter((finding) => finding.startsWith(path))).toEqual([]);
});

test("a circle through three files is found, one of types alone is none", () => {
  const at = (name: string) => `packages/store/src/${name}.ts`;
  const circle = tree.with({
    [at("x")]: 'import "./y.ts";',
    [at("y")]: 'export * from "./z.ts";',
    [at("z")]: 'import "./x.ts";',
    [at("p")]: 'import type { q } from "./q.ts"; export const p = 1;',
    [at("q")]: 'import { p } from "./p.ts"; export const q = p;',
  });
  expect(findCycles(circle, checkImports(circle).edges)).toEqual([[at("x"), at("y"), at("z"), at("x")].join(" → ")]);
});
