/**
 * Whether this node serves: one value that every request, the health page and the beat read.
 *
 * Invariant: closed until the store is open, the access list written and the listener bound, and closed again from the moment the supervisor fenced
 * the node, NATS is gone or a stop began, until the state was read anew. `stopping` is final.
 */
import { AppError } from "@althing/contract";

export type GateState = "starting" | "open" | "closed" | "stopping";

export interface Gate {
  readonly state: GateState;
  /** Why it is not open; empty when it is. */
  readonly reason: string;
  open(): void;
  /** Still starting, and for what it waits. */
  wait(reason: string): void;
  close(reason: string): void;
  stop(): void;
  /** @throws {system.unavailable} {system.stopping} */
  check(): void;
}

export function createGate(): Gate {
  let state: GateState = "starting";
  let reason = "starting";
  const set = (next: GateState, why: string) => {
    if (state === "stopping") return;
    state = next;
    reason = why;
  };
  return {
    get state() {
      return state;
    },
    get reason() {
      return reason;
    },
    open: () => set("open", ""),
    wait: (why) => set("starting", why),
    close: (why) => set("closed", why),
    stop: () => set("stopping", "stopping"),
    check() {
      if (state === "open") return;
      if (state === "stopping") throw new AppError("system.stopping");
      throw new AppError("system.unavailable", { detail: reason }, { retryAfterSeconds: 1 });
    },
  };
}
