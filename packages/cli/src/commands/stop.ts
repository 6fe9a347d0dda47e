/**
 * `althing stop`: ends the local instance in order.
 *
 * Invariant: only the process that holds the folder is signalled: the id in the run file is checked against command line and start time, because
 * ids are reused.
 */
import { AppError } from "@althing/contract";
import type { Command } from "commander";
import { setTimeout as sleep } from "node:timers/promises";
import { addCommand } from "../command.ts";
import { dataFolder, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";

/** Longer than the supervisor's own patience with its children. */
const patienceMs = 30_000;
const lookEveryMs = 25;

export function addStop(host: CliHost, program: Command): void {
  addCommand(host, program, {
    use: "stop",
    summary: "end the local instance in order",
    examples: ["althing stop", "althing stop --data /srv/althing"],
    action: stop,
  });
}

async function stop(context: Context): Promise<void> {
  const { runningInstance } = await import("../supervisor/run-file.ts");
  const { isRunning } = await import("../supervisor/process-view.ts");
  const data = dataFolder(context);
  const run = await runningInstance(data);
  context.output.prose(`stopping process ${run.pid}`);
  process.kill(run.pid, "SIGTERM");
  const deadline = performance.now() + patienceMs;
  while (await isRunning(run.pid)) {
    if (performance.now() > deadline)
      throw new AppError("up.failed", { what: "the stop", detail: `process ${run.pid} is still there after ${patienceMs / 1_000} s` });
    await sleep(lookEveryMs);
  }
  context.output.result({ stopped: true, pid: run.pid, data }, `stopped ${data}`);
}
