/**
 * `althing smoke`: the whole path in a minute, against any instance; leaves nothing.
 *
 * Invariant: each step is a real one over the network; what the caller or the instance does not let it try is named, so that a green smoke never claims more
 * than it tried. Room, community, package and key that it makes are gone at the end, and their absence is checked. What stays is the record to whom the name
 * of its package belongs, one for all smokes.
 */
import { AppError, hasCode, type InstanceRole } from "@althing/contract";
import type { Command } from "commander";
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { addCommand } from "../command.ts";
import type { Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { viewError } from "../output.ts";
import { safeLine } from "../terminal-text.ts";
import type { CheckSides } from "../check-room.ts";

const forAdmins = [
  "install a package",
  "invoke it",
  "run a job",
  "deliver an event",
  "vote and recount",
  "verify the log",
  "remove the package",
] as const;
/** A package is compiled in one of them; on a machine that is busy with an upgrade's copies that takes its time. */
const stepTimeoutMs = 60_000;
/** Clocks may be five seconds apart. */
const takenWithinMs = 15_000;
const askAgainMs = 500;

interface Step {
  readonly step: string;
  readonly outcome: "ok" | "failed" | "left out";
  readonly detail: string;
  readonly tookMs?: number;
}

export function addSmoke(host: CliHost, program: Command): void {
  addCommand(host, program, {
    use: "smoke",
    summary: "try the whole path against an instance; leaves nothing",
    examples: ["althing smoke --as alice.id", "althing smoke --url https://althing.example --as alice.id --json"],
    action: smoke,
  });
}

function within<T>(step: string, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new AppError("check.failed", { detail: `${step} took longer than ${stepTimeoutMs / 1_000} s` })),
      stepTimeoutMs,
    );
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Does a step, times it and says how it went. @throws what the step throws */
export type RunStep = (step: string, work: () => Promise<string>) => Promise<void>;
/** Says what is not tried, and why. */
export type LeaveOut = (step: string, why: string) => void;

async function smoke(context: Context): Promise<void> {
  const steps: Step[] = [];
  const run: RunStep = async (step, work) => {
    const beganMs = performance.now();
    try {
      const detail = safeLine(await within(step, work()));
      steps.push({ step, outcome: "ok", detail, tookMs: Math.round(performance.now() - beganMs) });
      context.output.prose(`ok    ${step}: ${detail}`);
    } catch (error) {
      steps.push({ step, outcome: "failed", detail: viewError(error).message });
      context.output.prose(`BAD   ${step}: ${viewError(error).message}`);
      throw error;
    }
  };
  const leaveOut: LeaveOut = (step, why) => {
    steps.push({ step, outcome: "left out", detail: why });
    context.output.prose(`-     ${step}: left out, ${why}`);
  };
  const beganMs = performance.now();
  const role = await walk(context, run);
  if (role === "admin") {
    const { smokePlanes } = await import("../smoke-planes.ts");
    await smokePlanes(context, run, leaveOut);
  } else for (const step of forAdmins) leaveOut(step, "only an admin of the instance can trust a key and found a community for it");
  const done = steps.filter((step) => step.outcome === "ok").length;
  const left = steps.length - done;
  context.output.result(
    { ok: true, steps, tookMs: Math.round(performance.now() - beganMs) },
    `smoke ok: ${done} steps${left === 0 ? "" : `, ${left} left out`}`,
  );
}

/** After its data went back an instance takes nothing for some seconds that may have been signed before. */
async function onceTaken<T>(ask: () => Promise<T>): Promise<T> {
  const beganMs = performance.now();
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!hasCode(error, "auth.replayed") || performance.now() - beganMs > takenWithinMs) throw error;
    }
    await sleep(askAgainMs);
  }
}

/** @returns the role of who runs it */
async function walk(context: Context, run: RunStep): Promise<InstanceRole> {
  const { openClient } = await import("../open-client.ts");
  const { openCheckRoom } = await import("../check-room.ts");
  const { client } = await openClient(context, { forgetful: true });
  let role: InstanceRole = "member";
  await run("health", async () => {
    const health = await client.call("health.get");
    if (health.status !== "ready") throw new AppError("system.unavailable", { detail: health.reason ?? health.status });
    return `node ${health.node}, version ${health.version}`;
  });
  await run("signed request", async () => {
    const me = await onceTaken(() => client.me());
    role = me.role;
    return `${me.handle}, ${me.role}`;
  });
  let sides: CheckSides | undefined;
  await run("found a room, connect both sides to NATS", async () => {
    sides = await openCheckRoom(context, { prefix: "smoke", persist: true });
    return `${sides.sendRoom.name}, epoch ${(await sides.sendRoom.info()).epoch}`;
  });
  if (sides !== undefined) await exerciseRoom(sides, run);
  return role;
}

async function exerciseRoom({ sender, receiver, sendRoom, receiveRoom, nonce }: CheckSides, run: RunStep): Promise<void> {
  const text = `smoke ${nonce}`;
  await run("message, end to end", async () => {
    const arrived = Promise.withResolvers<string>();
    const subscription = await receiveRoom.subscribe(
      (event) => {
        if (event.kind === "message" && event.text === text) arrived.resolve(event.id);
      },
      { since: "now" },
    );
    const beganMs = performance.now();
    const [sent, id] = await Promise.all([sendRoom.send(text), arrived.promise]);
    await subscription.close();
    return `${id === sent.id ? "sent and decrypted" : "another id came back"} in ${(performance.now() - beganMs).toFixed(1)} ms`;
  });
  await run("history", async () => {
    const events = await receiveRoom.history({ last: 10 });
    if (!events.some((event) => event.kind === "message" && event.text === text))
      throw new AppError("check.failed", { detail: "the message is not in the history" });
    return "the message is kept";
  });
  await run("new epoch", async () => {
    await sendRoom.rekey();
    return `epoch ${(await sendRoom.info()).epoch}`;
  });
  await run("blob", async () => {
    const bytes = new Uint8Array(randomBytes(4_096));
    const stored = await sender.putBlob(bytes, { room: sendRoom.id });
    const back = await receiver.getBlob(stored.hash, stored.key);
    if (!Buffer.from(bytes).equals(Buffer.from(back)))
      throw new AppError("check.failed", { detail: "the blob came back with other bytes" });
    return `${stored.bytes} bytes there and back`;
  });
  await run("delete the room", async () => {
    const { id } = sendRoom;
    await sendRoom.delete();
    const still = await sender.call("rooms.get", { params: { room: id } }).then(
      () => true,
      (error: unknown) => !hasCode(error, "room.not_found"),
    );
    if (still) throw new AppError("check.failed", { detail: "the room is still there" });
    return "gone, with history and blob";
  });
}
