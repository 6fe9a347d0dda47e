/**
 * Runs command lines in this process: the same program, the same network, the same files, without the half second of a new process.
 *
 * For tests of many small refusals; that the process ends with the same code is shown where real processes run.
 */
import { runProgram, type CliHost } from "@althing/cli";
import { Readable } from "node:stream";
import type { Ran, Workplace } from "./althing-process.ts";

export interface InProcess {
  run(args: readonly string[], options?: { readonly input?: string; readonly env?: Readonly<Record<string, string>> }): Promise<Ran>;
  ok(...args: string[]): Promise<string>;
  json(...args: string[]): Promise<unknown>;
}

export function inProcess(place: Workplace): InProcess {
  const run: InProcess["run"] = async (args, options = {}) => {
    let [stdout, stderr] = ["", ""];
    const host: CliHost = {
      terminal: undefined,
      stdin: Readable.from([options.input ?? ""]),
      stdout: { write: (text) => (stdout += text) },
      stderr: { write: (text) => (stderr += text) },
      env: { ...place.env, ...options.env },
      cwd: place.path,
      now: Date.now,
      onInterrupt: () => () => undefined,
      takeSignals: () => undefined,
    };
    const code = await runProgram(host, args);
    return { code, stdout, stderr };
  };
  const ok: InProcess["ok"] = async (...args) => {
    const ran = await run(args);
    if (ran.code !== 0) throw new Error(`althing ${args.join(" ")} ended with ${ran.code}\n${ran.stderr}${ran.stdout}`);
    return ran.stdout.replace(/\n$/, "");
  };
  return { run, ok, json: async (...args) => JSON.parse(await ok(...args, "--json")) as unknown };
}
