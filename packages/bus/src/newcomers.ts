/**
 * The ways into the allowlist without an admin's hand on the row: invitation, one-time admin link, bootstrap.
 *
 * Invariant: a token is 32 random bytes, shown once, stored as its sha256, and used up in the very batch that makes the user, so that it
 * makes one user however many try at once. Link and bootstrap are the same right: they make admin number 0, and end when there is one (that of a demonstration does not count).
 * An invitation dies with the right of who made it.
 */
import { createHash, randomBytes } from "node:crypto";
import { AppError, type ErrorCode, type SignPub, type User } from "@althing/contract";
import type { Store, Write } from "@althing/store";
import { authorizeInstance } from "@althing/policy";
import { requireInstance, type Caller } from "./caller.ts";
import type { Collections } from "./collections.ts";
import { isoTime, type BusLimits, type Clock } from "./environment.ts";
import { everyRecord } from "./paging.ts";
import type { Input, Output } from "./route-input.ts";
import { addUser, adminsKey, readAdmins } from "./user-rows.ts";

export interface Newcomers {
  /** @throws {auth.forbidden} */
  createInvitation(caller: Caller): Promise<Output<"invitations.create">>;
  /**
   * @param signPub the key that signed the request
   * @throws {invitation.invalid} {user.exists} {user.handle_taken} {user.bad_key_proof}
   */
  join(signPub: SignPub, input: Input<"join.post">): Promise<User>;
  /** Becomes the first admin. @throws {claim.invalid} {bootstrap.closed} {user.exists} {user.handle_taken} {user.bad_key_proof} */
  claim(signPub: SignPub, input: Input<"claim.post">): Promise<User>;
  /** The same right by the data folder's socket. @throws {bootstrap.closed} {user.exists} {user.handle_taken} {user.bad_key_proof} */
  bootstrap(input: Input<"internal.bootstrap">): Promise<User>;
  /** A new one-time link's token; the one before is void. @throws {bootstrap.closed} */
  issueAdminLink(): Promise<{ token: string; expiresAt: string }>;
  /** No admin yet? */
  claimable(): Promise<boolean>;
  /** Deletes expired invitations. */
  sweepInvitations(): Promise<void>;
}

export interface NewcomersDeps {
  readonly store: Store;
  readonly collections: Collections;
  readonly clock: Clock;
  readonly limits: BusLimits;
  /** As in `BusOptions`. */
  readonly onDecided?: ((answer: unknown) => void) | undefined;
  /** Where each node shows a link of its own: this one's name. */
  readonly linkOf?: string | undefined;
}

const newToken = () => randomBytes(32).toString("base64url");
const hashOf = (token: string) => createHash("sha256").update(token).digest("base64url");

export function createNewcomers(deps: NewcomersDeps): Newcomers {
  const { collections, store, clock, limits } = deps;

  const expired = (expiresAt: string) => Date.parse(expiresAt) <= clock.now();

  /** The right of admin number 0: nobody is admin, and nobody becomes it meanwhile. */
  async function noAdmin(): Promise<Write> {
    const admins = await readAdmins(collections);
    const first = admins.active.find(({ demo }) => demo !== true);
    if (first) throw new AppError("bootstrap.closed", { handle: first.handle });
    return collections.admins.toCheck(adminsKey, admins.revision);
  }

  async function useInvitation(token: string, refusal: ErrorCode): Promise<Write[]> {
    const key = [hashOf(token)] as const;
    const record = await collections.invitations.get(key);
    if (!record || expired(record.value.expiresAt)) throw new AppError(refusal);
    const inviter = await collections.users.get([record.value.by]);
    const may = inviter && authorizeInstance(inviter.value.role, inviter.value.status, "users.invite").allowed;
    if (!may) throw new AppError(refusal);
    return [collections.invitations.toDelete(key, record.revision), collections.users.toCheck([record.value.by], inviter.revision)];
  }

  async function useAdminLink(token: string): Promise<Write[]> {
    const check = await noAdmin();
    for await (const { key, value, revision } of everyRecord(collections.adminLink)) {
      if (value.hash === hashOf(token) && !expired(value.expiresAt)) return [check, collections.adminLink.toDelete(key, revision)];
    }
    throw new AppError("claim.invalid");
  }

  return {
    async createInvitation(caller) {
      requireInstance(caller, "users.invite");
      const token = newToken();
      const expiresAt = isoTime(clock.now() + limits.invitationTtlSeconds * 1_000);
      deps.onDecided?.({ token, expiresAt });
      await collections.invitations.create([hashOf(token)], { by: caller.signPub, expiresAt });
      return { token, expiresAt };
    },

    join: (signPub, { token, handle, keys }) =>
      addUser(deps, { signPub, handle, keys, role: "member" }, () => useInvitation(token, "invitation.invalid")),
    claim: (signPub, { token, handle, keys }) => addUser(deps, { signPub, handle, keys, role: "admin" }, () => useAdminLink(token)),
    bootstrap: ({ signPub, handle, keys, demo }) =>
      addUser(deps, { signPub, handle, keys, role: "admin", demo: demo === true }, async () => [await noAdmin()]),

    async issueAdminLink() {
      await noAdmin();
      const token = newToken();
      const expiresAt = isoTime(clock.now() + limits.adminLinkTtlSeconds * 1_000);
      await store.batch([collections.adminLink.toPut([deps.linkOf ?? "current"], { hash: hashOf(token), expiresAt })]);
      return { token, expiresAt };
    },

    claimable: async () => (await readAdmins(collections)).active.every(({ demo }) => demo === true),

    async sweepInvitations() {
      for await (const record of everyRecord(collections.invitations)) {
        if (expired(record.value.expiresAt)) await collections.invitations.delete(record.key);
      }
    },
  };
}
