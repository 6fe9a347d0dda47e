/**
 * Judges `package-lock.json`: does it install the same everywhere?
 *
 * Invariant: every optional platform package of every tool has its entry (npm drops those that its registry lacked at that moment, silently,
 * and `npm ci` then fails or a tool does not run on another platform); no entry names a host, so any mirror serves; everything has a hash;
 * manifests and lock agree; no package needs an install script beyond those known to work without.
 */
import type { SourceTree } from "./source-tree.ts";

interface Entry {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** Their scripts are not run (`ignore-scripts`); why they work without. */
const scriptsNotNeeded: Readonly<Record<string, string>> = {
  "better-sqlite3-multiple-ciphers": "ships its prebuilt addon in the package",
  esbuild: "its platform package holds the program",
  fsevents: "optional, and only on macOS",
};

/** Platforms that a release was never published for; the program does not run there, and says so. */
const neverPublished: Readonly<Record<string, readonly string[]>> = {
  "componentize-qjs": ["linux-arm64-musl", "win32-arm64-msvc", "win32-x64-msvc"],
  "@bytecodealliance/jco-node-fs": ["linux-arm64-musl", "win32-arm64-msvc", "win32-x64-msvc"],
};

/** Where Node's lookup finds `name` for the package at `from`. */
function lookUp(packages: Readonly<Record<string, Entry>>, from: string, name: string): string | undefined {
  for (let base = from; ; base = base.slice(0, Math.max(0, base.lastIndexOf("node_modules/") - 1))) {
    const path = base === "" ? `node_modules/${name}` : `${base}/node_modules/${name}`;
    if (packages[path] !== undefined) return path;
    if (base === "") return undefined;
    if (!base.includes("node_modules/")) base = "";
    if (base === "" && packages[`node_modules/${name}`] !== undefined) return `node_modules/${name}`;
  }
}

function judgeEntry(packages: Readonly<Record<string, Entry>>, path: string, entry: Entry): string[] {
  const findings: string[] = [];
  const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
  const isInstalled = path.includes("node_modules/");
  if (isInstalled && entry.link !== true) {
    if (entry.resolved !== undefined)
      findings.push(`${path}: names where it came from (${entry.resolved}); npm install with this folder's .npmrc leaves it out`);
    if (entry.integrity === undefined) findings.push(`${path}: has no hash`);
    if (entry.hasInstallScript === true && scriptsNotNeeded[name] === undefined)
      findings.push(`${path}: wants an install script, and scripts are not run here`);
  }
  for (const optional of Object.keys(entry.optionalDependencies ?? {})) {
    const isPublished = neverPublished[name]?.some((platform) => optional.endsWith(platform)) !== true;
    if (isPublished && lookUp(packages, path, optional) === undefined)
      findings.push(`${path === "" ? "package.json" : path}: its optional package ${optional} is missing from the lock file`);
  }
  return findings;
}

const kinds = ["dependencies", "devDependencies", "optionalDependencies"] as const;

function judgeManifest(tree: SourceTree, folder: string, entry: Entry | undefined): string[] {
  const path = folder === "" ? "package.json" : `${folder}/package.json`;
  const manifest = JSON.parse(tree.read(path)) as Entry;
  const differs = kinds.filter((kind) => JSON.stringify(sorted(manifest[kind])) !== JSON.stringify(sorted(entry?.[kind])));
  const loose = kinds.flatMap((kind) =>
    Object.entries(manifest[kind] ?? {}).filter(([, range]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(range)),
  );
  return [
    ...differs.map((kind) => `${path}: its ${kind} differ from the lock file; run npm install`),
    ...loose.map(([name, range]) => `${path}: ${name} is ${range}; pin one version`),
  ];
}

function sorted(record: Readonly<Record<string, string>> = {}): [string, string][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}

export function checkLockfile(tree: SourceTree): string[] {
  const { packages } = JSON.parse(tree.read("package-lock.json")) as { packages: Record<string, Entry> };
  const folders = [
    "",
    ...tree.paths.filter((path) => /^packages\/[^/]+\/package\.json$/.test(path)).map((path) => path.replace("/package.json", "")),
  ];
  return [
    ...Object.entries(packages).flatMap(([path, entry]) => judgeEntry(packages, path, entry)),
    ...folders.flatMap((folder) => judgeManifest(tree, folder, packages[folder])),
  ];
}
