/**
 * A program: waits until its standard input closes, then kills the processes it was told of, then closes the fence it was told of.
 *
 * Invariant: it kills only ids that the supervisor announced (`+pid`) and did not take back (`-pid`); a supervisor that stops in order takes all
 * back before it closes the pipe, and the fence (`!order`) with them. The fence comes after the kill: a hub that lived would write its list
 * over it. Used where the kernel has no parent-death signal, and wherever nats-server is the operator's and therefore stays.
 */
import { createInterface } from "node:readline";
import type { fenceBehind, FenceOrder } from "./external-nats.ts";

const watched = new Set<number>();
let order: FenceOrder | null = null;
/** Loaded when there is an order: at the end there may be no time, and without one there is no need. */
let close: typeof fenceBehind | undefined;

/** Signals go to whole services; what ends this program is the end of the supervisor. */
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => undefined);

for await (const line of createInterface({ input: process.stdin })) {
  if (line.startsWith("!")) {
    order = JSON.parse(line.slice(1)) as FenceOrder | null;
    close ??= (await import("./external-nats.ts")).fenceBehind;
    continue;
  }
  const pid = Number(line.slice(1));
  if (!Number.isInteger(pid) || pid <= 1) continue;
  if (line.startsWith("+")) watched.add(pid);
  else watched.delete(pid);
}
for (const pid of watched) {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    continue;
  }
}
if (order !== null) await close?.(order, [...watched]);
