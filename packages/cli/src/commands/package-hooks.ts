/**
 * `althing package dead-letters|replay|discard`: events that a package could not take.
 *
 * Invariant: a replay goes on until every letter was tried once or the instance says why it stops; what a package fails again stays a letter.
 */
import { limits, pages, type DeadLetter } from "@althing/contract";
import type { Context } from "../context.ts";
import { openPackages } from "../ext/open-packages.ts";
import { communityOption, parsePackage } from "../ext/parse-names.ts";
import { table } from "../output.ts";
import { confirmOrStop } from "../prompts.ts";
import { safeLine } from "../terminal-text.ts";

const lineOf = ({ index, topic, attempts, code, detail, at }: DeadLetter): string[] => [
  String(index),
  safeLine(topic),
  `${attempts} attempts`,
  at.slice(0, 19).replace("T", " "),
  `${safeLine(detail)} [${safeLine(code)}]`,
];

/** Of the option, which letters: one event's or all. */
function chosen(context: Context): { index?: number } {
  const index = context.options["event"];
  return typeof index === "number" ? { index } : {};
}

export async function deadLetters(context: Context, [name]: readonly string[]): Promise<void> {
  const params = { community: communityOption(context), install: parsePackage(name) };
  const client = await openPackages(context);
  const letters: DeadLetter[] = [];
  let counts = { dropped: 0, skipped: 0 };
  const read = (from: { after?: number }) =>
    client.call("deadLetters.list", { params, query: { limit: limits.deadLettersPageMax, ...from } });
  for await (const { letters: page, dropped, skipped } of pages(read)) {
    letters.push(...page);
    counts = { dropped, skipped };
  }
  context.output.result({ letters, ...counts }, table(letters.map(lineOf)));
  if (letters.length === 0) context.output.prose("there are none");
  if (counts.dropped > 0) context.output.prose(`${counts.dropped} older ones made room for newer ones`);
  if (counts.skipped > 0) context.output.prose(`${counts.skipped} events passed while it was held for too long`);
}

export async function replay(context: Context, [name]: readonly string[]): Promise<void> {
  const params = { community: communityOption(context), install: parsePackage(name) };
  const client = await openPackages(context);
  let delivered = 0;
  const failed = new Map<number, DeadLetter>();
  let stopped: string | undefined;
  for (;;) {
    const result = await client.call("deadLetters.replay", { params, body: chosen(context) });
    delivered += result.delivered;
    const isRound = result.failed.some(({ index }) => failed.has(index)) || result.delivered + result.failed.length === 0;
    for (const letter of result.failed) failed.set(letter.index, letter);
    stopped = result.stopped;
    // Those that wait longest are tried first: one that comes again was the last.
    if (result.left === 0 || stopped !== undefined || isRound) break;
  }
  const text = [
    `${delivered} delivered`,
    ...(failed.size === 0 ? [] : [`${failed.size} failed again`]),
    ...(stopped === undefined ? [] : [`stopped: ${safeLine(stopped)}`]),
  ];
  context.output.result({ delivered, failed: [...failed.values()], ...(stopped === undefined ? {} : { stopped }) }, text.join(", "));
}

export async function discard(context: Context, [name]: readonly string[]): Promise<void> {
  const params = { community: communityOption(context), install: parsePackage(name) };
  const body = chosen(context);
  await confirmOrStop(
    context,
    body.index === undefined ? "Give up all dead letters for good?" : `Give up the dead letter of event ${body.index} for good?`,
  );
  const client = await openPackages(context);
  const { discarded } = await client.call("deadLetters.discard", { params, body });
  context.output.result({ discarded }, `${discarded} given up`);
}
