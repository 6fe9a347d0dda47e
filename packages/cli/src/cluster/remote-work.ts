/**
 * Shows the steps of a command that works on a cluster's machines, or does them with ssh and rsync.
 *
 * Invariant: nothing is done without `--run`; nodes on this machine only are refused, because there is no other machine to work on. The programs ask
 * nobody for a password: a step that would have to is a failed step.
 */
import { AppError } from "@althing/contract";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { machine, type } from "node:os";
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
import { backCommand, stopTitle, swapTitle, type PlanInput } from "./plans.ts";
import { runSteps, stepText, type RanProgram, type Step, type StepWorld } from "./steps.ts";

/** Of what a program says when it fails; a reason stands near its end. */
const saidMaxChars = 16_384;
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
  return { plan, from, programRoot, machine: machineName(), version: productVersion, instanceText };
}

/** As `uname -sm` says it of a machine that can run what is copied from here. */
function machineName(): string {
  return `${type()} ${machine()}`;
}

async function runProgram(env: CliHost["env"], program: string, args: readonly string[]): Promise<RanProgram> {
  const child = spawn(program, [...args], { env: { ...env }, stdio: ["ignore", "ignore", "pipe"] });
  const closed = new Promise<number | Error | undefined>((resolve) => {
    child.once("error", resolve);
    child.once("close", (code) => resolve(code ?? undefined));
  });
  const [said, end] = await Promise.all([readStream(child.stderr), closed]);
  if (end instanceof Error) return { code: undefined, detail: safeLine(end.message), isMissing: "code" in end && end.code === "ENOENT" };
  const lines = said.slice(-saidMaxChars).split("\n");
  return {
    code: end,
    detail: lines
      .map((line) => safeLine(line.trim()))
      .join("\n")
      .trim(),
  };
}

export interface DoStepsOptions {
  readonly plan: ClusterPlan;
  readonly from: string;
}

/** @throws what `runSteps` throws */
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
  const begun: Step[] = [];
  const world: StepWorld = {
    run: (program, args) => runProgram(context.host.env, program, args),
    health: async (url) => (await askNode(url, ca)).health,
    sleep: (ms) => sleep(ms),
    nowMs: () => performance.now(),
    say: (text) => output.prose(text),
    began: (step) => begun.push(step),
  };
  await runSteps(steps, world).catch((error: unknown) => {
    if (error instanceof AppError) output.warn(wayBack(plan, steps, begun));
    throw error;
  });
  output.result({ ran: true, steps: shown }, `done: ${steps.length} steps on ${plan.nodes.length} nodes`);
}

/** What to know after a failure, before anything else is tried. @param begun the steps up to the one that failed */
function wayBack(plan: ClusterPlan, steps: readonly Step[], begun: readonly Step[]): string {
  const lines = ["stopped; nodes that were not reached run as before"];
  const last = begun.at(-1);
  const turn = last?.kind === "wait" ? (last.turn ?? last.node) : last?.node;
  const node = plan.nodes.find(({ name }) => name === turn);
  if (node === undefined || !steps.some(({ what }) => what === swapTitle)) return lines.join("");
  const had = (title: string, of?: string) => begun.some((step) => step.what === title && (of === undefined || step.node === of));
  const isDown = had(stopTitle, node.name) && !had(swapTitle, node.name);
  if (isDown) lines.push(`${node.name} may be stopped, with the program before: \`ssh ${node.ssh} systemctl start althing\` starts it`);
  if (had(swapTitle, node.name)) lines.push(`this takes ${node.name} back to the program before:`, `  ${backCommand(plan, node)}`);
  if (had(stopTitle))
    lines.push(`when the fault is mended, go on with \`althing cluster upgrade ${plan.file} --start-at ${node.name} --run\``);
  return lines.join("\n");
}
