/**
 * Communities as the bus sees them, for tests: members, what they may, mutes and the log are records of the same store, written by the test.
 *
 * Invariant: it keeps the promises of `CommunityRooms` with real batches and a real watch; nothing is answered from memory that a restart would lose.
 */
import { AppError, communityIdSchema, endpointIdSchema, type CommunityId, type EndpointId } from "@althing/contract";
import { retryConflicts, type Collection, type Store } from "@althing/store";
import { ulid } from "ulid";
import { z } from "zod";
import type { CommunityRooms, Departure, RoomTold } from "../src/index.ts";

export type Right = "rooms.create" | "rooms.manage";

export interface TestCommunities {
  readonly face: CommunityRooms;
  found(): CommunityId;
  add(community: CommunityId, endpoint: EndpointId, ...rights: Right[]): Promise<void>;
  remove(community: CommunityId, endpoint: EndpointId): Promise<void>;
  /** @param untilMs milliseconds since 1970; undefined lifts it */
  mute(community: CommunityId, endpoint: EndpointId, untilMs: number | undefined): Promise<void>;
  /** What the community's log tells, in order. */
  told(community: CommunityId): Promise<RoomTold[]>;
  /** Names that a filter refuses. */
  readonly refusedNames: Set<string>;
  /** Has the next act fail after it was decided and before it was written. */
  failNextAct: boolean;
  /** Ends the watches under way with an error, as a store does that cannot keep up. */
  breakWatches(): void;
}

const toldSchema = z.object({ topic: z.enum(["room.created", "room.deleted"]), room: z.string(), by: z.string().optional() });

export function openTestCommunities(store: Store): TestCommunities {
  const members = store.collection({ name: "test-members", schema: z.object({ rights: z.array(z.string()) }) });
  const mutes = store.collection({ name: "test-mutes", schema: z.object({ untilMs: z.number() }) });
  const log = store.collection({ name: "test-log", schema: toldSchema });
  const refusedNames = new Set<string>();
  let broken: AbortController | undefined;
  const steer = { failNextAct: false };

  async function rightsOf(community: string, endpoint: EndpointId): Promise<readonly string[]> {
    const row = await members.get([community, endpoint]);
    if (row === undefined) throw new AppError("community.not_found", { community });
    return row.value.rights;
  }

  const face: CommunityRooms = {
    async mayCreate(caller, community) {
      const rights = await rightsOf(community, caller.endpoint);
      if (!rights.includes("rooms.create")) throw new AppError("auth.forbidden", { permission: "rooms.create", who: "A member with it" });
      return communityIdSchema.parse(community);
    },
    beforeCreate(_caller, _community, { name }) {
      return refusedNames.has(name) ? Promise.reject(new AppError("filter.refused", { extension: "t", reason: "no" })) : Promise.resolve();
    },
    async membership(community, endpoint) {
      const row = await members.get([community, endpoint]);
      return row && members.toCheck(row.key, row.revision);
    },
    async standing(caller, community) {
      const rights = await rightsOf(community, caller.endpoint);
      return { community: communityIdSchema.parse(community), manages: rights.includes("rooms.manage") };
    },
    mutedUntil: async (community, endpoint) => (await mutes.get([community, endpoint]))?.value.untilMs,
    act: (community, decide) =>
      retryConflicts("the community", async () => {
        const { writes, told } = await decide();
        if (steer.failNextAct) {
          steer.failNextAct = false;
          throw new AppError("store.unavailable", { detail: "the disk is gone" });
        }
        await store.batch([...writes, ...(told === undefined ? [] : [log.toPut([community, ulid()], told, 0)])]);
      }),
    departures(signal) {
      broken = new AbortController();
      return departuresOf(members, AbortSignal.any([signal, broken.signal]), broken.signal);
    },
    muteChanges(signal) {
      const changes = mutes.watch({ signal });
      return (async function* () {
        for await (const change of changes) {
          const [community, endpoint] = change.type === "put" ? change.record.key : change.key;
          yield { community: communityIdSchema.parse(community), endpoint: endpointIdSchema.parse(endpoint) };
        }
      })();
    },
  };

  return Object.assign(steer, {
    face,
    refusedNames,
    found: () => communityIdSchema.parse(ulid()),
    add: async (community: CommunityId, endpoint: EndpointId, ...rights: Right[]) =>
      void (await members.put([community, endpoint], { rights })),
    remove: (community: CommunityId, endpoint: EndpointId) => members.delete([community, endpoint]),
    async mute(community: CommunityId, endpoint: EndpointId, untilMs: number | undefined) {
      if (untilMs === undefined) await mutes.delete([community, endpoint]);
      else await mutes.put([community, endpoint], { untilMs });
    },
    told: async (community: CommunityId) =>
      (await log.list({ prefix: [community], limit: 1_000 })).records.map(({ value }) => value as RoomTold),
    breakWatches: () => broken?.abort(),
  });
}

function departuresOf(members: Collection<unknown>, signal: AbortSignal, broken: AbortSignal): AsyncIterable<Departure> {
  const changes = members.watch({ signal });
  return (async function* () {
    for await (const change of changes) {
      if (change.type !== "delete") continue;
      const [community, endpoint] = change.key;
      yield { community: communityIdSchema.parse(community), endpoint: endpointIdSchema.parse(endpoint) };
    }
    if (broken.aborted) throw new AppError("store.unavailable", { detail: "changes were missed" });
  })();
}
