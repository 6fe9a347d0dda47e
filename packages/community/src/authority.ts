/**
 * The one place that says what a person may do in a community.
 *
 * Invariant: member row and role rows are read at every question, so a role taken away holds for the next request. Somebody who may not see a
 * community is told that there is none. An admin of the instance sees every community and holds there what the policy package says, no more.
 */
import type { Caller } from "@althing/bus";
import { AppError, communityIdSchema, type CommunityId, type CommunityPermission, type CommunityRole } from "@althing/contract";
import {
  anyExtensionPermission,
  authorizeCommunity,
  authorizeInstance,
  defaultRolePermissions,
  instanceAdminPermissions,
} from "@althing/policy";
import type { Rec } from "@althing/store";
import type { CommunityRow, MemberRow } from "./collections.ts";
import type { CommunityDeps } from "./community-deps.ts";

export type AnyPermission = CommunityPermission | `ext.${string}`;

export interface Standing {
  readonly community: Rec<CommunityRow>;
  readonly member: Rec<MemberRow> | undefined;
  readonly permissions: ReadonlySet<string>;
}

export interface Authority {
  /** @throws {community.not_found} */
  standing(caller: Caller, ref: string): Promise<Standing>;
  /** @throws {community.not_found} {auth.forbidden} */
  require(caller: Caller, ref: string, permission: AnyPermission): Promise<Standing>;
  /** Whoever asks. */
  find(ref: string): Promise<Rec<CommunityRow> | undefined>;
  permissionsOfRoles(community: CommunityId, roles: readonly CommunityRole[]): Promise<ReadonlySet<string>>;
}

export function createAuthority({ collections }: Pick<CommunityDeps, "collections">): Authority {
  async function find(ref: string): Promise<Rec<CommunityRow> | undefined> {
    if (ref.length === 0 || ref.length > 64) return undefined;
    const id = communityIdSchema.safeParse(ref);
    if (id.success) return collections.communities.get([id.data]);
    const named = await collections.names.get([ref]);
    return named && collections.communities.get([named.value.community]);
  }

  async function permissionsOfRoles(community: CommunityId, roles: readonly CommunityRole[]): Promise<ReadonlySet<string>> {
    const rows = await Promise.all(roles.map((role) => collections.roles.get([community, role])));
    return new Set(rows.flatMap((row, i) => row?.value.permissions ?? defaultsOf(roles[i])));
  }

  async function standing(caller: Caller, ref: string): Promise<Standing> {
    const community = await find(ref);
    if (community === undefined) throw new AppError("community.not_found", { community: ref });
    const { id } = community.value;
    const member = await collections.members.get([id, caller.endpoint]);
    // Who may manage the plugin policy of all may see all.
    const seesAll = authorizeInstance(caller.role, "active", "plugin_policy.manage").allowed;
    if (member === undefined && !seesAll) throw new AppError("community.not_found", { community: ref });
    const held = member === undefined ? new Set<string>() : await permissionsOfRoles(id, member.value.roles);
    const permissions = seesAll ? new Set([...held, ...instanceAdminPermissions]) : held;
    return { community, member, permissions };
  }

  return {
    find,
    standing,
    permissionsOfRoles,
    async require(caller, ref, permission) {
      const result = await standing(caller, ref);
      const decision = authorizeCommunity(result.permissions, permission);
      if (!decision.allowed) throw new AppError("auth.forbidden", { permission, who: decision.who });
      return result;
    },
  };
}

const defaultsOf = (role: CommunityRole | undefined): readonly string[] => (role === undefined ? [] : defaultRolePermissions[role]);

/** What an answer shows of a set of permissions. */
export const shownPermissions = (permissions: ReadonlySet<string>): string[] =>
  [...permissions].sort((a, b) => Number(a === anyExtensionPermission) - Number(b === anyExtensionPermission) || (a < b ? -1 : 1));
