/**
 * `npm ci`, when what is installed is not what the lock file says.
 *
 * Invariant: afterwards `node_modules` fits `package-lock.json`, the project's Node runs, and a copy of the lock file is the mark that the
 * launcher compares. npm's own record (node_modules/.package-lock.json) is compared and not the mark alone, because a developer who ran
 * `npm install` needs no second installation.
 */
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectNode, root, toolsDir } from "./places.mjs";
import { SetupError, say } from "./report.mjs";
import { runProgram } from "./run-program.mjs";

const lockPath = join(root, "package-lock.json");
const installedLockPath = join(toolsDir, "installed-lock.json");

/** @typedef {{ version?: string, integrity?: string, link?: boolean, optional?: boolean, devOptional?: boolean }} LockEntry */

/**
 * @param {string} path
 * @returns {Record<string, LockEntry> | undefined}
 */
function packagesOf(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8")).packages;
  } catch {
    return undefined;
  }
}

function fitsLock() {
  const wanted = packagesOf(lockPath);
  const installed = packagesOf(join(root, "node_modules", ".package-lock.json"));
  if (!wanted) throw new SetupError("package-lock.json cannot be read; restore it from git.");
  if (!installed) return false;
  for (const [path, entry] of Object.entries(wanted)) {
    if (!path.includes("node_modules/")) continue;
    const there = installed[path];
    if (there === undefined && !entry.optional) return false;
    if (there !== undefined && (there.version !== entry.version || there.integrity !== entry.integrity)) return false;
  }
  return Object.keys(installed).every((path) => !path.includes("node_modules/") || wanted[path] !== undefined);
}

async function projectNodeVersion() {
  const { status, stdout } = await runProgram(projectNode, ["--version"], { timeoutMs: 20_000 });
  return status === 0 ? stdout.trim() : undefined;
}

async function npmCi() {
  say("installing packages (npm ci), a minute or two the first time …");
  const args = ["ci", "--include=dev", "--include=optional", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status } = await runProgram("npm", args, { cwd: root, show: true });
  if (status === 127) throw new SetupError("there is no npm on PATH: install npm (it comes with Node), then run this again.");
  if (status !== 0) throw new SetupError("npm ci failed; the lines above say why. With a network, run this again.");
}

export async function installPackages() {
  let version = await projectNodeVersion();
  if (version === undefined || !fitsLock()) {
    await npmCi();
    version = await projectNodeVersion();
  }
  if (version === undefined) {
    throw new SetupError(
      `no Node for ${process.platform}-${process.arch} came with the packages, or it does not run here; see docs/architecture/setup.md.`,
    );
  }
  copyFileSync(lockPath, installedLockPath);
}
