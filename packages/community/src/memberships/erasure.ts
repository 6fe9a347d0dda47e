/**
 * Erasing what names a person in a community; for the person alone, also after they left.
 *
 * Invariant: the membership ends and the intent is recorded in one batch, so that a hub that dies leaves an erasure that the next one finishes; every eraser
 * may be run again. The event that tells of it names nobody. Until it is done the person cannot come in again, so that nothing new is caught by it.
 */
import type { Caller } from "@althing/bus";
import { AppError, endpointIdSchema, type CommunityId, type EndpointId } from "@althing/contract";
import type { Write } from "@althing/store";
import type { AgendaEntry } from "../agenda.ts";
import type { Invitations } from "./invitations.ts";
import { isoTime, type InCommunity, type JoiningDeps } from "./membership-deps.ts";
import type { MembershipRules } from "./membership-rules.ts";

/** Erases what an area keeps of a person in a community; called again after a failure, so it must not mind what is gone. */
export type Eraser = (community: CommunityId, endpoint: EndpointId) => Promise<void>;

export interface Erasure {
  /** @throws {community.not_found} no trace of the caller is there {auth.forbidden} it is somebody else's {community.last_owner} */
  erase(caller: Caller, input: InCommunity & { readonly endpoint: EndpointId }): Promise<void>;
}

/** @param erasers of all areas, asked in this order */
export function createErasure(deps: JoiningDeps, rules: MembershipRules, invitations: Invitations, erasers: readonly Eraser[]): Erasure {
  const { collections, memberships, authority, events, agenda, clock, store } = deps;

  const entryOf = (community: CommunityId, endpoint: string, startedAt: string): AgendaEntry => ({
    ...{ kind: "erasure.resume", community, id: endpoint, atMs: Date.parse(startedAt) },
  });

  async function hasTraces(id: CommunityId, endpoint: EndpointId): Promise<boolean> {
    const key = [id, endpoint] as const;
    const { formers, requests, erasures } = memberships;
    const rows = await Promise.all([collections.members.get(key), formers.get(key), requests.get(key), erasures.get(key)]);
    return rows.some((row) => row !== undefined);
  }

  async function begin(id: CommunityId, endpoint: EndpointId): Promise<void> {
    await events.act(id, async () => {
      const community = await collections.communities.get([id]);
      if (community === undefined) throw new AppError("community.not_found", { community: id });
      const [member, begun] = [await collections.members.get([id, endpoint]), await memberships.erasures.get([id, endpoint])];
      const startedAt = begun?.value.startedAt ?? isoTime(clock.now());
      return {
        writes: [
          ...(member === undefined ? [] : rules.depart(community, endpoint, member)),
          memberships.erasures.toPut([id, endpoint], { startedAt }, begun?.revision ?? 0),
          agenda.toAdd(entryOf(id, endpoint, startedAt)),
        ],
        events: [],
        result: undefined,
      };
    });
  }

  /** The founder's name in the row, invitations, requests: what this area keeps. */
  async function ownTraces(id: CommunityId, endpoint: EndpointId): Promise<Write[]> {
    const community = await collections.communities.get([id]);
    const request = await memberships.requests.get([id, endpoint]);
    const purgeAt = request?.value.purgeAt;
    return [
      ...(community?.value.createdBy === endpoint ? [rules.withRow(community, { createdBy: null })] : []),
      ...(await invitations.toWithdrawAllOf(id, endpoint)),
      ...(request === undefined ? [] : [memberships.requests.toDelete([id, endpoint], request.revision)]),
      ...(purgeAt === undefined
        ? []
        : [agenda.toRemove({ kind: "join-request.purge", community: id, id: endpoint, atMs: Date.parse(purgeAt) })]),
      memberships.formers.toDelete([id, endpoint]),
    ];
  }

  async function finish(id: CommunityId, endpoint: EndpointId): Promise<void> {
    for (const erase of erasers) await erase(id, endpoint);
    // Last: what the others did may have been told.
    await events.erase(id, endpoint);
    await events.act(id, async () => {
      const begun = await memberships.erasures.get([id, endpoint]);
      if (begun === undefined) return { writes: [], events: [], result: undefined };
      return {
        writes: [
          ...(await ownTraces(id, endpoint)),
          memberships.erasures.toDelete([id, endpoint], begun.revision),
          agenda.toRemove(entryOf(id, endpoint, begun.value.startedAt)),
        ],
        events: [
          {
            ...{ topic: "member.erased", actor: { kind: "system" }, subject: `community/${id}` },
            ...{ summary: "Somebody's traces were erased", data: {} },
          },
        ],
        result: undefined,
      };
    });
  }

  agenda.on("erasure.resume", async (entry) => {
    const endpoint = endpointIdSchema.parse(entry.id);
    const isBegun = await memberships.erasures.get([entry.community, endpoint]);
    if (isBegun === undefined) await store.batch([agenda.toRemove(entry)]);
    else await finish(entry.community, endpoint);
  });

  return {
    async erase(caller, { community: ref, endpoint }) {
      const found = await authority.find(ref);
      if (found === undefined || !(await hasTraces(found.value.id, caller.endpoint)))
        throw new AppError("community.not_found", { community: ref });
      if (endpoint !== caller.endpoint)
        throw new AppError("auth.forbidden", { permission: "the traces of somebody else", who: "Nobody; that person" });
      const { id } = found.value;
      await begin(id, endpoint);
      await finish(id, endpoint);
    },
  };
}
