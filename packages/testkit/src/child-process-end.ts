/**
 * Ends child processes by id and waits until they are gone.
 *
 * Invariant: after `endChild` resolves the process has exited. A polite signal first, SIGKILL when it is not heeded in time: a test that
 * hangs in its clean-up hides the failure that came before.
 */
import type { ChildProcess } from "node:child_process";

export function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return Promise.resolve();
  return new Promise((done) => {
    child.once("exit", () => done());
  });
}

/** @param patienceMs how long the process may take to heed the signal */
export async function endChild(child: ChildProcess, signal: NodeJS.Signals = "SIGTERM", patienceMs = 10_000): Promise<void> {
  const gone = exited(child);
  child.kill(signal);
  const impatience = setTimeout(() => child.kill("SIGKILL"), patienceMs);
  await gone;
  clearTimeout(impatience);
}
