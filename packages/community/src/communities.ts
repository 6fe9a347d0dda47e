/**
 * Communities and their members: founding, bringing in, roles, leaving.
 *
 * Invariant: every change is one batch that holds on what it read (the community's row carries members and owners), so of two changes at a time one
 * is decided anew; a community keeps an owner; nobody gives a role that holds what they lack.
 */
import type { Caller } from "@althing/bus";
import {
  AppError,
  type Community,
  type CommunityId,
  type CommunityMember,
  type CommunityName,
  type CommunityRole,
  type EndpointId,
  type Handle,
} from "@althing/contract";
import { authorizeInstance, beyondOwn, defaultRolePermissions } from "@althing/policy";
import { retryConflicts, type Write } from "@althing/store";
import { ulid } from "ulid";
import { shownPermissions, type Authority, type Standing } from "./authority.ts";
import type { CommunityRow, MemberRow } from "./collections.ts";
import type { CommunityDeps } from "./community-deps.ts";

interface InCommunity {
  readonly community: string;
}
interface OfMember extends InCommunity {
  readonly endpoint: EndpointId;
}

export interface Communities {
  /** @throws {auth.forbidden} {community.name_taken} {community.too_many} */
  create(caller: Caller, input: { readonly name: CommunityName; readonly displayName?: string | undefined }): Promise<Community>;
  list(
    caller: Caller,
    input: { readonly after?: CommunityId | undefined; readonly limit: number },
  ): Promise<{ communities: Community[]; next?: CommunityId }>;
  /** @throws {community.not_found} */
  get(caller: Caller, input: InCommunity): Promise<Community>;
  members(
    caller: Caller,
    input: InCommunity & { readonly after?: EndpointId | undefined; readonly limit: number },
  ): Promise<{ members: CommunityMember[]; next?: EndpointId }>;
  /** Ends it with its members, roles and policy. @throws {auth.forbidden} {community.not_empty} */
  delete(caller: Caller, input: InCommunity): Promise<void>;
  /** Members whoever asks; for extensions that were granted it. */
  listFor(
    community: CommunityId,
    page: { readonly after?: string; readonly limit: number },
  ): Promise<{ members: { id: string; handle: string; roles: readonly string[]; since: string }[]; next?: string }>;
  /** @throws {user.not_found} {community.already_member} {community.full} {community.role_beyond_own} */
  addMember(
    caller: Caller,
    input: InCommunity & { readonly identity: EndpointId | Handle; readonly roles: readonly CommunityRole[] },
  ): Promise<CommunityMember>;
  /** @throws {community.not_member} {community.last_owner} {community.role_beyond_own} */
  setRoles(caller: Caller, input: OfMember & { readonly roles: readonly CommunityRole[] }): Promise<CommunityMember>;
  /** @throws {community.not_member} {community.last_owner} {community.role_beyond_own} */
  removeMember(caller: Caller, input: OfMember): Promise<void>;
}

export function createCommunities(deps: CommunityDeps, authority: Authority): Communities {
  const { collections, store, clock, limits } = deps;
  const isoNow = () => new Date(clock.now()).toISOString();

  /** @throws {community.role_beyond_own} */
  async function mayGive({ community, permissions }: Standing, roles: readonly CommunityRole[]): Promise<void> {
    for (const role of roles) {
      const lacked = beyondOwn(permissions, [...(await authority.permissionsOfRoles(community.value.id, [role]))]);
      if (lacked !== undefined) throw new AppError("community.role_beyond_own", { role, permission: lacked });
    }
  }

  async function memberOf(standing: Standing, endpoint: EndpointId) {
    const member = await collections.members.get([standing.community.value.id, endpoint]);
    if (member === undefined) throw new AppError("community.not_member", { handle: endpoint });
    return member;
  }

  function ownersAfter(row: CommunityRow, endpoint: EndpointId, roles: readonly CommunityRole[]): EndpointId[] {
    const others = row.owners.filter((owner) => owner !== endpoint);
    const owners = roles.includes("owner") ? [...others, endpoint] : others;
    if (owners.length === 0) throw new AppError("community.last_owner");
    return owners;
  }

  /** What was decided on: a caller whose roles changed meanwhile is decided anew. */
  const holding = ({ community, member }: Standing, caller: Caller, touched: EndpointId): Write[] =>
    member === undefined || caller.endpoint === touched
      ? []
      : [collections.members.toCheck([community.value.id, caller.endpoint], member.revision)];

  const withRow = ({ community }: Standing, change: Partial<CommunityRow>): Write =>
    collections.communities.toPut([community.value.id], { ...community.value, ...change }, community.revision);

  return {
    async create(caller, { name, displayName }) {
      const decision = authorizeInstance(caller.role, "active", "communities.create");
      if (!decision.allowed) throw new AppError("auth.forbidden", { permission: "communities.create", who: decision.who });
      const founded = (await collections.ofMember.list({ prefix: [caller.endpoint], limit: 1_000 })).records.filter(
        (row) => row.value.founded,
      );
      if (founded.length >= limits.communitiesPerUserMax) throw new AppError("community.too_many", { limit: limits.communitiesPerUserMax });
      if (await collections.names.get([name])) throw new AppError("community.name_taken", { name });
      const at = isoNow();
      const id = ulid(clock.now()) as CommunityId;
      const row: CommunityRow = {
        id,
        name,
        displayName: displayName ?? name,
        createdBy: caller.endpoint,
        createdAt: at,
        members: 1,
        owners: [caller.endpoint],
      };
      const roles = Object.entries(defaultRolePermissions).map(([role, permissions]) =>
        collections.roles.toPut([id, role], { permissions: [...permissions] }, 0),
      );
      try {
        await store.batch([
          collections.names.toPut([name], { community: id }, 0),
          collections.communities.toPut([id], row, 0),
          collections.members.toPut(
            [id, caller.endpoint],
            { handle: caller.handle, signPub: caller.signPub, roles: ["owner"], since: at },
            0,
          ),
          collections.ofMember.toPut([caller.endpoint, id], { founded: true }, 0),
          ...roles,
        ]);
      } catch (error) {
        if (error instanceof AppError && error.code === "store.conflict")
          throw new AppError("community.name_taken", { name }, { cause: error });
        throw error;
      }
      return viewOf(await authority.standing(caller, id));
    },

    async list(caller, { after, limit }) {
      const seesAll = authorizeInstance(caller.role, "active", "plugin_policy.manage").allowed;
      const ids = seesAll
        ? (await collections.communities.list({ limit, ...(after === undefined ? {} : { after: [after] }) })).records.map(
            (row) => row.value.id,
          )
        : (
            await collections.ofMember.list({
              prefix: [caller.endpoint],
              limit,
              ...(after === undefined ? {} : { after: [caller.endpoint, after] }),
            })
          ).records.map((row) => row.key[1] ?? "");
      const communities: Community[] = [];
      for (const id of ids) communities.push(viewOf(await authority.standing(caller, id)));
      const last = communities.at(-1)?.id;
      return { communities, ...(ids.length === limit && last !== undefined ? { next: last } : {}) };
    },

    async get(caller, { community }) {
      return viewOf(await authority.standing(caller, community));
    },

    async delete(caller, { community }) {
      await retryConflicts("the community", async () => {
        const standing = await authority.require(caller, community, "community.manage");
        const { id, name, owners } = standing.community.value;
        if (!owners.includes(caller.endpoint))
          throw new AppError("auth.forbidden", { permission: "ownership of this community", who: "An owner" });
        const count = await deps.packagesOf(id);
        if (count > 0) throw new AppError("community.not_empty", { count });
        // Members first, page by page: until the last batch the community is there and its owner can go on.
        for (;;) {
          const { records } = await collections.members.list({ prefix: [id], limit: 400 });
          const others = records.filter(({ key }) => key[1] !== caller.endpoint);
          if (others.length === 0) break;
          await store.batch(
            others.flatMap(({ key }) => [collections.members.toDelete(key), collections.ofMember.toDelete([key[1] ?? "", id])]),
          );
        }
        const roles = await collections.roles.list({ prefix: [id], limit: 100 });
        await store.batch([
          collections.communities.toDelete([id], standing.community.revision),
          collections.names.toDelete([name]),
          collections.members.toDelete([id, caller.endpoint]),
          collections.ofMember.toDelete([caller.endpoint, id]),
          collections.policies.toDelete([id]),
          ...roles.records.map(({ key }) => collections.roles.toDelete(key)),
        ]);
      });
    },

    async members(caller, { community, after, limit }) {
      const { id } = (await authority.standing(caller, community)).community.value;
      const page = await collections.members.list({ prefix: [id], limit, ...(after === undefined ? {} : { after: [id, after] }) });
      const members = page.records.map((record) => memberView(record.key[1] ?? "", record.value));
      const last = members.at(-1)?.endpoint;
      return { members, ...(page.next !== undefined && last !== undefined ? { next: last } : {}) };
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

    addMember: (caller, { community, identity, roles }) =>
      retryConflicts("the community", async () => {
        const standing = await authority.require(caller, community, "members.invite");
        const user = await deps.findUser(caller, identity);
        if (user.status !== "active") throw new AppError("user.not_found", { user: user.handle });
        await mayGive(standing, roles);
        const { id, members } = standing.community.value;
        if (await collections.members.get([id, user.endpoint])) throw new AppError("community.already_member", { handle: user.handle });
        if (members >= limits.communityMembersMax) throw new AppError("community.full", { limit: limits.communityMembersMax });
        const row: MemberRow = { handle: user.handle, signPub: user.signPub, roles: [...new Set(roles)], since: isoNow() };
        const owners = roles.includes("owner") ? { owners: [...standing.community.value.owners, user.endpoint] } : {};
        await store.batch([
          ...holding(standing, caller, user.endpoint),
          withRow(standing, { members: members + 1, ...owners }),
          collections.members.toPut([id, user.endpoint], row, 0),
          collections.ofMember.toPut([user.endpoint, id], { founded: false }),
        ]);
        return memberView(user.endpoint, row);
      }),

    setRoles: (caller, { community, endpoint, roles }) =>
      retryConflicts("the community", async () => {
        const standing = await authority.require(caller, community, "members.manage");
        const member = await memberOf(standing, endpoint);
        // Who cannot give a role cannot take it from somebody either.
        await mayGive(standing, [...roles, ...member.value.roles]);
        const row: MemberRow = { ...member.value, roles: [...new Set(roles)] };
        await store.batch([
          ...holding(standing, caller, endpoint),
          withRow(standing, { owners: ownersAfter(standing.community.value, endpoint, roles) }),
          collections.members.toPut([standing.community.value.id, endpoint], row, member.revision),
        ]);
        return memberView(endpoint, row);
      }),

    removeMember: (caller, { community, endpoint }) =>
      retryConflicts("the community", async () => {
        const leaves = endpoint === caller.endpoint;
        const standing = leaves
          ? await authority.standing(caller, community)
          : await authority.require(caller, community, "members.manage");
        const member = await memberOf(standing, endpoint);
        if (!leaves) await mayGive(standing, member.value.roles);
        const { id, members } = standing.community.value;
        await store.batch([
          ...holding(standing, caller, endpoint),
          withRow(standing, { members: members - 1, owners: ownersAfter(standing.community.value, endpoint, []) }),
          collections.members.toDelete([id, endpoint], member.revision),
          collections.ofMember.toDelete([endpoint, id]),
        ]);
      }),
  };
}

function viewOf({ community, member, permissions }: Standing): Community {
  const { id, name, displayName, members, createdAt } = community.value;
  const roles = member === undefined ? {} : { roles: member.value.roles };
  return { id, name, displayName, members, createdAt, ...roles, permissions: shownPermissions(permissions), revision: community.revision };
}

function memberView(endpoint: string, row: MemberRow): CommunityMember {
  return { endpoint: endpoint as EndpointId, signPub: row.signPub, handle: row.handle, roles: row.roles, since: row.since };
}
