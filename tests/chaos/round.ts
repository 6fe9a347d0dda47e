/**
 * One round: the load begins, a scenario harms and heals, the load ends, every node is asked, the judge judges.
 *
 * Invariant: a round passes only when the judge finds no fault, every node serves again, and, where the scenario promises it, nobody waited too long. It
 * leaves a cluster in which every node runs, whatever happened.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { findBackTimes, type BackTime } from "./back-times.ts";
import { findFaults, type Fault } from "./check-history.ts";
import type { Crowd } from "./crowd.ts";
import type { GatedCluster } from "./gated-cluster.ts";
import { watchProcessors } from "./machine.ts";
import { healPackets } from "./own-network.ts";
import { serves, type Scenario } from "./scenarios.ts";
import { startLoad } from "./workload.ts";

export interface RoundResult {
  /** Promises that were broken. */
  readonly faults: readonly string[];
  /** Somebody waited longer than the scenario allows. What it says of a machine that is busy with other things is nothing. */
  readonly delays: readonly string[];
  readonly backTimes: readonly BackTime[];
  /** Of the round's time, how much somebody on this machine waited for a processor, 0 to 1; `undefined` where the kernel does not say. */
  readonly processorWait: number | undefined;
  readonly sent: number;
  readonly acknowledged: number;
  readonly changes: number;
  readonly longestPauseMs: number;
}

export interface RoundOptions {
  readonly gated: GatedCluster;
  readonly crowd: Crowd;
  readonly scenario: Scenario;
  /** Which node is harmed first. */
  readonly turn: number;
  readonly scratch: string;
  /** The machine is shared with other work: so long, in place of the promised time, a right may take to end; and nobody is judged by drops. */
  readonly closeWithinMs?: number;
}

const beforeMs = 1_500;
const afterMs = 1_500;

export async function runRound({ gated, crowd, scenario, turn, scratch, closeWithinMs }: RoundOptions): Promise<RoundResult> {
  const { nodes } = gated.cluster;
  const at = turn % nodes.length;
  const victims = [...nodes.slice(at), ...nodes.slice(0, at)];
  if (scenario.usesGates === true) await gated.tighten();
  await scenario.before?.({ gated, victims, scratch });
  await allServe(gated);
  const load = await startLoad(crowd, scenario.load);
  const processors = watchProcessors();
  try {
    await sleep(beforeMs);
    // In the middle of the harm, so that the word has to reach nodes that are away.
    const revoked = sleep(300).then(() => (scenario.pretendsRevocation === true ? load.pretendRevoked() : load.revoke()));
    await scenario.run({ gated, load, crowd, victims, scratch });
    await allServe(gated);
    await revoked;
    await sleep(afterMs);
    const history = await load.finish();
    const found = findFaults(history, closeWithinMs).filter(({ kind }) => closeWithinMs === undefined || kind !== "dropped");
    const faults = wrongIn(found, scenario.expects);
    const acknowledged = history.sent.filter(({ isAcknowledged }) => isAcknowledged).length;
    faults.push(...load.broken.map((what) => `a subscription ended by itself: ${what}`));
    // A round in which nothing happened shows nothing.
    if (acknowledged === 0) faults.push("nothing was acknowledged at all");
    if (!history.acts.some(({ outcome }) => outcome === "acknowledged")) faults.push("no change was acknowledged at all");
    for (const what of ["request", "connection"] as const)
      if (!history.served.some((one) => one.what === what)) faults.push(`nobody had a ${what} that a revocation could end`);
    const { longestPauseMs } = load;
    const backTimes = findBackTimes(history);
    const delays = findDelays(scenario, longestPauseMs, backTimes);
    const [sent, changes, processorWait] = [history.sent.length, history.acts.length, processors.share()];
    return { faults, delays, backTimes, processorWait, sent, acknowledged, changes, longestPauseMs };
  } finally {
    gated.heal();
    gated.setDelay(0);
    if (scenario.needsPackets === true) await healPackets();
    await load.close();
  }
}

/** Every node says that it serves. */
export async function allServe({ cluster }: Pick<GatedCluster, "cluster">): Promise<void> {
  for (const node of cluster.nodes) {
    if (node.pid === undefined) await node.start();
    await serves(node);
  }
}

/** What was found; or, where something was planted, what of it was not found. */
function wrongIn(found: readonly Fault[], expected: Scenario["expects"]): string[] {
  if (expected === undefined) return found.map(({ kind, detail }) => `${kind}: ${detail}`);
  return expected
    .filter((kind) => !found.some((fault) => fault.kind === kind))
    .map((kind) => `the judge did not find what was planted: ${kind}`);
}

function findDelays({ pauseMaxMs, backMaxMs }: Scenario, longestPauseMs: number, backTimes: readonly BackTime[]): string[] {
  const delays: string[] = [];
  if (longestPauseMs > (pauseMaxMs ?? Number.POSITIVE_INFINITY))
    delays.push(`pause: somebody waited ${Math.round(longestPauseMs)} ms, and ${pauseMaxMs} ms are promised`);
  for (const { who, service, isLeader, waitMs } of backTimes) {
    const maxMs = backMaxMs === undefined ? Number.POSITIVE_INFINITY : isLeader ? backMaxMs.leader : backMaxMs.other;
    const what = isLeader ? "a leader" : "another node";
    if (waitMs > maxMs)
      delays.push(`back: ${who} ${service} again ${Math.round(waitMs)} ms after ${what} died, and ${maxMs} ms are promised`);
  }
  return delays;
}
