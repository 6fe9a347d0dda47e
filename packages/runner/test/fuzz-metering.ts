/**
 * The differential fuzz of the metering pass: seeded random modules, each run plain and metered.
 *
 *   node packages/runner/test/fuzz-metering.ts --count 10000 [--from 1]
 *
 * Exit code 1 when a module differs, is refused, or comes out in a form the engine does not take. A seed repeats alone with
 * `--from SEED --count 1`.
 */
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { isAppError } from "@althing/contract";
import { compare } from "./differential.ts";
import { createRandom, openRandomModules } from "./random-modules.ts";

export interface FuzzResult {
  modules: number;
  bytes: number;
  instructions: number;
  /** Lines compared. */
  lines: number;
  fuel: number;
  /** Modules that could not be compared, by reason. */
  readonly skipped: Record<string, number>;
  readonly differences: string[];
  readonly features: Record<string, number>;
}

/** Fuzzes the seeds `from` to `from + count - 1`, or until `deadlineMs` (epoch) has passed. */
export async function fuzzMetering(from: number, count: number, deadlineMs = Number.POSITIVE_INFINITY): Promise<FuzzResult> {
  const result: FuzzResult = { modules: 0, bytes: 0, instructions: 0, lines: 0, fuel: 0, skipped: {}, differences: [], features: {} };
  const source = openRandomModules();
  try {
    for (let seed = from; seed < from + count && Date.now() < deadlineMs; seed++) {
      const bytes = await source.module(seed, 200 + (createRandom(seed ^ 0x5eed)() % 6_000));
      if (!WebAssembly.validate(bytes as BufferSource)) {
        result.skipped["refused by the engine"] = (result.skipped["refused by the engine"] ?? 0) + 1;
        continue;
      }
      try {
        // Small slices make the guest ask often, which is where the pass could lose or double something.
        const outcome = await compare(bytes, [], 50);
        result.modules++;
        result.bytes += bytes.length;
        result.instructions += outcome.report.instructions;
        result.lines += outcome.lines;
        result.fuel += outcome.fuelUsed;
        for (const feature of outcome.report.features) result.features[feature] = (result.features[feature] ?? 0) + 1;
        if (outcome.skipped !== undefined) result.skipped[outcome.skipped] = (result.skipped[outcome.skipped] ?? 0) + 1;
        if (outcome.difference !== undefined) result.differences.push(`seed ${seed}: ${outcome.difference}`);
      } catch (error) {
        // "engine" here means two verdicts on the same bytes: the engine took them above. Its check of mixed handlers is a race.
        if (isAppError(error) && ["feature.mixed-exceptions", "engine"].includes(String(error.params["rule"]))) {
          result.skipped["old and new handlers"] = (result.skipped["old and new handlers"] ?? 0) + 1;
          continue;
        }
        result.differences.push(`seed ${seed}: ${isAppError(error) ? error.message : String(error)}`);
      }
    }
  } finally {
    source.close();
  }
  return result;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({ options: { count: { type: "string", default: "10000" }, from: { type: "string", default: "1" } } });
  const started = performance.now();
  const result = await fuzzMetering(Number(values.from), Number(values.count));
  console.log(JSON.stringify({ ...result, seconds: Math.round((performance.now() - started) / 1000) }, undefined, 2));
  process.exitCode = result.differences.length === 0 ? 0 : 1;
}
