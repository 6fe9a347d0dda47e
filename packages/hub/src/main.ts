/**
 * The hub program: a child of the supervisor with an IPC channel, or one of the one-shot modes.
 *
 * Invariant: nothing is created readable by others (umask first of all); a broken promise nobody awaited is logged and ends the process, because its
 * state is unknown and the supervisor starts a clean one; when the channel to the supervisor closes, so does the hub.
 */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { FromHub } from "@althing/contract";
import manifest from "../package.json" with { type: "json" };
import { createHubProgram } from "./hub-program.ts";
import { createLog } from "./log.ts";
import { runOneShot } from "./one-shot.ts";
import { releaseMemory } from "./release-memory.ts";

const inputMaxBytes = 64 * 1024;

async function readStandardInput(): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > inputMaxBytes) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function serve(): void {
  const program = createHubProgram({
    send: (message: FromHub) => void (process.connected && process.send?.(message, undefined, undefined, () => undefined)),
    exit: (code) => process.exit(code),
    version: manifest.version,
    pageFolder: fileURLToPath(new URL("../../web/dist", import.meta.url)),
    nowMs: Date.now,
    releaseMemory,
  });
  process.on("message", (message) => program.receive(message));
  process.on("disconnect", () => void program.stop());
  process.on("SIGTERM", () => void program.stop());
  // Ctrl-C in a terminal reaches the whole group; the supervisor ends its children in order.
  process.on("SIGINT", () => undefined);
  const onFault = (err: unknown) => {
    const log = createLog({ level: "error", node: "hub" });
    log.fatal({ err }, "an error nobody caught");
    log.flush(() => process.exit(70));
  };
  process.on("uncaughtException", onFault);
  process.on("unhandledRejection", onFault);
}

process.umask(0o077);
// Read when the pool is first used. More threads than cores only take turns: on two cores four of them slow signature checks by a third.
process.env["UV_THREADPOOL_SIZE"] ??= String(Math.min(4, Math.max(2, availableParallelism())));
const [mode, ...rest] = process.argv.slice(2);
if (mode === "one-shot") {
  const abort = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => abort.abort());
  process.exitCode = await runOneShot({
    args: rest,
    readInput: readStandardInput,
    writeOutput: (text) => void process.stdout.write(text),
    nowMs: Date.now,
    version: manifest.version,
    progress: (text) => void process.stderr.write(`${text}\n`),
    signal: abort.signal,
  });
} else if (mode === undefined && process.send !== undefined) {
  serve();
} else {
  process.stderr.write("The hub is started by `althing up`; alone it only runs: one-shot MODE --data DIR\n");
  process.exitCode = 2;
}
