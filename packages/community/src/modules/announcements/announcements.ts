/**
 * Announcements: what is pinned for every member, and the digest of the week.
 *
 * Invariant: the digest is due each Monday 06:00 UTC while the module says so; whichever hub comes first makes it, in one batch with the next one's date, so
 * that a week has one digest or none. It counts public events and names nobody.
 */
import type { Caller } from "@althing/bus";
import {
  announcementSchema,
  AppError,
  limits,
  type Announcement,
  type CommunityId,
  type EndpointId,
  type EventRecord,
} from "@althing/contract";
import type { Rec, Store, Write } from "@althing/store";
import { monotonicFactory } from "ulid";
import { z } from "zod";
import type { Agenda, AgendaEntry } from "../../agenda.ts";
import { withGuards, type Authority } from "../../authority.ts";
import type { EventDraft, EventLog } from "../../events/index.ts";
import type { InCommunity } from "../../memberships/membership-deps.ts";
import { exportPageOf, type ExportSection } from "../../memberships/community-export.ts";
import { requireMembership } from "../../memberships/members.ts";
import type { Modules } from "../modules.ts";

export interface AnnouncementsDeps {
  readonly store: Store;
  readonly authority: Authority;
  readonly events: EventLog;
  readonly agenda: Agenda;
  readonly modules: Modules;
  readonly clock: { now(): number };
}

interface OfAnnouncement extends InCommunity {
  readonly announcement: string;
}

export interface Announcements {
  /** @throws {community.not_found} {auth.forbidden} {module.disabled} */
  list(
    caller: Caller,
    input: InCommunity & { readonly before?: string | undefined; readonly limit: number },
  ): Promise<{ announcements: Announcement[]; next?: string }>;
  /** @throws {community.not_found} {announcement.not_found} */
  one(caller: Caller, input: OfAnnouncement): Promise<Announcement>;
  /** @throws {auth.forbidden} {module.disabled} {announcement.too_many} */
  post(caller: Caller, input: InCommunity & { readonly text: string }): Promise<Announcement>;
  /** @throws {auth.forbidden} {announcement.not_found} {request.precondition_failed} */
  change(
    caller: Caller,
    input: OfAnnouncement & { readonly text: string },
    condition?: { readonly ifMatch?: number },
  ): Promise<Announcement>;
  /** @throws {auth.forbidden} {announcement.not_found} */
  remove(caller: Caller, input: OfAnnouncement): Promise<void>;
  erase(community: CommunityId, endpoint: EndpointId): Promise<void>;
  purge(community: CommunityId): Promise<void>;
  /** For the export of a community. */
  readonly section: ExportSection;
}

const rowSchema = announcementSchema.omit({ revision: true });
type Row = z.infer<typeof rowSchema>;

const weekMs = 7 * 24 * 60 * 60_000;
/** Monday 5 January 1970, 06:00 UTC. */
const firstMondayMs = Date.UTC(1970, 0, 5, 6);
const nextMonday = (ms: number): number => firstMondayMs + (Math.floor((ms - firstMondayMs) / weekMs) + 1) * weekMs;
const digestEventsMax = 100_000;

/** What a digest counts, in the order of the text. */
const counted: readonly (readonly [topic: string, one: string, many: string])[] = [
  ["member.joined", "new member", "new members"],
  ["proposal.discussion_opened", "proposal up for discussion", "proposals up for discussion"],
  ["proposal.voting_opened", "vote opened", "votes opened"],
  ["proposal.decided", "proposal decided", "proposals decided"],
  ["comment.created", "comment", "comments"],
  ["room.created", "new room", "new rooms"],
  ["moderation.acted", "moderation action", "moderation actions"],
  ["package.activated", "package activated", "packages activated"],
];

export function createAnnouncements(deps: AnnouncementsDeps): Announcements {
  const { store, authority, events, agenda, modules, clock } = deps;
  /** `announcements/<community>/<id>`. */
  const rows = store.collection({ name: "announcements", schema: rowSchema });
  /** `announcement-digests/<community>`: the week that has its digest. */
  const digests = store.collection({ name: "announcement-digests", schema: z.strictObject({ madeMs: z.int() }) });
  const nextUlid = monotonicFactory();
  const iso = () => new Date(clock.now()).toISOString();
  const idOf = async (caller: Caller, ref: string) => (await authority.standing(caller, ref)).community.value.id;
  const tell = (
    topic: "announcement.posted" | "announcement.changed" | "announcement.removed",
    caller: Caller,
    id: string,
  ): EventDraft => ({
    topic,
    actor: { kind: "member", endpoint: caller.endpoint },
    subject: `announcement/${id}`,
    summary: {
      "announcement.posted": "An announcement",
      "announcement.changed": "An announcement was edited",
      "announcement.removed": "An announcement was taken down",
    }[topic],
    data: { announcement: id },
  });

  /** @throws {announcement.not_found} */
  async function find(community: CommunityId, id: string): Promise<Rec<Row>> {
    const row = await rows.get([community, id]);
    if (row === undefined) throw new AppError("announcement.not_found", { announcement: id });
    return row;
  }

  async function manage(caller: Caller, community: CommunityId) {
    const standing = await authority.require(caller, community, "community.manage");
    await modules.settings(community, "announcements");
    return standing;
  }

  const shown = async (community: CommunityId, id: string): Promise<Announcement> => {
    const { value, revision } = await find(community, id);
    return { ...value, revision };
  };

  modules.onChange("announcements", (community, { enabled, settings }) => {
    const wants = enabled && settings.weeklyDigest;
    const entry = digestEntry(community, nextMonday(clock.now()));
    return [wants ? agenda.toAdd(entry) : agenda.toRemove(entry)];
  });

  async function eventsOfWeek(community: CommunityId, sinceMs: number): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    const { index: newest } = await events.head(community);
    // From the newest back, so that a long log is not read from its beginning.
    for (let at = newest; at > Math.max(0, newest - digestEventsMax); at -= 500) {
      const from = Math.max(0, at - 500);
      const page: readonly EventRecord[] = await events.read(community, from, at - from);
      const recent = page.filter(({ time }) => Date.parse(time) >= sinceMs);
      for (const { topic } of recent) counts.set(topic, (counts.get(topic) ?? 0) + 1);
      if (recent.length < page.length) break;
    }
    return counts;
  }

  async function digest(entry: AgendaEntry): Promise<void> {
    const { community, atMs } = entry;
    const counts = await eventsOfWeek(community, atMs - weekMs);
    await events.act(community, async () => {
      const isGone = (await authority.find(community)) === undefined;
      const settings = isGone ? undefined : await modules.settingsIfEnabled(community, "announcements");
      const before = await digests.get([community]);
      const isMade = before !== undefined && before.value.madeMs >= atMs;
      if (settings?.weeklyDigest !== true || isMade) return { writes: [agenda.toRemove(entry)], events: [], result: undefined };
      const id = nextUlid(clock.now());
      const row: Row = { id, text: digestText(counts), author: null, kind: "digest", at: iso() };
      const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
      return {
        writes: [
          agenda.toRemove(entry),
          agenda.toAdd(digestEntry(community, nextMonday(clock.now()))),
          digests.toPut([community], { madeMs: atMs }, before?.revision ?? 0),
          ...(await makeRoom(community)),
          rows.toPut([community, id], row, 0),
        ],
        events: [
          {
            topic: "announcement.digest",
            actor: { kind: "system" },
            subject: `announcement/${id}`,
            summary: "The digest of the week",
            data: { announcement: id, events: total },
          },
        ],
        result: undefined,
      };
    });
  }
  agenda.on("announcement.digest", digest);

  /** A digest never fails for want of room: the oldest digest makes it. */
  async function makeRoom(community: CommunityId): Promise<Write[]> {
    const { records } = await rows.list({ prefix: [community], limit: limits.announcementsMax });
    if (records.length < limits.announcementsMax) return [];
    const oldest = records.find(({ value }) => value.kind === "digest") ?? records[0];
    return oldest === undefined ? [] : [rows.toDelete(oldest.key)];
  }

  return {
    section: { name: "announcements", read: (...page) => exportPageOf(rows, page, (_key, value) => value) },

    async list(caller, { community, before, limit }) {
      const standing = await authority.standing(caller, community);
      requireMembership(standing);
      const { id } = standing.community.value;
      await modules.settings(id, "announcements");
      const page = await rows.list({ prefix: [id], limit, reverse: true, ...(before === undefined ? {} : { after: [id, before] }) });
      const announcements = page.records.map(({ value, revision }) => ({ ...value, revision }));
      const last = announcements.at(-1)?.id;
      return { announcements, ...(page.next === undefined || last === undefined ? {} : { next: last }) };
    },

    async one(caller, { community, announcement }) {
      const standing = await authority.standing(caller, community);
      requireMembership(standing);
      return shown(standing.community.value.id, announcement);
    },

    async post(caller, { community, text }) {
      const id = await idOf(caller, community);
      const made = await events.act(id, async () => {
        const standing = await manage(caller, id);
        const { records } = await rows.list({ prefix: [id], limit: limits.announcementsMax });
        if (records.length >= limits.announcementsMax) throw new AppError("announcement.too_many", { limit: limits.announcementsMax });
        const announcement = nextUlid(clock.now());
        const row: Row = { id: announcement, text, author: caller.endpoint, kind: "post", at: iso() };
        return {
          writes: withGuards(standing, [rows.toPut([id, announcement], row, 0)]),
          events: [tell("announcement.posted", caller, announcement)],
          result: announcement,
        };
      });
      return shown(id, made);
    },

    async change(caller, { community, announcement, text }, { ifMatch } = {}) {
      const id = await idOf(caller, community);
      await events.act(id, async () => {
        const standing = await manage(caller, id);
        const { value, revision } = await find(id, announcement);
        if (ifMatch !== undefined && ifMatch !== revision)
          throw new AppError("request.precondition_failed", { expected: ifMatch, observed: revision });
        return {
          writes: withGuards(standing, [rows.toPut([id, announcement], { ...value, text, changedAt: iso() }, revision)]),
          events: [tell("announcement.changed", caller, announcement)],
          result: undefined,
        };
      });
      return shown(id, announcement);
    },

    async remove(caller, { community, announcement }) {
      const id = await idOf(caller, community);
      await events.act(id, async () => {
        const standing = await manage(caller, id);
        const { revision } = await find(id, announcement);
        return {
          writes: withGuards(standing, [rows.toDelete([id, announcement], revision)]),
          events: [tell("announcement.removed", caller, announcement)],
          result: undefined,
        };
      });
    },

    async erase(community, endpoint) {
      await events.act(community, async () => {
        const { records } = await rows.list({ prefix: [community], limit: limits.announcementsMax });
        const theirs = records.filter(({ value }) => value.author === endpoint);
        return {
          writes: theirs.map(({ key, value, revision }) => rows.toPut(key, { ...value, author: null }, revision)),
          events: [],
          result: undefined,
        };
      });
    },

    async purge(community) {
      const { records } = await rows.list({ prefix: [community], limit: limits.announcementsMax });
      await store.batch([digests.toDelete([community]), ...records.map(({ key }) => rows.toDelete(key))]);
    },
  };
}

const digestEntry = (community: CommunityId, atMs: number): AgendaEntry => ({ atMs, kind: "announcement.digest", community, id: "week" });

function digestText(counts: ReadonlyMap<string, number>): string {
  const lines = counted.flatMap(([topic, one, many]) => {
    const count = counts.get(topic) ?? 0;
    return count === 0 ? [] : [`- ${count} ${count === 1 ? one : many}`];
  });
  return ["The week in this community:", "", ...(lines.length === 0 ? ["- a quiet week"] : lines)].join("\n");
}
