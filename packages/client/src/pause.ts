/**
 * Waiting: for a time, for one turn of the loop, without keeping a process alive.
 *
 * Invariant: whoever waits can be ended early by a signal, because a client that is closed must not be held up by what it was waiting for.
 */

/** Waits, or ends early when the signal says so. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const timer = setTimeout(end, ms);
    function end() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    }
    signal?.addEventListener("abort", end, { once: true });
  });
}

/** Lets the platform do what waits (input above all) and goes on at once; a browser has timers only. */
export function yieldTurn(): Promise<void> {
  return typeof setImmediate === "function" ? new Promise((resolve) => setImmediate(resolve)) : pause(0);
}

/** A timer that does not keep a Node process alive; browsers have no such thing. */
export function unref(timer: ReturnType<typeof setTimeout>): void {
  if (typeof timer === "object" && "unref" in timer) timer.unref();
}
