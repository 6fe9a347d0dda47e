/**
 * Type declarations of the SDK inside a project, for editors and type checkers.
 *
 * Invariant: a project needs no packages: `.althing/types` is made from this SDK's own sources and may be deleted and made again at any time. Declarations
 * are cut out of the sources one by one (isolated declarations), so that making them takes milliseconds and no type checker.
 */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isolatedDeclarationSync } from "rolldown/experimental";
import { SdkError } from "../sdk-error.ts";

const sources = fileURLToPath(new URL("..", import.meta.url));
const assemblySources = fileURLToPath(new URL("../../assemblyscript/", import.meta.url));
const globalTypes = fileURLToPath(new URL("../../editor/globals.d.ts", import.meta.url));

/** What AssemblyScript itself has, as its package describes it for editors. */
const languageTypes = createRequire(import.meta.url).resolve("assemblyscript/std/assembly/index.d.ts");

/** What of the SDK projects import, by folder; files that only the component itself loads bring types that projects do not have. */
const declared: Readonly<Record<string, (file: string) => boolean>> = {
  guest: (file) => !["install-globals.ts", "text-codec.ts", "url.ts", "ascii-domains.ts"].includes(file),
  testing: (file) => !["register-faces.ts", "run-project-tests.ts"].includes(file),
  ui: () => true,
};

function declarationOf(file: string, source: string): string {
  const { code, errors } = isolatedDeclarationSync(file, source, { sourcemap: false });
  if (errors.length > 0)
    throw new SdkError(
      "build.failed",
      "the SDK's types cannot be written",
      errors.map((error) => ({ path: file, message: error.message })),
    );
  return code.replace(/(from ")(\.{1,2}\/[^"]+)\.ts"/g, '$1$2.js"');
}

/** The same for AssemblyScript, whose editor support reads sources: ours under the names that imports use. */
async function writeAssemblyTypes(target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  for (const file of await readdir(assemblySources)) {
    await writeFile(join(target, file.replace(/\.as$/, ".ts")), await readFile(join(assemblySources, file)));
  }
  // A checker wants the global Number to be an interface; what it has does not change.
  const language = (await readFile(languageTypes, "utf8")).replace("declare type Number = _Float;", "interface Number extends _Float {}");
  await writeFile(join(target, "language.d.ts"), language);
}

/** Writes `.althing/types` of a project anew. */
export async function writeEditorTypes(folder: string): Promise<void> {
  const target = join(folder, ".althing", "types");
  await rm(target, { recursive: true, force: true });
  for (const [part, isWanted] of Object.entries(declared)) {
    await mkdir(join(target, part), { recursive: true });
    const files = (await readdir(join(sources, part))).filter(
      (file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && !file.endsWith(".d.ts"),
    );
    for (const file of files.filter(isWanted)) {
      const source = await readFile(join(sources, part, file), "utf8");
      await writeFile(join(target, part, file.replace(/\.ts$/, ".d.ts")), declarationOf(join(part, file), source));
    }
  }
  await writeFile(join(target, "globals.d.ts"), await readFile(globalTypes));
  await writeAssemblyTypes(join(target, "assemblyscript"));
}
