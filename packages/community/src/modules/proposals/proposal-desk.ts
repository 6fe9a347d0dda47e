/**
 * What every act on a proposal has in common: who may come in, which row it is, and how a change of the row is written.
 *
 * Invariant: nothing is decided on what an earlier request saw: membership, permissions, module and row are read inside the act, and its batch holds on the
 * rows that gave the permission and on the proposal's row. So of two changes at a time (two clicks, two hubs, a close and a ballot) one is decided anew.
 */
import type { Caller } from "@althing/bus";
import {
  AppError,
  memberWith,
  ulidSchema,
  type CommunityId,
  type CommunityPermission,
  type EndpointId,
  type ModuleSettings,
  type Proposal,
  type ProposalRow,
  type ProposalState,
  type VotingRule,
} from "@althing/contract";
import { authorizeCommunity } from "@althing/policy";
import type { Key, Rec, Write } from "@althing/store";
import { monotonicFactory } from "ulid";
import { withGuards, type Held } from "../../authority.ts";
import type { EventActor, EventDraft } from "../../events/index.ts";
import { groupOf, openProposalCollections, type NamedAs, type ProposalCollections } from "./proposal-collections.ts";
import { limitsOf, type ProposalLimits, type ProposalsDeps } from "./proposal-deps.ts";
import { viewOf } from "./proposal-views.ts";

export interface InCommunity {
  readonly community: string;
}
export interface OfProposal extends InCommunity {
  readonly proposal: string;
}
export interface Condition {
  /** The version that is meant. */
  readonly ifMatch?: number;
}

/** A member in a community whose module is on. */
export interface Present extends Held {
  readonly id: CommunityId;
  readonly caller: Caller;
  readonly settings: ModuleSettings<"proposals">;
  readonly manages: boolean;
}

/** What became of a row, with what is written and told besides. */
export interface RowChange {
  readonly row: ProposalRow;
  readonly writes?: readonly Write[];
  readonly events: readonly EventDraft[];
  /** What the request is answered with, or finds it, where that is not the proposal. */
  readonly answer?: unknown;
}

export interface ProposalDesk {
  readonly collections: ProposalCollections;
  readonly limits: ProposalLimits;
  readonly isoNow: () => string;
  readonly nextId: () => string;
  /** @throws {community.not_found} {auth.forbidden} {module.disabled} */
  enter(caller: Caller, community: string, permission?: CommunityPermission): Promise<Present>;
  /** @throws {proposal.not_found} also somebody else's draft */
  find(present: Present, proposal: string): Promise<Rec<ProposalRow>>;
  /**
   * Reads, decides and writes a change of one proposal.
   * @throws what `enter`, `find` and `decide` throw
   */
  change(
    caller: Caller,
    input: OfProposal,
    decide: (present: Present, row: ProposalRow) => Promise<RowChange>,
    permission?: CommunityPermission,
  ): Promise<Proposal>;
  /** Row and indexes, held to the revision that was read. */
  rowWrites(found: Rec<ProposalRow>, row: ProposalRow): Write[];
  named(community: CommunityId, person: EndpointId, as: NamedAs, proposal: string, part?: string): Key;
  trusteeWrites(row: ProposalRow, before: VotingRule | undefined): Write[];
}

export const actorOf = ({ caller }: Present): EventActor => ({ kind: "member", endpoint: caller.endpoint });
export const keyOf = ({ community, id }: ProposalRow): Key => [community, id];
export const subjectOf = ({ id }: ProposalRow): string => `proposal/${id}`;

/** @throws {auth.forbidden} naming the permission */
export function requirePermission({ permissions }: Pick<Present, "permissions">, permission: CommunityPermission): void {
  const decision = authorizeCommunity(permissions, permission);
  if (!decision.allowed) throw new AppError("auth.forbidden", { permission, who: decision.who });
}

/** Its author while they may make proposals, or who manages them. @throws {auth.forbidden} */
export function requireRunning(present: Present, row: ProposalRow): void {
  if (present.manages) return;
  requirePermission(present, row.author === present.caller.endpoint ? "proposals.create" : "proposals.manage");
}

/** @throws {proposal.wrong_state} */
export function requireState({ state }: ProposalRow, ...expected: readonly ProposalState[]): void {
  if (!expected.includes(state)) throw new AppError("proposal.wrong_state", { state, expected: expected.join(" or ") });
}

/** @throws {request.precondition_failed} */
export function requireVersion({ version }: ProposalRow, { ifMatch }: Condition): void {
  if (ifMatch !== undefined && ifMatch !== version)
    throw new AppError("request.precondition_failed", { expected: ifMatch, observed: version });
}

/** Everybody in the community may read it. */
export const isPublic = ({ discussionOpenedAt }: ProposalRow): boolean => discussionOpenedAt !== undefined;
/** A trustee makes the key of a secret vote while it is drafted. */
export const maySee = ({ caller, manages }: Present, row: ProposalRow): boolean =>
  isPublic(row) || manages || row.author === caller.endpoint || row.rule.trustee === caller.endpoint;

export function createProposalDesk(deps: ProposalsDeps): ProposalDesk {
  const { authority, modules, events, clock, store } = deps;
  const collections = openProposalCollections(store);
  const nextUlid = monotonicFactory();

  async function enter(caller: Caller, community: string, permission?: CommunityPermission): Promise<Present> {
    const { community: found, member, permissions, guards } = await authority.standing(caller, community);
    if (member === undefined)
      throw new AppError("auth.forbidden", { permission: "membership of this community", who: memberWith("members.invite") });
    if (permission !== undefined) requirePermission({ permissions }, permission);
    const settings = await modules.settings(found.value.id, "proposals");
    return { id: found.value.id, caller, settings, permissions, guards, manages: permissions.has("proposals.manage") };
  }

  async function find(present: Present, proposal: string): Promise<Rec<ProposalRow>> {
    const found = ulidSchema.safeParse(proposal).success ? await collections.proposals.get([present.id, proposal]) : undefined;
    if (found === undefined || !maySee(present, found.value)) throw new AppError("proposal.not_found", { proposal: proposal.slice(0, 64) });
    return found;
  }

  const named: ProposalDesk["named"] = (community, person, as, proposal, part) =>
    part === undefined ? [community, person, as, proposal] : [community, person, as, proposal, part];

  function rowWrites(found: Rec<ProposalRow>, row: ProposalRow): Write[] {
    const { value: before, revision } = found;
    if (row === before) return [collections.proposals.toCheck(keyOf(row), revision)];
    const writes = [collections.proposals.toPut(keyOf(row), row, revision)];
    const [from, to] = [groupOf(before.state), groupOf(row.state)];
    if (from === to) return writes;
    writes.push(collections.groups.toDelete([row.community, from, row.id]), collections.groups.toPut([row.community, to, row.id], {}));
    if (to === "closed" && row.author !== null) writes.push(collections.authors.toDelete(named(row.community, row.author, "open", row.id)));
    return writes;
  }

  return {
    ...{ collections, enter, find, rowWrites, named },
    limits: limitsOf(deps),
    isoNow: () => new Date(clock.now()).toISOString(),
    nextId: () => nextUlid(clock.now()),
    async change(caller, { community, proposal }, decide, permission) {
      const { id } = await enter(caller, community, permission);
      return events.act(id, async () => {
        const present = await enter(caller, id, permission);
        const found = await find(present, proposal);
        const { row, writes = [], events: told, answer } = await decide(present, found.value);
        return {
          writes: withGuards(present, [...rowWrites(found, row), ...writes]),
          events: told,
          result: viewOf(row),
          ...(answer === undefined ? {} : { answer }),
        };
      });
    },
    trusteeWrites({ community, id, rule }, before) {
      // Whoever was trustee once stays found: the versions of then name them.
      if (rule.trustee === undefined || rule.trustee === before?.trustee) return [];
      return [collections.authors.toPut(named(community, rule.trustee, "trustee", id), {})];
    },
  };
}
