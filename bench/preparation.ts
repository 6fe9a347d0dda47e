/**
 * Preparing components: from the bytes of a bundle to files a sandbox loads, in a disposable child process, and what the service feels of it meanwhile.
 *
 * Each round has a cache of its own, so that nothing is remembered; the child that is started ahead is there, as it is in a runner. Prints a table with the
 * limit beside each figure and one line of JSON; exits 1 when a limit is missed. The large component is a JavaScript application in StarlingMonkey; where its
 * compiler is not installed or does not run, that row says so and is not judged.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { tempDir } from "@althing/testkit";
import { extensionWorld, openPreparationCache, wasiHttpWorld } from "@althing/runner";
import { honoComponent } from "../packages/runner/test/wasi/wasi-guests.ts";
import { buildAssemblyScriptGuest, buildTypeScriptGuest } from "./guests/build-guests.ts";

const rounds = 5;
const mib = 1024 * 1024;
/** As in a runner. */
const bounds = { deadlineMs: 60_000, memoryBytes: 1_536 * mib, maxMemoryBytes: 1_024 * mib };

interface Kind {
  readonly name: string;
  readonly limitMs?: number;
  readonly build: () => Promise<Uint8Array>;
}

const kinds: readonly Kind[] = [
  { name: "AssemblyScript", build: buildAssemblyScriptGuest },
  { name: "TypeScript in QuickJS", limitMs: 1_500, build: buildTypeScriptGuest },
  { name: "JavaScript in StarlingMonkey", limitMs: 6_000, build: honoComponent },
];

interface Row {
  readonly name: string;
  readonly observed: number;
  readonly unit: string;
  readonly limit: string;
  readonly missed: boolean;
  readonly skipped?: string;
}

interface Prepared {
  readonly ms: number;
  /** Longest time the service's own loop stood still. */
  readonly pauseMs: number;
  readonly foundMs: number;
}

async function prepareOnce(component: Uint8Array): Promise<Prepared> {
  await using dir = await tempDir();
  const cache = await openPreparationCache({
    ...{ folder: join(dir.path, "components"), cacheKey: randomBytes(32), world: [extensionWorld, wasiHttpWorld], limits: bounds },
    ...{ maxCacheBytes: 1_024 * mib, onTampered: (detail: string) => process.stderr.write(`${detail}\n`) },
  });
  try {
    // A runner has its spare child long before anybody uploads.
    await sleep(1_500);
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const began = performance.now();
    await cache.prepare(component);
    const ms = performance.now() - began;
    delay.disable();
    const again = performance.now();
    await cache.prepare(component);
    return { ms, pauseMs: delay.max / 1e6, foundMs: performance.now() - again };
  } finally {
    await cache.close();
  }
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const rows: Row[] = [];
for (const { name, limitMs, build } of kinds) {
  let component: Uint8Array;
  try {
    component = await build();
  } catch (error) {
    const skipped = `not built here: ${error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error)}`;
    rows.push({ name, observed: Number.NaN, unit: "ms", limit: limitMs === undefined ? "" : `≤ ${limitMs}`, missed: false, skipped });
    continue;
  }
  const measured: Prepared[] = [];
  for (let round = 0; round < rounds; round++) measured.push(await prepareOnce(component));
  const what = `${name}, ${(component.length / 1e6).toFixed(2)} MB`;
  const ms = median(measured.map((one) => one.ms));
  const missed = limitMs !== undefined && ms > limitMs;
  rows.push({ name: `${what}: prepared`, observed: ms, unit: "ms", limit: limitMs === undefined ? "" : `≤ ${limitMs}`, missed });
  const beside = (label: string, pick: (one: Prepared) => number) =>
    void rows.push({ name: `${what}: ${label}`, observed: median(measured.map(pick)), unit: "ms", limit: "", missed: false });
  beside("longest pause of the service meanwhile", (one) => one.pauseMs);
  beside("found prepared and checked", (one) => one.foundMs);
}
for (const row of rows)
  process.stdout.write(
    `${row.name.padEnd(76)} ${row.observed.toFixed(1).padStart(9)} ${row.unit.padEnd(3)} ${row.limit.padEnd(8)} ${row.missed ? "MISSED" : (row.skipped ?? "")}\n`,
  );
process.stdout.write(`${JSON.stringify({ bench: "preparation", rows })}\n`);
if (rows.some(({ missed }) => missed)) process.exitCode = 1;
