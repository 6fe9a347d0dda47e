/**
 * Waiting, as a parameter.
 *
 * Invariant: a timer keeps no process alive, and one that was cancelled never fires.
 */
export interface Timers {
  /** @returns cancels it */
  after(ms: number, work: () => void): () => void;
}

export const processTimers: Timers = {
  after(ms, work) {
    const timer = setTimeout(work, Math.min(ms, 0x7fff_ffff));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
