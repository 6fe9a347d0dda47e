/**
 * The files of an extension's `ui/` as they go into the bundle.
 *
 * Invariant: `ui/NAME.ts` becomes `ui/NAME.js` with everything it imports inside, because a page in an opaque origin should need one request and no other
 * host; `.d.ts` and `tsconfig.json` stay at home; every other file goes as it is.
 */
import { readdir, readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleModule } from "./bundle-module.ts";

const uiFace = fileURLToPath(new URL("../ui/index.ts", import.meta.url));

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

function isScript(file: string): boolean {
  return file.endsWith(".ts") && !file.endsWith(".d.ts");
}

/**
 * @param folder of the project
 * @returns by path in the bundle; empty without a `ui/`
 * @throws {SdkError} `build.failed` with file, line and column
 */
export async function buildUi(folder: string): Promise<Map<string, Uint8Array>> {
  const built = new Map<string, Uint8Array>();
  const files = (await filesBelow(join(folder, "ui"))).filter((file) => !file.endsWith(".d.ts") && !file.endsWith("tsconfig.json"));
  for (const file of files.toSorted()) {
    const path = relative(folder, file).split(sep).join("/");
    if (!isScript(file)) built.set(path, new Uint8Array(await readFile(file)));
    else {
      const { code } = await bundleModule({
        input: file,
        entry: file,
        folder,
        faces: { "@althing/sdk/ui": uiFace },
        isExternal: () => false,
        inject: {},
        what: "page",
      });
      built.set(path.replace(/\.ts$/, ".js"), new TextEncoder().encode(code));
    }
  }
  return built;
}
