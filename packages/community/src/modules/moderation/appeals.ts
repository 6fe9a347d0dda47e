/**
 * Appeals: made by whom an action concerns, decided by somebody else, and what an action that is overturned leaves undone.
 *
 * Invariant: an appeal is made once and decided once; an action is undone in the batch of the decision. It works with the module off: nobody gets rid of appeals
 * by switching it off.
 */
import type { Caller } from "@althing/bus";
import { AppError, type CommunityId, type EndpointId, type LedgerEntry } from "@althing/contract";
import type { Rec, Write } from "@althing/store";
import { withGuards, type Standing } from "../../authority.ts";
import type { CommunityRow } from "../../collections.ts";
import type { EventDraft } from "../../events/index.ts";
import { requireMembership } from "../../memberships/members.ts";
import { tellOfComment, view, type LedgerDesk, type LedgerRow } from "./ledger-desk.ts";
import type { ModerationDeps, OfAction } from "./moderation-deps.ts";

export interface Appeals {
  /** @throws {moderation.not_found} {moderation.appealed} {moderation.appeal_late} */
  appeal(caller: Caller, input: OfAction & { readonly text: string }): Promise<LedgerEntry>;
  /** @throws {moderation.not_found} {moderation.no_appeal} {moderation.own_decision} */
  decide(caller: Caller, input: OfAction & { readonly upheld: boolean; readonly reason: string }): Promise<LedgerEntry>;
}

interface Undone {
  readonly writes: readonly Write[];
  readonly events: readonly EventDraft[];
}
const nothing: Undone = { writes: [], events: [] };
const pageMax = 400;

export function createAppeals(deps: ModerationDeps, desk: LedgerDesk): Appeals {
  const { authority, events, agenda, clock, rules } = deps;
  const { ledger, of, iso, subject, expiry, idOf, idWhoeverAsks, requireConcerned, entryOf, unmute } = desk;

  /** What undoes an action when an appeal succeeds. */
  async function undo(standing: Standing, caller: Caller, entry: LedgerRow): Promise<Undone> {
    const { id } = standing.community.value;
    if (entry.kind === "mute" && entry.state === "standing")
      return { writes: [...(await unmute(id, entry)), agenda.toRemove(expiry(id, entry))], events: [] };
    if (entry.kind === "comment_removal" && entry.target !== undefined) {
      const writes = await deps.comments.toRestore(id, entry.target, entry.body ?? "");
      return writes.length === 0 ? nothing : { writes, events: [tellOfComment("comment.restored", caller, entry.target)] };
    }
    const { kind, member } = entry;
    const isHere = member !== null && (await deps.members.get([id, member])) !== undefined;
    if (kind !== "member_removal" || member === null || isHere || (await isRemovedSince(id, member, entry.id))) return nothing;
    return restoreMember(standing.community, caller, member);
  }

  /** Does a removal stand that came later? */
  async function isRemovedSince(community: CommunityId, member: EndpointId, action: string): Promise<boolean> {
    const prefix = [community, member] as const;
    let after: string | undefined = action;
    while (after !== undefined) {
      const page = await of.list({ prefix, limit: pageMax, after: [...prefix, after] });
      for (const { key, value } of page.records) {
        const later = value.as === "member" ? (await ledger.get([community, key[2] ?? ""]))?.value : undefined;
        if (later?.kind === "member_removal" && later.state === "standing") return true;
      }
      after = page.next?.[2];
    }
    return false;
  }

  /** They come back as a plain member: roles that give power over others are given by those who may give them. */
  async function restoreMember(community: Rec<CommunityRow>, caller: Caller, endpoint: EndpointId) {
    const newcomer = await deps.findPerson(caller, endpoint);
    if (newcomer === undefined) return nothing;
    const actor = { kind: "member", endpoint: caller.endpoint } as const;
    const { writes, events: told } = await rules.admit(community, { newcomer, roles: ["member"], by: "approval", actor });
    return { writes, events: told };
  }

  return {
    async appeal(caller, { community, action, text }) {
      const id = await idWhoeverAsks(community);
      return events.act(id, async () => {
        // Also where the module is off: nobody gets rid of appeals by switching it off.
        await requireConcerned(id, community, caller);
        const { value, revision } = await entryOf(id, action);
        // Whom it does not concern learns nothing of it here.
        if (value.member !== caller.endpoint) throw new AppError("moderation.not_found", { action });
        if (value.appeal !== undefined) throw new AppError("moderation.appealed");
        if (clock.now() > Date.parse(value.appealUntil)) throw new AppError("moderation.appeal_late", { until: value.appealUntil });
        const row: LedgerRow = { ...value, appeal: { text, at: iso() } };
        return {
          writes: [ledger.toPut([id, action], row, revision)],
          events: [
            {
              topic: "moderation.appealed",
              actor: { kind: "member", endpoint: caller.endpoint },
              subject: subject(action),
              summary: "An action was appealed",
              data: { action },
            },
          ],
          result: view(row),
        };
      });
    },

    async decide(caller, { community, action, upheld, reason }) {
      const id = await idOf(caller, community);
      const entry = await events.act(id, async () => {
        const standing = await authority.require(caller, id, "moderation.review");
        requireMembership(standing);
        const { value, revision } = await entryOf(id, action);
        if (value.appeal === undefined || value.appeal.decision !== undefined) throw new AppError("moderation.no_appeal");
        if (value.by === caller.endpoint || value.member === caller.endpoint) throw new AppError("moderation.own_decision");
        const undone = upheld ? nothing : await undo(standing, caller, value);
        const row: LedgerRow = {
          ...value,
          state: upheld ? value.state : "overturned",
          appeal: { ...value.appeal, decision: { upheld, reason, by: caller.endpoint, at: iso() } },
        };
        return {
          writes: withGuards(standing, [
            ledger.toPut([id, action], row, revision),
            of.toPut([id, caller.endpoint, action], { as: "decider" }),
            ...undone.writes,
          ]),
          events: [
            {
              topic: "moderation.appeal_decided",
              actor: { kind: "member", endpoint: caller.endpoint },
              subject: subject(action),
              summary: upheld ? "An action stands after an appeal" : "An action was overturned",
              data: { action, upheld },
            },
            ...undone.events,
          ],
          result: view(row),
        };
      });
      if (entry.kind === "mute" && !upheld && entry.member !== null) deps.onMute(id, entry.member);
      return entry;
    },
  };
}
