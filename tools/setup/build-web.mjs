/**
 * Builds the pages that the hub serves, when their sources changed.
 *
 * Invariant: `.tools/web-built` holds the hash of the sources that `packages/web/dist` was built from and is newer than they are, so the
 * launcher needs to compare times only and the set-up can tell a touched file from a changed one.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { projectNode, root, toolsDir } from "./places.mjs";
import { SetupError, say } from "./report.mjs";
import { runProgram } from "./run-program.mjs";

const web = join(root, "packages", "web");
const builtFile = join(toolsDir, "web-built");

/**
 * @param {string} folder
 * @returns {string[]}
 */
function filesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (path === join(web, "dist") || entry.name === "node_modules") return [];
    return entry.isDirectory() ? filesIn(path) : [path];
  });
}

/** The web package and all it bundles; the lock file stands for the libraries. */
function sourcesHash() {
  const hash = createHash("sha256");
  const folders = [web, ...["client", "crypto", "contract"].map((name) => join(root, "packages", name, "src"))];
  for (const path of [...folders.flatMap(filesIn).sort(), join(root, "package-lock.json")]) {
    hash.update(relative(root, path)).update("\0").update(readFileSync(path)).update("\0");
  }
  return hash.digest("hex");
}

export async function buildWeb() {
  if (!existsSync(join(web, "index.html"))) return;
  const wanted = sourcesHash();
  const built = existsSync(builtFile) ? readFileSync(builtFile, "utf8") : "";
  if (built !== wanted || !existsSync(join(web, "dist", "index.html"))) {
    say("building the web pages …");
    const vite = join(root, "node_modules", "vite", "bin", "vite.js");
    const { status, stdout, stderr } = await runProgram(projectNode, [vite, "build", web], { cwd: root });
    if (status !== 0) throw new SetupError(`the web pages could not be built:\n${stdout}${stderr}`);
  }
  writeFileSync(builtFile, wanted);
}
