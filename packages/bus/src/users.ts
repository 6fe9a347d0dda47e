/**
 * The allowlist: who is a user, with which keys, since when and until when.
 *
 * Invariant: what an admin does is decided by the store at that moment (the caller's own row is part of the batch, so a revoked admin's
 * running request changes nothing). Rows are never deleted, handles never given twice, the last active admin never revoked. A
 * revocation is answered when NATS has closed the person's connections. See docs/architecture/bus.md.
 */
import { AppError, endpointIdSchema, type EndpointId, type Handle, type PublicIdentity, type SignPub, type User } from "@althing/contract";
import type { Rec, Store, Write } from "@althing/store";
import { requireInstance, type Caller } from "./caller.ts";
import type { Collections } from "./collections.ts";
import type { Clock } from "./environment.ts";
import type { KeyedLock } from "./keyed-lock.ts";
import { createNewcomers, type Newcomers } from "./newcomers.ts";
import type { BusLimits } from "./environment.ts";
import { revokeUser, type RevocationDeps } from "./revocation.ts";
import { retryConflicts } from "@althing/store";
import type { Input, Output } from "./route-input.ts";
import { addUser, checkKeyCard } from "./user-rows.ts";

export interface Users extends Newcomers {
  /**
   * For the request pipeline: the active user of a verified key, read from the store now.
   * @throws {auth.unknown_user} {auth.revoked}
   */
  authenticate(signPub: SignPub): Promise<Caller>;
  /** @throws {auth.forbidden} */
  list(caller: Caller, input: Input<"users.list">): Promise<Output<"users.list">>;
  /** @throws {auth.forbidden} {user.exists} {user.handle_taken} */
  add(caller: Caller, input: Input<"users.add">): Promise<Output<"users.add">>;
  /** @throws {auth.forbidden} {user.not_found} {user.last_admin} {nats.unavailable} stored, but connections may still be open */
  revoke(caller: Caller, input: Input<"users.revoke">): Promise<Output<"users.revoke">>;
  /** @throws {user.not_found} */
  identity(caller: Caller, input: Input<"identities.get">): Promise<Output<"identities.get">>;
  /** Of a user, revoked ones too; whoever asks. */
  handleOf(endpoint: EndpointId): Promise<Handle | undefined>;
  me(caller: Caller): Promise<Output<"me.get">>;
  /** @throws {user.bad_key_proof} */
  putKeys(caller: Caller, input: Input<"me.keys.put">): Promise<Output<"me.keys.put">>;
}

export interface UsersDeps extends RevocationDeps {
  readonly store: Store;
  readonly collections: Collections;
  readonly clock: Clock;
  readonly locks: KeyedLock;
  readonly limits: BusLimits;
  /** Where each node shows a link of its own: this one's name. */
  readonly linkOf?: string | undefined;
}

/** The user a key or endpoint belongs to; revoked ones too. */
export async function userByEndpoint(collections: Collections, endpoint: EndpointId): Promise<Rec<User> | undefined> {
  const found = await collections.endpoints.get([endpoint]);
  return found ? collections.users.get([found.value.signPub]) : undefined;
}

/** The caller's row with a check that it is still what was decided on. @throws {auth.revoked} {auth.forbidden} */
export async function freshCaller(collections: Collections, caller: Caller): Promise<{ user: User; check: Write }> {
  const record = await collections.users.get([caller.signPub]);
  if (record?.value.status !== "active") throw new AppError("auth.revoked");
  return { user: record.value, check: collections.users.toCheck([caller.signPub], record.revision) };
}

async function endpointOfRef(collections: Collections, identity: EndpointId | Handle): Promise<EndpointId | undefined> {
  // A handle has at most 32 characters, an endpoint id 43.
  if (identity.length === 43) return endpointIdSchema.parse(identity);
  return (await collections.handles.get([identity]))?.value.endpoint;
}

export function createUsers(deps: UsersDeps): Users {
  const { collections, store, locks } = deps;

  /** The row decides, not what the request's beginning saw. */
  async function asAdmin(caller: Caller): Promise<Write> {
    const { user, check } = await freshCaller(collections, caller);
    requireInstance({ ...caller, role: user.role }, "users.manage");
    return check;
  }

  return {
    ...createNewcomers(deps),

    async authenticate(signPub) {
      const record = await collections.users.get([signPub]);
      if (!record) throw new AppError("auth.unknown_user");
      const { endpoint, handle, role, status } = record.value;
      if (status !== "active") throw new AppError("auth.revoked");
      return { endpoint, signPub, handle, role };
    },

    async list(caller, input) {
      await asAdmin(caller);
      const page = await collections.users.list({ limit: input.limit, ...(input.after ? { after: [input.after] } : {}) });
      const last = page.records.at(-1)?.value.signPub;
      return { users: page.records.map((record) => record.value), ...(page.next && last ? { next: last } : {}) };
    },

    async add(caller, input) {
      return addUser(deps, { signPub: input.signPub, handle: input.handle, role: input.role }, async () => [await asAdmin(caller)]);
    },

    async revoke(caller, input) {
      return revokeUser(deps, input.signPub, () => asAdmin(caller));
    },

    async identity(caller, input) {
      requireInstance(caller, "rooms.use");
      const endpoint = await endpointOfRef(collections, input.identity);
      const record = endpoint && ((await userByEndpoint(collections, endpoint)) ?? (await collections.guests.get([endpoint])));
      if (!record) throw new AppError("user.not_found", { user: input.identity });
      const { signPub, handle, status, keys } = record.value;
      const identity: PublicIdentity = { signPub, endpoint: record.value.endpoint, handle, status, ...(keys ? { keys } : {}) };
      return identity;
    },

    handleOf: async (endpoint) => (await userByEndpoint(collections, endpoint))?.value.handle,

    async me(caller) {
      return (await freshCaller(collections, caller)).user;
    },

    async putKeys(caller, input) {
      requireInstance(caller, "self.manage");
      const keys = { kexPub: input.kexPub, sig: input.sig };
      await checkKeyCard(caller.signPub, keys);
      return locks.run(`user/${caller.endpoint}`, () =>
        retryConflicts("your row", async () => {
          const record = await collections.users.get([caller.signPub]);
          if (record?.value.status !== "active") throw new AppError("auth.revoked");
          const user: User = { ...record.value, keys };
          await store.batch([collections.users.toPut([caller.signPub], user, record.revision)]);
          return user;
        }),
      );
    },
  };
}
