/**
 * `npm run bench`: every bench of `bench/`, one after the other, then which met their limits. `npm run bench -- crypto store` runs those named.
 *
 * Invariant: one at a time, because two figures taken at once are none; a bench meets its limits only when it ends with 0 *and* has said its result as
 * one line of JSON with `bench` in it, so a crash after a table is no success. Each result goes to `bench/results/<name>.json` with what it was measured on.
 * Runs on any Node from 20 on; the benches run on the project's own.
 */
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { basename, join } from "node:path";
import { summaryLine } from "./run/run-vitest.mjs";
import { projectNode, root } from "./setup/places.mjs";
import { SetupError, say } from "./setup/report.mjs";
import { setUp } from "./setup.mjs";

const folder = join(root, "bench");
const resultsFolder = join(folder, "results");
/** Longer than the slowest takes on a slow machine; a bench that hangs must not hang the run. */
const timeoutMs = 15 * 60 * 1_000;

/**
 * @typedef {{ readonly name: string, readonly status: number, readonly seconds: number, readonly result: Record<string, unknown> | undefined }} Outcome
 */

/** @param {string} text @returns {Record<string, unknown> | undefined} the last line that is a result */
function resultIn(text) {
  for (const line of text.split("\n").toReversed()) {
    if (!line.startsWith("{")) continue;
    try {
      const value = JSON.parse(line);
      if (typeof value === "object" && value !== null && "bench" in value) return value;
    } catch {
      // A table may begin a line with a brace.
    }
  }
  return undefined;
}

/** @param {string} name @returns {Promise<Outcome>} */
function runOne(name) {
  const begunMs = performance.now();
  return new Promise((resolve) => {
    let text = "";
    const child = spawn(projectNode, ["--disable-warning=ExperimentalWarning", join(folder, `${name}.ts`)], {
      cwd: root,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
    child.stdout.setEncoding("utf8").on("data", (/** @type {string} */ chunk) => {
      text += chunk;
      process.stdout.write(chunk);
    });
    let ended = false;
    const end = (/** @type {number} */ status) => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      resolve({ name, status, seconds: Math.round((performance.now() - begunMs) / 100) / 10, result: resultIn(text) });
    };
    child.once("error", () => end(127));
    child.once("close", (status) => end(status ?? 1));
  });
}

/** Names of rows that say of themselves that they missed. @param {Record<string, unknown> | undefined} result */
function missedRows(result) {
  const rows = result?.["rows"];
  const list = Array.isArray(rows) ? rows : typeof rows === "object" && rows !== null ? Object.values(rows) : [];
  return list
    .filter(
      (row) => typeof row === "object" && row !== null && (("ok" in row && row.ok === false) || ("missed" in row && row.missed === true)),
    )
    .map((row) => String(row.name ?? row.what ?? "a row"));
}

/** @param {Outcome} outcome */
const met = ({ status, result }) => status === 0 && result !== undefined;

/** @param {Outcome} outcome */
function reason({ status, result }) {
  if (result === undefined) return `ended with ${status} and no result`;
  const rows = missedRows(result);
  return rows.length > 0 ? rows.join(", ") : "see the table above";
}

/** @param {Outcome} outcome */
function write(outcome) {
  const machine = { cpu: cpus()[0]?.model ?? "", cores: availableParallelism(), memoryBytes: totalmem(), load: loadavg() };
  const record = {
    at: new Date().toISOString(),
    met: met(outcome),
    status: outcome.status,
    seconds: outcome.seconds,
    machine,
    result: outcome.result ?? null,
  };
  writeFileSync(join(resultsFolder, `${outcome.name}.json`), `${JSON.stringify(record, undefined, 2)}\n`);
}

/** @param {readonly string[]} wanted @throws {SetupError} a name that is no bench */
function chosen(wanted) {
  const all = readdirSync(folder)
    .filter((file) => file.endsWith(".ts"))
    .map((file) => basename(file, ".ts"))
    .sort();
  const names = wanted.map((name) => basename(name, ".ts"));
  const unknown = names.filter((name) => !all.includes(name));
  if (unknown.length > 0) throw new SetupError(`no bench ${unknown.join(", ")}; there are ${all.join(", ")}`);
  return names.length > 0 ? names : all;
}

try {
  const names = chosen(process.argv.slice(2));
  await setUp();
  mkdirSync(resultsFolder, { recursive: true });
  /** @type {Outcome[]} */
  const outcomes = [];
  for (const name of names) {
    console.log(`\n== ${name}`);
    const outcome = await runOne(name);
    write(outcome);
    outcomes.push(outcome);
  }
  console.log("\n== summary");
  for (const outcome of outcomes) {
    const line = met(outcome) ? "met" : `MISSED  ${reason(outcome)}`;
    console.log(`${outcome.name.padEnd(20)}${String(outcome.seconds).padStart(7)} s  ${line}`);
  }
  const passed = outcomes.filter(met).length;
  console.log(summaryLine({ passed, failed: outcomes.length - passed, skipped: 0 }));
  process.exitCode = passed === outcomes.length ? 0 : 1;
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  console.log(summaryLine({ passed: 0, failed: 1, skipped: 0 }));
  process.exitCode = 1;
}
