/**
 * Moderation: warnings, mutes, removals; the ledger of them; appeals.
 *
 * Invariant: an action, its effect, its entry in the ledger and its event are one batch, so there is no action that the ledger does not show. Nobody acts
 * against themselves or against who holds what they lack; an appeal is decided by somebody who neither acted nor appealed.
 * docs/architecture/moderation.md.
 */
import type { Caller } from "@althing/bus";
import { AppError, type CommunityId, type EndpointId, type LedgerEntry, type ModerateInput, type ModerationKind } from "@althing/contract";
import { beyondOwn } from "@althing/policy";
import type { Rec, Write } from "@althing/store";
import { monotonicFactory } from "ulid";
import type { AgendaEntry } from "../../agenda.ts";
import { withGuards, type Standing } from "../../authority.ts";
import type { MemberRow } from "../../collections.ts";
import type { EventDraft } from "../../events/index.ts";
import type { InCommunity } from "../../memberships/membership-deps.ts";
import { requireMembership } from "../../memberships/members.ts";
import { createAppeals, type Appeals } from "./appeals.ts";
import { createLedgerDesk, tellOfComment, view, type LedgerRow } from "./ledger-desk.ts";
import { ledgerDigest } from "./ledger-digest.ts";
import type { ModerationDeps, OfAction } from "./moderation-deps.ts";

interface Page {
  readonly before?: string | undefined;
  readonly limit: number;
}
export interface LedgerPage {
  readonly entries: LedgerEntry[];
  readonly next?: string;
}

export interface Moderation extends Appeals {
  /** @throws {community.not_found} {auth.forbidden} {module.disabled} */
  ledger(caller: Caller, input: InCommunity & Page): Promise<LedgerPage>;
  /** @throws {community.not_found} */
  mine(caller: Caller, input: InCommunity & Page): Promise<LedgerPage>;
  /** @throws {moderation.to_self} {moderation.beyond_own} {community.not_member} {community.last_owner} {comment.not_found} {filter.refused} */
  act(caller: Caller, input: InCommunity & ModerateInput): Promise<LedgerEntry>;
  /** @throws {moderation.not_found} {moderation.to_self} {moderation.not_standing} */
  lift(caller: Caller, input: OfAction & { readonly reason: string }): Promise<LedgerEntry>;
  /** Takes a person's name out of the ledger; repeated until nothing is left. */
  erase(community: CommunityId, endpoint: EndpointId): Promise<void>;
  /** Everything of a community that ends. */
  purge(community: CommunityId): Promise<void>;
}

const dayMs = 24 * 60 * 60_000;
const pageMax = 400;
const summaries: Readonly<Record<ModerationKind, string>> = {
  warning: "A member was warned",
  mute: "A member was muted",
  comment_removal: "A comment was removed",
  member_removal: "A member was removed",
};

interface Effect {
  readonly member: EndpointId | null;
  readonly writes: readonly Write[];
  readonly events?: readonly EventDraft[];
  readonly more?: Partial<LedgerRow>;
}

export function createModeration(deps: ModerationDeps): Moderation {
  const { authority, events, agenda, modules, clock, rules } = deps;
  const desk = createLedgerDesk(deps);
  const { ledger, of, mutes, iso, subject, expiry, idOf, idWhoeverAsks, requireConcerned, entryOf, ending } = desk;
  const nextUlid = monotonicFactory();

  /** @throws {moderation.to_self} {moderation.beyond_own} {auth.forbidden} an owner {community.not_member} */
  async function target({ community, permissions }: Standing, caller: Caller, endpoint: EndpointId): Promise<Rec<MemberRow>> {
    const { id } = community.value;
    if (endpoint === caller.endpoint) throw new AppError("moderation.to_self");
    const member = await deps.members.get([id, endpoint]);
    if (member === undefined) throw new AppError("community.not_member", { handle: endpoint });
    const lacked = beyondOwn(permissions, await authority.permissionsOfRoles(id, member.value.roles));
    if (lacked !== undefined) throw new AppError("moderation.beyond_own", { permission: lacked });
    // Who holds every permission is no owner by that, and takes ownership from nobody.
    if (member.value.roles.includes("owner"))
      await rules.mayPassOwnership(caller, { endpoint: caller.endpoint, permissions }, community.value);
    return member;
  }

  /** Of two mutes at a time the later one holds; the one before is shown as ended by it. */
  async function replaceMute(community: CommunityId, endpoint: EndpointId, by: EndpointId, id: string): Promise<Write[]> {
    const running = await mutes.get([community, endpoint]);
    const before = running && (await ledger.get([community, running.value.action]));
    if (before?.value.state !== "standing") return [];
    const lifted = { by, reason: `replaced by ${id}`, at: iso() };
    return [
      ledger.toPut(before.key, { ...before.value, state: "lifted", lifted }, before.revision),
      agenda.toRemove(expiry(community, before.value)),
    ];
  }

  async function effectOf(standing: Standing, caller: Caller, id: string, input: ModerateInput): Promise<Effect> {
    const community = standing.community.value.id;
    if (input.kind === "comment_removal") {
      const { author, body, writes } = await deps.comments.toRemove(community, input, input.reason);
      if (author === caller.endpoint) throw new AppError("moderation.to_self");
      const told = tellOfComment("comment.removed", caller, input);
      return { member: author, writes, events: [told], more: { target: { proposal: input.proposal, comment: input.comment }, body } };
    }
    const member = await target(standing, caller, input.member);
    if (input.kind === "warning") return { member: input.member, writes: [] };
    if (input.kind === "member_removal") {
      const writes = rules.depart(standing.community, input.member, member);
      const told: EventDraft = {
        topic: "member.removed",
        actor: { kind: "member", endpoint: caller.endpoint },
        subject: `community/${community}`,
        summary: "A member was removed",
        data: { member: input.member },
      };
      return { member: input.member, writes, events: [told] };
    }
    const expiresAt = iso(clock.now() + input.hours * 60 * 60_000);
    const writes = [
      ...(await replaceMute(community, input.member, caller.endpoint, id)),
      mutes.toPut([community, input.member], { until: expiresAt, action: id }),
      agenda.toAdd(expiry(community, { id, expiresAt })),
    ];
    return { member: input.member, writes, more: { expiresAt } };
  }

  async function act(caller: Caller, { community, ...wanted }: InCommunity & ModerateInput): Promise<LedgerEntry> {
    const id = (await authority.require(caller, community, "moderation.act")).community.value.id;
    const target = wanted.kind === "comment_removal" ? `${wanted.proposal}/${wanted.comment}` : wanted.member;
    const filtered = await deps.filters.run(id, "moderation.before_act", caller, { kind: wanted.kind, target, reason: wanted.reason });
    // A filter may find better words; whom it is against is the moderator's decision.
    const input: ModerateInput = { ...wanted, reason: filtered.reason };
    const entry = await events.act(id, async () => {
      const standing = await authority.require(caller, id, "moderation.act");
      requireMembership(standing);
      const { appealDays } = await modules.settings(id, "moderation");
      const action = nextUlid(clock.now());
      const { member, writes, events: effects = [], more } = await effectOf(standing, caller, action, input);
      const made = { id: action, kind: input.kind, reason: input.reason, at: iso(), ...more };
      const row: LedgerRow = {
        ...made,
        ...{ member, by: caller.endpoint, state: "standing", appealUntil: iso(clock.now() + appealDays * dayMs) },
        digest: await ledgerDigest(made),
      };
      const told: EventDraft = {
        topic: "moderation.acted",
        actor: { kind: "member", endpoint: caller.endpoint },
        subject: subject(action),
        summary: summaries[input.kind],
        data: { action, kind: input.kind, digest: row.digest, ...(member === null ? {} : { member }) },
      };
      return {
        writes: withGuards(standing, [
          ...writes,
          ledger.toPut([id, action], row, 0),
          of.toPut([id, caller.endpoint, action], { as: "by" }),
          ...(member === null || member === caller.endpoint ? [] : [of.toPut([id, member, action], { as: "member" })]),
        ]),
        events: [told, ...effects],
        result: view(row),
      };
    });
    if (entry.kind === "mute" && entry.member !== null) deps.onMute(id, entry.member);
    return entry;
  }

  async function expire(entry: AgendaEntry): Promise<void> {
    const { community, id } = entry;
    const endpoint = await events.act(community, async () => {
      const found = await ledger.get([community, id]);
      if (found?.value.state !== "standing") return { writes: [agenda.toRemove(entry)], events: [], result: null };
      return {
        writes: await ending(community, found, { state: "expired" }),
        events: [
          { topic: "moderation.lifted", actor: { kind: "system" }, subject: subject(id), summary: "A mute ended", data: { action: id } },
        ],
        result: found.value.member,
      };
    });
    if (endpoint !== null) deps.onMute(community, endpoint);
  }
  agenda.on("mute.expire", expire);

  async function pageOf(rows: readonly Rec<LedgerRow>[], limit: number): Promise<LedgerPage> {
    const entries = rows.slice(0, limit).map(({ value }) => view(value));
    const last = entries.at(-1);
    return { entries, ...(rows.length > limit && last !== undefined ? { next: last.id } : {}) };
  }

  return {
    ...createAppeals(deps, desk),
    act,
    async ledger(caller, { community, before, limit }) {
      const standing = await authority.standing(caller, community);
      requireMembership(standing);
      const { id } = standing.community.value;
      await modules.settings(id, "moderation");
      const page = await ledger.list({
        prefix: [id],
        limit: limit + 1,
        reverse: true,
        ...(before === undefined ? {} : { after: [id, before] }),
      });
      return pageOf(page.records, limit);
    },

    async mine(caller, { community, before, limit }) {
      const id = await idWhoeverAsks(community);
      await requireConcerned(id, community, caller);
      const prefix = [id, caller.endpoint] as const;
      const found: Rec<LedgerRow>[] = [];
      let after = before;
      // Their own acts stand in the same index and are passed over.
      while (found.length <= limit) {
        const page = await of.list({ prefix, limit: 200, reverse: true, ...(after === undefined ? {} : { after: [...prefix, after] }) });
        for (const { key, value } of page.records) {
          const entry = value.as === "member" ? await ledger.get([id, key[2] ?? ""]) : undefined;
          if (entry !== undefined) found.push(entry);
        }
        after = page.next?.[2];
        if (after === undefined) break;
      }
      return pageOf(found, limit);
    },

    async lift(caller, { community, action, reason }) {
      const id = await idOf(caller, community);
      const entry = await events.act(id, async () => {
        const standing = await authority.require(caller, id, "moderation.act");
        const found = await entryOf(id, action);
        const { kind, state, member } = found.value;
        if (member === caller.endpoint) throw new AppError("moderation.to_self");
        if (kind !== "mute" || state !== "standing") throw new AppError("moderation.not_standing", { kind, state });
        const change = { state: "lifted", lifted: { by: caller.endpoint, reason, at: iso() } } as const;
        return {
          writes: withGuards(standing, [...(await ending(id, found, change)), of.toPut([id, caller.endpoint, action], { as: "by" })]),
          events: [
            {
              topic: "moderation.lifted",
              actor: { kind: "member", endpoint: caller.endpoint },
              subject: subject(action),
              summary: "A mute was lifted",
              data: { action },
            },
          ],
          result: view({ ...found.value, ...change }),
        };
      });
      if (entry.member !== null) deps.onMute(id, entry.member);
      return entry;
    },

    async erase(community, endpoint) {
      for (;;) {
        const { records } = await of.list({ prefix: [community, endpoint], limit: 100 });
        if (records.length === 0) break;
        await events.act(community, async () => {
          const writes: Write[] = [];
          for (const { key } of records) {
            const found = await ledger.get([community, key[2] ?? ""]);
            writes.push(of.toDelete(key));
            if (found !== undefined) writes.push(ledger.toPut(found.key, without(found.value, endpoint), found.revision));
          }
          return { writes, events: [], result: undefined };
        });
      }
      await mutes.delete([community, endpoint]);
    },

    async purge(community) {
      for (const collection of [of, mutes, ledger])
        for (;;) {
          const { records } = await collection.list({ prefix: [community], limit: pageMax });
          if (records.length === 0) break;
          await deps.store.batch(records.map(({ key }) => collection.toDelete(key)));
        }
    },
  };
}

/** The entry without somebody's name; an open appeal of theirs ends with it. */
function without(entry: LedgerRow, endpoint: EndpointId): LedgerRow {
  const gone = (who: EndpointId | null) => (who === endpoint ? null : who);
  const { appeal, lifted, body, ...rest } = entry;
  const kept = entry.member === endpoint ? {} : { body };
  const decision = appeal?.decision === undefined ? {} : { decision: { ...appeal.decision, by: gone(appeal.decision.by) } };
  const text = entry.member === endpoint ? "" : appeal?.text;
  return {
    ...rest,
    ...kept,
    member: gone(entry.member),
    by: gone(entry.by),
    ...(lifted === undefined ? {} : { lifted: { ...lifted, by: gone(lifted.by) } }),
    ...(appeal === undefined || text === undefined ? {} : { appeal: { ...appeal, text, ...decision } }),
  };
}
