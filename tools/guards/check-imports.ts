/**
 * Finds imports that break the table of arrows, and packages whose `package.json` does not say what they import.
 *
 * Invariant: every import, export-from, dynamic import and type import of every file is seen; a dynamic import of something that is no
 * literal is refused in product code, because nobody could judge it. Pure: a tree in, findings out.
 */
import { builtinModules } from "node:module";
import { posix } from "node:path";
import { banExceptions, bannedModules, outsideRules, packageRules, testOnlyPackages } from "./import-rules.ts";
import { isCode, isTest, lineAt, literalText, nodesOf, type SourceTree, type SyntaxNode } from "./source-tree.ts";

export interface ImportEdge {
  readonly from: string;
  readonly specifier: string | undefined;
  readonly line: number;
  readonly isTypeOnly: boolean;
}

interface Manifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly imports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const house = "@althing/";
const importing = new Set(["ImportDeclaration", "ExportNamedDeclaration", "ExportAllDeclaration", "ImportExpression", "TSImportType"]);

function isTypeOnly(node: SyntaxNode): boolean {
  if (node.type === "TSImportType" || node["importKind"] === "type" || node["exportKind"] === "type") return true;
  const specifiers = (node["specifiers"] ?? []) as readonly SyntaxNode[];
  return specifiers.length > 0 && specifiers.every((s) => s["importKind"] === "type" || s["exportKind"] === "type");
}

/** `require("x")` and `import.meta.resolve("x")` name modules too. */
function calledSpecifier(node: SyntaxNode): unknown {
  const callee = node["callee"] as SyntaxNode;
  const isRequire = callee.type === "Identifier" && callee["name"] === "require";
  const object = callee["object"] as SyntaxNode | undefined;
  const property = callee["property"] as SyntaxNode | undefined;
  const isResolve = callee.type === "MemberExpression" && object?.type === "MetaProperty" && property?.["name"] === "resolve";
  return isRequire || isResolve ? (node["arguments"] as readonly unknown[])[0] : undefined;
}

export function importsOf(tree: SourceTree, path: string): ImportEdge[] {
  const text = tree.read(path);
  const edges: ImportEdge[] = [];
  for (const node of nodesOf(tree.parse(path))) {
    const source = importing.has(node.type) ? node["source"] : node.type === "CallExpression" ? calledSpecifier(node) : undefined;
    if (source === undefined || source === null) continue;
    edges.push({ from: path, specifier: literalText(source), line: lineAt(text, node.start), isTypeOnly: isTypeOnly(node) });
  }
  return edges;
}

function manifestOf(tree: SourceTree, name: string): Manifest {
  return JSON.parse(tree.read(`packages/${name}/package.json`)) as Manifest;
}

export function packageOf(path: string): string | undefined {
  return /^packages\/([^/]+)\//.exec(path)?.[1];
}

function moduleName(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

function isBuiltin(specifier: string): boolean {
  return specifier.startsWith("node:") || builtinModules.includes(moduleName(specifier));
}

function ruleOf(path: string): { mayImport: readonly string[] | "everything"; why: string } | undefined {
  const name = packageOf(path);
  return name === undefined ? outsideRules[path.split("/", 1)[0] ?? ""] : packageRules[name];
}

function judgeHouse(tree: SourceTree, path: string, specifier: string): string | undefined {
  const [target = "", ...rest] = specifier.slice(house.length).split("/");
  const entry = rest.join("/");
  if (!tree.paths.includes(`packages/${target}/package.json`)) return `${specifier} does not exist`;
  if (!Object.hasOwn(manifestOf(tree, target).exports ?? {}, entry === "" ? "." : `./${entry}`)) {
    return `${specifier} is not exported by ${house}${target}: only its public face may be used`;
  }
  const own = packageOf(path);
  if (own === target) return "a package imports its own files by path";
  const ban = testOnlyPackages[target];
  if (ban !== undefined) return isTest(path) || own === target ? undefined : `only tests may import ${target}: ${ban}`;
  const rule = ruleOf(path);
  if (rule === undefined) return `${own ?? path} has no row in tools/guards/import-rules.ts`;
  if (rule.mayImport === "everything") return undefined;
  const besides = isTest(path) ? (packageRules[own ?? ""]?.testsMayImport ?? []) : [];
  const isAllowed = [...rule.mayImport, ...besides].some((one) => one === target || one === `${target}/${entry}`);
  return isAllowed ? undefined : `${own ?? "this folder"} may not import ${target}: ${rule.why}`;
}

function judgeRelative(tree: SourceTree, path: string, specifier: string): string | undefined {
  const target = posix.normalize(posix.join(posix.dirname(path), specifier.replace(/[?#].*$/, "")));
  // Suites and benches may share the launchers that a package's own tests use; its sources only by the public face.
  const isSharedLauncher = isTest(path) && packageOf(path) === undefined && /^packages\/[^/]+\/test\//.test(target);
  if (packageOf(target) !== packageOf(path) && !isSharedLauncher) return `${specifier} leaves its package: import the other's public face`;
  return tree.paths.includes(target) || !isCode(target) ? undefined : `${specifier} does not exist`;
}

function judgeBuiltin(path: string, specifier: string): string | undefined {
  if (!specifier.startsWith("node:")) return `write node:${specifier}`;
  const rule = packageRules[packageOf(path) ?? ""];
  if (rule?.node !== "nowhere" || isTest(path) || !path.includes("/src/")) return undefined;
  return `${specifier} may not be used here: ${rule.nodeWhy ?? rule.why}`;
}

function judgeForeign(tree: SourceTree, path: string, specifier: string): string | undefined {
  const name = moduleName(specifier);
  const workspace = JSON.parse(tree.read("package.json")) as Manifest;
  const own = packageOf(path);
  const manifest = own === undefined ? undefined : manifestOf(tree, own);
  const isProduct = own !== undefined && path.startsWith(`packages/${own}/src/`) && !isTest(path);
  const declared = { ...manifest?.dependencies, ...(isProduct ? {} : { ...manifest?.devDependencies, ...workspace.devDependencies }) };
  if (Object.hasOwn(declared, name)) return undefined;
  // Tests may use whatever the house has: a suite drives servers with tools that the package itself must not depend on.
  if (isTest(path) && packageNames(tree).some((p) => Object.hasOwn(allDependencies(manifestOf(tree, p)), name))) return undefined;
  return `${name} is not among the dependencies in ${own === undefined ? "package.json" : `packages/${own}/package.json`}`;
}

function allDependencies(manifest: Manifest): Readonly<Record<string, string>> {
  return { ...manifest.dependencies, ...manifest.devDependencies };
}

export function packageNames(tree: SourceTree): string[] {
  return tree.paths.flatMap((path) => /^packages\/([^/]+)\/package\.json$/.exec(path)?.[1] ?? []);
}

/** Imports of something computed that were judged by hand: why they are what they must be. */
const judgedByHand: Readonly<Record<string, string>> = {
  "packages/runner/src/preparation/glue.ts": "a data: module whose first import cannot be linked: it is parsed and never run",
  "packages/runner/src/sandbox/loaded-component.ts": "the prepared glue, run inside the sandbox after its hash was checked",
  "packages/runner/src/sandbox/program-folder.ts": "a pattern that finds imports in the sandbox's own program",
};

function judge(tree: SourceTree, edge: ImportEdge): string | undefined {
  const { from, specifier } = edge;
  if (specifier === undefined)
    return isTest(from) || packageOf(from) === undefined || Object.hasOwn(judgedByHand, from)
      ? undefined
      : "an import of something computed cannot be judged";
  const isException = banExceptions[from]?.module === specifier;
  const banned = isException ? undefined : (bannedModules[specifier] ?? bannedModules[moduleName(specifier)]);
  if (banned !== undefined) return `${specifier} is banned: ${banned}`;
  if (specifier.startsWith(".")) return judgeRelative(tree, from, specifier);
  if (specifier.startsWith("#")) {
    const own = packageOf(from);
    return own !== undefined && Object.hasOwn(manifestOf(tree, own).imports ?? {}, specifier)
      ? undefined
      : `${specifier} is not among the package's imports`;
  }
  if (specifier.startsWith(house)) {
    const isDeclaredByLink = packageOf(from) === undefined || specifier.slice(house.length) in testOnlyPackages;
    return judgeHouse(tree, from, specifier) ?? (isDeclaredByLink ? undefined : judgeForeign(tree, from, specifier));
  }
  return isBuiltin(specifier) ? judgeBuiltin(from, specifier) : judgeForeign(tree, from, specifier);
}

export interface ImportReport {
  readonly findings: readonly string[];
  readonly edges: readonly ImportEdge[];
}

function codeFiles(tree: SourceTree): string[] {
  return tree.paths.filter((path) => isCode(path) && /^(?:packages|tests|tools|bench)\//.test(path));
}

/** The packages whose rows are missing or whose manifests name what nothing imports. */
function judgeManifests(tree: SourceTree, edges: readonly ImportEdge[]): string[] {
  const findings: string[] = [];
  for (const name of packageNames(tree)) {
    if (packageRules[name] === undefined) findings.push(`packages/${name}: has no row in tools/guards/import-rules.ts`);
    const prefix = `packages/${name}/`;
    const used = new Set(edges.filter((e) => e.from.startsWith(prefix) && e.specifier).map((e) => moduleName(e.specifier ?? "")));
    const styles = tree.paths
      .filter((path) => path.startsWith(prefix) && path.endsWith(".css"))
      .map((path) => tree.read(path))
      .join("\n");
    for (const dependency of Object.keys(manifestOf(tree, name).dependencies ?? {})) {
      const isBuildTool = name === "web" && dependency === "vite";
      if (!used.has(dependency) && !isBuildTool && !styles.includes(`"${dependency}"`)) {
        findings.push(`packages/${name}/package.json: nothing imports ${dependency}`);
      }
    }
  }
  return findings;
}

export function checkImports(tree: SourceTree): ImportReport {
  const edges = codeFiles(tree).flatMap((path) => importsOf(tree, path));
  const findings = edges.flatMap((edge) => {
    const finding = judge(tree, edge);
    return finding === undefined ? [] : [`${edge.from}:${edge.line}: ${finding}`];
  });
  return { findings: [...findings, ...judgeBrowserGraphs(tree, edges), ...judgeManifests(tree, edges)], edges };
}

/** The files of the same package that an import loads; of a switch (`#name`) all sides, or the one that browsers take. */
function resolveInside(tree: SourceTree, edge: ImportEdge, platform: "any" | "browser" = "any"): string[] {
  const { from, specifier = "" } = edge;
  if (specifier.startsWith(".")) return [posix.normalize(posix.join(posix.dirname(from), specifier))];
  const own = packageOf(from);
  if (!specifier.startsWith("#") || own === undefined) return [];
  const target = manifestOf(tree, own).imports?.[specifier] ?? {};
  const sides = typeof target === "string" ? { default: target } : target;
  const taken = platform === "any" ? Object.values(sides) : [sides["browser"] ?? sides["default"] ?? ""];
  return taken.map((path) => posix.join("packages", own, path));
}

/** Node's modules in files that a browser loads, for the packages that run in both. */
function judgeBrowserGraphs(tree: SourceTree, edges: readonly ImportEdge[]): string[] {
  const live = edges.filter((edge) => !edge.isTypeOnly);
  return packageNames(tree).flatMap((name) => {
    const rule = packageRules[name];
    if (rule?.node !== "not in browsers") return [];
    const reached = new Set([`packages/${name}/src/index.ts`]);
    for (const path of reached) {
      for (const edge of live) if (edge.from === path) for (const target of resolveInside(tree, edge, "browser")) reached.add(target);
    }
    const bad = live.filter((edge) => reached.has(edge.from) && edge.specifier?.startsWith("node:"));
    return bad.map((edge) => `${edge.from}:${edge.line}: ${edge.specifier ?? ""} may not be used here: ${rule.nodeWhy ?? rule.why}`);
  });
}

/** @returns each circle of files that need each other at run time, as `a → b → a` (types vanish and do not count) */
export function findCycles(tree: SourceTree, edges: readonly ImportEdge[]): string[] {
  const next = new Map<string, string[]>();
  for (const edge of edges) {
    if (!edge.isTypeOnly) next.set(edge.from, [...(next.get(edge.from) ?? []), ...resolveInside(tree, edge)]);
  }
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) cycles.push([...trail.slice(at), path].join(" → "));
    if (at >= 0 || done.has(path)) return;
    for (const target of next.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of next.keys()) visit(path, []);
  return cycles;
}
