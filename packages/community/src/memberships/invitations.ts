/**
 * Invitations to a community: a token that lets users of the instance in, so often and so long as its maker said.
 *
 * Invariant: the token is shown once and kept as its sha256. An invitation carries no more than its maker may give at the moment of its use: one whose maker
 * lost the right, left, or was revoked lets nobody in. Uses are counted down in the batch that lets somebody in.
 */
import type { Caller } from "@althing/bus";
import { AppError, isAppError, type CommunityDoor, type CommunityId, type CommunityInvitation } from "@althing/contract";
import { authorizeCommunity } from "@althing/policy";
import type { Rec, Write } from "@althing/store";
import { createHash, randomBytes } from "node:crypto";
import { ulid } from "ulid";
import type { AgendaEntry } from "../agenda.ts";
import { withGuards, type Held } from "../authority.ts";
import type { CommunityRow } from "../collections.ts";
import { registrationOf, type Door } from "./door.ts";
import type { Joined, Joining } from "./joining.ts";
import type { InvitationRow } from "./membership-collections.ts";
import { isoTime, type InCommunity, type JoiningDeps } from "./membership-deps.ts";
import { isActiveUser, memberView, type MembershipRules } from "./membership-rules.ts";
import type { Reply } from "./welcome.ts";

export interface Invitations {
  /** @throws {auth.forbidden} {community.not_open} {community.role_beyond_own} {role.not_found} {community.invitations_full} */
  invite(
    caller: Caller,
    input: InCommunity & { readonly roles: readonly string[]; readonly uses: number; readonly expiresInHours: number },
  ): Promise<{ invitation: CommunityInvitation; token: string }>;
  /** @throws {auth.forbidden} */
  invitations(caller: Caller, input: InCommunity): Promise<{ invitations: CommunityInvitation[] }>;
  /** @throws {community.invitation_not_found} */
  withdrawInvitation(caller: Caller, input: InCommunity & { readonly invitation: string }): Promise<void>;
  /** @throws {invitation.invalid} */
  readInvitation(caller: Caller, input: { readonly token: string }): Promise<CommunityDoor>;
  /** @throws {invitation.invalid} {community.not_open} {community.already_member} {community.full} and of welcome and filters */
  joinByInvitation(caller: Caller, input: { readonly token: string } & Reply): Promise<Joined>;
  /** Writes that void what a person made. */
  toWithdrawAllOf(community: CommunityId, endpoint: string): Promise<readonly Write[]>;
}

interface Usable {
  readonly community: Rec<CommunityRow>;
  readonly invitation: Rec<InvitationRow>;
  readonly inviter: Held;
}

const hashOf = (token: string) => createHash("sha256").update(token).digest("base64url");
const hourMs = 60 * 60_000;

export function createInvitations(deps: JoiningDeps, rules: MembershipRules, door: Door, joining: Joining): Invitations {
  const { collections, memberships, authority, events, agenda, clock, limits, store } = deps;

  const entryOf = (community: CommunityId, id: string, { expiresAt }: InvitationRow): AgendaEntry => ({
    ...{ kind: "invitation.expire", community, id, atMs: Date.parse(expiresAt) },
  });
  const toVoid = (community: CommunityId, { key, value, revision }: Rec<InvitationRow>): Write[] => [
    memberships.invitations.toDelete(key, revision),
    memberships.tokens.toDelete([value.hash]),
    agenda.toRemove(entryOf(community, key[1] ?? "", value)),
  ];

  agenda.on("invitation.expire", async (entry) => {
    const record = await memberships.invitations.get([entry.community, entry.id]);
    await store.batch(record === undefined ? [agenda.toRemove(entry)] : toVoid(entry.community, record));
  });

  async function all(community: CommunityId): Promise<Rec<InvitationRow>[]> {
    // One page: no community has more.
    const { records } = await memberships.invitations.list({ prefix: [community], limit: 1_000 });
    return records.filter(({ value }) => Date.parse(value.expiresAt) > clock.now());
  }

  /** The invitation behind a token, if it lets somebody in now. @throws {invitation.invalid} whatever it lacks */
  async function usable(caller: Caller, token: string): Promise<Usable> {
    const invalid = new AppError("invitation.invalid");
    const place = (await memberships.tokens.get([hashOf(token)]))?.value;
    const invitation = place && (await memberships.invitations.get([place.community, place.id]));
    const community = place && (await collections.communities.get([place.community]));
    if (invitation === undefined || community === undefined || Date.parse(invitation.value.expiresAt) <= clock.now()) throw invalid;
    const { by, roles } = invitation.value;
    const inviter = await authority.heldBy(community.value.id, by);
    const may = inviter !== undefined && authorizeCommunity(inviter.permissions, "members.invite").allowed;
    if (!may || !(await isActiveUser(deps, caller, by))) throw invalid;
    try {
      await rules.mayGive(caller, { endpoint: by, permissions: inviter.permissions }, community.value, roles);
    } catch (error) {
      throw isAppError(error) && error.row.kind === "user" ? invalid : error;
    }
    return { community, invitation, inviter };
  }

  /** @throws {community.not_open} */
  function requireNotClosed(row: CommunityRow): void {
    const registration = registrationOf(row, deps);
    if (registration === "closed") throw new AppError("community.not_open", { registration });
  }

  return {
    async invite(caller, { community, roles, uses, expiresInHours }) {
      const { id } = (await authority.require(caller, community, "members.invite")).community.value;
      const [token, invitation] = [randomBytes(32).toString("base64url"), ulid(clock.now())];
      return events.act(id, async () => {
        const standing = await authority.require(caller, id, "members.invite");
        const row = standing.community.value;
        requireNotClosed(row);
        await rules.mayGive(caller, { endpoint: caller.endpoint, permissions: standing.permissions }, row, roles);
        const limit = limits.communityInvitationsMax;
        if ((await all(id)).length >= limit) throw new AppError("community.invitations_full", { limit });
        const made: InvitationRow = {
          ...{ hash: hashOf(token), roles: [...new Set(roles)], by: caller.endpoint, usesLeft: uses },
          ...{ createdAt: isoTime(clock.now()), expiresAt: isoTime(clock.now() + expiresInHours * hourMs) },
        };
        const writes = [
          memberships.invitations.toPut([id, invitation], made, 0),
          memberships.tokens.toPut([made.hash], { community: id, id: invitation }, 0),
          agenda.toAdd(entryOf(id, invitation, made)),
        ];
        return { writes: withGuards(standing, writes), events: [], result: { invitation: viewOf(invitation, made), token } };
      });
    },

    async invitations(caller, { community }) {
      const { id } = (await authority.require(caller, community, "members.invite")).community.value;
      return { invitations: (await all(id)).map(({ key, value }) => viewOf(key[1] ?? "", value)) };
    },

    async withdrawInvitation(caller, { community, invitation }) {
      const { id } = (await authority.require(caller, community, "members.invite")).community.value;
      await events.act(id, async () => {
        const standing = await authority.require(caller, id, "members.invite");
        const record = await memberships.invitations.get([id, invitation]);
        if (record === undefined) throw new AppError("community.invitation_not_found");
        return { writes: withGuards(standing, toVoid(id, record)), events: [], result: undefined };
      });
    },

    async readInvitation(caller, { token }) {
      return door.viewFor(caller, (await usable(caller, token)).community.value);
    },

    async joinByInvitation(caller, { token, ...given }) {
      const { community: found } = await usable(caller, token);
      const { id, name } = found.value;
      requireNotClosed(found.value);
      if (await collections.members.get([id, caller.endpoint])) throw new AppError("community.already_member", { handle: caller.handle });
      const reply = await joining.welcomed(caller, id, given);
      return events.act<Joined>(id, async () => {
        const { community, invitation, inviter } = await usable(caller, token);
        requireNotClosed(community.value);
        const accepted = await joining.acceptance(id, reply);
        const { roles, usesLeft } = invitation.value;
        const admitted = await rules.admit(community, {
          ...{ newcomer: caller, roles, by: "invitation", actor: { kind: "member", endpoint: caller.endpoint } },
          ...(accepted === undefined ? {} : { rules: accepted }),
        });
        const used =
          usesLeft === 1
            ? toVoid(id, invitation)
            : [memberships.invitations.toPut(invitation.key, { ...invitation.value, usesLeft: usesLeft - 1 }, invitation.revision)];
        const writes = [...admitted.writes, ...used, ...(await joining.toKeepAnswers(id, caller, reply))];
        return {
          writes: withGuards(inviter, writes),
          events: admitted.events,
          result: { state: "joined", community: id, name, member: memberView(caller.endpoint, admitted.row) },
        };
      });
    },

    async toWithdrawAllOf(community, endpoint) {
      return (await all(community)).filter(({ value }) => value.by === endpoint).flatMap((record) => toVoid(community, record));
    },
  };
}

const viewOf = (id: string, { roles, by, createdAt, expiresAt, usesLeft }: InvitationRow): CommunityInvitation => ({
  ...{ id, roles, by, createdAt, expiresAt, usesLeft },
});
