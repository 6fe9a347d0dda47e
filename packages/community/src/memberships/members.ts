/**
 * The members of a community: shown, brought in, given roles, removed; leaving.
 *
 * Invariant: each change is decided on rows that were read for it and is written with the event that tells of it, or not at all.
 */
import type { Caller } from "@althing/bus";
import {
  AppError,
  endpointIdSchema,
  memberWith,
  type CommunityId,
  type CommunityMember,
  type EndpointId,
  type Handle,
} from "@althing/contract";
import { withGuards, type Standing } from "../authority.ts";
import type { MemberRow } from "../collections.ts";
import { matcherOf, searchPage } from "../search.ts";
import type { ActDeps, InCommunity } from "./membership-deps.ts";
import { memberView, type MembershipRules } from "./membership-rules.ts";

interface OfMember extends InCommunity {
  readonly endpoint: EndpointId;
}

export interface Members {
  /** For members. @throws {community.not_found} {auth.forbidden} */
  members(
    caller: Caller,
    input: InCommunity & { readonly q?: string | undefined; readonly after?: EndpointId | undefined; readonly limit: number },
  ): Promise<{ members: CommunityMember[]; next?: EndpointId }>;
  /** Members whoever asks; for extensions that were granted it. */
  listFor(
    community: CommunityId,
    page: { readonly after?: string; readonly limit: number },
  ): Promise<{ members: { id: string; handle: string; roles: readonly string[]; since: string }[]; next?: string }>;
  /** @throws {user.not_found} {community.already_member} {community.full} {community.role_beyond_own} {role.not_found} {erasure.running} */
  addMember(
    caller: Caller,
    input: InCommunity & { readonly identity: EndpointId | Handle; readonly roles: readonly string[] },
  ): Promise<CommunityMember>;
  /** @throws {community.not_member} {community.last_owner} {community.role_beyond_own} {role.not_found} */
  setRoles(caller: Caller, input: OfMember & { readonly roles: readonly string[] }): Promise<CommunityMember>;
  /** Removes another or oneself. @throws {community.not_member} {community.last_owner} {community.role_beyond_own} */
  removeMember(caller: Caller, input: OfMember): Promise<void>;
}

/** What every member sees of the others is for members; an admin of the instance is none by that. @throws {auth.forbidden} */
export function requireMembership({ member }: Standing): void {
  if (member === undefined)
    throw new AppError("auth.forbidden", { permission: "membership of this community", who: memberWith("members.invite") });
}

export function createMembers(deps: ActDeps, rules: MembershipRules): Members {
  const { collections, authority, events } = deps;

  async function memberOf(standing: Standing, endpoint: EndpointId) {
    const member = await collections.members.get([standing.community.value.id, endpoint]);
    if (member === undefined) throw new AppError("community.not_member", { handle: endpoint });
    return member;
  }

  const idOf = async (caller: Caller, ref: string) => (await authority.standing(caller, ref)).community.value.id;
  const giverOf = (caller: Caller, { permissions }: Standing) => ({ endpoint: caller.endpoint, permissions });
  const actorOf = ({ endpoint }: Caller) => ({ kind: "member", endpoint }) as const;

  return {
    async members(caller, { community, q, after, limit }) {
      const standing = await authority.standing(caller, community);
      requireMembership(standing);
      const { id } = standing.community.value;
      const fits = matcherOf(q);
      const from = after === undefined ? undefined : ([id, after] as const);
      const page =
        fits === undefined
          ? await collections.members.list({ prefix: [id], limit, ...(from === undefined ? {} : { after: from }) })
          : await searchPage(
              (options) => collections.members.list({ prefix: [id], ...options }),
              ({ value }) => fits([value.handle]),
              { after: from, limit },
            );
      const members = page.records.map((record) => memberView(record.key[1] ?? "", record.value));
      const next = endpointIdSchema.safeParse(page.next?.[1]);
      return { members, ...(next.success ? { next: next.data } : {}) };
    },

    async listFor(id, { after, limit }) {
      const page = await collections.members.list({
        prefix: [id],
        limit,
        ...(after === undefined || after === "" ? {} : { after: [id, after] }),
      });
      const members = page.records.map(({ key, value: { handle, roles, since } }) => ({ id: key[1] ?? "", handle, roles, since }));
      const last = members.at(-1)?.id;
      return { members, ...(page.next !== undefined && last !== undefined ? { next: last } : {}) };
    },

    async addMember(caller, { community, identity, roles }) {
      const id = await idOf(caller, community);
      return events.act(id, async () => {
        const standing = await authority.require(caller, id, "members.invite");
        const user = await deps.findUser(caller, identity);
        if (user.status !== "active") throw new AppError("user.not_found", { user: user.handle });
        await rules.mayGive(caller, giverOf(caller, standing), standing.community.value, roles);
        const admitted = await rules.admit(standing.community, { newcomer: user, roles, by: "added", actor: actorOf(caller) });
        return {
          writes: withGuards(standing, admitted.writes),
          events: admitted.events,
          result: memberView(user.endpoint, admitted.row),
        };
      });
    },

    async setRoles(caller, { community, endpoint, roles }) {
      const id = await idOf(caller, community);
      return events.act(id, async () => {
        const standing = await authority.require(caller, id, "members.manage");
        const member = await memberOf(standing, endpoint);
        const { community: row } = standing;
        // Who cannot give a role cannot take it from somebody either.
        await rules.mayGive(caller, giverOf(caller, standing), row.value, [...roles, ...member.value.roles]);
        const next: MemberRow = { ...member.value, roles: [...new Set(roles)] };
        const writes = [
          rules.withRow(row, { owners: rules.ownersAfter(row.value, endpoint, next.roles) }),
          collections.members.toPut([id, endpoint], next, member.revision),
        ];
        return {
          writes: withGuards(standing, writes),
          events: [
            {
              topic: "member.roles_changed",
              actor: actorOf(caller),
              subject: `community/${id}`,
              summary: "A member has other roles",
              data: { member: endpoint, roles: next.roles },
            },
          ],
          result: memberView(endpoint, next),
        };
      });
    },

    async removeMember(caller, { community, endpoint }) {
      const leaves = endpoint === caller.endpoint;
      const id = await idOf(caller, community);
      await events.act(id, async () => {
        const standing = leaves ? await authority.standing(caller, id) : await authority.require(caller, id, "members.manage");
        const member = await memberOf(standing, endpoint);
        if (!leaves) await rules.mayGive(caller, giverOf(caller, standing), standing.community.value, member.value.roles);
        return {
          writes: withGuards(standing, rules.depart(standing.community, endpoint, member)),
          events: [
            {
              topic: leaves ? "member.left" : "member.removed",
              actor: actorOf(caller),
              subject: `community/${id}`,
              summary: leaves ? "A member left" : "A member was removed",
              data: { member: endpoint },
            },
          ],
          result: undefined,
        };
      });
    },
  };
}
