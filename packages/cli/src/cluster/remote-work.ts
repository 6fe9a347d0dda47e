/**
 * Shows the steps of a command that works on a cluster's machines, or does them with ssh and rsync.
 *
 * Invariant: nothing is done without `--run`; nodes on this machine only are refused, because there is no other machine to work on. The programs ask
 * nobody for a password: a step that would have to is a failed step.
 */
import { AppError } from "@althing/contract";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { text as readStream } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { usageError, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { productVersion } from "../product-version.ts";
import { safeLine } from "../terminal-text.ts";
import { askNode } from "./ask-nodes.ts";
import type { ClusterPlan } from "./nodes-file.ts";
import { backCommand, swapTitle, type PlanInput } from "./plans.ts";
import { runSteps, stepText, type RanProgram, type Step, type StepWorld } from "./steps.ts";

const programRoot = fileURLToPath(new URL("../../../..", import.meta.url)).replace(/\/$/, "");

/** @throws {cli.usage} the folder is not what `cluster init` wrote for these nodes */
export async function readPlanInput(plan: ClusterPlan, from: string): Promise<PlanInput> {
  if (plan.isLocal) throw usageError("all nodes of this file are on this machine: start each with `althing up` in its folder");
  const read = (name: string) =>
    readFile(join(from, name), "utf8").catch(() => {
      throw usageError(`${join(from, name)} is not there; \`althing cluster init\` writes it, --from names its folder`);
    });
  const instanceText = await read(join("authority", "instance.json"));
  for (const { name } of plan.nodes) await read(join(name, "althing.toml"));
  return { plan, from, programRoot, version: productVersion, instanceText };
}

async function runProgram(env: CliHost["env"], program: string, args: readonly string[]): Promise<RanProgram> {
  const child = spawn(program, [...args], { env: { ...env }, stdio: ["ignore", "ignore", "pipe"] });
  const closed = new Promise<number | string | undefined>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code) => resolve(code ?? undefined));
  });
  const [said, end] = await Promise.all([readStream(child.stderr), closed]);
  if (typeof end === "string") return { code: undefined, detail: end };
  return { code: end, detail: safeLine(said.trim().split("\n").at(-1) ?? "") };
}

export interface DoStepsOptions {
  readonly plan: ClusterPlan;
  readonly from: string;
}

/** @throws {cluster.step_failed} {cluster.not_ready} */
export async function doSteps(context: Context, steps: readonly Step[], { plan, from }: DoStepsOptions): Promise<void> {
  const { output, options } = context;
  const shown = steps.map((step) => ({ node: step.node, what: step.what, command: stepText(step) }));
  if (options["run"] !== true) {
    const lines = shown.map(({ node, what, command }) => `# ${node}: ${what}\n${command}`);
    output.result({ ran: false, steps: shown }, `${lines.join("\n")}\n`);
    output.prose("nothing was done; --run does it, in this order, and stops at the first failure");
    return;
  }
  const ca = await readFile(join(from, "authority", "client-ca.pem"), "utf8");
  let swapping: string | undefined;
  const world: StepWorld = {
    run: (program, args) => {
      swapping = steps.find((step) => step.kind === "run" && step.what === swapTitle && step.args === args)?.node ?? swapping;
      return runProgram(context.host.env, program, args);
    },
    health: async (url) => (await askNode(url, ca)).health,
    sleep: (ms) => sleep(ms),
    nowMs: () => performance.now(),
    say: (text) => output.prose(text),
  };
  await runSteps(steps, world).catch((error: unknown) => {
    if (error instanceof AppError) output.warn(wayBack(plan, steps, { failed: error.params["node"], swapping }));
    throw error;
  });
  output.result({ ran: true, steps: shown }, `done: ${steps.length} steps on ${plan.nodes.length} nodes`);
}

interface Halt {
  /** Name of the node of the step that failed. */
  readonly failed: unknown;
  /** Name of the node whose program was swapped last, or was to be. */
  readonly swapping: string | undefined;
}

/** What to know after a failure, before anything else is tried. */
function wayBack(plan: ClusterPlan, steps: readonly Step[], { failed, swapping }: Halt): string {
  const lines = ["stopped; nodes that were not reached run as before"];
  const node = plan.nodes.find(({ name }) => name === failed);
  if (node === undefined || !steps.some(({ what }) => what === swapTitle)) return lines.join("");
  if (swapping === node.name) lines.push(`this takes ${node.name} back to the program before:`, `  ${backCommand(plan, node)}`);
  if (swapping !== undefined)
    lines.push(`when the fault is mended, go on with \`althing cluster upgrade ${plan.file} --start-at ${node.name} --run\``);
  return lines.join("\n");
}
