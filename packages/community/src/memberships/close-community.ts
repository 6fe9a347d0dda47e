/**
 * The end of a community.
 *
 * Invariant: what it has goes first, page by page, its row last: until the last batch the community is there and its owner can go on where a dead hub
 * stopped. Each batch holds on the community's row and on what made the caller its owner: somebody who comes in meanwhile, or who takes the ownership
 * away, changes one of them, and the end is decided anew.
 */
import type { Caller } from "@althing/bus";
import { AppError, type CommunityId } from "@althing/contract";
import { retryConflicts, type Collection, type Key, type Write } from "@althing/store";
import type { Agenda, AgendaEntry } from "../agenda.ts";
import { withGuards, type Standing } from "../authority.ts";
import type { ActDeps } from "./membership-deps.ts";

/** Removes what an area keeps of a community; called again after a failure. */
export type Closer = (community: CommunityId) => Promise<void>;

const pageMax = 400;

export interface Closing {
  /** Of the other areas' records; asked when a community ends. */
  readonly closers: readonly Closer[];
  readonly agenda: Pick<Agenda, "toAdd">;
}

/** When the community is gone: its log, which nobody can read any more. */
const purgeOfLog = (community: CommunityId, atMs: number): AgendaEntry => ({ atMs, kind: "community.purge", community, id: "log" });

/** @throws {community.not_found} {auth.forbidden} {community.not_empty} */
export async function closeCommunity(deps: ActDeps & Closing, caller: Caller, ref: string): Promise<void> {
  const { collections, memberships, authority, store } = deps;

  /** Only while it stands as it was read. @throws {store.conflict} */
  async function write(standing: Standing, writes: readonly Write[]): Promise<void> {
    const { value, revision } = standing.community;
    const held = { guards: [...standing.guards, collections.communities.toCheck([value.id], revision)], permissions: standing.permissions };
    await store.batch(withGuards(held, writes));
  }

  /** Everything of the community in one collection, but what is kept. */
  async function clear<T>(
    collection: Collection<T>,
    standing: Standing,
    also: (key: Key, value: T) => readonly Write[] = () => [],
    keep: (key: Key) => boolean = () => false,
  ): Promise<void> {
    for (;;) {
      const { records } = await collection.list({ prefix: [standing.community.value.id], limit: pageMax });
      const going = records.filter(({ key }) => !keep(key));
      if (going.length === 0) return;
      await write(
        standing,
        going.flatMap(({ key, value }) => [collection.toDelete(key), ...also(key, value)]),
      );
    }
  }

  await retryConflicts("the community", async () => {
    const standing = await authority.require(caller, ref, "community.manage");
    const { id, name, owners } = standing.community.value;
    if (!owners.includes(caller.endpoint))
      throw new AppError("auth.forbidden", { permission: "ownership of this community", who: "An owner" });
    const count = await deps.packagesOf(id);
    if (count > 0) throw new AppError("community.not_empty", { what: "packages", count });
    const rooms = await deps.roomsOf(id);
    if (rooms > 0) throw new AppError("community.not_empty", { what: "rooms", count: rooms });
    const isOwn = (key: Key) => key[1] === caller.endpoint;
    await clear(collections.members, standing, (key) => [collections.ofMember.toDelete([key[1] ?? "", id])], isOwn);
    await clear(memberships.invitations, standing, (_key, { hash }) => [memberships.tokens.toDelete([hash])]);
    await clear(memberships.requests, standing);
    await clear(memberships.formers, standing);
    await clear(memberships.erasures, standing);
    for (const close of deps.closers) {
      await write(standing, []);
      await close(id);
    }
    const only = await collections.single.get(["instance"]);
    const roles = await collections.roles.list({ prefix: [id], limit: pageMax });
    await write(standing, [
      collections.communities.toDelete([id]),
      collections.names.toDelete([name]),
      collections.members.toDelete([id, caller.endpoint]),
      collections.ofMember.toDelete([caller.endpoint, id]),
      collections.policies.toDelete([id]),
      deps.agenda.toAdd(purgeOfLog(id, deps.clock.now())),
      ...(only?.value.community === id ? [collections.single.toDelete(["instance"], only.revision)] : []),
      ...roles.records.map(({ key }) => collections.roles.toDelete(key)),
    ]);
  });
}
