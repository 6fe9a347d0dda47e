/**
 * A program: waits until its standard input closes, then kills the processes it was told of.
 *
 * Invariant: it kills only ids that the supervisor announced (`+pid`) and did not take back (`-pid`); a supervisor that stops in order takes all
 * back before it closes the pipe. Used where the kernel has no parent-death signal.
 */
import { createInterface } from "node:readline";

const watched = new Set<number>();

for await (const line of createInterface({ input: process.stdin })) {
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
