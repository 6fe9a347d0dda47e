/**
 * `althing package jobs`: when a package's jobs run next, how they ran, why they do not; and a run by hand.
 *
 * Invariant: a run by hand is shown with its end; when that does not come while it is waited for, the run goes on and the command says so.
 */
import type { Job, JobRun } from "@althing/contract";
import type { PackagesClient } from "@althing/client";
import { setTimeout as sleep } from "node:timers/promises";
import { usageError, type Context } from "../context.ts";
import { openPackages } from "../ext/open-packages.ts";
import { communityOption, parsePackage } from "../ext/parse-names.ts";
import { table } from "../output.ts";
import { safeLine } from "../terminal-text.ts";
import { shortNumber } from "./package-text.ts";

const pollMs = 500;
const shownRuns = 10;

export function scheduleWords(schedule: Job["schedule"]): string {
  return typeof schedule === "string" ? schedule : `${safeLine(schedule.cron)} (${safeLine(schedule.timeZone)})`;
}

/** How a run ended, or that it has not. */
export function runWords(run: JobRun): string[] {
  const { number, kind, slot, status, durationMs, fuel, note, code, detail, blocked } = run;
  const numbers = [
    ...(durationMs === undefined ? [] : [`${Math.round(durationMs)} ms`]),
    ...(fuel === undefined ? [] : [`${shortNumber(fuel)} fuel`]),
  ];
  const why = [
    ...(blocked === undefined ? [] : [`${safeLine(blocked.text)} [${safeLine(blocked.rule)}]`]),
    ...(detail === undefined ? [] : [safeLine(detail)]),
    ...(code === undefined ? [] : [`[${safeLine(code)}]`]),
    ...(note === undefined || note === "" ? [] : [safeLine(note)]),
  ];
  return [`${number}`, slot, status, kind === "manual" ? "by hand" : "", numbers.join(", "), why.join(" ")];
}

export function jobText(job: Job): string {
  const { name, schedule, next, blocked, postponedUntil, running, missed, blockedSlots, history } = job;
  const lines = [
    ...(next === undefined ? [] : [`  next ${next}`]),
    ...(blocked === undefined
      ? []
      : [`  does not run (${safeLine(blocked.rule)}): ${safeLine(blocked.text)}; ${safeLine(blocked.who)} can change that`]),
    ...(postponedUntil === undefined ? [] : [`  postponed by the package until ${postponedUntil}`]),
    ...(running === undefined ? [] : [`  running since ${running.startedAt}`]),
    ...(missed + blockedSlots === 0 ? [] : [`  ${missed} missed, ${blockedSlots} not allowed`]),
    ...(history.length === 0 ? [] : [table(history.slice(0, shownRuns).map((run) => ["   ", ...runWords(run)]))]),
  ];
  return [`${safeLine(name)}  ${scheduleWords(schedule)}`, ...lines].join("\n");
}

export async function listJobs(context: Context, [name]: readonly string[]): Promise<void> {
  const params = { community: communityOption(context), install: parsePackage(name) };
  const client = await openPackages(context);
  const { jobs } = await client.call("jobs.list", { params });
  context.output.result(jobs, jobs.map(jobText).join("\n"));
  if (jobs.length === 0) context.output.prose("it declares no jobs");
}

async function endOf(
  client: PackagesClient,
  params: { readonly community: string; readonly install: string },
  job: string,
  begun: JobRun,
): Promise<JobRun | undefined> {
  const { jobs } = await client.call("jobs.list", { params });
  const run = jobs.find((one) => one.name === job)?.history.find(({ number }) => number === begun.number);
  return run?.status === "running" ? undefined : run;
}

export async function runJob(context: Context, [name, job]: readonly string[]): Promise<void> {
  if (job === undefined) throw usageError("say which job; `althing package jobs PACKAGE` lists them");
  const params = { community: communityOption(context), install: parsePackage(name) };
  const client = await openPackages(context);
  const begun = await client.call("jobs.run", { params: { ...params, name: job }, body: {} });
  const waitMs = typeof context.options["wait"] === "number" ? context.options["wait"] * 1_000 : 30_000;
  const deadlineMs = performance.now() + waitMs;
  let run: JobRun | undefined;
  while (run === undefined && performance.now() < deadlineMs) {
    run = await endOf(client, params, job, begun);
    if (run === undefined) await sleep(Math.min(pollMs, Math.max(1, deadlineMs - performance.now())));
  }
  if (run === undefined) context.output.prose("it goes on; `althing package jobs` shows how it ends");
  const shown = run ?? begun;
  context.output.result(shown, table([[safeLine(job), ...runWords(shown)]]));
}
