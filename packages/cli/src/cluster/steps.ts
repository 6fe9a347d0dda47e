/**
 * Work on several machines as a list of steps: shown first, done in order, stopped at the first that fails.
 *
 * Invariant: what is shown is what is run, word for word; a step after a failed one is never begun. Programs are started without a shell of this
 * machine; what ssh hands to the other machine's shell is made of names and paths that the nodes file's grammar let through.
 */
import { AppError, type Health } from "@althing/contract";
import { failureOf } from "./far-failure.ts";

export interface RunStep {
  readonly kind: "run";
  readonly node: string;
  /** As ssh dials the machine. */
  readonly host: string;
  readonly what: string;
  readonly program: "ssh" | "rsync";
  readonly args: readonly string[];
}

export interface WaitStep {
  readonly kind: "wait";
  readonly node: string;
  readonly what: string;
  readonly url: string;
  readonly withinMs: number;
  /** The node that is to be touched next, when another is looked at for its sake. */
  readonly turn?: string;
  /** Starting is enough: it may wait for others that take a longer list of nodes only later. */
  readonly orStarting?: boolean;
  /** No answer is enough: it may not be there yet. */
  readonly orAbsent?: boolean;
  /** Beyond being ready; `replicas` are whole copies at least. */
  readonly until?: { readonly version?: string; readonly heard?: number; readonly replicas?: number; readonly replicasAtMost?: number };
}

export type Step = RunStep | WaitStep;

export interface RanProgram {
  /** Exit code; `undefined` when it could not be started or was killed. */
  readonly code: number | undefined;
  /** What it wrote to stderr; of much of it the end. */
  readonly detail: string;
  /** There is no such program on this machine. */
  readonly isMissing?: boolean;
}

export interface StepWorld {
  run(program: RunStep["program"], args: readonly string[]): Promise<RanProgram>;
  /** `undefined` when the node does not answer. */
  health(url: string): Promise<Health | undefined>;
  sleep(ms: number): Promise<void>;
  nowMs(): number;
  say(text: string): void;
  /** Each step, just before it is done. */
  began?(step: Step): void;
}

const lookEveryMs = 1_000;

function quoted(word: string): string {
  return /^[A-Za-z0-9@%+=:,./_-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** As a person could type it. */
export function stepText(step: Step): string {
  if (step.kind === "run") return [step.program, ...step.args].map(quoted).join(" ");
  return `wait up to ${step.withinMs / 1_000} s: ${step.url}/healthz ${conditionText(step)}`;
}

function conditionText({ until = {}, orStarting = false, orAbsent = false }: WaitStep): string {
  const more = Object.entries(until).map(([name, value]) => `${name === "replicasAtMost" ? "replicas at most" : name} ${value}`);
  return [`ready${orStarting ? " or starting" : ""}${orAbsent ? " or not there" : ""}`, ...more].join(", ");
}

/** What is missing; `undefined` when the node is as it should be. */
function lacking(step: WaitStep, health: Health | undefined): string | undefined {
  if (health === undefined) return step.orAbsent === true ? undefined : "no answer";
  if (health.status !== "ready" && !(step.orStarting === true && health.status === "starting"))
    return `it is ${health.status}${health.reason === undefined ? "" : ` (${health.reason.replace(/\.$/, "")})`}`;
  if (health.node !== step.node) return `node ${health.node} answers there`;
  const { version, heard, replicas, replicasAtMost } = step.until ?? {};
  const { cluster } = health.posture;
  if (version !== undefined && health.version !== version) return `it has version ${health.version}`;
  if (heard !== undefined && cluster.heard < heard) return `it hears ${cluster.heard} of ${heard}`;
  if (replicas !== undefined && cluster.replicas < replicas) return `${cluster.replicas} of ${replicas} copies are whole`;
  if (replicasAtMost !== undefined && cluster.replicas > replicasAtMost)
    return `it keeps ${cluster.replicas} copies, and copies are not lowered in place`;
  return undefined;
}

async function waitFor(step: WaitStep, world: StepWorld): Promise<string | undefined> {
  const deadline = world.nowMs() + step.withinMs;
  for (;;) {
    const missing = lacking(step, await world.health(step.url));
    if (missing === undefined || world.nowMs() >= deadline) return missing;
    await world.sleep(lookEveryMs);
  }
}

/**
 * @throws {cluster.step_failed} {cluster.not_ready} {cluster.host_unreachable} {cluster.host_key} {cluster.login_refused} {cluster.connection_lost}
 * {cluster.program_missing}
 */
export async function runSteps(steps: readonly Step[], world: StepWorld): Promise<void> {
  for (const [i, step] of steps.entries()) {
    world.say(`[${i + 1}/${steps.length}] ${step.node}: ${step.what}`);
    world.began?.(step);
    if (step.kind === "wait") {
      const missing = await waitFor(step, world);
      if (missing !== undefined) throw new AppError("cluster.not_ready", { node: step.node, detail: missing });
      continue;
    }
    const ran = await world.run(step.program, step.args);
    if (ran.code !== 0) throw failureOf(step, ran);
  }
}
