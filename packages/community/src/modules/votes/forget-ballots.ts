/**
 * Forgetting: who voted what, when somebody is erased; everything, when the community is closed.
 *
 * Invariant: repeatable after any interruption. A ballot of somebody erased stays counted, under a name of chance that is the same in all lists of one vote
 * and another in the next; in one batch a vote, so that its lists never disagree.
 */
import { randomBytes, toHex } from "@althing/crypto";
import type { CommunityId, EndpointId } from "@althing/contract";
import { retryConflicts, type Collection, type Write } from "@althing/store";
import { everyRecord } from "./vote-collections.ts";
import type { VoteContext } from "./vote-deps.ts";

export interface ForgetBallots {
  erase(community: CommunityId, endpoint: EndpointId): Promise<void>;
  /** After the community's members are gone. */
  purge(community: CommunityId): Promise<void>;
}

const pageMax = 500;
/** More than the clocks of two hubs. */
const clocksDifferMs = 60 * 60_000;

export function createForgetBallots({ rows, store, events }: Pick<VoteContext, "rows" | "store" | "events">): ForgetBallots {
  /** Moves a record to its pseudonym. */
  async function renamed<T>(collection: Collection<T>, path: readonly [string, string], from: string, to: string): Promise<Write[]> {
    const found = await collection.get([...path, from]);
    if (found === undefined) return [];
    return [collection.toDelete(found.key, found.revision), collection.toPut([...path, to], found.value, 0)];
  }

  async function renamedInElectorate(community: CommunityId, proposal: string, from: string, to: string): Promise<Write[]> {
    for await (const { key, value, revision } of everyRecord(rows.electorates, [community, proposal]))
      if (value.voters.includes(from))
        return [rows.electorates.toPut(key, { voters: value.voters.map((voter) => (voter === from ? to : voter)) }, revision)];
    return [];
  }

  async function clear<T>(collection: Collection<T>, community: CommunityId): Promise<void> {
    for (;;) {
      const { records } = await collection.list({ prefix: [community], limit: pageMax });
      if (records.length === 0) return;
      await store.batch(records.map(({ key }) => collection.toDelete(key)));
    }
  }

  return {
    async erase(community, endpoint) {
      const since = Date.parse((await events.firstNaming(community, endpoint))?.time ?? "") - clocksDifferMs;
      for await (const { value } of everyRecord(rows.proposals, [community])) {
        // Votes that never began, and those that were over before the person came: else joining and leaving would cost the hub a walk through all of them.
        const { votingOpenedAt, closedAt = "" } = value;
        if (votingOpenedAt === undefined || Date.parse(closedAt) < since) continue;
        await retryConflicts("the vote", async () => {
          // Read first and written with the rest, as the end of a vote does: no name that goes here is taken into an electorate meanwhile.
          const row = await rows.proposals.get([community, value.id]);
          const pseudonym = `erased-${toHex(randomBytes(16))}`;
          const writes = [
            ...(await renamed(rows.ballots, [community, value.id], endpoint, pseudonym)),
            ...(await renamed(rows.sealed, [community, value.id], endpoint, pseudonym)),
            ...(await renamedInElectorate(community, value.id, endpoint, pseudonym)),
          ];
          if (writes.length === 0 || row === undefined) return;
          await store.batch([...writes, rows.proposals.toPut(row.key, row.value, row.revision)]);
        });
      }
      for await (const { key, value, revision } of everyRecord(rows.keys, [community]))
        if (value.trustee === endpoint) await rows.keys.delete(key, revision);
    },
    async purge(community) {
      const { ballots, sealed, urns, published, keys, openings, snapshots, electorates, delegations } = rows;
      for (const collection of [sealed, urns]) await clear(collection, community);
      for (const collection of [ballots, published]) await clear(collection, community);
      await clear(keys, community);
      await clear(openings, community);
      await clear(snapshots, community);
      await clear(electorates, community);
      await clear(delegations, community);
    },
  };
}
