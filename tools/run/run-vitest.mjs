/**
 * Runs vitest on the project's Node and says how many tests passed.
 *
 * Invariant: a run that fails never counts zero failures: a crash, a leaked process or a reporter that did not speak is one.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectNode, root } from "../setup/places.mjs";

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */
/** @typedef {Counts & { broken: readonly (Counts & { path: string })[] }} Told with the counts of each file in which something failed */

/**
 * @param {string} file
 * @returns {Told}
 */
function readCounts(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return { passed: 0, failed: 0, skipped: 0, broken: [] };
  }
}

/**
 * Runs a program with the terminal of this one and waits; Ctrl-C reaches both and is the child's to answer.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<number>} exit status
 */
export function runVisibly(command, args, env = process.env) {
  return new Promise((resolve) => {
    const ignore = () => {};
    process.on("SIGINT", ignore);
    const child = spawn(command, args, { cwd: root, env, stdio: "inherit" });
    const finish = (/** @type {number} */ status) => {
      process.off("SIGINT", ignore);
      resolve(status);
    };
    child.once("error", () => finish(127));
    child.once("close", (status, signal) => finish(signal === "SIGINT" ? 130 : (status ?? 1)));
  });
}

/**
 * @param {readonly string[]} args paths and options of vitest
 * @returns {Promise<Told & { status: number }>}
 */
export async function runVitest(args) {
  const folder = mkdtempSync(join(tmpdir(), "al-summary-"));
  const file = join(folder, "counts.json");
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const flags = [
    "--disable-warning=ExperimentalWarning",
    vitest,
    "run",
    "--reporter=default",
    "--reporter=./tools/summary-reporter.ts",
    ...args,
  ];
  const status = await runVisibly(projectNode, flags, { ...process.env, TEST_SUMMARY_FILE: file });
  const counts = readCounts(file);
  rmSync(folder, { recursive: true, force: true });
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  return { ...counts, status };
}

/** @param {Counts} counts */
export function summaryLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
