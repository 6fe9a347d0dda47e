/**
 * When an install is broken: five traps or timeouts within ten minutes without a success between them.
 *
 * Invariant: only what a runner reports of a guest counts. A runner that does not answer says nothing about the guest, and a call that ended because
 * the community's quota left it less than it asked for is no fault of its own.
 */
import { limits } from "@althing/contract";
import type { ExecutionEnd } from "../executions/index.ts";

export interface CrashLoop {
  /** @returns is this the failure with which the install goes out of service? */
  note(install: string, contentHash: string, end: Pick<ExecutionEnd, "status" | "code">): boolean;
}

/** Installs with failures that are remembered; beyond it the counting begins anew. */
const rememberedMax = 10_000;

export function createCrashLoop(clock: { now(): number }): CrashLoop {
  const failures = new Map<string, readonly number[]>();
  return {
    note(install, contentHash, { status, code }) {
      const key = `${install}/${contentHash}`;
      if (status === "ok") failures.delete(key);
      if (status !== "timeout" && code !== "ext.trap") return false;
      const now = clock.now();
      const recent = [...(failures.get(key) ?? []).filter((at) => now - at < limits.crashLoopMs), now];
      failures.delete(key);
      if (recent.length >= limits.crashLoopCount) return true;
      if (failures.size >= rememberedMax) failures.clear();
      failures.set(key, recent);
      return false;
    },
  };
}
