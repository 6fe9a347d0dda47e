/**
 * The host of a real run: this process's streams, environment and signals.
 *
 * Invariant: an interruption runs what was registered, waits a few seconds at most, and ends with 130; the second one ends at once.
 */
import { Readable } from "node:stream";
import { exitCodes } from "./exit-code.ts";
import type { CliHost } from "./host.ts";

const cleanupMs = 8_000;

/** For looking at the command tree: nothing can be run on it. */
export const nullHost: CliHost = {
  terminal: undefined,
  stdin: Readable.from([]),
  stdout: { write: () => true },
  stderr: { write: () => true },
  env: {},
  cwd: "/",
  now: () => 0,
  onInterrupt: () => () => undefined,
  takeSignals: () => undefined,
};

/** A reader that went away (`althing room tail | head`) is a normal end, not a crash; a supervisor goes on without its terminal. */
function survivesClosedPipe(stream: NodeJS.WriteStream, goesOn: () => boolean): void {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE" && error.code !== "EIO") throw error;
    if (!goesOn()) process.exit(exitCodes.done);
  });
}

export function createProcessHost(): CliHost {
  let signalsTaken = false;
  survivesClosedPipe(process.stdout, () => signalsTaken);
  survivesClosedPipe(process.stderr, () => signalsTaken);
  const cleanups = new Set<() => Promise<void> | void>();
  let interrupted = false;
  const interrupt = (): void => {
    if (interrupted) process.exit(exitCodes.interrupted);
    interrupted = true;
    const all = Promise.allSettled([...cleanups].map(async (cleanup) => cleanup()));
    const patience = new Promise<void>((done) => void setTimeout(done, cleanupMs));
    void Promise.race([all, patience]).then(() => process.exit(exitCodes.interrupted));
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  return {
    terminal: process.stdin.isTTY && process.stdout.isTTY ? process.stdout : undefined,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    now: Date.now,
    onInterrupt(cleanup) {
      cleanups.add(cleanup);
      return () => void cleanups.delete(cleanup);
    },
    takeSignals(handler) {
      signalsTaken = true;
      process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => handler(signal));
    },
  };
}
