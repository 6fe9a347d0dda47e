/**
 * Communities: founding, showing, settings, closing.
 *
 * Invariant: who founds is decided by the instance's mode; one person's foundings follow one another, so their number holds. A community and its first
 * events come to be in one batch.
 */
import type { Caller } from "@althing/bus";
import {
  AppError,
  communityIdSchema,
  hasCode,
  type Community,
  type CommunityId,
  type CommunityName,
  type Registration,
} from "@althing/contract";
import { authorizeFounding, authorizeInstance, beyondOwn, defaultRolePermissions } from "@althing/policy";
import type { Write } from "@althing/store";
import { ulid } from "ulid";
import { shownPermissions, withGuards, type Standing } from "./authority.ts";
import type { CommunityRow } from "./collections.ts";
import { closeCommunity, type Closing } from "./memberships/close-community.ts";
import { createMembers, type Members } from "./memberships/members.ts";
import { isoTime, type ActDeps, type InCommunity } from "./memberships/membership-deps.ts";
import type { MembershipRules, Newcomer } from "./memberships/membership-rules.ts";

interface Named {
  readonly name: CommunityName;
  readonly displayName?: string | undefined;
}
interface Change {
  readonly displayName?: string | undefined;
  readonly description?: string | undefined;
  /** null: as the instance says. */
  readonly registration?: Registration | null | undefined;
}

export interface Communities extends Members {
  /** @throws {auth.forbidden} {community.approval_required} {community.single} {community.name_taken} {community.too_many} */
  create(caller: Caller, input: Named): Promise<Community>;
  /**
   * Whoever decides it. @param more writes of the same batch, made of what is read for it
   * @throws {community.single} {community.name_taken} {community.too_many}
   */
  found(founder: Newcomer, input: Named, more?: () => Promise<readonly Write[]>): Promise<CommunityId>;
  list(
    caller: Caller,
    input: { readonly after?: CommunityId | undefined; readonly limit: number },
  ): Promise<{ communities: Community[]; next?: CommunityId }>;
  /** @throws {community.not_found} */
  get(caller: Caller, input: InCommunity): Promise<Community>;
  /** @throws {auth.forbidden} {request.precondition_failed} {community.role_beyond_own} opening it would give what one lacks */
  change(caller: Caller, input: InCommunity & Change, condition?: { readonly ifMatch?: number }): Promise<Community>;
  /** Ends it with everything it has; resumed by asking again. @throws {auth.forbidden} {community.not_empty} */
  delete(caller: Caller, input: InCommunity): Promise<void>;
}

export interface CommunitiesDeps extends ActDeps, Closing {
  readonly rules: MembershipRules;
}

export function createCommunities(deps: CommunitiesDeps): Communities {
  const { collections, authority, events, clock, limits, platform } = deps;

  async function foundedBy({ endpoint }: Newcomer): Promise<number> {
    let count = 0;
    let after: readonly [string, ...string[]] | undefined;
    do {
      const page = await collections.ofMember.list({ prefix: [endpoint], limit: 1_000, ...(after === undefined ? {} : { after }) });
      count += page.records.filter(({ value }) => value.founded).length;
      after = page.next;
    } while (after !== undefined);
    return count;
  }

  /** On an instance of one community, the place that it takes. @throws {community.single} */
  async function onlyPlace(id: CommunityId): Promise<Write[]> {
    if (platform.communityMode === "multi_community") return [];
    const { records } = await collections.communities.list({ limit: 1 });
    if (records.length > 0) throw new AppError("community.single");
    return [collections.single.toPut(["instance"], { community: id }, (await collections.single.get(["instance"]))?.revision ?? 0)];
  }

  function viewOf({ community, member, permissions }: Standing): Community {
    const { id, name, displayName, description = "", members, createdAt, registration = platform.registration } = community.value;
    return {
      ...{ id, name, displayName, description, members, createdAt, registration },
      ...(member === undefined ? {} : { roles: member.value.roles }),
      permissions: shownPermissions(permissions),
      revision: community.revision,
    };
  }

  async function found(founder: Newcomer, { name, displayName }: Named, more: () => Promise<readonly Write[]>): Promise<CommunityId> {
    const id = communityIdSchema.parse(ulid(clock.now()));
    const { endpoint, handle, signPub } = founder;
    return events.act(id, async () => {
      const turn = await collections.founders.get([endpoint]);
      if ((await foundedBy(founder)) >= limits.communitiesPerUserMax)
        throw new AppError("community.too_many", { limit: limits.communitiesPerUserMax });
      const place = await onlyPlace(id);
      if (await collections.names.get([name])) throw new AppError("community.name_taken", { name });
      const at = isoTime(clock.now());
      const row: CommunityRow = {
        ...{ id, name, displayName: displayName ?? name, createdBy: endpoint, createdAt: at },
        ...{ members: 1, owners: [endpoint] },
      };
      const actor = { kind: "member", endpoint } as const;
      const subject = `community/${id}`;
      return {
        writes: [
          ...place,
          ...(await more()),
          collections.founders.toPut([endpoint], {}, turn?.revision ?? 0),
          collections.names.toPut([name], { community: id }, 0),
          collections.communities.toPut([id], row, 0),
          collections.members.toPut([id, endpoint], { handle, signPub, roles: ["owner"], since: at }, 0),
          collections.ofMember.toPut([endpoint, id], { founded: true }, 0),
          ...Object.entries(defaultRolePermissions).map(([role, permissions]) =>
            collections.roles.toPut([id, role], { permissions: [...permissions] }, 0),
          ),
        ],
        events: [
          { topic: "community.founded", actor, subject, summary: `The community ${name} was founded`, data: { name } },
          {
            ...{ topic: "member.joined", actor, subject, summary: "Somebody became a member" },
            data: { member: endpoint, roles: ["owner"], by: "founding" },
          },
        ],
        result: id,
      };
    });
  }

  return {
    ...createMembers(deps, deps.rules),
    found: (founder, input, more = () => Promise.resolve([])) => found(founder, input, more),

    async create(caller, input) {
      const decision = authorizeFounding(caller.role, platform.platformMode);
      if (decision.onRequest) throw new AppError("community.approval_required");
      if (!decision.allowed) throw new AppError("auth.forbidden", { permission: "communities.create", who: decision.who });
      const id = await found(caller, input, () => Promise.resolve([]));
      return viewOf(await authority.standing(caller, id));
    },

    async list(caller, { after, limit }) {
      const seesAll = authorizeInstance(caller.role, "active", "plugin_policy.manage").allowed;
      const page = seesAll
        ? await collections.communities.list({ limit, ...(after === undefined ? {} : { after: [after] }) })
        : await collections.ofMember.list({
            prefix: [caller.endpoint],
            limit,
            ...(after === undefined ? {} : { after: [caller.endpoint, after] }),
          });
      const communities: Community[] = [];
      for (const { key } of page.records) {
        const standing = await authority.standing(caller, key.at(-1) ?? "").catch(unlessGone);
        if (standing !== undefined) communities.push(viewOf(standing));
      }
      const next = communityIdSchema.safeParse(page.next?.at(-1));
      return { communities, ...(next.success ? { next: next.data } : {}) };
    },

    async get(caller, { community }) {
      return viewOf(await authority.standing(caller, community));
    },

    async change(caller, { community, ...change }, { ifMatch } = {}) {
      const { id } = (await authority.require(caller, community, "community.manage")).community.value;
      await events.act(id, async () => {
        const standing = await authority.require(caller, id, "community.manage");
        const { value: before, revision } = standing.community;
        if (ifMatch !== undefined && ifMatch !== revision)
          throw new AppError("request.precondition_failed", { expected: ifMatch, observed: revision });
        const { next, fields } = changed(before, change);
        if (fields.length === 0) return { writes: [], events: [], result: undefined };
        // Also what the instance says opens it.
        const opens = fields.includes("registration") && (next.registration ?? platform.registration) === "open";
        if (opens) await mayOpen(standing);
        return {
          writes: withGuards(standing, [collections.communities.toPut([id], next, revision)]),
          events: [
            {
              topic: "community.changed",
              actor: { kind: "member", endpoint: caller.endpoint },
              subject: `community/${id}`,
              summary: "Settings of the community changed",
              data: { fields },
            },
          ],
          result: undefined,
        };
      });
      return viewOf(await authority.standing(caller, id));
    },

    delete: (caller, { community }) => closeCommunity(deps, caller, community),
  };

  /** Opening gives the role `member` to whoever comes. @throws {community.role_beyond_own} */
  async function mayOpen({ community, permissions }: Standing): Promise<void> {
    const lacked = beyondOwn(permissions, await authority.permissionsOfRoles(community.value.id, ["member"]));
    if (lacked !== undefined) throw new AppError("community.role_beyond_own", { role: "member", permission: lacked });
  }
}

/** One that ended between the page and this look. */
function unlessGone(error: unknown): undefined {
  if (!hasCode(error, "community.not_found")) throw error;
}

function changed(before: CommunityRow, { displayName, description, registration }: Change) {
  const { registration: own, ...rest } = before;
  const mode = registration === undefined ? own : (registration ?? undefined);
  const next: CommunityRow = {
    ...rest,
    ...(displayName === undefined ? {} : { displayName }),
    ...(description === undefined ? {} : { description }),
    ...(mode === undefined ? {} : { registration: mode }),
  };
  const fields = (["displayName", "description", "registration"] as const).filter((field) => (before[field] ?? "") !== (next[field] ?? ""));
  return { next, fields };
}
