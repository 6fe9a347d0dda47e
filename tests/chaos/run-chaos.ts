/**
 * The whole chaos suite: each scenario as often as the budget says, on one cluster, and a table of what came of it.
 *
 * Invariant: what could not be tried is in the table with its reason, and is not called passed; a round that breaks down in itself is a failed one. The
 * cluster is made anew after a round that broke down, so that one ruin does not spoil the others.
 *
 * node tests/chaos/run-chaos.ts [--rounds N] [--only NAME]… — N rounds of each in place of the budget's
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { tempDir } from "@althing/testkit";
import { openCrowd, type Crowd } from "./crowd.ts";
import { openGatedCluster, type GatedCluster } from "./gated-cluster.ts";
import { mountSmallDisk, whyNoDisks, type SmallDisk } from "./machine.ts";
import { runRound, type RoundResult } from "./round.ts";
import { impossible, scenarios, type Scenario } from "./scenarios.ts";

/** Rounds of each scenario; of what happens most, a node that dies, many more. */
const budget: Readonly<Record<string, number>> = { nothing: 1, "kill one": 100 };
const roundsEach = 3;
/** Room for a whole round; the ballast takes the rest. */
const smallDiskBytes = 192 * 1024 * 1024;

interface Row {
  readonly name: string;
  readonly rounds: number;
  readonly passed: number;
  readonly failed: number;
  readonly longestPauseMs: number;
  readonly note: string;
}

interface World {
  readonly gated: GatedCluster;
  readonly crowd: Crowd;
  readonly disk: SmallDisk | undefined;
}

async function openWorld(needsSmallDisk: boolean): Promise<World> {
  let disk: SmallDisk | undefined;
  const gated = await openGatedCluster({
    async prepared(cluster) {
      const node = cluster.nodes.at(-1);
      if (needsSmallDisk && node !== undefined) disk = await mountSmallDisk(node.data, smallDiskBytes);
    },
  });
  try {
    return { gated, crowd: await openCrowd(gated.cluster), disk };
  } catch (error) {
    await gated[Symbol.asyncDispose]();
    throw error;
  }
}

async function closeWorld(world: World | undefined): Promise<void> {
  await world?.gated.stop();
  await world?.disk?.unmount();
  await world?.gated[Symbol.asyncDispose]();
}

const describe = ({ sent, acknowledged, changes, longestPauseMs }: RoundResult): string =>
  `${acknowledged} of ${sent} messages confirmed, ${changes} changes, longest pause ${Math.round(longestPauseMs)} ms`;

async function runScenario(scenario: Scenario, rounds: number, scratch: string): Promise<Row> {
  let world: World | undefined;
  let [passed, failed, longestPauseMs] = [0, 0, 0];
  let note = "";
  for (let turn = 0; turn < rounds; turn += 1) {
    try {
      world ??= await openWorld(scenario.needsSmallDisk === true);
      const result = await runRound({ ...world, scenario, turn, scratch });
      longestPauseMs = Math.max(longestPauseMs, result.longestPauseMs);
      const faults = [...result.faults, ...(result.delay === undefined ? [] : [result.delay])];
      if (faults.length === 0) passed += 1;
      else failed += 1;
      note = note === "" ? (faults[0] ?? "") : note;
      console.log(`  ${scenario.name} ${turn + 1}/${rounds}: ${faults.length === 0 ? "passed" : "FAILED"}; ${describe(result)}`);
      for (const fault of faults.slice(-20)) console.log(`    ${fault}`);
    } catch (error) {
      failed += 1;
      note = note === "" ? `broke down: ${String(error)}` : note;
      console.log(`  ${scenario.name} ${turn + 1}/${rounds}: BROKE DOWN`, error);
      await closeWorld(world);
      world = undefined;
    }
  }
  await closeWorld(world);
  return { name: scenario.name, rounds, passed, failed, longestPauseMs, note };
}

const { values } = parseArgs({ options: { rounds: { type: "string" }, only: { type: "string", multiple: true } } });
await using dir = await tempDir();
const noDisks = await whyNoDisks(join(dir.path, "disk"));
const rows: Row[] = [];
const skipped = [...impossible];
for (const scenario of scenarios) {
  if (values.only !== undefined && !values.only.includes(scenario.name)) continue;
  if (scenario.needsSmallDisk === true && noDisks !== undefined) {
    skipped.push({ name: scenario.name, reason: noDisks });
    continue;
  }
  const rounds = values.rounds === undefined ? (budget[scenario.name] ?? roundsEach) : Number(values.rounds);
  console.log(`== ${scenario.name}`);
  rows.push(await runScenario(scenario, rounds, dir.path));
}
console.log(`\n${"scenario".padEnd(44)}${"rounds".padStart(7)}${"passed".padStart(8)}${"failed".padStart(8)}${"pause ms".padStart(10)}`);
for (const { name, rounds, passed, failed, longestPauseMs, note } of rows)
  console.log(
    `${name.padEnd(44)}${[rounds, passed, failed].map((n, i) => String(n).padStart(i === 0 ? 7 : 8)).join("")}${String(Math.round(longestPauseMs)).padStart(10)}  ${note}`,
  );
for (const { name, reason } of skipped) console.log(`${name.padEnd(44)}SKIPPED: ${reason}`);
const sum = (pick: (row: Row) => number): number => rows.reduce((total, row) => total + pick(row), 0);
console.log(`${sum((row) => row.passed)} passed, ${sum((row) => row.failed)} failed, ${skipped.length} skipped`);
process.exitCode = sum((row) => row.failed) === 0 ? 0 : 1;
