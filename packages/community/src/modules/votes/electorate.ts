/**
 * Who may vote, and the picture of it that is kept when a vote ends.
 *
 * Invariant: entitled is who holds `votes.cast` now and is a member since before the vote opened, so nobody packs a vote that runs. The electorate at the end
 * is who is entitled then, and who voted and left since: their ballots stay. A delegation counts between two who are entitled at the end and were members
 * without a break since it was given. The electorate is kept in an order of chance, so that an erased name cannot be guessed from its neighbours.
 */
import type { CommunityId, ProposalRow } from "@althing/contract";
import type { Write } from "@althing/store";
import type { Authority } from "../../authority.ts";
import type { CommunityCollections, MemberRow } from "../../collections.ts";
import { everyRecord, pageKey, type SnapshotRow, type VoteCollections } from "./vote-collections.ts";
import type { VoteContext } from "./vote-deps.ts";

export type Edge = readonly [from: number, to: number, ofTopic: number];

export interface Snapshot {
  readonly electorate: readonly string[];
  readonly edges: readonly Edge[];
}

/** Names and edges that fit well below the size of one record. */
const votersPerPage = 4_000;
const edgesPerPage = 10_000;

/** Was this member there when the vote opened? */
export const isSinceBefore = ({ since }: MemberRow, openedAt: string | undefined): boolean => openedAt !== undefined && since <= openedAt;

/** Asks for permissions once for each set of roles. */
export function createEntitlement(authority: Authority, community: CommunityId): (member: MemberRow) => Promise<boolean> {
  const known = new Map<string, Promise<boolean>>();
  return ({ roles }) => {
    const key = roles.toSorted().join(",");
    const asked = known.get(key) ?? authority.permissionsOfRoles(community, roles).then((held) => held.has("votes.cast"));
    known.set(key, asked);
    return asked;
  };
}

/** Everybody entitled now, with the time since when they are members. */
async function readEntitled(
  { members, authority }: { readonly members: CommunityCollections["members"]; readonly authority: Authority },
  { community, votingOpenedAt }: ProposalRow,
): Promise<Map<string, string>> {
  const mayVote = createEntitlement(authority, community);
  const entitled = new Map<string, string>();
  for await (const { key, value } of everyRecord(members, [community]))
    if (isSinceBefore(value, votingOpenedAt) && (await mayVote(value))) entitled.set(key[1] ?? "", value.since);
  return entitled;
}

/**
 * As things stand now.
 * @param voted everybody who has a ballot
 * @param silent those of them whose ballot carries nobody else's vote: what they gave away is not kept either, because they vote themselves
 */
export async function takeSnapshot(
  context: VoteContext,
  proposal: ProposalRow,
  { voted, silent }: { readonly voted: readonly string[]; readonly silent: ReadonlySet<string> },
): Promise<Snapshot & { readonly checks: readonly Write[] }> {
  const { community, topic } = proposal;
  const entitled = await readEntitled(context, proposal);
  const electorate = shuffled([...new Set([...entitled.keys(), ...voted])], context.random);
  const places = new Map(electorate.map((voter, place) => [voter, place]));
  const { delegations, checks } = await context.delegations.standing(community, topic);
  const edges = delegations.flatMap(({ from, to, topic: of, givenAt }): Edge[] => {
    const [fromSince, toSince, fromPlace, toPlace] = [entitled.get(from), entitled.get(to), places.get(from), places.get(to)];
    if (fromSince === undefined || toSince === undefined || fromPlace === undefined || toPlace === undefined) return [];
    return fromSince <= givenAt && toSince <= givenAt && !silent.has(from) ? [[fromPlace, toPlace, of === undefined ? 0 : 1]] : [];
  });
  return { electorate, edges, checks };
}

/** Fisher and Yates. */
export function shuffled<T>(items: T[], random: (max: number) => number): T[] {
  for (let last = items.length - 1; last > 0; last--) {
    const other = random(last + 1);
    const [a, b] = [items[last], items[other]];
    if (a !== undefined && b !== undefined) [items[last], items[other]] = [b, a];
  }
  return items;
}

export function toKeepSnapshot(rows: VoteCollections, { community, id }: ProposalRow, { electorate, edges }: Snapshot): Write[] {
  const row: SnapshotRow = { electorate: electorate.length, delegations: edges.length, spoilt: 0, isVoid: false };
  return [
    rows.snapshots.toPut([community, id], row),
    ...pagesOf(electorate, votersPerPage).map((voters, page) => rows.electorates.toPut(pageKey(community, id, page), { voters })),
    ...pagesOf(edges, edgesPerPage).map((some, page) =>
      rows.delegations.toPut(pageKey(community, id, page), { edges: some.map(([from, to, of]) => [from, to, of]) }),
    ),
  ];
}

function pagesOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, page) => items.slice(page * size, (page + 1) * size));
}

export async function readSnapshot(rows: VoteCollections, { community, id }: ProposalRow): Promise<Snapshot> {
  const electorate: string[] = [];
  for await (const { value } of everyRecord(rows.electorates, [community, id])) electorate.push(...value.voters);
  const edges: Edge[] = [];
  for await (const { value } of everyRecord(rows.delegations, [community, id])) edges.push(...value.edges);
  return { electorate, edges };
}

/** Edges by name, as a count and an export have them. */
export function namedEdges({ electorate, edges }: Snapshot, topic: string | undefined): { from: string; to: string; topic?: string }[] {
  return edges.flatMap(([from, to, ofTopic]) => {
    const [giver, taker] = [electorate[from], electorate[to]];
    if (giver === undefined || taker === undefined) return [];
    return [{ from: giver, to: taker, ...(ofTopic === 1 && topic !== undefined ? { topic } : {}) }];
  });
}
