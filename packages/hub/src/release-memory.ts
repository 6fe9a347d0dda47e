/**
 * Gives back what the start of the process took and does not need any more.
 *
 * Invariant: nothing but memory changes. Reading and compiling the program fills the engine's space for young objects up to its maximum, and a process at
 * rest makes no garbage, so it would be kept for ever: a quarter of an idle hub. A smaller maximum would cost every request under load. So there is one full
 * collection that also gives pages back, of a tenth of a second, once the program is loaded and before it opens anything.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Blocks the process; for once, at a moment when nobody waits for it. */
export function releaseMemory(): void {
  // The collector is there in contexts that are made while the flag is set, so in this one and no other.
  setFlagsFromString("--expose-gc");
  runInNewContext("gc({ type: 'major', flavor: 'last-resort' })");
  setFlagsFromString("--no-expose-gc");
}
