/**
 * The community plane: everything of communities, built of what comes from outside.
 *
 * Invariant: the one place that says in which order the parts are made; each takes the faces it needs and nothing else.
 */
import type { CommunityRooms } from "@althing/bus";
import type { CommunityId, EndpointId } from "@althing/contract";
import type { Key } from "@althing/store";
import { createAgenda, type Agenda } from "./agenda.ts";
import { createAuthority, type Authority } from "./authority.ts";
import type { CommunityDeps } from "./community-deps.ts";
import { createEventLog, createEventReader, type EventLog, type EventReader } from "./events/index.ts";
import type { Filters } from "./hooks/filters.ts";
import { createMemberships, type Memberships } from "./memberships/index.ts";
import { createHooks, noExtensions, type HookHost, type Hooks } from "./hooks/index.ts";
import { createJobs, noPackages, type JobHost, type Jobs, type JobTimes } from "./hooks/jobs/index.ts";
import { openMembershipCollections } from "./memberships/membership-collections.ts";
import { createMembershipRules, isActiveUser } from "./memberships/membership-rules.ts";
import { createAnnouncements, type Announcements } from "./modules/announcements/announcements.ts";
import { openLedgerCollections } from "./modules/moderation/ledger-collections.ts";
import { moderationSections } from "./modules/moderation/moderation-export.ts";
import { createModeration, type Moderation } from "./modules/moderation/moderation.ts";
import { createMutes, type Mutes } from "./modules/moderation/mutes.ts";
import { createDelegations, type Delegations } from "./modules/delegation/index.ts";
import { createModules, type Modules } from "./modules/modules.ts";
import { createVotes, type Votes } from "./modules/votes/index.ts";
import { createCommunityRooms } from "./rooms/index.ts";
import { createProposals, proposalSections, type Proposals } from "./modules/proposals/index.ts";
import { createModeratedComments } from "./modules/proposals/moderated-comments.ts";

export interface CommunityPlane extends Memberships {
  readonly authority: Authority;
  readonly events: EventLog;
  readonly eventReader: EventReader;
  readonly agenda: Agenda;
  readonly modules: Modules;
  readonly delegations: Delegations;
  readonly proposals: Proposals;
  readonly votes: Votes;
  readonly mutes: Mutes;
  /** What the bus asks about rooms of communities. */
  readonly rooms: CommunityRooms;
  readonly moderation: Moderation;
  readonly announcements: Announcements;
  readonly hooks: Hooks;
  readonly jobs: Jobs;
  /** Begins what is due: votes that end, mutes that expire, jobs. For whoever keeps the time; never throws, and is not called again before it resolved. */
  tick(): Promise<void>;
  /** Resolves when nothing runs any more. */
  stop(): Promise<void>;
}

export interface CommunityPlaneDeps extends CommunityDeps {
  /** Somebody's right to write in a community's rooms changed. */
  readonly onMute?: (community: CommunityId, endpoint: EndpointId) => void;
  /** In place of the extensions'. */
  readonly filters?: Filters;
  /** As in `EventLogDeps`. */
  readonly onDecided?: (answer: unknown) => void;
  /** Who runs extensions; absent: nobody. */
  readonly hookHost?: HookHost;
  /** Whose jobs run, on which hub; absent: nobody's. */
  readonly jobs?: {
    readonly host: JobHost;
    readonly node: string;
    readonly monotonicMs?: () => number;
    readonly times?: Partial<JobTimes>;
  };
  readonly log: (level: "info" | "warn" | "error", event: string, fields: Readonly<Record<string, string | number | boolean>>) => void;
}

export function createCommunityPlane(deps: CommunityPlaneDeps): CommunityPlane {
  const { store, clock, log } = deps;
  const events = createEventLog({ store, clock, onDecided: deps.onDecided });
  const agenda = createAgenda({
    store,
    clock,
    onFailure: ({ kind, community, id }, error) =>
      log("error", "what is due could not be done", {
        kind,
        community,
        id,
        detail: error instanceof Error ? error.message : String(error),
      }),
    onUnreadable: (detail) => log("error", "the agenda cannot be read", { detail }),
  });
  const authority = createAuthority(deps);
  const hooks = createHooks({ store, clock, events, authority, log, host: deps.hookHost ?? noExtensions, node: deps.jobs?.node });
  const filters = deps.filters ?? hooks.filters;
  const jobs = createJobs({
    store,
    clock,
    authority,
    log,
    communities: () => everyCommunity(deps),
    host: noPackages,
    node: "",
    ...deps.jobs,
  });
  const eventReader = createEventReader({ events, authority });
  const modules = createModules({ store, authority, events });
  const mutes = createMutes({ store, clock });
  const rooms = createCommunityRooms({ authority, collections: deps.collections, events, filters, mutes });
  const memberships = createMemberships({ ...deps, authority, events, agenda, modules, filters });
  memberships.closers.push((community) => jobs.purge(community));
  const { members } = deps.collections;
  const delegations = createDelegations({ store, clock, members, authority, events, modules, findUser: deps.findUser });
  const votes = createVotes({ store, clock, members, authority, events, agenda, modules, filters, delegations });
  memberships.erasers.push(
    (...of) => votes.forget.erase(...of),
    (...of) => delegations.erase(...of),
  );
  memberships.closers.push(
    (community) => votes.forget.purge(community),
    (community) => delegations.purge(community),
  );
  const proposals = createProposals({ store, clock, authority, events, agenda, modules, filters, restrictions: mutes, ballots: votes.box });
  memberships.erasers.push((...of) => proposals.erase(...of));
  memberships.closers.push((community) => proposals.purge(community));
  memberships.exportSections.push(...proposalSections(store), ...moderationSections(store));
  const moderation = createModeration({
    ...{ store, authority, events, agenda, modules, filters, clock, members },
    collections: openLedgerCollections(store),
    rules: createMembershipRules({ ...deps, authority, events, memberships: openMembershipCollections(store) }),
    comments: createModeratedComments({ store, clock }),
    findPerson: async (caller, endpoint) => ((await isActiveUser(deps, caller, endpoint)) ? deps.findUser(caller, endpoint) : undefined),
    onMute: deps.onMute ?? (() => undefined),
  });
  const announcements = createAnnouncements({ store, authority, events, agenda, modules, clock });
  memberships.exportSections.push(announcements.section);
  memberships.closers.push(
    (community) => modules.purge(community),
    (community) => hooks.purgeAll(community),
  );
  agenda.on("community.purge", async (entry) => {
    await events.purge(entry.community);
    await store.batch([agenda.toRemove(entry)]);
  });
  for (const { erase, purge } of [moderation, announcements]) {
    memberships.erasers.push(erase);
    memberships.closers.push(purge);
  }
  return {
    ...memberships,
    delegations,
    proposals,
    votes,
    mutes,
    rooms,
    moderation,
    announcements,
    authority,
    events,
    eventReader,
    agenda,
    modules,
    hooks,
    jobs,
    async tick() {
      await Promise.all([agenda.tick(), jobs.tick()]);
    },
    stop: () => jobs.stop(),
  };
}

async function* everyCommunity({ collections }: Pick<CommunityDeps, "collections">): AsyncGenerator<CommunityId> {
  let after: Key | undefined;
  do {
    const page = await collections.communities.list({ limit: 500, ...(after === undefined ? {} : { after }) });
    for (const { value } of page.records) yield value.id;
    after = page.next;
  } while (after !== undefined);
}
