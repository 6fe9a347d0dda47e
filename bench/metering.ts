/**
 * What metering costs: the same kernels plain and metered, and the speed of the pass itself.
 *
 * Plain and metered run in turns in one process, so that a busy machine slows both, and the fastest of the turns are compared. Prints a table with the
 * limits and one line of JSON; exits 1 when a limit is missed. The large module is Binaryen's own.
 *
 * Beside it the same guest logic behind Extism's JavaScript host and behind our sandbox (guests/extism-host.ts), in turns; ratios without a limit.
 */
import { createFuelTank, meterModule } from "@althing/runner";
import { openExtismHost, openSandboxHost, type RunKernel } from "./guests/extism-host.ts";
import { kernels } from "../packages/runner/test/kernels.ts";
import { readWasmOpt } from "../packages/runner/test/random-modules.ts";
import { fromText } from "../packages/runner/test/text-modules.ts";

const slowdownLimit = 1.35;
const speedLimit = 44;
const turns = 25;
const options = { maxMemoryPages: 65_536, maxTableElements: 10_000_000 };

type Run = (argument: number) => number;

interface Row {
  readonly name: string;
  readonly plainMs: number;
  readonly meteredMs: number;
  readonly ratio: number;
  readonly unitsPerSecond: number;
}

function timed(run: Run, argument: number): number {
  const started = performance.now();
  run(argument);
  return performance.now() - started;
}

async function measure(name: string, bytes: Uint8Array, argument: number): Promise<Row> {
  const { bytes: metered, report } = meterModule(bytes, options);
  const plainRun = (await WebAssembly.instantiate(bytes as BufferSource)).instance.exports["run"] as Run;
  const tank = createFuelTank({ budget: Number.MAX_SAFE_INTEGER, slice: 1_000_000 });
  const meteredRun = tank.instantiate(new WebAssembly.Module(metered as BufferSource), report.names).exports["run"] as Run;
  if (plainRun(argument) !== meteredRun(argument)) throw new Error(`${name}: results differ`);
  // Enough calls for the optimising tier, and time for its threads to finish.
  for (let warm = 0; warm < 25; warm++) {
    plainRun(argument);
    meteredRun(argument);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  let plainMs = Number.POSITIVE_INFINITY;
  let meteredMs = Number.POSITIVE_INFINITY;
  const before = tank.fuelUsed();
  for (let turn = 0; turn < turns; turn++) {
    plainMs = Math.min(plainMs, timed(plainRun, argument));
    meteredMs = Math.min(meteredMs, timed(meteredRun, argument));
  }
  const units = (tank.fuelUsed() - before) / turns;
  return { name, plainMs, meteredMs, ratio: meteredMs / plainMs, unitsPerSecond: (units / meteredMs) * 1000 };
}

/** Milliseconds this thread has computed: the pass is one thread, and a busy machine must not count against it. */
function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

interface Rewriting {
  readonly megabytesPerSecond: number;
  readonly withValidationMegabytesPerSecond: number;
  readonly growth: number;
}

function measureRewriting(bytes: Uint8Array): Rewriting {
  let best = Number.POSITIVE_INFINITY;
  let validation = Number.POSITIVE_INFINITY;
  let size = 0;
  for (let turn = 0; turn < 14; turn++) {
    const started = threadMs();
    if (!WebAssembly.validate(bytes as BufferSource)) throw new Error("the large module is not valid");
    const validated = threadMs();
    size = meterModule(bytes, options).bytes.length;
    best = Math.min(best, threadMs() - validated);
    validation = Math.min(validation, validated - started);
  }
  return {
    megabytesPerSecond: bytes.length / (best - validation) / 1000,
    withValidationMegabytesPerSecond: bytes.length / best / 1000,
    growth: size / bytes.length - 1,
  };
}

/** Calls of one turn, and how often the kernel runs in the long ones. */
const hostTurns = 15;
const shortCalls = 200;
const longRounds = 400;

interface HostRow {
  readonly host: string;
  /** A call that computes nothing. */
  readonly callUs: number;
  /** The kernel itself, without what the call costs. */
  readonly primesPerSecond: number;
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** Each host in its turn, so that a busy machine slows all. */
async function measureHosts(hosts: readonly { readonly host: string; readonly run: RunKernel }[]): Promise<HostRow[]> {
  const calls = hosts.map(() => [] as number[]);
  const kernels = hosts.map(() => [] as number[]);
  const expected = 6_542 * longRounds;
  for (let turn = -2; turn < hostTurns; turn++) {
    for (const [index, { host, run }] of hosts.entries()) {
      const started = performance.now();
      for (let i = 0; i < shortCalls; i++) await run(0);
      const between = performance.now();
      const callMs = (between - started) / shortCalls;
      const count = await run(longRounds);
      const kernelMs = performance.now() - between - callMs;
      if (count !== expected) throw new Error(`${host} counts ${count} primes, not ${expected}`);
      // The first turns warm up.
      if (turn < 0) continue;
      calls[index]?.push(callMs * 1_000);
      kernels[index]?.push(expected / (kernelMs / 1_000));
    }
  }
  return hosts.map(({ host }, index) => ({ host, callUs: median(calls[index] ?? []), primesPerSecond: median(kernels[index] ?? []) }));
}

async function measureBesideExtism(): Promise<readonly HostRow[]> {
  const sandbox = await openSandboxHost();
  const extism = await openExtismHost();
  try {
    const own = { host: "Althing, metered: fresh instance in a sandbox process", run: sandbox.fresh };
    if (extism === undefined) return await measureHosts([own]);
    const theirs = [{ host: "Extism: fresh plugin in this process", run: extism.fresh }];
    if (extism.kept !== undefined) theirs.push({ host: "Extism: one plugin kept for all calls", run: extism.kept });
    return await measureHosts([own, ...theirs]);
  } finally {
    await extism?.close();
    await sandbox.close();
  }
}

const rows: Row[] = [];
for (const { name, source, argument } of kernels) rows.push(await measure(name, fromText(source), argument));
const geometricMean = Math.exp(rows.reduce((sum, row) => sum + Math.log(row.ratio), 0) / rows.length);
const large = readWasmOpt().binary;
const rewriting = measureRewriting(large);

console.table(
  rows.map((row) => ({
    kernel: row.name,
    "plain ms": row.plainMs.toFixed(2),
    "metered ms": row.meteredMs.toFixed(2),
    ratio: row.ratio.toFixed(3),
    "M units/s": (row.unitsPerSecond / 1e6).toFixed(0),
  })),
);
const passes = geometricMean <= slowdownLimit && rewriting.megabytesPerSecond >= speedLimit;
console.table([
  { figure: "geometric mean of the slowdown", observed: geometricMean.toFixed(3), limit: `<= ${slowdownLimit}` },
  { figure: "rewriting, MB/s", observed: rewriting.megabytesPerSecond.toFixed(1), limit: `>= ${speedLimit}` },
  { figure: "rewriting with the engine's validation, MB/s", observed: rewriting.withValidationMegabytesPerSecond.toFixed(1), limit: "" },
  {
    figure: `growth of a module of ${(large.length / 1e6).toFixed(1)} MB`,
    observed: `${(rewriting.growth * 100).toFixed(1)} %`,
    limit: "",
  },
]);
const hosts = await measureBesideExtism();
const own = hosts[0];
console.table(
  hosts.map(({ host, callUs, primesPerSecond }) => ({
    host,
    "us a call": callUs.toFixed(0),
    "M primes/s": (primesPerSecond / 1e6).toFixed(1),
    "our call, of theirs": ((own?.callUs ?? Number.NaN) / callUs).toFixed(2),
    "our throughput, of theirs": ((own?.primesPerSecond ?? Number.NaN) / primesPerSecond).toFixed(2),
  })),
);
if (hosts.length === 1) console.log("Extism's host is not installed (@extism/extism): ours stands alone.");
console.log(JSON.stringify({ bench: "metering", passes, geometricMean, slowdownLimit, speedLimit, ...rewriting, rows, hosts }));
process.exitCode = passes ? 0 : 1;
