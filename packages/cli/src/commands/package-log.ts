/**
 * `althing package log|usage`: what a package did, and what it used.
 *
 * Invariant: a tail shows every execution once and only when it has ended, in the order in which they began; one that never ends stops holding the
 * others back after a minute and is shown as it is.
 */
import { ulidSchema, type Execution, type Usage } from "@althing/contract";
import type { PackagesClient } from "@althing/client";
import { setTimeout as sleep } from "node:timers/promises";
import { textOption, type Context } from "../context.ts";
import { openPackages } from "../ext/open-packages.ts";
import { communityOption, parsePackage } from "../ext/parse-names.ts";
import { table } from "../output.ts";
import { clockText } from "../room-text.ts";
import { safeBlock, safeLine } from "../terminal-text.ts";
import { shortNumber } from "./package-text.ts";

const pollMs = 500;
/** As many as are asked for at a time while they are followed. */
const pageRows = 200;
const patienceMs = 60_000;
const firstId = ulidSchema.parse("0".repeat(26));

function secondsText(at: string): string {
  const seconds = new Date(at).getSeconds();
  return `${clockText(at)}:${String(Number.isNaN(seconds) ? 0 : seconds).padStart(2, "0")}`;
}

/** One execution: a line, and a line for each that it logged. */
export function executionText(row: Execution): string {
  const numbers = [
    ...(row.durationMs === undefined ? [] : [`${Math.round(row.durationMs)} ms`]),
    ...(row.fuel === undefined ? [] : [`${shortNumber(row.fuel)} fuel`]),
    ...(row.hostCalls === undefined || row.hostCalls === 0 ? [] : [`${row.hostCalls} host calls`]),
  ];
  const why = row.code === undefined ? [] : [`${safeLine(row.detail ?? "")} [${safeLine(row.code)}]`.trim()];
  const head = [
    secondsText(row.startedAt),
    row.status.padEnd(7),
    row.trigger,
    safeLine(row.name),
    ...(row.httpStatus === undefined ? [] : [String(row.httpStatus)]),
    ...(row.actor === undefined ? [] : [safeLine(row.actor)]),
    ...numbers,
    ...why,
  ].join("  ");
  const lines = (row.log ?? []).map(
    ({ at, level, message }) => `    | ${Math.round(at)} ms ${safeLine(level)}: ${safeBlock(message, "    | ")}`,
  );
  return [head, ...lines].join("\n");
}

export interface FollowOptions {
  /** Executions after this one, oldest first, at most `pageRows`. */
  readonly read: (since: string) => Promise<readonly Execution[]>;
  /** Only executions after this one; default: all that are kept. */
  readonly since?: string;
  readonly signal: AbortSignal;
  readonly now: () => number;
  readonly onExecution: (row: Execution) => void;
  /** An answer did not come; it is asked again. */
  readonly onTrouble?: (error: unknown) => void;
}

/** Executions as they end, until the signal. Never throws once it runs: an instance that is away comes back. */
export async function followLog(options: FollowOptions): Promise<void> {
  const { read, signal, now, onExecution } = options;
  const shown = new Set<string>();
  let cursor = options.since ?? firstId;
  while (!signal.aborted) {
    try {
      const executions = await read(cursor);
      let isHeld = false;
      for (const row of executions) {
        const isOpen = row.status === "started" && now() - Date.parse(row.startedAt) < patienceMs;
        isHeld ||= isOpen;
        if (!isHeld) cursor = row.id;
        if (isOpen || shown.has(row.id)) continue;
        shown.add(row.id);
        onExecution(row);
      }
      if (!isHeld) shown.clear();
      if (executions.length === pageRows && !isHeld) continue;
    } catch (error) {
      if (signal.aborted) return;
      options.onTrouble?.(error);
    }
    await sleep(pollMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Reads on in the log of one package. */
export function logReader(
  client: PackagesClient,
  params: { readonly community: string; readonly install: string },
  options: { readonly status?: Execution["status"]; readonly signal: AbortSignal },
): FollowOptions["read"] {
  const { status, signal } = options;
  return async (since) => {
    const query = { since, limit: pageRows, ...(status === undefined ? {} : { status }) };
    return (await client.call("packages.log", { params, query }, { signal })).executions;
  };
}

/** The newest execution there is, as where a tail begins. */
export async function newestExecution(client: PackagesClient, community: string, install: string): Promise<string | undefined> {
  const { executions } = await client.call("packages.log", { params: { community, install }, query: { limit: 1 } });
  return executions[0]?.id;
}

function statusOption(context: Context): Execution["status"] | undefined {
  const status = textOption(context.options, "status");
  const known: readonly Execution["status"][] = ["started", "ok", "error", "timeout", "quota", "denied", "lost"];
  return known.find((one) => one === status);
}

/** Shows the log of one package. */
export async function showLog(
  context: Context,
  client: PackagesClient,
  params: { readonly community: string; readonly install: string },
): Promise<void> {
  const status = statusOption(context);
  const limit = typeof context.options["last"] === "number" ? context.options["last"] : 50;
  const query = { limit, ...(status === undefined ? {} : { status }) };
  const { executions } = await client.call("packages.log", { params, query });
  const rows = executions.toReversed();
  if (context.options["follow"] !== true) {
    context.output.result(rows, rows.map(executionText).join("\n"));
    if (rows.length === 0) context.output.prose("it has not been called yet");
    return;
  }
  const stream = context.output.stream();
  const ended = new AbortController();
  context.defer(() => {
    ended.abort();
    stream.end();
  });
  const open = rows.findIndex((row) => row.status === "started");
  const finished = open === -1 ? rows : rows.slice(0, open);
  for (const row of finished) stream.item(row, executionText(row));
  const since = finished.at(-1)?.id;
  await followLog({
    read: logReader(client, params, { signal: ended.signal, ...(status === undefined ? {} : { status }) }),
    signal: ended.signal,
    now: () => context.host.now(),
    ...(since === undefined ? {} : { since }),
    onExecution: (row) => stream.item(row, executionText(row)),
    onTrouble: () => context.output.prose("the instance does not answer just now; it is asked again"),
  });
}

export async function log(context: Context, [name]: readonly string[]): Promise<void> {
  const params = { community: communityOption(context), install: parsePackage(name) };
  await showLog(context, await openPackages(context), params);
}

function usageText({ limits, hours }: Usage): string {
  const quotas = limits.map(({ quota, used, limit, unit, state }) => [
    quota,
    `${shortNumber(used)} of ${shortNumber(limit)} ${unit}`,
    state === "ok" ? "" : state,
  ]);
  const byHour = hours.map((hour) => [
    hour.hour,
    `${hour.calls} calls`,
    `${hour.errors} failed`,
    `${shortNumber(hour.fuel)} fuel`,
    `${shortNumber(hour.wallTimeMs)} ms`,
    `${shortNumber(hour.egressBytes)} bytes sent`,
  ]);
  return [table(quotas), ...(byHour.length === 0 ? [] : ["by hour", table(byHour)])].join("\n");
}

export async function usage(context: Context, [name]: readonly string[]): Promise<void> {
  const params = { community: communityOption(context), install: parsePackage(name) };
  const client = await openPackages(context);
  const hours = typeof context.options["hours"] === "number" ? context.options["hours"] : 24;
  const found = await client.call("packages.usage", { params, query: { hours } });
  context.output.result(found, usageText(found));
}
