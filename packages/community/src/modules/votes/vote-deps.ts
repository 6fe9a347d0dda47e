/**
 * What ballots take from the plane around them, and what each of their acts asks first.
 *
 * Invariant: everything is read afresh; a person who is no member of the community is shown nothing of its votes, whatever they administer.
 */
import type { Caller } from "@althing/bus";
import { AppError, memberWith, type CommunityId, type EndpointId, type ProposalRow } from "@althing/contract";
import type { Rec, Store } from "@althing/store";
import type { Agenda } from "../../agenda.ts";
import type { AnyPermission, Authority, Standing } from "../../authority.ts";
import type { CommunityCollections, MemberRow } from "../../collections.ts";
import type { EventLog } from "../../events/index.ts";
import type { Filters } from "../../hooks/filters.ts";
import type { Delegations } from "../delegation/delegations.ts";
import type { Modules } from "../modules.ts";
import { isPublic } from "../proposals/proposal-desk.ts";
import type { VoteCollections } from "./vote-collections.ts";

export interface VotesDeps {
  readonly store: Store;
  readonly clock: { now(): number };
  readonly members: CommunityCollections["members"];
  readonly authority: Authority;
  readonly events: EventLog;
  readonly agenda: Agenda;
  readonly modules: Modules;
  readonly filters: Filters;
  readonly delegations: Delegations;
  /** A whole number from 0 to below `max`; default: the system's. */
  readonly random?: (max: number) => number;
}

/** With the collections opened. */
export interface VoteContext extends VotesDeps {
  readonly rows: VoteCollections;
  readonly random: (max: number) => number;
}

export interface OfProposal {
  readonly community: string;
  readonly proposal: string;
}

export interface MemberStanding extends Standing {
  readonly id: CommunityId;
  readonly member: Rec<MemberRow>;
}

/** A member who holds `permission`, where one is named. @throws {community.not_found} {auth.forbidden} */
export async function asMember(authority: Authority, caller: Caller, ref: string, permission?: AnyPermission): Promise<MemberStanding> {
  const standing = permission === undefined ? await authority.standing(caller, ref) : await authority.require(caller, ref, permission);
  const { member, community } = standing;
  if (member === undefined) throw new AppError("auth.forbidden", { permission: "membership", who: memberWith("members.invite") });
  return { ...standing, member, id: community.value.id };
}

/** A proposal that the caller may know of: a draft, also one that was withdrawn, is its author's, its managers' and its trustee's. @throws {proposal.not_found} */
export async function findProposal(
  rows: VoteCollections,
  { id, permissions }: Pick<MemberStanding, "id" | "permissions">,
  proposal: string,
  endpoint: EndpointId,
): Promise<Rec<ProposalRow>> {
  const row = await rows.proposals.get([id, proposal]);
  const isHidden =
    row !== undefined &&
    !isPublic(row.value) &&
    row.value.author !== endpoint &&
    row.value.rule.trustee !== endpoint &&
    !permissions.has("proposals.manage");
  if (row === undefined || isHidden) throw new AppError("proposal.not_found", { proposal });
  return row;
}
