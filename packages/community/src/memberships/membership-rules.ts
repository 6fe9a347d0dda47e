/**
 * What holds whenever somebody becomes a member, gets other roles or goes, whichever way it comes about.
 *
 * Invariant: nobody gives or takes a role that holds what they lack; ownership passes by an owner's hand, or, when no owner is a user any more, by somebody
 * who holds everything; a community keeps an owner. The community's row is written with each change of its members, so that of two at a time one is
 * decided anew.
 */
import type { Caller } from "@althing/bus";
import {
  AppError,
  communityRoles,
  hasCode,
  type CommunityId,
  type CommunityMember,
  type EndpointId,
  type EventData,
  type Handle,
  type SignPub,
} from "@althing/contract";
import { beyondOwn } from "@althing/policy";
import type { Rec, Write } from "@althing/store";
import type { CommunityRow, MemberRow } from "../collections.ts";
import type { EventActor, EventDraft } from "../events/index.ts";
import { isoTime, type ActDeps } from "./membership-deps.ts";

export interface Giver {
  readonly endpoint: EndpointId;
  readonly permissions: ReadonlySet<string>;
}

export interface Newcomer {
  readonly endpoint: EndpointId;
  readonly handle: Handle;
  readonly signPub: SignPub;
}

export interface Admission {
  readonly newcomer: Newcomer;
  readonly roles: readonly string[];
  readonly by: EventData<"member.joined">["by"];
  readonly actor: EventActor;
  readonly rules?: MemberRow["rules"];
}

export interface Decided {
  readonly writes: readonly Write[];
  readonly events: readonly EventDraft[];
  readonly row: MemberRow;
}

export interface MembershipRules {
  /** @throws {role.not_found} {community.role_beyond_own} {auth.forbidden} ownership is not the giver's to pass */
  mayGive(caller: Caller, giver: Giver, community: CommunityRow, roles: readonly string[]): Promise<void>;
  /** Whether somebody may pass ownership. @throws {auth.forbidden} */
  mayPassOwnership(caller: Caller, giver: Giver, community: CommunityRow): Promise<void>;
  /** @throws {community.already_member} {community.full} {erasure.running} */
  admit(community: Rec<CommunityRow>, admission: Admission): Promise<Decided>;
  /** @throws {community.last_owner} */
  depart(community: Rec<CommunityRow>, endpoint: EndpointId, member: Rec<MemberRow>): readonly Write[];
  /** @throws {community.last_owner} */
  ownersAfter(row: CommunityRow, endpoint: EndpointId, roles: readonly string[]): EndpointId[];
  withRow(community: Rec<CommunityRow>, change: Partial<CommunityRow>): Write;
  roleExists(community: CommunityId, role: string): Promise<boolean>;
}

export const isBuiltIn = (role: string): boolean => communityRoles.some((name) => name === role);

export function memberView(endpoint: string, { signPub, handle, roles, since }: MemberRow): CommunityMember {
  return { endpoint: endpoint as EndpointId, signPub, handle, roles, since };
}

/** A user who can act now. */
export async function isActiveUser({ findUser }: Pick<ActDeps, "findUser">, caller: Caller, endpoint: EndpointId): Promise<boolean> {
  try {
    return (await findUser(caller, endpoint)).status === "active";
  } catch (error) {
    if (hasCode(error, "user.not_found")) return false;
    throw error;
  }
}

export function createMembershipRules(deps: ActDeps): MembershipRules {
  const { collections, memberships, authority, clock, limits } = deps;

  const roleExists = async (community: CommunityId, role: string): Promise<boolean> =>
    isBuiltIn(role) || (await collections.roles.get([community, role])) !== undefined;

  function ownersAfter(row: CommunityRow, endpoint: EndpointId, roles: readonly string[]): EndpointId[] {
    const others = row.owners.filter((owner) => owner !== endpoint);
    const owners = roles.includes("owner") ? [...others, endpoint] : others;
    if (owners.length === 0) throw new AppError("community.last_owner");
    return owners;
  }

  const withRow = (community: Rec<CommunityRow>, change: Partial<CommunityRow>): Write =>
    collections.communities.toPut([community.value.id], { ...community.value, ...change }, community.revision);

  async function mayPassOwnership(caller: Caller, giver: Giver, { owners }: CommunityRow): Promise<void> {
    if (owners.includes(giver.endpoint)) return;
    for (const owner of owners)
      if (await isActiveUser(deps, caller, owner))
        throw new AppError("auth.forbidden", { permission: "ownership of this community", who: "An owner" });
  }

  return {
    roleExists,
    ownersAfter,
    withRow,
    mayPassOwnership,
    async mayGive(caller, giver, community, roles) {
      for (const role of roles) {
        if (!(await roleExists(community.id, role))) throw new AppError("role.not_found", { role });
        const lacked = beyondOwn(giver.permissions, await authority.permissionsOfRoles(community.id, [role]));
        if (lacked !== undefined) throw new AppError("community.role_beyond_own", { role, permission: lacked });
      }
      if (roles.includes("owner")) await mayPassOwnership(caller, giver, community);
    },

    async admit(community, { newcomer, roles, by, actor, rules }) {
      const { id, members } = community.value;
      const { endpoint, handle, signPub } = newcomer;
      const before = await collections.members.get([id, endpoint]);
      if (before !== undefined) throw new AppError("community.already_member", { handle });
      if (members >= limits.communityMembersMax) throw new AppError("community.full", { limit: limits.communityMembersMax });
      if (await memberships.erasures.get([id, endpoint])) throw new AppError("erasure.running");
      const unique = [...new Set(roles)];
      const row: MemberRow = { handle, signPub, roles: unique, since: isoTime(clock.now()), ...(rules === undefined ? {} : { rules }) };
      const owners = unique.includes("owner") ? { owners: [...community.value.owners, endpoint] } : {};
      return {
        row,
        writes: [
          withRow(community, { members: members + 1, ...owners }),
          collections.members.toPut([id, endpoint], row, 0),
          collections.ofMember.toPut([endpoint, id], { founded: false }),
          memberships.formers.toDelete([id, endpoint]),
        ],
        events: [
          {
            topic: "member.joined",
            actor,
            subject: `community/${id}`,
            summary: "Somebody became a member",
            data: { member: endpoint, roles: unique, by },
          },
        ],
      };
    },

    depart(community, endpoint, member) {
      const { id, members } = community.value;
      return [
        withRow(community, { members: members - 1, owners: ownersAfter(community.value, endpoint, []) }),
        collections.members.toDelete([id, endpoint], member.revision),
        collections.ofMember.toDelete([endpoint, id]),
        memberships.formers.toPut([id, endpoint], {}),
      ];
    },
  };
}
