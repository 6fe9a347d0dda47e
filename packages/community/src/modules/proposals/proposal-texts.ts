/**
 * The text of a proposal: asked of the filters, given the ids of its options, kept as a version.
 *
 * Invariant: an option keeps its id through all versions and an id is never given twice, so that what is said about `o2` stays about the same option.
 * Every text that enters passes the filters, whatever it enters as: a filter that an edit could go around would be none.
 */
import { isDeepStrictEqual } from "node:util";
import {
  AppError,
  faultsOf,
  proposalTextSchema,
  type EndpointId,
  type OptionInput,
  type ProposalRow,
  type ProposalText,
  type ProposalVersion,
  type VoteOption,
  type VotingRule,
} from "@althing/contract";
import type { Write } from "@althing/store";
import type { EventDraft } from "../../events/index.ts";
import type { Filters } from "../../hooks/filters.ts";
import { versionKey } from "./proposal-collections.ts";
import { actorOf, subjectOf, type Present, type ProposalDesk } from "./proposal-desk.ts";

/** @throws {filter.refused} {filter.failed} {request.invalid} what the filters left fits no proposal */
export async function filteredText(filters: Filters, { id, caller }: Present, text: ProposalText): Promise<ProposalText> {
  const { title, body, options, topic } = text;
  const answer = await filters.run(id, "proposal.before_create", caller, {
    ...{ title, body, options: options.map((option) => option.text) },
    ...(topic === undefined ? {} : { topic }),
  });
  const parsed = proposalTextSchema.safeParse({ ...answer, options: matched(options, answer.options) });
  if (parsed.success) return parsed.data;
  const [fault] = faultsOf(parsed.error);
  throw new AppError("request.invalid", { detail: `as a filter left it: ${fault?.path ?? ""}: ${fault?.message ?? ""}`.slice(0, 300) });
}

/** An option that a filter worded anew keeps its id when it stayed in its place; one that it moved or left alone is known by its text. */
function matched(before: readonly OptionInput[], texts: readonly string[]): OptionInput[] {
  return texts.map((text, i) => {
    const same = before.find((option) => option.text === text);
    const inPlace = before.length === texts.length ? before[i] : undefined;
    const from = same ?? (inPlace !== undefined && !texts.includes(inPlace.text) ? inPlace : undefined);
    return from?.id === undefined ? { text } : { id: from.id, text };
  });
}

/** @throws {proposal.option_unknown} */
export function withIds(
  inputs: readonly OptionInput[],
  current: readonly VoteOption[],
  made: number,
): { readonly options: VoteOption[]; readonly made: number } {
  let next = made;
  const options = inputs.map(({ id, text }) => {
    if (id !== undefined && !current.some((option) => option.id === id)) throw new AppError("proposal.option_unknown", { option: id });
    return { id: id ?? `o${(next += 1)}`, text };
  });
  return { options, made: next };
}

/** Fields of a row that a text decides. */
export function textOf({ title, body, topic }: ProposalText): Pick<ProposalRow, "title" | "body" | "topic"> {
  return { title, body, ...(topic === undefined ? {} : { topic }) };
}

export interface VersionSource {
  /** null: erased meanwhile. */
  readonly author: EndpointId | null;
  readonly amendment?: string;
}

/** The version that a row stands for, and where its author is named. */
export function versionWrites(desk: ProposalDesk, row: ProposalRow, at: string, { author, amendment }: VersionSource): Write[] {
  const { community, id, version, title, body, options, topic, rule } = row;
  const record: ProposalVersion = {
    ...{ version, title, body, options, rule, at, author },
    ...(topic === undefined ? {} : { topic }),
    ...(amendment === undefined ? {} : { amendment }),
  };
  const key = versionKey(community, id, version);
  return [
    desk.collections.versions.toPut(key, record, 0),
    ...(author === null ? [] : [desk.collections.authors.toPut(desk.named(community, author, "version", id, key.at(-1)), {})]),
  ];
}

/**
 * The row with a new text; the same row when nothing is different.
 * @throws {proposal.option_unknown} {proposal.too_many_versions}
 */
export function nextVersion(
  desk: ProposalDesk,
  present: Present,
  row: ProposalRow,
  next: { readonly text: ProposalText; readonly rule: VotingRule } & VersionSource,
): { readonly row: ProposalRow; readonly writes: Write[]; readonly events: EventDraft[] } {
  const { options, made } = withIds(next.text.options, row.options, row.optionsMade ?? row.options.length);
  const { topic: _topic, ...rest } = row;
  const worded: ProposalRow = { ...rest, ...textOf(next.text), options, rule: next.rule };
  if (isDeepStrictEqual(worded, row)) return { row, writes: [], events: [] };
  const version = row.version + 1;
  if (version > desk.limits.proposalVersionsMax)
    throw new AppError("proposal.too_many_versions", { limit: desk.limits.proposalVersionsMax });
  const changed: ProposalRow = { ...worded, version, optionsMade: made };
  return {
    row: changed,
    writes: [...versionWrites(desk, changed, desk.isoNow(), next), ...desk.trusteeWrites(changed, row.rule)],
    events: [
      {
        topic: "proposal.changed",
        actor: actorOf(present),
        subject: subjectOf(row),
        summary: "A proposal has a new version",
        data: { proposal: row.id, version },
      },
    ],
  };
}
