/**
 * Everything of a project that goes into its bundle: manifest, component, pages.
 *
 * Invariant: the result is the bundle's files by path, ready to be packed; the manifest goes as it is written and is not judged here (the validator
 * belongs to the platform and is the same everywhere). `assembly/index.ts` makes it an AssemblyScript project, `src/index.ts` a TypeScript one.
 */
import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { SdkError } from "../sdk-error.ts";
import { buildAssemblyScript } from "./build-assembly-script.ts";
import type { BuildResult } from "./build-result.ts";
import { buildTypeScript } from "./build-type-script.ts";
import { buildUi } from "./build-ui.ts";

export interface BuildProjectOptions {
  readonly folder: string;
  /** Where the files are written too, as they lie in the bundle. */
  readonly outFolder?: string;
  readonly optimize?: "size" | "speed";
}

export interface ProjectBuild {
  readonly language: "TypeScript" | "AssemblyScript";
  readonly component: BuildResult;
  /** By path in the bundle: `manifest.json`, `extension.wasm`, `ui/**`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** @throws {SdkError} `build.failed` with the places of the faults */
export async function buildProject(options: BuildProjectOptions): Promise<ProjectBuild> {
  const folder = resolve(options.folder);
  const manifest = await readFile(join(folder, "manifest.json")).catch((error: unknown) => {
    throw new SdkError("build.failed", "this is no extension project", [{ path: "manifest.json", message: "cannot be read" }], error);
  });
  const assembly = join(folder, "assembly", "index.ts");
  const isAssembly = await exists(assembly);
  const component = isAssembly
    ? await buildAssemblyScript({ entry: assembly, folder })
    : await buildTypeScript({ entry: join(folder, "src", "index.ts"), folder, optimize: options.optimize ?? "size" });
  const files = new Map<string, Uint8Array>([
    ["manifest.json", new Uint8Array(manifest)],
    ["extension.wasm", component.component],
    ...(await buildUi(folder)),
  ]);
  if (options.outFolder !== undefined) await writeFiles(resolve(options.outFolder), files);
  return { language: isAssembly ? "AssemblyScript" : "TypeScript", component, files };
}

async function writeFiles(folder: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  for (const [path, bytes] of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), bytes);
  }
}
