/**
 * One JavaScript module of a TypeScript module and what it imports: the bundler, held to what extensions may have.
 *
 * Invariant: what is left to import is what `isExternal` allows; a module that cannot be found, or that only Node has, is a fault of the file that
 * imports it. No network, and no configuration of the project is read: two machines give the same bundle.
 */
import { build, type OutputChunk, type RolldownError, type RolldownLog, type RolldownPlugin } from "rolldown";
import type { Fault } from "@althing/contract";
import { SdkError } from "../sdk-error.ts";
import { shownPath } from "./source-positions.ts";

export interface BundleModuleOptions {
  readonly input: string;
  /** The author's file that a fault without a place belongs to. */
  readonly entry: string;
  /** Of the project; paths in faults are relative to it. */
  readonly folder: string;
  /** Modules by name that stand for files. */
  readonly faces: Readonly<Record<string, string>>;
  /** Modules whose text is made, by id. */
  readonly virtual?: Readonly<Record<string, string>>;
  readonly isExternal: (id: string) => boolean;
  /** Globals that become imports where they are used. */
  readonly inject: Record<string, [string, string]>;
  /** For messages: `extension`, `page`. */
  readonly what: string;
}

export interface BundledModule {
  readonly code: string;
  /** JSON. */
  readonly sourceMap: string;
}

/** One line without the bundler's drawings and colours. */
function firstLine(message: string): string {
  const escape = String.fromCharCode(27);
  const plain = message.replaceAll(new RegExp(`${escape}\\[[0-9;]*m`, "g"), "");
  return (plain.split("\n").find((line) => line.trim() !== "") ?? plain).replace(/^\[\w+\] (?:Error: )?/, "").trim();
}

function faultOf(log: RolldownLog | RolldownError, options: BundleModuleOptions): Fault {
  const file = log.loc?.file ?? log.id;
  if (file === undefined || file.startsWith("\0"))
    return { path: shownPath(options.entry, options.folder), message: firstLine(log.message) };
  const place = log.loc === undefined ? "" : `:${log.loc.line}:${log.loc.column + 1}`;
  return { path: `${shownPath(file, options.folder)}${place}`, message: firstLine(log.message) };
}

function resolver(options: BundleModuleOptions): RolldownPlugin {
  const { faces, virtual = {} } = options;
  return {
    name: "althing-faces",
    resolveId: (id) => (Object.hasOwn(virtual, id) ? id : Object.hasOwn(faces, id) ? faces[id] : undefined),
    load: (id) => (Object.hasOwn(virtual, id) ? virtual[id] : undefined),
  };
}

const refused = new Set(["UNRESOLVED_IMPORT", "IMPORT_IS_UNDEFINED", "MISSING_EXPORT"]);

function errorsOf(error: unknown): readonly RolldownError[] | undefined {
  return error instanceof Error && "errors" in error && Array.isArray(error.errors) ? (error.errors as RolldownError[]) : undefined;
}

/** @throws {SdkError} `build.failed` with file, line and column of each fault */
export async function bundleModule(options: BundleModuleOptions): Promise<BundledModule> {
  const faults: Fault[] = [];
  const failure = (cause?: unknown) => new SdkError("build.failed", `the ${options.what} cannot be bundled`, faults, cause);
  let chunk: OutputChunk;
  try {
    const { output } = await build({
      input: options.input,
      cwd: options.folder,
      write: false,
      platform: "neutral",
      tsconfig: false,
      resolve: { mainFields: ["module", "main"], conditionNames: ["import", "default"] },
      external: (id) => options.isExternal(id),
      transform: { target: "es2024", inject: options.inject },
      plugins: [resolver(options)],
      onLog: (_level, log) => {
        if (log.code !== undefined && refused.has(log.code)) faults.push(faultOf(log, options));
      },
      output: { format: "esm", sourcemap: "hidden", codeSplitting: false, comments: false },
    });
    chunk = output[0];
  } catch (error) {
    const errors = errorsOf(error);
    if (errors === undefined) throw error;
    faults.push(...errors.map((one) => faultOf(one, options)));
    throw failure(error);
  }
  const foreign = chunk.imports.filter((name) => !options.isExternal(name));
  if (foreign.length > 0 && faults.length === 0)
    faults.push({ path: shownPath(options.entry, options.folder), message: `imports ${foreign.join(", ")}, which is not there` });
  if (faults.length > 0) throw failure();
  return { code: chunk.code, sourceMap: chunk.map?.toString() ?? "{}" };
}
