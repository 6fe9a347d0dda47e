/**
 * What every act on the ledger has in common: whose community it is, which entry, and what a mute that ends takes along.
 *
 * Invariant: nothing here decides; what is read is read for the act that asks.
 */
import type { Caller } from "@althing/bus";
import { AppError, type CommunityId, type LedgerEntry } from "@althing/contract";
import type { Rec, Write } from "@althing/store";
import type { AgendaEntry } from "../../agenda.ts";
import type { EventDraft } from "../../events/index.ts";
import type { LedgerCollections } from "./ledger-collections.ts";
import type { CommentTarget, ModerationDeps } from "./moderation-deps.ts";

/** `body`: what a removed comment said. */
export type LedgerRow = LedgerEntry & { body?: string | undefined };
export const view = ({ body: _kept, ...entry }: LedgerRow): LedgerEntry => entry;

/** Whoever follows comments need not follow the ledger. */
export const tellOfComment = (
  topic: "comment.removed" | "comment.restored",
  { endpoint }: Caller,
  { proposal, comment }: CommentTarget,
): EventDraft => ({
  topic,
  actor: { kind: "member", endpoint },
  subject: `comment/${comment}`,
  summary: topic === "comment.removed" ? "A comment was removed" : "A comment is back",
  data: { proposal, comment },
});

export interface LedgerDesk extends LedgerCollections {
  readonly iso: (ms?: number) => string;
  readonly subject: (action: string) => string;
  readonly expiry: (community: CommunityId, entry: Pick<LedgerRow, "id" | "expiresAt">) => AgendaEntry;
  /** For who may see the community. @throws {community.not_found} */
  idOf(caller: Caller, ref: string): Promise<CommunityId>;
  /** @throws {community.not_found} */
  idWhoeverAsks(ref: string): Promise<CommunityId>;
  /** Who was removed still has something here; to anybody else there is no such community. @throws {community.not_found} */
  requireConcerned(community: CommunityId, ref: string, caller: Caller): Promise<void>;
  /** @throws {moderation.not_found} */
  entryOf(community: CommunityId, action: string): Promise<Rec<LedgerRow>>;
  /** The mute's own record, if it is this entry's. */
  unmute(community: CommunityId, entry: LedgerRow): Promise<Write[]>;
  ending(community: CommunityId, entry: Rec<LedgerRow>, change: Partial<LedgerRow>): Promise<Write[]>;
}

export function createLedgerDesk({ collections, authority, agenda, members, clock }: ModerationDeps): LedgerDesk {
  const { ledger, of, mutes } = collections;
  const iso = (ms = clock.now()) => new Date(ms).toISOString();
  const subject = (id: string) => `moderation/${id}`;
  const idOf = async (caller: Caller, ref: string) => (await authority.standing(caller, ref)).community.value.id;
  const expiry = (community: CommunityId, { id, expiresAt }: Pick<LedgerRow, "id" | "expiresAt">): AgendaEntry => ({
    ...{ atMs: Date.parse(expiresAt ?? ""), kind: "mute.expire", community, id },
  });

  async function idWhoeverAsks(ref: string): Promise<CommunityId> {
    const found = await authority.find(ref);
    if (found === undefined) throw new AppError("community.not_found", { community: ref });
    return found.value.id;
  }

  async function requireConcerned(community: CommunityId, ref: string, { endpoint }: Caller): Promise<void> {
    const isMember = (await members.get([community, endpoint])) !== undefined;
    if (isMember || (await of.list({ prefix: [community, endpoint], limit: 1 })).records.length > 0) return;
    throw new AppError("community.not_found", { community: ref });
  }

  async function entryOf(community: CommunityId, action: string): Promise<Rec<LedgerRow>> {
    const entry = await ledger.get([community, action]);
    if (entry === undefined) throw new AppError("moderation.not_found", { action });
    return entry;
  }

  async function unmute(community: CommunityId, { id, member }: LedgerRow): Promise<Write[]> {
    const mute = member === null ? undefined : await mutes.get([community, member]);
    return mute?.value.action === id ? [mutes.toDelete(mute.key, mute.revision)] : [];
  }

  async function ending(community: CommunityId, { value, revision }: Rec<LedgerRow>, change: Partial<LedgerRow>): Promise<Write[]> {
    return [
      ledger.toPut([community, value.id], { ...value, ...change }, revision),
      ...(await unmute(community, value)),
      agenda.toRemove(expiry(community, value)),
    ];
  }

  return { ...collections, iso, subject, expiry, idOf, idWhoeverAsks, requireConcerned, entryOf, unmute, ending };
}
