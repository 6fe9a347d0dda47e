/**
 * `althing ext test`: the project's tests in memory, then its component in the real runner.
 *
 * Invariant: a test run that found nothing to test fails. What runs in the runner is the component that would be shipped, under an instance's default
 * limits, so a component that would be refused or run out of fuel is found here.
 */
import { communityIdSchema, extensionIdSchema, installIdSchema, limits } from "@althing/contract";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { Readable } from "node:stream";
import type { ExecuteResult } from "@althing/contract";
import type { Manifest } from "@althing/extension/manifest";
import { usageError, type Context } from "../context.ts";
import { testsFailed } from "../ext/failures.ts";
import { startLocalHost, type LocalCall, type LocalHost } from "../ext/local-host.ts";
import { createMemoryBroker, type MemoryBroker } from "../ext/memory-broker.ts";
import { buildFiles, openProject, packFiles, projectFolder } from "../ext/project.ts";
import { differences, readCaseFile, type CaseFile, type Observed, type RequestCase } from "../ext/request-cases.ts";
import { table } from "../output.ts";
import { safeBlock, safeLine } from "../terminal-text.ts";
import { shortNumber } from "./package-text.ts";

/** What one invocation gets on an instance that sets no limits of its own (docs/reference/limits.md). */
const productLimits = { fuel: 50_000_000, timeMs: 2_000, memoryBytes: 64 * 1024 * 1024 };
const community = communityIdSchema.parse("01ARZ3NDEKTSV4RRFFQ69G5FAV");
const install = installIdSchema.parse("01ARZ3NDEKTSV4RRFFQ69G5FAW");

interface CaseReport {
  readonly file: string;
  readonly name: string;
  readonly passed: boolean;
  readonly differences: readonly string[];
  readonly status: number | undefined;
  readonly usage: ExecuteResult["usage"];
  readonly log: ExecuteResult["log"];
}

async function readCaseFiles(folder: string, manifest: Manifest, time: string): Promise<ReadonlyMap<string, CaseFile>> {
  const names = (await readdir(join(folder, "test")).catch(() => [])).filter((name) => name.endsWith(".requests.json")).toSorted();
  const files = new Map<string, CaseFile>();
  for (const name of names) {
    const text = await readFile(join(folder, "test", name), "utf8");
    files.set(name, readCaseFile(name, parseJson(name, text), manifest, time));
  }
  return files;
}

function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw usageError(`test/${name} is not JSON: ${error instanceof Error ? error.message : "unreadable"}`);
  }
}

/** `undefined`: there are none. */
async function runInMemory(context: Context, folder: string): Promise<{ readonly passed: boolean; readonly files: number } | undefined> {
  const names = await readdir(join(folder, "test")).catch(() => []);
  if (!names.some((name) => name.endsWith(".test.ts"))) return undefined;
  const { runProjectTests } = await import("@althing/sdk");
  const { passed, files } = await runProjectTests({ folder, onOutput: (text) => context.output.prose(text.trimEnd()) });
  return { passed, files };
}

function defaultsOf({ settings }: Manifest): Record<string, unknown> {
  const known = Object.entries(settings?.properties ?? {}).filter(([, node]) => node.default !== undefined);
  return Object.fromEntries(known.map(([name, node]) => [name, node.default]));
}

function callOf(manifest: Manifest, file: CaseFile, one: RequestCase, index: number): LocalCall {
  const asked = manifest.limits;
  return {
    requestId: `test-${index + 1}`,
    community,
    install,
    extension: extensionIdSchema.parse(manifest.name),
    version: manifest.version,
    settings: JSON.stringify({ ...defaultsOf(manifest), ...file.settings }),
    call: one.call,
    limits: {
      fuel: Math.min(productLimits.fuel, asked?.fuel ?? productLimits.fuel),
      timeMs: Math.min(productLimits.timeMs, asked?.timeMs ?? productLimits.timeMs),
      memoryBytes: Math.min(productLimits.memoryBytes, asked?.memoryBytes ?? productLimits.memoryBytes),
      hostCalls: limits.extensionHostCallsMax,
      logBytes: limits.extensionLogMaxBytes,
      liftedBytes: limits.extensionLiftedMaxBytes,
      resultBytes: limits.extensionBodyMaxBytes,
      fetches: limits.extensionFetchesMax,
      egressBytes: 0,
    },
    capabilities: manifest.capabilities.map(({ name }) => name),
    egress: [],
    ...(one.actor === undefined ? {} : { actor: { ...one.actor, permissions: [...one.actor.permissions] } }),
  };
}

function observe({ result, body }: { readonly result: ExecuteResult; readonly body: Uint8Array }, emits: readonly string[]): Observed {
  const { outcome, usage } = result;
  const isResponse = outcome.kind === "response";
  return {
    status: isResponse ? outcome.status : undefined,
    headers: isResponse ? Object.fromEntries(outcome.headers.map(([name, value]) => [name.toLowerCase(), value])) : {},
    body,
    failed: outcome.kind === "failed" ? outcome.code : undefined,
    detail: outcome.kind === "failed" ? `${outcome.rule}: ${outcome.detail}` : "",
    emits,
    fuel: usage.fuel,
  };
}

async function runCase(
  host: LocalHost,
  broker: MemoryBroker,
  manifest: Manifest,
  file: CaseFile,
  one: RequestCase,
  index: number,
): Promise<Omit<CaseReport, "file">> {
  const before = broker.emitted.length;
  const answer = await host.execute(callOf(manifest, file, one, index), one.body, broker);
  const seen = observe(
    answer,
    broker.emitted.slice(before).map(({ topic }) => topic),
  );
  const found = differences(one.expect, seen);
  return {
    name: one.name,
    passed: found.length === 0,
    differences: found,
    status: seen.status,
    usage: answer.result.usage,
    log: answer.result.log,
  };
}

async function runInRunner(
  context: Context,
  folder: string,
  manifest: Manifest,
  files: ReadonlyMap<string, CaseFile>,
): Promise<CaseReport[]> {
  const built = await buildFiles(folder);
  const { bundleFile, writeTar } = await import("@althing/extension/bundle");
  const { contentHash } = await packFiles(built.files);
  const tar = await buffer(Readable.from(writeTar([...built.files].map(([path, bytes]) => bundleFile(path, bytes)))));
  const host = await startLocalHost({ contentHash, tar });
  context.defer(() => host.close());
  const { preparedMs } = await host.prepare();
  context.output.prose(`the runner takes the component (${built.component.bytes} bytes, prepared in ${Math.round(preparedMs)} ms)`);
  const reports: CaseReport[] = [];
  for (const [name, file] of files) {
    const broker = createMemoryBroker({ secrets: file.secrets, members: [], now: () => context.host.now() });
    for (const [index, one] of file.cases.entries())
      reports.push({ file: name, ...(await runCase(host, broker, manifest, file, one, index)) });
  }
  return reports;
}

function reportText(reports: readonly CaseReport[]): string {
  const rows = reports.map(({ file, name, passed, status, usage }) => [
    passed ? "ok" : "FAILED",
    file,
    safeLine(name),
    status === undefined ? "" : String(status),
    `${Math.round(usage.durationMs)} ms`,
    `${shortNumber(usage.fuel)} fuel`,
    `${shortNumber(usage.peakMemoryBytes)} bytes`,
    `${usage.hostCalls} host calls`,
  ]);
  const details = reports
    .filter(({ passed }) => !passed)
    .flatMap(({ file, name, differences: found, log }) => [
      `${file}, ${safeLine(name)}:`,
      ...found.map((line) => `  ${safeBlock(line)}`),
      ...log.map(({ level, message }) => `  | ${level}: ${safeBlock(message, "  | ")}`),
    ]);
  return [table(rows), ...details].join("\n");
}

export async function test(context: Context): Promise<void> {
  const folder = projectFolder(context);
  const { manifest } = await openProject(folder);
  const files = await readCaseFiles(folder, manifest, new Date(context.host.now()).toISOString());
  const inMemory = await runInMemory(context, folder);
  if (inMemory === undefined && files.size === 0) throw testsFailed("there is neither test/*.test.ts nor test/*.requests.json");
  const reports = context.options["runner"] === false ? [] : await runInRunner(context, folder, manifest, files);
  const passed = inMemory?.passed !== false && reports.every((report) => report.passed);
  const inRunner =
    reports.length === 0
      ? "the runner takes the component"
      : `${reports.filter((report) => report.passed).length} of ${reports.length} requests as expected`;
  const counts = [
    ...(inMemory === undefined ? [] : [`${inMemory.files} files of tests ${inMemory.passed ? "passed" : "FAILED"}`]),
    ...(context.options["runner"] === false ? [] : [inRunner]),
  ].join(", ");
  if (passed) {
    context.output.result(
      { passed, tests: inMemory ?? null, requests: reports },
      [reportText(reports), counts].filter((part) => part !== "").join("\n"),
    );
    return;
  }
  context.output.line(reportText(reports));
  const faults = reports.flatMap(({ file, name, differences: found }) => found.map((message) => ({ path: `${file}, ${name}`, message })));
  throw testsFailed(counts, context.output.json ? faults : []);
}
