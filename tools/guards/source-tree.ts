/**
 * The files that the guards look at, and their syntax trees.
 *
 * Invariant: in a checkout these are the files that git tracks or would add, so that what is built or installed is never judged and a
 * new file is judged before it is committed; elsewhere (a temporary copy) the folder is walked. Parsed by the same parser that bundles
 * the pages, never by patterns: an import in a comment or a string is none.
 */
import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, readFileSync, readdirSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { parseAst } from "rolldown/parseAst";

/** A node of an ESTree program, as far as the guards need to know it. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

export interface SourceTree {
  readonly root: string;
  /** Paths with `/`, relative to the root, sorted. */
  readonly paths: readonly string[];
  read(path: string): string;
  bytes(path: string): Buffer;
  /** @throws {Error} the file is not valid TypeScript or JavaScript; the message names it */
  parse(path: string): SyntaxNode;
  /** The same tree with some files added or replaced: to plant a violation without touching the disk. */
  with(files: Readonly<Record<string, string>>): SourceTree;
}

const notSource = new Set(["node_modules", ".git", ".tools", "dist", "data", "coverage"]);

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (notSource.has(entry.name)) return [];
    return entry.isDirectory() ? walk(path) : [path];
  });
}

function listFiles(root: string): string[] {
  if (!existsSync(join(root, ".git"))) return walk(root).map((path) => relative(root, path).split(sep).join("/"));
  const out = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    maxBuffer: 64 * 1024 * 1024,
  });
  const isFile = (path: string) => lstatSync(join(root, path), { throwIfNoEntry: false })?.isFile() ?? false;
  return [...new Set(out.toString("utf8").split("\0"))].filter((path) => path !== "" && isFile(path));
}

export function isCode(path: string): boolean {
  return /\.(?:[cm]?[jt]s|[jt]sx)$/.test(path) && !path.endsWith(".d.ts");
}

export function isTest(path: string): boolean {
  return /\.test\.tsx?$/.test(path) || /^(?:tests|bench)\//.test(path) || /^packages\/[^/]+\/test\//.test(path);
}

function isNode(value: unknown): value is SyntaxNode {
  return value !== null && typeof value === "object" && typeof (value as { type?: unknown }).type === "string";
}

/** Every node of a tree, parents before children. */
export function* nodesOf(node: SyntaxNode): Generator<SyntaxNode> {
  yield node;
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) yield* nodesOf(child);
  }
}

/** The text of a string literal (or a template without holes), else `undefined`. */
export function literalText(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (node.type === "Literal" && typeof node["value"] === "string") return node["value"];
  if (node.type !== "TemplateLiteral") return undefined;
  const quasis = node["quasis"] as readonly { value: { cooked: string } }[];
  return quasis.length === 1 ? quasis[0]?.value.cooked : undefined;
}

export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

function parseFile(path: string, text: string): SyntaxNode {
  const lang = path.endsWith("x") ? "tsx" : /\.[cm]?ts$/.test(path) ? "ts" : "js";
  try {
    return parseAst(text, { lang }) as unknown as SyntaxNode;
  } catch (cause) {
    throw new Error(`${path} cannot be parsed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function remember<T>(make: (path: string) => T): (path: string) => T {
  const made = new Map<string, T>();
  return (path) => {
    const known = made.get(path) ?? make(path);
    made.set(path, known);
    return known;
  };
}

type Access = Pick<SourceTree, "bytes" | "parse">;

function createTree(root: string, paths: readonly string[], { bytes, parse }: Access): SourceTree {
  return {
    root,
    paths,
    bytes,
    read: (path) => bytes(path).toString("utf8"),
    parse,
    with(files) {
      const planted = (path: string) => Object.hasOwn(files, path);
      return createTree(root, [...new Set([...paths, ...Object.keys(files)])].sort(), {
        bytes: (path) => (planted(path) ? Buffer.from(files[path] ?? "") : bytes(path)),
        parse: (path) => (planted(path) ? parseFile(path, files[path] ?? "") : parse(path)),
      });
    },
  };
}

export function openSourceTree(root: string): SourceTree {
  const bytes = remember((path) => readFileSync(join(root, path)));
  const parse = remember((path) => parseFile(path, bytes(path).toString("utf8")));
  return createTree(root, listFiles(root).sort(), { bytes, parse });
}
