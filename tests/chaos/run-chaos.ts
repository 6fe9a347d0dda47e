/**
 * The whole chaos suite: each scenario as often as the budget says, on one cluster, and a table of what came of it.
 *
 * Invariant: what could not be tried is in the table with its reason, and is not called passed; a round that breaks down in itself is a failed one. The
 * cluster is made anew after a round that broke down, so that one ruin does not spoil the others. Interrupted, it ends the round, its cluster, and with its table.
 *
 * node tests/chaos/run-chaos.ts [--rounds N] [--only NAME]… [--minutes N] — N rounds of each in place of the budget's; no round begins after so many minutes
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { tempDir } from "@althing/testkit";
import { quantile, type BackTime } from "./back-times.ts";
import { openCrowd, type Crowd } from "./crowd.ts";
import { openGatedCluster, type GatedCluster } from "./gated-cluster.ts";
import { mountSmallDisk, whyNoDisks, type SmallDisk } from "./machine.ts";
import { clockEnvironment, findFakeTime, setClock } from "./node-clocks.ts";
import { enterOwnNetwork, whyNoPackets } from "./own-network.ts";
import { plantedFaults } from "./planted-faults.ts";
import { runRound, type RoundResult } from "./round.ts";
import { extensionDuties } from "./extension-duties.ts";
import { scenarios, type Scenario } from "./scenarios.ts";

/** Rounds of each scenario; of what happens most, a node that dies, many more. */
const budget: Readonly<Record<string, number>> = { nothing: 1, "kill the leader": 50, "kill another": 50 };
const roundsEach = 3;
/** Room for a whole round; the ballast takes the rest. */
const smallDiskBytes = 192 * 1024 * 1024;

interface Row {
  readonly name: string;
  readonly rounds: number;
  readonly passed: number;
  readonly failed: number;
  /** No fault, and somebody waited too long. */
  readonly late: number;
  readonly longestPauseMs: number;
  readonly backTimes: readonly BackTime[];
  readonly note: string;
}

interface World {
  readonly gated: GatedCluster;
  readonly crowd: Crowd;
  readonly disk: SmallDisk | undefined;
}

async function openWorld({ needsSmallDisk, needsClocks }: Scenario): Promise<World> {
  let disk: SmallDisk | undefined;
  const library = needsClocks === true ? await findFakeTime() : undefined;
  const gated = await openGatedCluster({
    ...(library === undefined ? {} : { env: clockEnvironment(library) }),
    async prepared(cluster) {
      const node = cluster.nodes.at(-1);
      if (needsSmallDisk === true && node !== undefined) disk = await mountSmallDisk(node.data, smallDiskBytes);
      if (needsClocks === true) for (const each of cluster.nodes) await setClock(each, 0);
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

const percent = (share: number | undefined): string => (share === undefined ? "?" : `${Math.round(share * 100)} %`);

function describe({ sent, acknowledged, changes, longestPauseMs, backTimes, processorWait }: RoundResult): string {
  const waits = backTimes.map(({ waitMs }) => waitMs);
  const back =
    waits.length === 0
      ? ""
      : `, ${backTimes[0]?.isLeader === true ? "a leader" : "no leader"}: all back after ${Math.round(Math.max(...waits))} ms`;
  const counts = `${acknowledged} of ${sent} messages confirmed, ${changes} changes, longest pause ${Math.round(longestPauseMs)} ms`;
  return `${counts}${back}; processors awaited ${percent(processorWait)} of the time`;
}

/** What each node says of itself, and wrote last: of a round that broke down nothing else is left. */
async function lastWords(world: World | undefined): Promise<string[]> {
  const words: string[] = [];
  for (const node of world?.gated.cluster.nodes ?? []) {
    const health = await fetch(`${node.url}/healthz`, { signal: AbortSignal.timeout(2_000) }).then((answer) => answer.text(), String);
    // Who was revoked goes on knocking, and the servers say so each time.
    const lines = node.logs().trimEnd().split("\n");
    const last = lines.filter((line) => !line.includes("authentication error")).slice(-15);
    words.push(`    ${node.name}: ${health}`, ...last.map((line) => `      ${line}`));
  }
  return words;
}

async function runScenario(scenario: Scenario, rounds: number, scratch: string, isOver: () => boolean): Promise<Row> {
  let world: World | undefined;
  let [passed, failed, late, longestPauseMs] = [0, 0, 0, 0];
  const backTimes: BackTime[] = [];
  let note = "";
  for (let turn = 0; turn < rounds && !isOver(); turn += 1) {
    try {
      world ??= await openWorld(scenario);
      const result = await runRound({ ...world, scenario, turn, scratch });
      longestPauseMs = Math.max(longestPauseMs, result.longestPauseMs);
      backTimes.push(...result.backTimes);
      const verdict = result.faults.length > 0 ? "FAILED" : result.delays.length > 0 ? "LATE" : "passed";
      if (verdict === "passed") passed += 1;
      else if (verdict === "LATE") late += 1;
      else failed += 1;
      const wrong = [...result.faults, ...result.delays];
      note = note === "" || (failed === 1 && verdict === "FAILED") ? (wrong[0] ?? note) : note;
      console.log(`  ${scenario.name} ${turn + 1}/${rounds}: ${verdict}; ${describe(result)}`);
      for (const one of wrong.slice(0, 20)) console.log(`    ${one}`);
    } catch (error) {
      failed += 1;
      note = note === "" ? `broke down: ${String(error)}` : note;
      console.log(`  ${scenario.name} ${turn + 1}/${rounds}: BROKE DOWN`, error);
      for (const line of await lastWords(world)) console.log(line);
      await closeWorld(world);
      world = undefined;
    }
  }
  await closeWorld(world);
  return { name: scenario.name, rounds, passed, failed, late, longestPauseMs, backTimes, note };
}

/** A line of numbers for each scenario that harmed somebody, by what died and what people wanted. */
function describeBackTimes(rows: readonly Row[]): string[] {
  const lines = rows.flatMap(({ name, backTimes }) =>
    [...Map.groupBy(backTimes, ({ isLeader, service }) => `${isLeader ? "leader" : "other"} ${service}`)]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([key, list]) => {
        const [what = "", service = ""] = key.split(" ");
        const waits = list.map(({ waitMs }) => waitMs);
        const numbers = [0.5, 0.95, 1].map((of) => String(Math.round(quantile(waits, of))).padStart(9)).join("");
        return `${name.padEnd(44)}${what.padEnd(8)}${service.padEnd(9)}${String(list.length).padStart(6)}${numbers}`;
      }),
  );
  const head = `${"back in service, ms".padEnd(44)}${"died".padEnd(8)}${"service".padEnd(9)}${"times".padStart(6)}${["p50", "p95", "max"].map((text) => text.padStart(9)).join("")}`;
  return lines.length === 0 ? [] : ["", head, ...lines];
}

/** @returns tells for a scenario why it cannot be tried on this machine; undefined when it can */
async function findReasons(scratch: string): Promise<(scenario: Scenario) => string | undefined> {
  const [disks, packets] = [await whyNoDisks(scratch), whyNoPackets()];
  const clocks = (await findFakeTime()) === undefined ? "setting a clock of one node takes libfaketime" : undefined;
  return ({ needsSmallDisk, needsPackets, needsClocks }) =>
    (needsSmallDisk === true ? disks : undefined) ??
    (needsPackets === true ? packets : undefined) ??
    (needsClocks === true ? clocks : undefined);
}

const all: readonly Scenario[] = [...plantedFaults, ...scenarios, extensionDuties];

interface Wanted {
  readonly only: readonly string[] | undefined;
  readonly rounds: number | undefined;
  readonly minutes: number;
}

/** @returns text: what is wrong with the arguments; a name that nothing has must not run nothing and pass */
function readWanted(args: readonly string[]): Wanted | string {
  const usage = "usage: npm run chaos -- [--only SCENARIO]… [--rounds N] [--minutes N]";
  try {
    const options = { rounds: { type: "string" }, only: { type: "string", multiple: true }, minutes: { type: "string" } } as const;
    const { only, ...values } = parseArgs({ args: [...args], options }).values;
    const unknown = only?.find((name) => !all.some((scenario) => scenario.name === name));
    if (unknown !== undefined) return `there is no scenario "${unknown}"; there are:\n${all.map(({ name }) => `  ${name}`).join("\n")}`;
    const [rounds, minutes] = [values.rounds, values.minutes].map((text) => (text === undefined ? undefined : Number(text)));
    if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0))
      return `--rounds ${values.rounds}: a whole number above 0 is wanted`;
    if (minutes !== undefined && !(minutes > 0)) return `--minutes ${values.minutes}: a number above 0 is wanted`;
    return { only, rounds, minutes: minutes ?? Number.POSITIVE_INFINITY };
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n${usage}`;
  }
}

async function runAll({ only, rounds: wanted, minutes }: Wanted): Promise<number> {
  await using dir = await tempDir();
  const reasonOf = await findReasons(join(dir.path, "disk"));
  let untilMs = performance.now() + minutes * 60_000;
  // The nodes outlive a program that just ends, so it ends in order.
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => {
      untilMs = 0;
    });
  const rows: Row[] = [];
  const skipped: { readonly name: string; readonly reason: string }[] = [];
  for (const scenario of all) {
    if (only !== undefined && !only.includes(scenario.name)) continue;
    const reason = reasonOf(scenario);
    if (reason !== undefined) {
      skipped.push({ name: scenario.name, reason });
      continue;
    }
    const rounds = wanted ?? budget[scenario.name] ?? (scenario.expects === undefined ? roundsEach : 1);
    console.log(`== ${scenario.name}`);
    rows.push(await runScenario(scenario, rounds, dir.path, () => performance.now() >= untilMs));
  }
  const columns = ["rounds", "passed", "failed", "late", "pause ms"];
  console.log(`\n${"scenario".padEnd(44)}${columns.map((text) => text.padStart(9)).join("")}`);
  for (const { name, rounds, passed, failed, late, longestPauseMs, note } of rows) {
    const numbers = [rounds, passed, failed, late, Math.round(longestPauseMs)].map((n) => String(n).padStart(9)).join("");
    console.log(`${name.padEnd(44)}${numbers}  ${note}`);
  }
  for (const row of rows) {
    const left = row.rounds - row.passed - row.failed - row.late;
    if (left > 0) skipped.push({ name: row.name, reason: `${left} of ${row.rounds} rounds, for want of time` });
  }
  for (const { name, reason } of skipped) console.log(`${name.padEnd(44)}SKIPPED: ${reason}`);
  for (const text of describeBackTimes(rows)) console.log(text);
  const sum = (pick: (row: Row) => number): number => rows.reduce((total, row) => total + pick(row), 0);
  const [passed, failed, late] = [sum((row) => row.passed), sum((row) => row.failed), sum((row) => row.late)];
  console.log(`\n${passed} passed, ${failed} failed, ${late} late, ${skipped.length} skipped`);
  return failed + late === 0 ? 0 : 1;
}

const given = readWanted(process.argv.slice(2));
if (typeof given === "string") {
  console.error(given);
  process.exitCode = 2;
} else process.exitCode = (await enterOwnNetwork()) ?? (await runAll(given));
