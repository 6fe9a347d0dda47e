/**
 * What moderation takes from the plane around it.
 *
 * Invariant: memberships, comments and filters are faces; moderation writes what they return, and nothing of theirs by itself.
 */
import type { Caller } from "@althing/bus";
import type { CommunityId, EndpointId } from "@althing/contract";
import type { Rec, Store, Write } from "@althing/store";
import type { Agenda } from "../../agenda.ts";
import type { Authority } from "../../authority.ts";
import type { MemberRow } from "../../collections.ts";
import type { EventLog } from "../../events/index.ts";
import type { Filters } from "../../hooks/filters.ts";
import type { InCommunity } from "../../memberships/membership-deps.ts";
import type { MembershipRules, Newcomer } from "../../memberships/membership-rules.ts";
import type { Modules } from "../modules.ts";
import type { LedgerCollections } from "./ledger-collections.ts";

export interface CommentTarget {
  readonly proposal: string;
  readonly comment: string;
}

/** What moderation may take out of sight. */
export interface RemovableComments {
  /** @throws {comment.not_found} {comment.removed} */
  toRemove(
    community: CommunityId,
    target: CommentTarget,
    reason: string,
  ): Promise<{ readonly author: EndpointId | null; readonly body: string; readonly writes: readonly Write[] }>;
  /** Nothing is written when there is nobody to give it back to. */
  toRestore(community: CommunityId, target: CommentTarget, body: string): Promise<readonly Write[]>;
}

export interface ModerationDeps {
  readonly store: Pick<Store, "batch">;
  readonly collections: LedgerCollections;
  readonly members: { get(key: [string, string]): Promise<Rec<MemberRow> | undefined> };
  readonly authority: Authority;
  readonly rules: Pick<MembershipRules, "admit" | "depart" | "mayPassOwnership">;
  readonly events: EventLog;
  readonly agenda: Agenda;
  readonly modules: Modules;
  readonly filters: Filters;
  readonly comments: RemovableComments;
  readonly clock: { now(): number };
  /** Of an active user; `undefined` when there is none. */
  readonly findPerson: (caller: Caller, endpoint: EndpointId) => Promise<Newcomer | undefined>;
  /** Somebody's right to write in rooms changed. */
  readonly onMute: (community: CommunityId, endpoint: EndpointId) => void;
}

export interface OfAction extends InCommunity {
  readonly action: string;
}
