/**
 * The one place that says what a person may do in a community.
 *
 * Invariant: member row and role rows are read at every question, so a role taken away holds for the next request. Somebody who may not see a
 * community is told that there is none. An admin of the instance sees every community and holds there what the policy package says, no more.
 */
import type { Caller } from "@althing/bus";
import {
  AppError,
  communityIdSchema,
  communityRoles,
  type CommunityId,
  type CommunityPermission,
  type EndpointId,
} from "@althing/contract";
import {
  anyExtensionPermission,
  authorizeCommunity,
  authorizeInstance,
  defaultRolePermissions,
  instanceAdminPermissions,
  ownerPermissions,
} from "@althing/policy";
import type { Rec, Write } from "@althing/store";
import type { CommunityRow, MemberRow } from "./collections.ts";
import type { CommunityDeps } from "./community-deps.ts";

export type AnyPermission = CommunityPermission | `ext.${string}`;

export interface Held {
  readonly permissions: ReadonlySet<string>;
  /** Hold a batch to what was decided on: the member row and the roles' rows as they were read (`withGuards`). */
  readonly guards: readonly Write[];
}

export interface Standing extends Held {
  readonly community: Rec<CommunityRow>;
  readonly member: Rec<MemberRow> | undefined;
}

export interface Authority {
  /** @throws {community.not_found} */
  standing(caller: Caller, ref: string): Promise<Standing>;
  /** @throws {community.not_found} {auth.forbidden} */
  require(caller: Caller, ref: string, permission: AnyPermission): Promise<Standing>;
  /** Whoever asks. */
  find(ref: string): Promise<Rec<CommunityRow> | undefined>;
  permissionsOfRoles(community: CommunityId, roles: readonly string[]): Promise<ReadonlySet<string>>;
  /** What a member holds by its roles now, whoever asks; `undefined` for somebody who is none. Says nothing of whether the person is still a user. */
  heldBy(community: CommunityId, endpoint: EndpointId): Promise<Held | undefined>;
}

/** The writes of an act, held to what the standing was read from: where the act writes a row that it was decided on, it must be that very revision. */
export function withGuards({ guards }: Held, writes: readonly Write[]): Write[] {
  const idOf = ({ collection, key }: Write) => JSON.stringify([collection, ...key]);
  const expected = new Map(guards.map((guard) => [idOf(guard), guard.expect]));
  const written = new Set(writes.map(idOf));
  const held = writes.map((write) => {
    const expect = expected.get(idOf(write));
    return expect === undefined ? write : { ...write, expect };
  });
  return [...guards.filter((guard) => !written.has(idOf(guard))), ...held];
}

export function createAuthority({ collections }: Pick<CommunityDeps, "collections">): Authority {
  async function find(ref: string): Promise<Rec<CommunityRow> | undefined> {
    if (ref.length === 0 || ref.length > 64) return undefined;
    const id = communityIdSchema.safeParse(ref);
    if (id.success) return collections.communities.get([id.data]);
    const named = await collections.names.get([ref]);
    return named && collections.communities.get([named.value.community]);
  }

  /** A role without a row holds what it was born with, so that none is needed for built-in roles of old communities. */
  async function readRoles(community: CommunityId, roles: readonly string[]) {
    const read = (role: string) => collections.roles.get([community, role]);
    const [first, ...others] = roles;
    const rows = first !== undefined && others.length === 0 ? [await read(first)] : await Promise.all(roles.map(read));
    const granted = roles.map((role, i) => (role === "owner" ? ownerPermissions : (rows[i]?.value.permissions ?? bornWith(role))));
    const guards = roles.map((role, i) => collections.roles.toCheck([community, role], rows[i]?.revision ?? 0));
    const [only, ...more] = granted;
    return { permissions: only !== undefined && more.length === 0 ? setOf(only) : new Set(granted.flat()), guards };
  }

  /** A list is given again by the store while its role has not changed; making its set costs as much as the reads. */
  const sets = new WeakMap<readonly string[], ReadonlySet<string>>();
  function setOf(permissions: readonly string[]): ReadonlySet<string> {
    const known = sets.get(permissions);
    if (known !== undefined) return known;
    const made = new Set(permissions);
    // A list that somebody could still change says nothing of what it will be.
    if (Object.isFrozen(permissions)) sets.set(permissions, made);
    return made;
  }

  const permissionsOfRoles = async (community: CommunityId, roles: readonly string[]) => (await readRoles(community, roles)).permissions;

  async function held(community: CommunityId, endpoint: EndpointId, member: Rec<MemberRow> | undefined): Promise<Held> {
    const { permissions, guards } = await readRoles(community, member?.value.roles ?? []);
    return { permissions, guards: [collections.members.toCheck([community, endpoint], member?.revision ?? 0), ...guards] };
  }

  async function standing(caller: Caller, ref: string): Promise<Standing> {
    const community = await find(ref);
    if (community === undefined) throw new AppError("community.not_found", { community: ref });
    const { id } = community.value;
    const member = await collections.members.get([id, caller.endpoint]);
    // Who may manage the plugin policy of all may see all.
    const seesAll = authorizeInstance(caller.role, "active", "plugin_policy.manage").allowed;
    if (member === undefined && !seesAll) throw new AppError("community.not_found", { community: ref });
    const { permissions, guards } = await held(id, caller.endpoint, member);
    return { community, member, guards, permissions: seesAll ? new Set([...permissions, ...instanceAdminPermissions]) : permissions };
  }

  return {
    find,
    standing,
    permissionsOfRoles,
    async heldBy(community, endpoint) {
      const member = await collections.members.get([community, endpoint]);
      return member && held(community, endpoint, member);
    },
    async require(caller, ref, permission) {
      const result = await standing(caller, ref);
      const decision = authorizeCommunity(result.permissions, permission);
      if (!decision.allowed) throw new AppError("auth.forbidden", { permission, who: decision.who });
      return result;
    },
  };
}

const bornWith = (role: string): readonly string[] => {
  const builtIn = communityRoles.find((name) => name === role);
  return builtIn === undefined ? [] : defaultRolePermissions[builtIn];
};

/** What an answer shows of a set of permissions. */
export const shownPermissions = (permissions: ReadonlySet<string>): string[] =>
  [...permissions].sort((a, b) => Number(a === anyExtensionPermission) - Number(b === anyExtensionPermission) || (a < b ? -1 : 1));
