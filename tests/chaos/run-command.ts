/**
 * `althing` as an operator runs it against a cluster from outside: no data folder, addresses from the command line or the environment.
 *
 * Invariant: the process is the caller's to wait for; it inherits nothing of ALTHING_ from the machine.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { repositoryRoot } from "@althing/testkit";

export interface CommandRun {
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly exitCode: Promise<number | null>;
}

export function runCommand(args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}): CommandRun {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("ALTHING_"));
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(repositoryRoot, "packages/cli/src/main.ts"), ...args],
    {
      ...{ cwd, env: { ...Object.fromEntries(kept), ...env } },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const exitCode = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { stdout: () => stdout, stderr: () => stderr, exitCode };
}
