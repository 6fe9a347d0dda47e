/**
 * The runner program: a child of the supervisor with an IPC channel.
 *
 * Invariant: nothing is created readable by others (umask first of all); a broken promise nobody awaited is logged and ends the process, because its
 * state is unknown and the supervisor starts a clean one; when the channel to the supervisor closes, so does the runner, and with it
 * its sandbox processes.
 */
import type { FromRunner } from "@althing/contract";
import { createRunnerLog, createRunnerProgram } from "./service/index.ts";

function serve(): void {
  const program = createRunnerProgram({
    send: (message: FromRunner) => void (process.connected && process.send?.(message, undefined, undefined, () => undefined)),
    exit: (code) => process.exit(code),
  });
  process.on("message", (message) => program.receive(message));
  process.on("disconnect", () => void program.stop());
  process.on("SIGTERM", () => void program.stop());
  // Ctrl-C in a terminal reaches the whole group; the supervisor ends its children in order.
  process.on("SIGINT", () => undefined);
  const onFault = (err: unknown) => {
    createRunnerLog({ level: "error", node: "runner" }).fatal({ err }, "an error nobody caught");
    process.exit(70);
  };
  process.on("uncaughtException", onFault);
  process.on("unhandledRejection", onFault);
}

process.umask(0o077);
if (process.send === undefined) {
  process.stderr.write("The runner is started by `althing up`, with a channel to it\n");
  process.exitCode = 2;
} else {
  serve();
}
