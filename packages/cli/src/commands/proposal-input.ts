/**
 * What commands about proposals are given: ids, texts, rules.
 *
 * Invariant: a text comes from one place, named: arguments, `--file`, or stdin (`-`); what cannot be sent is wrong usage and costs no request.
 */
import type { PackagesClient } from "@althing/client";
import { limits, ulidSchema, votingMethods, votingRuleSchema, type OptionInput, type VotingRule } from "@althing/contract";
import { text as readStream } from "node:stream/consumers";
import { listOption, textOption, usageError, type Context } from "../context.ts";
import { communityOption } from "../ext/parse-names.ts";
import { readInputJson, readInputText } from "../ext/read-input.ts";
import { safeLine } from "../terminal-text.ts";
import type { Names } from "./proposal-text.ts";

const collect = (value: string, previous: readonly string[] = []): string[] => [...previous, value];
export const communityFlag = ["--community <community>", "its community: name or id"] as const;
export const fileFlag = ["--file <file>", "read the text from a file"] as const;
export const optionFlag = ["--option <text>", "what can be chosen; repeatable, replaces all", collect] as const;
export const topicFlag = ["--topic <text>", "by which votes are delegated"] as const;

const fileMaxBytes = limits.proposalRequestMaxBytes;

/** @throws {cli.usage} */
export function parseId(what: "proposal" | "amendment" | "comment", text: string | undefined): string {
  const id = text?.toUpperCase();
  if (ulidSchema.safeParse(id).success && id !== undefined) return id;
  throw usageError(`"${text ?? ""}" is no ${what}'s id: 26 letters and digits, as the lists show them`);
}

export function ofProposal(context: Context, proposal: string | undefined): { community: string; proposal: string } {
  return { community: communityOption(context), proposal: parseId("proposal", proposal) };
}

/** @returns `undefined` when nothing was given @throws {cli.usage} two texts */
export async function readText(context: Context, words: readonly string[]): Promise<string | undefined> {
  const file = textOption(context.options, "file");
  const typed = words.join(" ");
  if (file !== undefined && typed !== "") throw usageError("give the text as words or as --file, not both");
  if (file !== undefined) return (await readInputText(context, file, fileMaxBytes)).replace(/\r?\n$/, "");
  if (typed === "-") return (await readStream(context.host.stdin)).replace(/\r?\n$/, "");
  return typed === "" ? undefined : typed;
}

/** @throws {cli.usage} */
export async function needText(context: Context, words: readonly string[], what: string): Promise<string> {
  const text = await readText(context, words);
  if (text === undefined || text.trim() === "") throw usageError(`${what} is missing: give it as words, as --file FILE, or - for stdin`);
  return text;
}

/** From `--option`, with the ids of options that stay. */
export function optionsOf(
  context: Context,
  current: readonly { readonly id?: string | undefined; readonly text: string }[] = [],
): OptionInput[] {
  const texts = listOption(context.options, "option");
  if (texts.length === 0) return current.map(({ id, text }) => (id === undefined ? { text } : { id, text }));
  return texts.map((text) => {
    const id = current.find((option) => option.text === text.trim())?.id;
    return id === undefined ? { text } : { id, text };
  });
}

/**
 * From `--rule FILE` and the flags that change one thing of it.
 * @returns `undefined` when nothing was said
 * @throws {cli.usage}
 */
export async function readRule(context: Context, client: PackagesClient, current?: VotingRule): Promise<VotingRule | undefined> {
  const file = textOption(context.options, "rule");
  const [method, quorum, share, trustee] = ["method", "quorum", "threshold", "trustee"].map((name) => textOption(context.options, name));
  const { seats, secret } = context.options;
  if ([file, method, quorum, share, trustee, seats, secret].every((value) => value === undefined)) return undefined;
  const base = file === undefined ? (current ?? { method: "yes_no" }) : await readInputJson(context, file, fileMaxBytes);
  const { endpointOf } = await import("../ext/open-packages.ts");
  const parsed = votingRuleSchema.safeParse({
    ...(typeof base === "object" ? base : {}),
    ...(method === undefined ? {} : { method }),
    ...(quorum === undefined ? {} : { quorum }),
    ...(share === undefined ? {} : { threshold: { of: "yes_and_no", reached: true, ...thresholdOf(base), share } }),
    ...(seats === undefined ? {} : { seats }),
    ...(secret === true || trustee !== undefined ? { secret: true } : {}),
    ...(trustee === undefined ? {} : { trustee: (await endpointOf(client, trustee)).endpoint }),
  });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const hint = issue?.path[0] === "method" ? `; methods are ${votingMethods.join(", ")}` : "";
  throw usageError(`this is no rule: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}${hint}`);
}

const thresholdOf = (base: unknown): object =>
  typeof base === "object" && base !== null && "threshold" in base && typeof base.threshold === "object" ? (base.threshold ?? {}) : {};

/** Handles of the people named; whoever cannot be found keeps the id. */
export async function namesOf(client: PackagesClient, endpoints: readonly (string | null)[]): Promise<Names> {
  const asked = [...new Set(endpoints)].filter((endpoint) => endpoint !== null);
  const found = await Promise.all(
    asked.map(
      async (identity) => [identity, await client.call("identities.get", { params: { identity } }).catch(() => undefined)] as const,
    ),
  );
  const handles = new Map(found.map(([endpoint, person]) => [endpoint, person === undefined ? endpoint : safeLine(person.handle)]));
  return (endpoint) => (endpoint === null ? "(erased)" : (handles.get(endpoint) ?? endpoint));
}
