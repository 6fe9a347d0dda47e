/**
 * Changes of a room's membership: in an encrypted room each is an epoch record of this client's making.
 *
 * Invariant: a record is proposed on the newest verified epoch; who loses the race reads the winner's record, verifies it and makes the change anew, so
 * no change is lost and none is made on a state nobody saw. A rekey that somebody else was faster with is done.
 */
import {
  AppError,
  hasCode,
  isExtensionHandle,
  type EndpointId,
  type EpochProposal,
  type Handle,
  type PublicIdentity,
  type Room,
  type RoomExtension,
  type RoomRole,
} from "@althing/contract";
import { encodeInvite, fromBase64url, proposeEpoch, type EpochMember } from "@althing/crypto";
import type { Api } from "./api.ts";
import { checkKeys, kexPubOf } from "./pins.ts";
import { goneOf, type RoomCore } from "./room-core.ts";
import type { VerifiedEpoch } from "./epoch-book.ts";

export interface MembershipDeps {
  readonly core: RoomCore;
  readonly api: Api;
  readonly now: () => number;
  readonly identityOf: (who: Handle | EndpointId) => Promise<PublicIdentity>;
}

export interface Membership {
  invite(who: Handle | EndpointId, role: RoomRole): Promise<void>;
  /** Extensions of the room's community that may be invited. */
  extensions(): Promise<RoomExtension[]>;
  /** With it in the room the server can read the room; `serverCanRead` says that the caller knows. @throws {room.extension_needs_consent} {user.not_found} */
  inviteExtension(extension: string, consent: { readonly serverCanRead: boolean }): Promise<void>;
  kick(endpoint: EndpointId): Promise<void>;
  setRole(endpoint: EndpointId, role: RoomRole): Promise<void>;
  /** Renews the key; `ifDue` makes it a no-operation when somebody else did so meanwhile. */
  rekey(ifDue: boolean): Promise<void>;
}

type Reason = "invite" | "kick" | "role" | "rekey";
type Proposed = Awaited<ReturnType<typeof proposeEpoch>>;

/** In a room under heavy change somebody always wins; this many losses in a row are a fault. */
const attemptsMax = 12;

export function createMembership(deps: MembershipDeps): Membership {
  const { core, api } = deps;
  const params = { room: core.id };

  /** Runs `attempt` on the newest epoch until it is not overtaken. */
  async function change(
    reason: Reason,
    attempt: (top: VerifiedEpoch | undefined) => Promise<{ room: Room; made?: Proposed } | undefined>,
  ): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      await core.refresh();
      try {
        await dropGone(reason);
        const result = await attempt(core.book.top);
        if (result === undefined) return;
        core.directory.forget();
        await accept(result);
        return;
      } catch (error) {
        if (!hasCode(error, "room.epoch_conflict") || tries >= attemptsMax) throw error;
      }
    }
  }

  async function accept(result: { room: Room; made?: Proposed }): Promise<void> {
    if (result.made !== undefined) await core.book.adopt(fromBase64url(result.made.proposal.record), result.made.key);
    core.take(result.room);
  }

  async function renew(top: VerifiedEpoch): Promise<{ room: Room; made: Proposed }> {
    const gone = goneOf(core.info, top);
    const made = await propose(
      top,
      "rekey",
      top.record.members.filter((member) => !gone.has(member.endpoint)),
    );
    const { room } = await api.call("rooms.rekey", { params, body: { epoch: made.proposal } });
    return { room, made };
  }

  /** A record does one thing: those who left are dropped by a record of their own before anything else is changed. */
  async function dropGone(reason: Reason): Promise<void> {
    const top = core.book.top;
    if (reason !== "rekey" && top !== undefined && goneOf(core.info, top).size > 0) await accept(await renew(top));
  }

  async function propose(top: VerifiedEpoch, reason: Reason, members: readonly EpochMember[]): Promise<Proposed> {
    const shared = top.record.policy.history === "shared";
    const previousKey = shared ? (await core.book.key(top.record.epoch)).key : undefined;
    return proposeEpoch({
      previous: { record: top.record, hash: top.hash, ...(previousKey === undefined ? {} : { key: previousKey }) },
      room: core.id,
      name: top.record.name,
      policy: top.record.policy,
      members,
      reason,
      identity: core.identity,
      now: deps.now(),
      link: shared,
    });
  }

  async function statement(who: PublicIdentity, epoch: number, recordHash: string | null): Promise<string> {
    return encodeInvite(core.identity, {
      room: core.id,
      name: core.info.name,
      epoch,
      recordHash,
      invitee: who.endpoint,
      at: new Date(deps.now()).toISOString(),
    });
  }

  const withEpoch = (made: Proposed | undefined): { epoch?: EpochProposal } => (made === undefined ? {} : { epoch: made.proposal });

  async function add(identity: PublicIdentity, role: RoomRole, consent: { readonly serverCanRead?: true }): Promise<void> {
    if (isExtensionHandle(identity.handle) && consent.serverCanRead !== true)
      throw new AppError("room.extension_needs_consent", { handle: identity.handle });
    await change("invite", async (top) => {
      if (top?.members.has(identity.endpoint) === true) throw new AppError("room.already_member", { handle: identity.handle });
      const member: EpochMember | undefined = top && {
        endpoint: identity.endpoint,
        signPub: identity.signPub,
        kexPub: kexPubOf(identity),
        handle: identity.handle,
        role,
      };
      const made = top && member && (await propose(top, "invite", [...top.record.members, member]));
      const body = {
        endpoint: identity.endpoint,
        role,
        statement: await statement(identity, made?.record.epoch ?? 0, made?.hash ?? null),
        ...consent,
        ...withEpoch(made),
      };
      const { room } = await api.call("rooms.invite", { params, body });
      return { room, ...(made === undefined ? {} : { made }) };
    });
  }

  const extensions = async () => (await api.call("rooms.extensions", { params })).extensions;

  return {
    invite: async (who, role) => add(await deps.identityOf(who), role, {}),
    extensions,
    async inviteExtension(extension, { serverCanRead }) {
      const handle = `ext:${extension}`;
      const found = (await extensions()).find((one) => one.extension === extension && one.status === "active");
      if (found === undefined) throw new AppError("user.not_found", { user: handle });
      if (found.handle !== handle) throw new AppError("client.bad_answer", { detail: `asked for ${handle}, got ${found.handle}` });
      await checkKeys(handle, found.signPub, found.endpoint, found.keys);
      await add(found, "member", serverCanRead ? { serverCanRead: true } : {});
    },
    async kick(endpoint) {
      await change("kick", async (top) => {
        if (top !== undefined && !top.members.has(endpoint)) throw new AppError("room.not_member", { handle: endpoint });
        const made =
          top &&
          (await propose(
            top,
            "kick",
            top.record.members.filter((member) => member.endpoint !== endpoint),
          ));
        const { room } = await api.call("rooms.kick", { params, body: { endpoint, ...withEpoch(made) } });
        return { room, ...(made === undefined ? {} : { made }) };
      });
    },
    async setRole(endpoint, role) {
      await change("role", async (top) => {
        const made =
          top &&
          (await propose(
            top,
            "role",
            top.record.members.map((member) => (member.endpoint === endpoint ? { ...member, role } : member)),
          ));
        const { room } = await api.call("rooms.role", { params, body: { endpoint, role, ...withEpoch(made) } });
        return { room, ...(made === undefined ? {} : { made }) };
      });
    },
    async rekey(ifDue) {
      await change("rekey", async (top) => {
        if (top === undefined || (ifDue && !core.rekeyDue)) return undefined;
        return renew(top);
      });
    },
  };
}
