/**
 * From an AssemblyScript entry to a component: compile to a core module, then wrap it by the WIT.
 *
 * Invariant: the core module imports functions of the world and nothing else; `env` imports (clock, seed, trace of the compiler's library) are faults. Our
 * bindings are served to the compiler from this package, so a project needs no packages of its own. Both compilers are libraries: no child process.
 */
import { readFile, readdir, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { componentEmbed, componentNew } from "@bytecodealliance/jco-transpile/wasm-tools";
import type { Fault } from "@althing/contract";
import { main, type DiagnosticMessage } from "assemblyscript/asc";
import { SdkError } from "../sdk-error.ts";
import type { BuildResult } from "./build-result.ts";
import { shownPath } from "./source-positions.ts";
import { witPath, worldName } from "./wit-path.ts";

export interface BuildAssemblyScriptOptions {
  /** Module that registers its handlers. */
  readonly entry: string;
  /** Where to write the component; without it nothing is written. */
  readonly outFile?: string;
  /** Folder of the project: faults name files relative to it. Default: the entry's folder. */
  readonly folder?: string;
  /** `stub` (default) never frees, which an instance of one call seldom needs; `incremental` collects. */
  readonly memory?: "stub" | "incremental";
}

const libraryFolder = fileURLToPath(new URL("../../assemblyscript/", import.meta.url));
/** What the compiler believes to be a folder of libraries. */
const library = "althing-library";
const bindings = "@althing/sdk/assemblyscript/";
const exportsModule = `~lib/${bindings}component`;

async function readText(path: string): Promise<string | null> {
  return readFile(path, "utf8").catch(() => null);
}

/** Our bindings by the names that the compiler asks for; everything else from the project. */
async function readSource(name: string, base: string, folder: string): Promise<string | null> {
  const path = name.replaceAll("\\", "/").replace(/^~lib\//, "");
  if (base === library || name.startsWith("~lib/")) {
    const file = path.startsWith(bindings) ? path.slice(bindings.length).replace(/\.ts$/, "") : undefined;
    return file === undefined || !/^[a-z-]+$/.test(file) ? null : readText(join(libraryFolder, `${file}.as`));
  }
  return readText(resolve(folder, path));
}

async function placeOf(diagnostic: DiagnosticMessage, folder: string): Promise<string> {
  const range = diagnostic.range;
  const path = range?.source?.normalizedPath;
  if (range === null || range === undefined || path === undefined) return "src";
  const source = await readSource(path, path.startsWith("~lib/") ? library : ".", folder);
  const before = (source ?? "").slice(0, range.start).split("\n");
  return `${path}:${before.length}:${(before.at(-1) ?? "").length + 1}`;
}

async function compile(entry: string, folder: string, memory: "stub" | "incremental"): Promise<Uint8Array> {
  const diagnostics: DiagnosticMessage[] = [];
  let binary: Uint8Array | undefined;
  const entryName = relative(folder, entry).split(sep).join("/");
  const arguments_ = [
    exportsModule,
    entryName,
    "--lib",
    library,
    "--runtime",
    memory,
    "--outFile",
    "out.wasm",
    "--optimizeLevel",
    "3",
    "--shrinkLevel",
    "1",
  ];
  const { error } = await main([...arguments_, "--use", `abort=${exportsModule}/abortGuest`, "--noColors"], {
    readFile: (name, base) => readSource(name, base, folder),
    listFiles: async (name, base) => (name === library || base === library ? [] : readdir(resolve(folder, name)).catch(() => null)),
    writeFile: (name, contents) => {
      if (name.endsWith(".wasm") && typeof contents !== "string") binary = contents;
    },
    reportDiagnostic: (diagnostic) => diagnostics.push(diagnostic),
    stdout: { write: () => true },
    stderr: { write: () => true },
  });
  if (error === null && binary !== undefined) return binary;
  const errors = diagnostics.filter((diagnostic) => diagnostic.category === 3);
  const faults: Fault[] = await Promise.all(errors.map(async (one) => ({ path: await placeOf(one, folder), message: one.message })));
  throw new SdkError(
    "build.failed",
    "the extension cannot be compiled",
    faults.length > 0 ? faults : [{ path: entryName, message: error?.message ?? "no module came out" }],
  );
}

/** What the module would need from outside the world. */
async function foreignImports(core: Uint8Array): Promise<string[]> {
  const module = await WebAssembly.compile(new Uint8Array(core));
  return WebAssembly.Module.imports(module)
    .filter((one) => !one.module.startsWith("althing:extension/"))
    .map((one) => `${one.module}.${one.name}`);
}

const remedies: Readonly<Record<string, string>> = {
  "env.seed": "there is no random source in an extension",
  "env.Date.now": "the clock is context.time",
  "env.trace": "write to log",
};

/**
 * Builds a component.
 *
 * @throws {SdkError} `build.failed`: a fault in the author's files, with file, line and column
 */
export async function buildAssemblyScript(options: BuildAssemblyScriptOptions): Promise<BuildResult> {
  const entry = resolve(options.entry);
  const folder = resolve(options.folder ?? dirname(entry));
  if ((await readText(entry)) === null)
    throw new SdkError("build.failed", "there is no entry module", [{ path: shownPath(entry, folder), message: "cannot be read" }]);
  const began = performance.now();
  const core = await compile(entry, folder, options.memory ?? "stub");
  const foreign = await foreignImports(core);
  if (foreign.length > 0) {
    const faults = foreign.map((name) => ({
      path: shownPath(entry, folder),
      message: `uses ${name}: ${remedies[name] ?? "no such function in an extension"}`,
    }));
    throw new SdkError("build.failed", "the extension needs what is not there", faults);
  }
  const compiled = performance.now();
  const witSource = await readFile(witPath, "utf8");
  const component = await componentNew(await componentEmbed({ binary: core, witSource, world: worldName, stringEncoding: "utf8" }));
  const done = performance.now();
  if (options.outFile !== undefined) await writeFile(options.outFile, component);
  return { component, bytes: component.byteLength, timings: { bundleMs: compiled - began, componentMs: done - compiled }, map: undefined };
}
