/**
 * Loop check: one message per interval, a line per tick, while nodes may come and go.
 *
 * Invariant: a message counts as sent when it was confirmed, or when it arrived although nobody confirmed it; so `sent = received` is a statement
 * about acknowledged messages and not about luck. Doubled deliveries are counted, never hidden. A move to another node is announced: the node is the one
 * whose messaging server carried the message, as that server says.
 */
import { AppError, isAppError } from "@althing/contract";
import { setTimeout as sleep } from "node:timers/promises";
import { checkNumber, checkText, type CheckSides } from "./check-room.ts";
import type { Context } from "./context.ts";
import { safeLine } from "./terminal-text.ts";

export interface LoopOptions {
  readonly durationMs: number;
  readonly intervalMs: number;
}

interface Tick {
  readonly t: number;
  readonly sent: number;
  readonly recv: number;
  readonly up: string;
  readonly node: string;
  readonly publish: string;
}

/** How long the end waits for sends under way and for messages that were confirmed. */
const settleMs = 30_000;
const header: readonly (keyof Tick)[] = ["t", "sent", "recv", "up", "node", "publish"];
const widths: Readonly<Record<keyof Tick, number>> = { t: 7, sent: 6, recv: 6, up: 5, node: 8, publish: 1 };

interface LoopState {
  readonly confirmed: Set<number>;
  readonly arrived: Map<number, number>;
  readonly nodes: Set<string>;
  readonly pending: Set<Promise<void>>;
  node: string;
  publish: string;
  up: string;
}

export async function runLoop(context: Context, sides: CheckSides, { durationMs, intervalMs }: LoopOptions): Promise<void> {
  const state: LoopState = {
    confirmed: new Set(),
    arrived: new Map(),
    nodes: new Set(),
    pending: new Set(),
    node: "-",
    publish: "-",
    up: "up",
  };
  await listen(context, sides, state);
  const show = (cells: readonly string[]): void => {
    context.output.line(cells.join(" ").trimEnd());
  };
  show(header.map((name) => name.padEnd(widths[name])));
  const ticks: Tick[] = [];
  const beganMs = performance.now();
  for (let n = 0; n * intervalMs < durationMs; n += 1) {
    const send = sendOne(context, sides, state, n);
    state.pending.add(send);
    void send.finally(() => state.pending.delete(send));
    await sleep(Math.max(0, beganMs + (n + 1) * intervalMs - performance.now()));
    const tick: Tick = {
      t: Math.round((performance.now() - beganMs) / 100) / 10,
      sent: state.confirmed.size,
      recv: state.arrived.size,
      up: state.up,
      node: state.node,
      publish: state.publish,
    };
    ticks.push(tick);
    show(header.map((name) => String(tick[name]).padEnd(widths[name])));
  }
  await settle(state);
  report(context, sides, state, ticks);
}

async function listen(context: Context, { sender, receiveRoom, nonce }: CheckSides, state: LoopState): Promise<void> {
  sender.on("connection", (event) => {
    if (event.plane !== "nats") return;
    state.up = event.state === "connected" ? "up" : "down";
  });
  const subscription = await receiveRoom.subscribe(
    (event) => {
      const n = event.kind === "message" ? checkNumber(nonce, event.text) : undefined;
      if (n !== undefined) state.arrived.set(n, (state.arrived.get(n) ?? 0) + 1);
    },
    { since: "now" },
  );
  context.defer(() => subscription.close());
}

async function sendOne(context: Context, { sendRoom, nonce }: CheckSides, state: LoopState, n: number): Promise<void> {
  const beganMs = performance.now();
  try {
    const { node } = await sendRoom.send(checkText(nonce, n));
    state.confirmed.add(n);
    state.publish = `${(performance.now() - beganMs).toFixed(1)}ms`;
    if (node !== undefined) saw(context, state, safeLine(node));
  } catch (error) {
    state.publish = isAppError(error) ? error.code : "failed";
  }
}

function saw(context: Context, state: LoopState, node: string): void {
  if (node === state.node) return;
  if (state.nodes.size > 0) context.output.warn(`FAILOVER OBSERVED: ${state.node} -> ${node}`);
  state.node = node;
  state.nodes.add(node);
}

async function settle(state: LoopState): Promise<void> {
  const deadline = performance.now() + settleMs;
  const isDone = (): boolean => state.pending.size === 0 && [...state.confirmed].every((n) => state.arrived.has(n));
  while (!isDone() && performance.now() < deadline) await sleep(20);
}

function report(context: Context, { persist }: CheckSides, state: LoopState, ticks: readonly Tick[]): void {
  const sent = new Set([...state.confirmed, ...state.arrived.keys()]).size;
  const received = state.arrived.size;
  const doubled = [...state.arrived.values()].reduce((sum, times) => sum + times - 1, 0);
  const nodes = [...state.nodes];
  const value = { mode: "loop", ok: sent === received && doubled === 0 && received > 0, sent, received, doubled, nodes, persist, ticks };
  if (!value.ok)
    throw new AppError("check.failed", { detail: `sent ${sent}, received ${received}, doubled ${doubled}, nodes ${nodes.join(" ")}` });
  context.output.result(value, `loop ok: sent ${sent}, received ${received}, doubled ${doubled}, nodes ${nodes.join(" ")}`);
}
