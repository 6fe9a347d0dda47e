/**
 * Runs the hub program for one task on a data folder, with JSON in and JSON out.
 *
 * Invariant: the command line opens no data folder itself: lock, modes and keys are the hub's to judge.
 */
import { AppError, fromProblem, problemSchema } from "@althing/contract";
import { spawn } from "node:child_process";
import { text as readStream } from "node:stream/consumers";
import { hubFlags, hubProgram } from "./hub-process.ts";

const timeoutMs = 30_000;

export interface OneShotHubOptions<T> {
  readonly mode: "nats-config";
  readonly data: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly input: unknown;
  /** The answer as it must be, or `undefined`. */
  readonly read: (value: unknown) => T | undefined;
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @throws {up.failed} it did not answer, and whatever it refuses with */
export async function runOneShotHub<T>({ mode, data, env, input, read }: OneShotHubOptions<T>): Promise<T> {
  const kept = Object.entries(env).filter(([name]) => !name.startsWith("ALTHING_") && name !== "NODE_OPTIONS");
  const child = spawn(process.execPath, [...hubFlags, hubProgram, "one-shot", mode, "--data", data], {
    env: Object.fromEntries(kept),
    stdio: ["pipe", "pipe", "pipe"],
    timeout: timeoutMs,
  });
  child.stdin.on("error", () => undefined);
  const closed = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  child.stdin.end(JSON.stringify(input));
  const [out, complaint, code] = await Promise.all([readStream(child.stdout), readStream(child.stderr), closed]);
  const value = tryJson(out);
  const answer = read(value);
  if (answer !== undefined) return answer;
  const problem = problemSchema.safeParse(value);
  throw (
    (problem.success ? fromProblem(problem.data) : undefined) ??
    new AppError("up.failed", { what: "the one-shot hub", detail: `exit code ${code ?? "?"} ${complaint.trim().split("\n").at(-1) ?? ""}` })
  );
}
