/**
 * Proposals as they are read: by members, and by extensions that were granted it.
 *
 * Invariant: a draft is shown to its author and to who manages proposals, to nobody else and to no extension; an extension sees nothing that names a person.
 */
import type { Caller } from "@althing/bus";
import {
  AppError,
  limits,
  ulidSchema,
  type CommunityId,
  type Proposal,
  type ProposalRow,
  type ProposalState,
  type ListedProposal,
  type ProposalVersion,
  type VersionSummary,
} from "@althing/contract";
import type { Key } from "@althing/store";
import { matcherOf, searchScanMax } from "../../search.ts";
import type { BallotBox } from "../votes/ballot-box.ts";
import { groupOf, versionKey } from "./proposal-collections.ts";
import type { ProposalsDeps } from "./proposal-deps.ts";
import { isPublic, maySee, type InCommunity, type OfProposal, type Present, type ProposalDesk } from "./proposal-desk.ts";
import { publicSummaryOf, publicViewOf, summaryOf, versionSummaryOf, viewOf } from "./proposal-views.ts";

interface ListInput extends InCommunity {
  readonly state?: ProposalState | undefined;
  readonly mine: "true" | "false";
  /** Words of title and topic. */
  readonly q?: string | undefined;
  readonly after?: string | undefined;
  readonly limit: number;
}

export interface Reading {
  /** Newest first. @throws {community.not_found} {auth.forbidden} {module.disabled} */
  list(caller: Caller, input: ListInput): Promise<{ proposals: ListedProposal[]; next?: string }>;
  /** @throws {proposal.not_found} */
  get(caller: Caller, input: OfProposal): Promise<Proposal>;
  versions(
    caller: Caller,
    input: OfProposal & { readonly after: number; readonly limit: number },
  ): Promise<{ versions: VersionSummary[]; next?: number }>;
  /** @throws {proposal.version_not_found} */
  version(caller: Caller, input: OfProposal & { readonly version: number }): Promise<ProposalVersion>;
}

/** What `proposals.read` gives an extension: JSON texts. docs/architecture/proposals.md. */
export interface ProposalsForExtensions {
  /** @throws {capability.unavailable} {capability.bad_argument} */
  get(community: CommunityId, id: string): Promise<{ json: string }>;
  list(community: CommunityId, after: string | undefined, limit: number): Promise<{ json: string }>;
}

/** How many records one page may look at. */
const scanMax = 500;
/** Records that a search reads at a time. */
const readAtOnce = 200;

interface Found {
  readonly rows: ProposalRow[];
  readonly next?: string;
}

function createScan({ collections }: ProposalDesk) {
  /** Ids after a cursor, newest first, with their rows where the source has them. */
  async function page(
    prefix: readonly [string, ...string[]],
    source: "rows" | "groups" | "authors",
    after: string | undefined,
    limit: number,
  ) {
    const options = { prefix, reverse: true, limit, ...(after === undefined ? {} : { after: [...prefix, after] as const }) };
    const idOf = (key: Key): string => key.at(-1) ?? "";
    if (source === "rows") {
      const { records, next } = await collections.proposals.list(options);
      return { entries: records.map(({ key, value }) => ({ id: idOf(key), row: value })), isLast: next === undefined };
    }
    const { records, next } = await collections[source].list(options);
    const community = prefix[0];
    const entries = await Promise.all(
      records.map(async ({ key }) => ({ id: idOf(key), row: (await collections.proposals.get([community, idOf(key)]))?.value })),
    );
    return { entries, isLast: next === undefined };
  }

  /** Up to `limit` rows that `fits`; looks at a bounded number of records, so a page may be shorter and still have a next. */
  return async function scan(
    prefix: readonly [string, ...string[]],
    source: "rows" | "groups" | "authors",
    {
      after,
      limit,
      fits,
      lookAt = scanMax,
    }: {
      readonly after: string | undefined;
      readonly limit: number;
      readonly fits: (row: ProposalRow) => boolean;
      readonly lookAt?: number;
    },
  ): Promise<Found> {
    const rows: ProposalRow[] = [];
    let [cursor, seen] = [after, 0];
    while (seen < lookAt) {
      const { entries, isLast } = await page(prefix, source, cursor, lookAt === scanMax ? limit : readAtOnce);
      for (const [i, { id, row }] of entries.entries()) {
        cursor = id;
        seen += 1;
        if (row === undefined || !fits(row)) continue;
        rows.push(row);
        if (rows.length === limit) return isLast && i === entries.length - 1 ? { rows } : { rows, next: id };
      }
      if (isLast) return { rows };
    }
    return cursor === undefined ? { rows } : { rows, next: cursor };
  };
}

export function createReading(desk: ProposalDesk, ballots: Pick<BallotBox, "hasCast">): Reading {
  const scan = createScan(desk);

  function sourceOf({ id, caller, manages }: Present, { state, mine }: ListInput) {
    if (mine === "true" || (state === "draft" && !manages))
      return { prefix: [id, caller.endpoint, "proposal"], source: "authors" } as const;
    if (state !== undefined) return { prefix: [id, groupOf(state)], source: "groups" } as const;
    return { prefix: [id], source: "rows" } as const;
  }

  return {
    async list(caller, input) {
      const present = await desk.enter(caller, input.community);
      const { prefix, source } = sourceOf(present, input);
      const isWanted = matcherOf(input.q);
      const fits = (row: ProposalRow): boolean =>
        maySee(present, row) &&
        (input.state === undefined || row.state === input.state) &&
        (isWanted === undefined || isWanted([row.title, row.topic]));
      const lookAt = isWanted === undefined ? scanMax : searchScanMax;
      const { rows, next } = await scan(prefix, source, { after: input.after, limit: input.limit, fits, lookAt });
      const proposals = await Promise.all(
        rows.map(async (row) => ({
          ...summaryOf(row),
          ...(row.state === "voting" ? { voted: await ballots.hasCast(row, caller.endpoint) } : {}),
        })),
      );
      return { proposals, ...(next === undefined ? {} : { next }) };
    },
    async get(caller, { community, proposal }) {
      return viewOf((await desk.find(await desk.enter(caller, community), proposal)).value);
    },
    async versions(caller, { community, proposal, after, limit }) {
      const present = await desk.enter(caller, community);
      await desk.find(present, proposal);
      const from = after === 0 ? {} : { after: versionKey(present.id, proposal, after) };
      const page = await desk.collections.versions.list({ prefix: [present.id, proposal], limit, ...from });
      const last = page.records.at(-1)?.value.version;
      return {
        versions: page.records.map(({ value }) => versionSummaryOf(value)),
        ...(page.next === undefined || last === undefined ? {} : { next: last }),
      };
    },
    async version(caller, { community, proposal, version }) {
      const present = await desk.enter(caller, community);
      await desk.find(present, proposal);
      const found = await desk.collections.versions.get(versionKey(present.id, proposal, version));
      if (found === undefined) throw new AppError("proposal.version_not_found", { version });
      return found.value;
    },
  };
}

export function createProposalsForExtensions({ modules }: Pick<ProposalsDeps, "modules">, desk: ProposalDesk): ProposalsForExtensions {
  const scan = createScan(desk);

  async function requireModule(community: CommunityId): Promise<void> {
    try {
      await modules.settings(community, "proposals");
    } catch (cause) {
      if (!(cause instanceof AppError) || cause.code !== "module.disabled") throw cause;
      const detail = "the module proposals is not enabled in this community";
      throw new AppError("capability.unavailable", { capability: "proposals.read", detail }, { cause });
    }
  }

  return {
    async get(community, id) {
      await requireModule(community);
      const found = ulidSchema.safeParse(id).success ? await desk.collections.proposals.get([community, id]) : undefined;
      if (found === undefined || !isPublic(found.value))
        throw new AppError("capability.bad_argument", { call: "proposals.get", detail: `there is no proposal ${id.slice(0, 64)}` });
      return { json: JSON.stringify(publicViewOf(found.value)) };
    },
    async list(community, after, limit) {
      await requireModule(community);
      if (after !== undefined && !ulidSchema.safeParse(after).success)
        throw new AppError("capability.bad_argument", { call: "proposals.list-proposals", detail: "after is no proposal's id" });
      const { rows, next } = await scan([community], "rows", { after, limit: Math.min(limit, limits.proposalsPageMax), fits: isPublic });
      return { json: JSON.stringify({ items: rows.map(publicSummaryOf), ...(next === undefined ? {} : { next }) }) };
    },
  };
}
