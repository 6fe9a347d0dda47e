/**
 * Runs one program of the set-up and waits.
 *
 * Invariant: nothing of it reaches stdout; its output is kept for the message of a failure, and no standard input is there to wait for.
 */
import { spawn } from "node:child_process";

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, show?: boolean, timeoutMs?: number }} [options] `show`: pass its output on to stderr
 * @returns {Promise<{ status: number, stdout: string, stderr: string }>} status 127 when it cannot be started
 */
export function runProgram(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const timer = options.timeoutMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), options.timeoutMs);
    const finish = (/** @type {number} */ status, /** @type {string} */ reason) => {
      clearTimeout(timer);
      resolve({ status, stdout: kept.stdout, stderr: kept.stderr + reason });
    };
    const kept = { stdout: "", stderr: "" };
    for (const name of /** @type {const} */ (["stdout", "stderr"])) {
      child[name].setEncoding("utf8").on("data", (/** @type {string} */ chunk) => {
        kept[name] += chunk;
        if (options.show) process.stderr.write(chunk);
      });
    }
    child.once("error", (error) => finish(127, error.message));
    child.once("close", (status) => finish(status ?? 1, ""));
  });
}
