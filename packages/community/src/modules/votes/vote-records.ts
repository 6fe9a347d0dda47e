/**
 * What is shown of a vote when it is decided: its ballots, and everything that a recount needs.
 *
 * Invariant: nothing before the decision. Open ballots are listed by voter, secret ones by receipt; the lists of an export are those that were counted.
 */
import type { Caller } from "@althing/bus";
import { AppError, type CountedBallot, type ProposalRow, type VoteExportHead } from "@althing/contract";
import type { Key } from "@althing/store";
import { pageKey } from "./vote-collections.ts";
import { asMember, findProposal, type OfProposal, type VoteContext } from "./vote-deps.ts";

export interface ExportPage {
  readonly electorate?: string[];
  readonly delegations?: { from: string; to: string; topic?: string }[];
  /** Pass as `after`; absent at the end. */
  readonly next?: string;
}

export interface VoteRecords {
  /** @throws {vote.still_running} */
  ballots(
    caller: Caller,
    input: OfProposal & { readonly after?: string | undefined; readonly limit: number },
  ): Promise<{ ballots: CountedBallot[]; next?: string }>;
  /** @throws {vote.still_running} {vote.void} */
  head(caller: Caller, input: OfProposal): Promise<VoteExportHead>;
  /** @throws {vote.still_running} {vote.void} */
  page(
    caller: Caller,
    input: OfProposal & { readonly part: "electorate" | "delegations"; readonly after?: string | undefined },
  ): Promise<ExportPage>;
}

/** Which of the two lists a cursor goes on in. */
const cursorForm = /^(open|secret)(?::([A-Za-z0-9_-]{1,64}))?$/;

export function createVoteRecords({ rows, authority }: VoteContext): VoteRecords {
  async function decided(caller: Caller, { community, proposal }: OfProposal): Promise<ProposalRow> {
    const standing = await asMember(authority, caller, community);
    const { value } = await findProposal(rows, standing, proposal, caller.endpoint);
    if (value.state !== "decided") throw new AppError("vote.still_running", { state: value.state });
    return value;
  }

  async function snapshotOf({ community, id }: ProposalRow) {
    const snapshot = await rows.snapshots.get([community, id]);
    if (snapshot === undefined || snapshot.value.isVoid) throw new AppError("vote.void");
    return snapshot.value;
  }

  /** Names of a few places in the electorate, each page read once. */
  async function namesOf({ community, id }: ProposalRow, places: ReadonlySet<number>): Promise<Map<number, string>> {
    const names = new Map<number, string>();
    let first = 0;
    for (let page = 0; names.size < places.size; page++) {
      const record = await rows.electorates.get(pageKey(community, id, page));
      if (record === undefined) break;
      const { voters } = record.value;
      for (const [at, voter] of voters.entries()) if (places.has(first + at)) names.set(first + at, voter);
      first += voters.length;
    }
    return names;
  }

  return {
    async ballots(caller, { after, limit, ...input }) {
      const { community, id } = await decided(caller, input);
      const [, kind = "open", last] = cursorForm.exec(after ?? "open") ?? [];
      const from: { after?: Key } = last === undefined ? {} : { after: [community, id, last] };
      if (kind === "open") {
        const page = await rows.ballots.list({ prefix: [community, id], limit, ...from });
        const ballots = page.records.map(({ key, value }) => ({ voter: key[2] ?? "", choice: value.choice }));
        return { ballots, next: page.next?.[2] === undefined ? "secret" : `open:${page.next[2]}` };
      }
      const page = await rows.published.list({ prefix: [community, id], limit, ...from });
      const ballots = page.records.map(({ key, value }) => ({ nonce: key[2] ?? "", choice: value.choice }));
      return { ballots, ...(page.next?.[2] === undefined ? {} : { next: `secret:${page.next[2]}` }) };
    },
    async head(caller, input) {
      const row = await decided(caller, input);
      const { electorate, delegations, spoilt } = await snapshotOf(row);
      const { id, title, options, rule, topic, closedAt, report } = row;
      if (closedAt === undefined || report === undefined) throw new AppError("vote.void");
      return {
        ...{ proposal: id, title, options, rule, closedAt, report, electorate, delegations, spoilt },
        ...(topic === undefined ? {} : { topic }),
      };
    },
    async page(caller, { part, after = "0", ...input }) {
      const row = await decided(caller, input);
      await snapshotOf(row);
      const { community, id, topic } = row;
      const at = /^\d{1,6}$/.test(after) ? Number(after) : 0;
      const next = String(at + 1);
      if (part === "electorate") {
        const page = await rows.electorates.get(pageKey(community, id, at));
        return page === undefined ? { electorate: [] } : { electorate: page.value.voters, next };
      }
      const page = await rows.delegations.get(pageKey(community, id, at));
      if (page === undefined) return { delegations: [] };
      const names = await namesOf(row, new Set(page.value.edges.flatMap(([from, to]) => [from, to])));
      const delegations = page.value.edges.flatMap(([from, to, ofTopic]) => {
        const [giver, taker] = [names.get(from), names.get(to)];
        if (giver === undefined || taker === undefined) return [];
        return [{ from: giver, to: taker, ...(ofTopic === 1 && topic !== undefined ? { topic } : {}) }];
      });
      return { delegations, next };
    },
  };
}
