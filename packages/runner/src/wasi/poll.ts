/**
 * `wasi:io/poll`: waiting. The only place where a guest is suspended in a shim, through promises and never by blocking the thread.
 *
 * Invariant: a wait ends when something is ready or when the guest is over; it leaves no timer and no listener behind.
 */
import { type GuestFace, HostResource } from "./guest-face.ts";

/** Something that becomes ready once, or is. */
export interface Readiness {
  isReady(): boolean;
  /** Calls `notify` when it may have become ready. @returns takes that back */
  subscribe(notify: () => void): () => void;
}

/** The pollables of one call. */
const pollMax = 1_024;
const pollUnits = 100;
/** Timers of the platform count in 31 bits. */
const timerMaxMs = 2 ** 31 - 1;

/** Taken before the hardening removes the global. */
const clock = performance;

/** Milliseconds of a clock that only goes forward. */
export const monotonicMs = (): number => clock.now();

export const alwaysReady: Readiness = { isReady: () => true, subscribe: () => () => undefined };

export function readyAt(face: GuestFace, deadlineMs: number): Readiness {
  return {
    isReady: () => monotonicMs() >= deadlineMs,
    subscribe(notify) {
      const ms = Math.min(timerMaxMs, Math.max(1, Math.ceil(deadlineMs - monotonicMs())));
      const timer = face.setTimeout(notify, ms);
      return () => face.clearTimeout(timer);
    },
  };
}

/** Ready from the moment `settle` is called. */
export class Signal implements Readiness {
  readonly #listeners = new Set<() => void>();
  #isReady = false;

  isReady(): boolean {
    return this.#isReady;
  }

  subscribe(notify: () => void): () => void {
    this.#listeners.add(notify);
    return () => void this.#listeners.delete(notify);
  }

  settle(): void {
    this.#isReady = true;
    for (const notify of [...this.#listeners]) notify();
  }
}

export class Pollable extends HostResource {
  readonly #readiness: Readiness;

  constructor(face: GuestFace, readiness: Readiness = alwaysReady) {
    super(face);
    this.#readiness = readiness;
  }

  ready(): boolean {
    return this.#readiness.isReady();
  }

  async block(): Promise<void> {
    // An error here would not reach the guest: the glue does not settle when a function without an error case fails.
    if (!Pollable.isReal(this)) return;
    while (!this.ready()) await this.face.wait((done) => this.subscribe(done));
  }

  /** The glue makes an empty object for a handle that does not exist. */
  static isReal(pollable: Pollable): boolean {
    return #readiness in pollable;
  }

  /** Not of WASI. */
  subscribe(notify: () => void): () => void {
    return this.#readiness.subscribe(notify);
  }
}

/** Waits until at least one is ready. @returns the indexes of those that are */
export async function poll(face: GuestFace, pollables: readonly Pollable[]): Promise<number[]> {
  if (pollables.length === 0 || pollables.length > pollMax) face.end("trap", `a poll of none or of more than ${pollMax}`);
  if (!pollables.every((pollable) => Pollable.isReal(pollable))) face.end("trap", "a poll of what is not there");
  face.work(pollUnits * pollables.length);
  for (;;) {
    const ready = pollables.flatMap((pollable, index) => (pollable.ready() ? [index] : []));
    if (ready.length > 0) return ready;
    await face.wait((done) => {
      const stops = pollables.map((pollable) => pollable.subscribe(done));
      return () => {
        for (const stop of stops) stop();
      };
    });
  }
}
