/**
 * One round: the load begins, a scenario harms and heals, the load ends, every node is asked, the judge judges.
 *
 * Invariant: a round passes only when the judge finds no fault, every node serves again, and, where the scenario promises it, nobody waited too long. It
 * leaves a cluster in which every node runs, whatever happened.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { findFaults } from "./check-history.ts";
import { insist, type Crowd } from "./crowd.ts";
import type { GatedCluster } from "./gated-cluster.ts";
import type { Scenario } from "./scenarios.ts";
import { startLoad } from "./workload.ts";

export interface RoundResult {
  /** Promises that were broken. */
  readonly faults: readonly string[];
  /** Somebody waited longer than the scenario allows. What it says of a machine that is busy with other things is nothing. */
  readonly delay: string | undefined;
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
  /** As `findFaults` takes it. */
  readonly closeWithinMs?: number;
}

const beforeMs = 1_500;
const afterMs = 1_500;

export async function runRound({ gated, crowd, scenario, turn, scratch, closeWithinMs }: RoundOptions): Promise<RoundResult> {
  const { nodes } = gated.cluster;
  const at = turn % nodes.length;
  const victims = [...nodes.slice(at), ...nodes.slice(0, at)];
  await scenario.before?.({ gated, victims, scratch });
  await allServe(gated);
  const load = await startLoad(crowd);
  try {
    await sleep(beforeMs);
    // In the middle of the harm, so that the word has to reach nodes that are away.
    const revoked = sleep(300).then(() => load.revoke());
    await scenario.run({ gated, load, victims, scratch });
    await allServe(gated);
    await revoked;
    await sleep(afterMs);
    const history = await load.finish();
    const faults = findFaults(history, closeWithinMs).map(({ kind, detail }) => `${kind}: ${detail}`);
    const acknowledged = history.sent.filter(({ isAcknowledged }) => isAcknowledged).length;
    faults.push(...load.broken.map((what) => `a subscription ended by itself: ${what}`));
    // A round in which nothing happened shows nothing.
    if (acknowledged === 0) faults.push("nothing was acknowledged at all");
    if (!history.acts.some(({ outcome }) => outcome === "acknowledged")) faults.push("no change was acknowledged at all");
    for (const what of ["request", "connection"] as const)
      if (!history.served.some((one) => one.what === what)) faults.push(`nobody had a ${what} that a revocation could end`);
    const { longestPauseMs } = load;
    const isLate = longestPauseMs > (scenario.pauseMaxMs ?? Number.POSITIVE_INFINITY);
    const delay = isLate
      ? `pause: somebody waited ${Math.round(longestPauseMs)} ms, and ${scenario.pauseMaxMs} ms are promised`
      : undefined;
    return { faults, delay, sent: history.sent.length, acknowledged, changes: history.acts.length, longestPauseMs };
  } finally {
    gated.heal();
    gated.setDelay(0);
    await load.close();
  }
}

/** Every node says that it serves. */
export async function allServe({ cluster }: Pick<GatedCluster, "cluster">): Promise<void> {
  for (const node of cluster.nodes) {
    if (node.pid === undefined) await node.start();
    await insist(`${node.name} serves again`, async () => {
      const answer = await fetch(`${node.url}/healthz`, { signal: AbortSignal.timeout(2_000) });
      if (answer.status !== 200) throw new Error(`${answer.status}: ${await answer.text()}`);
    });
  }
}
