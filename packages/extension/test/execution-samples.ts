/** Rows of the execution log as tests write them. */
import type { CommunityId, Execution, ExtensionId } from "@althing/contract";
import type { ExecutionEnd, ExecutionStart } from "../src/executions/index.ts";
import { community, extension, installId } from "./invocation-world.ts";

export const startOf = (changes: Partial<ExecutionStart> = {}): ExecutionStart => ({
  requestId: "r1",
  community,
  install: installId,
  extension: extension as ExtensionId,
  version: "1.0.0",
  contentHash: `sha256:${"0".repeat(64)}`,
  trigger: "http" satisfies Execution["trigger"],
  name: "GET /polls",
  ...changes,
});

export const endOf = (changes: Partial<ExecutionEnd> = {}): ExecutionEnd => ({
  ...{ status: "ok", durationMs: 2.5, fuel: 1_000, peakMemoryBytes: 65_536, hostCalls: 1, egressBytes: 10, log: [] },
  ...changes,
});

export const otherCommunity = "01ARZ3NDEKTSV4RRFFQ69G5FZY" as CommunityId;
