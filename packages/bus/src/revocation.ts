/**
 * Ends a user's rights on both planes.
 *
 * Invariant: one batch changes the status, ends every session, and leaves a chore that takes the person out of its rooms, so a crash in between
 * loses nothing; HTTP refuses from that batch on. Then the access list is reloaded, which closes the connections, and only then the
 * answer is given. Rooms follow one batch each, because a person may be in more rooms than one batch holds; what they wait for, the
 * new key, is made by the members' clients.
 */
import { AppError, type SignPub, type User } from "@althing/contract";
import type { Store, Write } from "@althing/store";
import type { AccessIndex } from "./access-index.ts";
import type { Acl } from "./acl.ts";
import type { Chores } from "./chores.ts";
import type { Collections } from "./collections.ts";
import { isoTime, type Clock } from "./environment.ts";
import type { KeyedLock } from "./keyed-lock.ts";
import { retryConflicts } from "@althing/store";
import { adminsKey, readAdmins } from "./user-rows.ts";

export interface RevocationDeps {
  readonly store: Store;
  readonly collections: Collections;
  readonly index: AccessIndex;
  readonly acl: Acl;
  readonly chores: Chores;
  readonly clock: Clock;
  readonly locks: KeyedLock;
  /** As in `BusOptions`. */
  readonly onDecided?: ((answer: unknown) => void) | undefined;
}

/** The record of admins without the one revoked. @throws {user.last_admin} */
async function withoutAdmin(collections: Collections, user: User): Promise<Write[]> {
  const admins = await readAdmins(collections);
  const rest = admins.active.filter((admin) => admin.endpoint !== user.endpoint);
  if (rest.length === admins.active.length) return [];
  if (rest.length === 0) throw new AppError("user.last_admin");
  return [collections.admins.toPut(adminsKey, { active: rest }, admins.revision)];
}

/** @param admin checks the caller afresh and returns the check of its row for the batch */
export async function revokeUser(deps: RevocationDeps, signPub: SignPub, admin: () => Promise<Write>): Promise<User> {
  const { collections, store, index, acl, chores, clock, locks } = deps;
  const target = await collections.users.get([signPub]);
  const lock = target ? `user/${target.value.endpoint}` : `key/${signPub}`;
  const revoked = await locks.run(lock, () =>
    retryConflicts("the list of users", async () => {
      const check = await admin();
      const record = await collections.users.get([signPub]);
      if (record?.value.status !== "active") throw new AppError("user.not_found", { user: signPub });
      const user: User = { ...record.value, status: "revoked", revokedAt: isoTime(clock.now()) };
      const sessions = await collections.sessions.get([user.endpoint]);
      const self = check.key[0] === signPub;
      const writes: Write[] = [
        ...(self ? [] : [check]),
        collections.users.toPut([signPub], user, record.revision),
        ...(await withoutAdmin(collections, user)),
        sessions ? collections.sessions.toDelete([user.endpoint], sessions.revision) : collections.sessions.toCheck([user.endpoint], 0),
        chores.toPut({ kind: "leave-rooms", endpoint: user.endpoint }),
      ];
      deps.onDecided?.(user);
      const revision = await store.batch(writes);
      index.apply(revision, [{ type: "sessions", endpoint: user.endpoint, open: [] }]);
      return user;
    }),
  );
  try {
    // First and alone: whatever else this process does now would delay the close.
    await acl.request();
  } finally {
    await chores.runSoon({ kind: "leave-rooms", endpoint: revoked.endpoint });
  }
  return revoked;
}
