/**
 * Golden check: N messages sent, N decrypted on the other side, each once, in order, byte for byte.
 *
 * Invariant: it ends. Silence for a while with messages missing is a failure that names how many.
 */
import { AppError } from "@althing/contract";
import { checkNumber, checkText, type CheckSides } from "./check-room.ts";
import type { Context } from "./context.ts";
import { safeLine } from "./terminal-text.ts";

/** Messages under way at once: enough to fill the pipe, few enough to keep the order visible. */
const windowSize = 256;
const patienceMs = 15_000;

interface Tally {
  readonly seen: Set<number>;
  doubled: number;
  disordered: number;
  foreign: number;
  highest: number;
}

function count(tally: Tally, n: number | undefined): void {
  if (n === undefined) {
    tally.foreign += 1;
    return;
  }
  if (tally.seen.has(n)) tally.doubled += 1;
  else if (n < tally.highest) tally.disordered += 1;
  tally.seen.add(n);
  tally.highest = Math.max(tally.highest, n);
}

export async function runGolden(context: Context, sides: CheckSides, messages: number): Promise<void> {
  const { sendRoom, receiveRoom, nonce } = sides;
  const tally: Tally = { seen: new Set(), doubled: 0, disordered: 0, foreign: 0, highest: -1 };
  const complete = Promise.withResolvers<void>();
  let lastMs = performance.now();
  const subscription = await receiveRoom.subscribe(
    (event) => {
      if (event.kind !== "message") return;
      lastMs = performance.now();
      count(tally, checkNumber(nonce, event.text));
      if (tally.seen.size === messages) complete.resolve();
    },
    { since: "now" },
  );
  context.defer(() => subscription.close());
  const beganMs = performance.now();
  const node = await sendAll(context, sides, messages, () => (lastMs = performance.now()));
  const silence = setInterval(() => {
    if (performance.now() - lastMs > patienceMs) complete.resolve();
  }, 200);
  await complete.promise;
  clearInterval(silence);
  const tookMs = performance.now() - beganMs;
  const decrypted = tally.seen.size;
  const value = {
    mode: "golden",
    ok: decrypted === messages && tally.doubled + tally.disordered + tally.foreign === 0,
    messages,
    decrypted,
    doubled: tally.doubled,
    disordered: tally.disordered,
    foreign: tally.foreign,
    node,
    tookMs: Math.round(tookMs),
    room: sendRoom.name,
  };
  if (!value.ok)
    throw new AppError("check.failed", {
      detail: `${decrypted}/${messages} decrypted, doubled ${tally.doubled}, out of order ${tally.disordered}, foreign ${tally.foreign}, node ${node}`,
    });
  context.output.prose(`${Math.round(messages / (tookMs / 1_000))} messages a second`);
  context.output.result(value, `golden ok: ${decrypted}/${messages} decrypted, node ${node}`);
}

/** @returns the node that served the last message */
async function sendAll(context: Context, { sendRoom, sender, nonce }: CheckSides, messages: number, onSent: () => void): Promise<string> {
  let next = 0;
  let node: string | undefined;
  const work = async (): Promise<void> => {
    while (next < messages) {
      const n = next;
      next += 1;
      const sent = await sendRoom.send(checkText(nonce, n));
      node = sent.node ?? node;
      onSent();
      if ((n + 1) % Math.max(1_000, Math.floor(messages / 10)) === 0) context.output.prose(`${n + 1}/${messages} sent`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(windowSize, messages) }, work));
  return safeLine(node ?? (await sender.call("health.get")).node);
}
