/**
 * The roles of a community: what they hold, edited by members.
 *
 * Invariant: nobody edits a role that holds what they lack, and nobody puts into a role what they lack, so that no sequence of edits gives anybody a
 * permission that neither they nor the editor held. The role `owner` holds everything whatever happens: what no owner held could never be granted again.
 * A role goes only when nobody has it.
 */
import type { Caller } from "@althing/bus";
import { AppError, communityRoles, type CommunityId, type EndpointId, type Role } from "@althing/contract";
import { beyondOwn, defaultRolePermissions, ownerPermissions } from "@althing/policy";
import { withGuards, type Standing } from "../authority.ts";
import type { EventDraft } from "../events/index.ts";
import type { RoleRow } from "../collections.ts";
import { requireMembership } from "../memberships/members.ts";
import type { ActDeps, InCommunity } from "../memberships/membership-deps.ts";
import { isBuiltIn, type MembershipRules } from "../memberships/membership-rules.ts";

interface OfRole extends InCommunity {
  readonly role: string;
}
interface Condition {
  readonly ifMatch?: number;
}

export interface Roles {
  /** For members: the built-in ones first. @throws {community.not_found} {auth.forbidden} */
  list(caller: Caller, input: InCommunity): Promise<{ roles: Role[] }>;
  /** @throws {auth.forbidden} {role.exists} {role.too_many} {community.role_beyond_own} */
  create(caller: Caller, input: OfRole & { readonly description: string; readonly permissions: readonly string[] }): Promise<Role>;
  /** @throws {auth.forbidden} {role.not_found} {role.owner_fixed} {community.role_beyond_own} {request.precondition_failed} */
  change(
    caller: Caller,
    input: OfRole & { readonly description?: string | undefined; readonly permissions?: readonly string[] | undefined },
    condition?: Condition,
  ): Promise<Role>;
  /** @throws {auth.forbidden} {role.not_found} {role.built_in} {role.in_use} {community.role_beyond_own} */
  remove(caller: Caller, input: OfRole, condition?: Condition): Promise<void>;
}

export function createRoles(deps: ActDeps, rules: MembershipRules): Roles {
  const { collections, authority, events, limits } = deps;

  /** A built-in role without a row is as it was born. */
  async function read(community: CommunityId, role: string): Promise<Role | undefined> {
    const record = await collections.roles.get([community, role]);
    const builtIn = communityRoles.find((name) => name === role);
    if (record === undefined && builtIn === undefined) return undefined;
    const born = builtIn === undefined ? [] : defaultRolePermissions[builtIn];
    const permissions = role === "owner" ? ownerPermissions : (record?.value.permissions ?? born);
    return {
      ...{ role, description: record?.value.description ?? "", permissions: [...permissions] },
      ...{ builtIn: builtIn !== undefined, revision: record?.revision ?? 0 },
    };
  }

  async function existing(community: CommunityId, role: string, { ifMatch }: Condition): Promise<Role> {
    const found = await read(community, role);
    if (found === undefined) throw new AppError("role.not_found", { role });
    if (ifMatch !== undefined && ifMatch !== found.revision)
      throw new AppError("request.precondition_failed", { expected: ifMatch, observed: found.revision });
    return found;
  }

  function mayHandle({ permissions }: Standing, role: string, ...sets: readonly (readonly string[])[]): void {
    const lacked = beyondOwn(permissions, sets.flat());
    if (lacked !== undefined) throw new AppError("community.role_beyond_own", { role, permission: lacked });
  }

  async function ownRoles(community: CommunityId): Promise<string[]> {
    const { records } = await collections.roles.list({ prefix: [community], limit: 1_000 });
    return records.map(({ key }) => key[1] ?? "").filter((role) => !isBuiltIn(role));
  }

  async function holders(community: CommunityId, role: string): Promise<number> {
    let count = 0;
    let after: readonly [string, ...string[]] | undefined;
    do {
      const page = await collections.members.list({ prefix: [community], limit: 1_000, ...(after === undefined ? {} : { after }) });
      count += page.records.filter(({ value }) => value.roles.includes(role)).length;
      after = page.next;
    } while (after !== undefined);
    return count;
  }

  const idOf = async (caller: Caller, ref: string) => (await authority.require(caller, ref, "roles.manage")).community.value.id;
  const shown = async (community: CommunityId, role: string): Promise<Role> => existing(community, role, {});
  const told = (topic: "role.created" | "role.changed", endpoint: EndpointId, role: string, { permissions }: RoleRow): EventDraft => ({
    ...{ topic, actor: { kind: "member", endpoint }, subject: `role/${role}` },
    summary: topic === "role.created" ? `The role ${role} was made` : `The role ${role} was changed`,
    data: { role, permissions },
  });

  return {
    async list(caller, { community }) {
      const standing = await authority.standing(caller, community);
      requireMembership(standing);
      const { id } = standing.community.value;
      const names = [...communityRoles, ...(await ownRoles(id))];
      const roles = await Promise.all(names.map((role) => read(id, role)));
      return { roles: roles.filter((role) => role !== undefined) };
    },

    async create(caller, { community, role, description, permissions }) {
      const id = await idOf(caller, community);
      await events.act(id, async () => {
        const standing = await authority.require(caller, id, "roles.manage");
        if ((await read(id, role)) !== undefined) throw new AppError("role.exists", { role });
        const limit = limits.customRolesMax;
        if ((await ownRoles(id)).length >= limit) throw new AppError("role.too_many", { limit });
        mayHandle(standing, role, permissions);
        const row: RoleRow = { permissions: unique(permissions), description };
        return {
          // The community's row is written, too: of two roles made at a time one is counted by the other.
          writes: withGuards(standing, [rules.withRow(standing.community, {}), collections.roles.toPut([id, role], row, 0)]),
          events: [told("role.created", caller.endpoint, role, row)],
          result: undefined,
        };
      });
      return shown(id, role);
    },

    async change(caller, { community, role, description, permissions }, condition = {}) {
      const id = await idOf(caller, community);
      await events.act(id, async () => {
        const standing = await authority.require(caller, id, "roles.manage");
        const before = await existing(id, role, condition);
        if (role === "owner" && permissions !== undefined) throw new AppError("role.owner_fixed");
        const row: RoleRow = { permissions: unique(permissions ?? before.permissions), description: description ?? before.description };
        mayHandle(standing, role, before.permissions, row.permissions);
        return {
          writes: withGuards(standing, [collections.roles.toPut([id, role], row, before.revision)]),
          events: [told("role.changed", caller.endpoint, role, row)],
          result: undefined,
        };
      });
      return shown(id, role);
    },

    async remove(caller, { community, role }, condition = {}) {
      const id = await idOf(caller, community);
      await events.act(id, async () => {
        const standing = await authority.require(caller, id, "roles.manage");
        if (isBuiltIn(role)) throw new AppError("role.built_in", { role });
        const before = await existing(id, role, condition);
        mayHandle(standing, role, before.permissions);
        const count = await holders(id, role);
        if (count > 0) throw new AppError("role.in_use", { role, count });
        return {
          // Giving a role writes the community's row as well, so nobody gets this one meanwhile.
          writes: withGuards(standing, [rules.withRow(standing.community, {}), collections.roles.toDelete([id, role], before.revision)]),
          events: [
            {
              ...{ topic: "role.removed", actor: { kind: "member", endpoint: caller.endpoint }, subject: `role/${role}` },
              ...{ summary: `The role ${role} was removed`, data: { role } },
            },
          ],
          result: undefined,
        };
      });
    },
  };
}

const unique = (permissions: readonly string[]): string[] => [...new Set(permissions)];
