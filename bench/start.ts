/**
 * How long an instance takes to be healthy again: `./althing up` on a data folder that is there, as a person starts it, until it tells its address.
 *
 * The first start makes the folder and fills the cache of compiled code, and is told without a limit. As a measure of the machine, the bare start of
 * Node is told beside it. Prints a table with the limit beside the figure and one line of JSON; exits 1 when the limit is missed.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { startInstance, tempDir } from "@althing/testkit";

const limitMs = 3_000;
const starts = 7;
await using dir = await tempDir();
const data = join(dir.path, "data");

const median = (all: readonly number[]): number => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;

async function startMs(): Promise<number> {
  const beganMs = performance.now();
  await using _instance = await startInstance({ data });
  return performance.now() - beganMs;
}

function nodeMs(): number {
  const beganMs = performance.now();
  spawnSync(process.execPath, ["-e", "0"]);
  return performance.now() - beganMs;
}

const firstMs = await startMs();
const laterMs: number[] = [];
for (let n = 0; n < starts; n += 1) laterMs.push(await startMs());
const bareMs = median(Array.from({ length: starts }, nodeMs));

const whole = (ms: number) => `${ms.toFixed(0).padStart(6)} ms`;
const spread = `${Math.min(...laterMs).toFixed(0)}–${Math.max(...laterMs).toFixed(0)} ms, ${starts} starts`;
console.log(`first start          ${whole(firstMs)}`);
console.log(`second start, median ${whole(median(laterMs))}   limit ${limitMs} ms   (${spread})`);
console.log(`node alone, median   ${whole(bareMs)}   a start is ${(median(laterMs) / bareMs).toFixed(0)} times that`);
console.log(JSON.stringify({ bench: "start", firstMs, laterMs, bareMs, limitMs }));
process.exitCode = median(laterMs) <= limitMs ? 0 : 1;
