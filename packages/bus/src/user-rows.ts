/**
 * The writes that make one user, shared by every way in (admin, invitation, one-time link, bootstrap).
 *
 * Invariant: user, endpoint and handle come into being together or not at all, each only if it never was; an admin also enters the record of
 * active admins by compare-and-set. The right to come in (a used token) is taken in the same batch.
 */
import { AppError, hasCode, type Handle, type InstanceRole, type KeyCard, type SignPub, type User } from "@althing/contract";
import { endpointOf, verifyKeyCard } from "@althing/crypto";
import type { Store, Write } from "@althing/store";
import type { Collections } from "./collections.ts";
import { isoTime, type Clock } from "./environment.ts";
import { retryConflicts } from "@althing/store";

export interface Newcomer {
  readonly signPub: SignPub;
  readonly handle: Handle;
  readonly role: InstanceRole;
  readonly keys?: KeyCard;
  /** An admin who does not end the right to make the first one. */
  readonly demo?: boolean;
}

export const adminsKey = ["active"] as const;

/** Active admins with the revision to compare against. */
export async function readAdmins(collections: Collections) {
  const record = await collections.admins.get(adminsKey);
  return { active: record?.value.active ?? [], revision: record?.revision ?? 0 };
}

async function refuseKnown(collections: Collections, newcomer: Newcomer): Promise<void> {
  const user = await collections.users.get([newcomer.signPub]);
  if (user) throw new AppError("user.exists", { handle: user.value.handle, status: user.value.status });
  if (await collections.handles.get([newcomer.handle])) throw new AppError("user.handle_taken", { handle: newcomer.handle });
}

/** @throws {user.bad_key_proof} */
export async function checkKeyCard(signPub: SignPub, keys: KeyCard): Promise<void> {
  if (!(await verifyKeyCard(signPub, keys))) throw new AppError("user.bad_key_proof");
}

/**
 * @param right reads afresh what gives the right to come in, and returns the writes that use it up
 * @throws {user.exists} {user.handle_taken} {user.bad_key_proof}
 */
export async function addUser(
  deps: {
    readonly store: Store;
    readonly collections: Collections;
    readonly clock: Clock;
    readonly onDecided?: ((answer: unknown) => void) | undefined;
  },
  newcomer: Newcomer,
  right: () => Promise<readonly Write[]>,
): Promise<User> {
  const { collections, store, clock } = deps;
  if (newcomer.keys) await checkKeyCard(newcomer.signPub, newcomer.keys);
  const endpoint = endpointOf(newcomer.signPub);
  return retryConflicts("the list of users", async () => {
    const rightWrites = await right();
    await refuseKnown(collections, newcomer);
    const { demo = false, ...named } = newcomer;
    const user: User = { ...named, endpoint, status: "active", createdAt: isoTime(clock.now()) };
    const writes: Write[] = [
      ...rightWrites,
      collections.users.toPut([newcomer.signPub], user, 0),
      collections.endpoints.toPut([endpoint], { signPub: newcomer.signPub }, 0),
      collections.handles.toPut([newcomer.handle], { endpoint }, 0),
    ];
    if (newcomer.role === "admin") {
      const admins = await readAdmins(collections);
      writes.push(
        collections.admins.toPut(
          adminsKey,
          { active: [...admins.active, { endpoint, handle: newcomer.handle, ...(demo ? { demo: true as const } : {}) }] },
          admins.revision,
        ),
      );
    }
    deps.onDecided?.(user);
    try {
      await store.batch(mergeWrites(writes));
    } catch (error) {
      // Name the loser's fault precisely; anything else is a race to be decided again.
      if (hasCode(error, "store.conflict")) await refuseKnown(collections, newcomer);
      throw error;
    }
    return user;
  });
}

/**
 * A batch takes each key once: a check is dropped where the same record is written with the same expectation. With another one the record changed
 * between right and write, so the right has to be decided again: a dropped check would let two newcomers both be admin number 0.
 * @throws {store.conflict}
 */
function mergeWrites(writes: readonly Write[]): Write[] {
  const name = (write: Write) => JSON.stringify([write.collection, write.key]);
  const written = new Map(writes.filter((write) => write.op !== "check").map((write) => [name(write), write]));
  return writes.filter((write) => {
    const same = write.op === "check" ? written.get(name(write)) : undefined;
    if (same !== undefined && same.expect !== write.expect)
      throw new AppError("store.conflict", { key: write.key.join("/"), expected: write.expect ?? 0, observed: same.expect ?? 0 });
    return same === undefined;
  });
}
