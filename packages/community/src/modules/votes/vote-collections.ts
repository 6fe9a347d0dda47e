/**
 * The records of ballots.
 *
 * Invariant: no record has both a voter and a secret choice, and no two records that exist at one time lead from one to the other without the trustee's key.
 * A voter is an endpoint id, a pseudonym once erased. Data formats: a change here is a migration.
 */
import {
  ballotKeySchema,
  endpointIdSchema,
  sealedBallotSchema,
  tallyReportSchema,
  voteChoiceSchema,
  type CommunityId,
} from "@althing/contract";
import type { Collection, Key, Rec, Store } from "@althing/store";
import { setImmediate } from "node:timers/promises";
import { z } from "zod";
import { openProposals } from "../proposals/proposal-collections.ts";

const openingSchema = z.strictObject({
  /** Sealed ballots at the end of the vote. */
  sealed: z.int().nonnegative(),
  /** Ballots that the trustee has published so far. */
  published: z.int().nonnegative(),
  /** No sealed ballot is kept by its voter any more. */
  detached: z.boolean(),
  /** The count is made, or the vote is void: only the purge and the last batch are left. */
  last: z.strictObject({ report: tallyReportSchema, spoilt: z.int().nonnegative(), isVoid: z.boolean() }).optional(),
});
export type OpeningRow = z.infer<typeof openingSchema>;

const snapshotSchema = z.strictObject({
  electorate: z.int().nonnegative(),
  delegations: z.int().nonnegative(),
  spoilt: z.int().nonnegative(),
  isVoid: z.boolean(),
});
export type SnapshotRow = z.infer<typeof snapshotSchema>;

export function openVoteCollections(store: Store) {
  return {
    proposals: openProposals(store),
    /** `ballots/<community>/<proposal>/<voter>`. */
    ballots: store.collection({ name: "ballots", schema: z.strictObject({ choice: voteChoiceSchema }) }),
    /** `sealed-ballots/<community>/<proposal>/<voter>`: no time; replaced in place. */
    sealed: store.collection({ name: "sealed-ballots", schema: sealedBallotSchema }),
    /** `ballot-urns/<community>/<proposal>/<enc ‖ sha256(ct), hexadecimal>`: parted from their voters. */
    urns: store.collection({ name: "ballot-urns", schema: sealedBallotSchema }),
    /** `published-ballots/<community>/<proposal>/<nonce>`. */
    published: store.collection({ name: "published-ballots", schema: z.strictObject({ choice: voteChoiceSchema }) }),
    /** `ballot-keys/<community>/<proposal>`. */
    keys: store.collection({ name: "ballot-keys", schema: ballotKeySchema.extend({ trustee: endpointIdSchema }) }),
    /** `vote-openings/<community>/<proposal>`: while a secret vote is being opened. */
    openings: store.collection({ name: "vote-openings", schema: openingSchema }),
    /** `vote-snapshots/<community>/<proposal>`: who was entitled and what was delegated at the end. */
    snapshots: store.collection({ name: "vote-snapshots", schema: snapshotSchema }),
    /** `vote-electorates/<community>/<proposal>/<page>`: in an order of chance. */
    electorates: store.collection({ name: "vote-electorates", schema: z.strictObject({ voters: z.array(z.string()) }) }),
    /** `vote-delegations/<community>/<proposal>/<page>`: from, to (places in the electorate), 1 when it is for the proposal's topic. */
    delegations: store.collection({
      name: "vote-delegations",
      schema: z.strictObject({ edges: z.array(z.tuple([z.int(), z.int(), z.int()])) }),
    }),
  };
}
export type VoteCollections = ReturnType<typeof openVoteCollections>;

export const pageKey = (community: CommunityId, proposal: string, page: number): Key => [
  community,
  proposal,
  String(page).padStart(6, "0"),
];

/** Every record below a prefix, page by page; others have their turn in between, because a hub that is silent for a second is taken for dead. */
export async function* everyRecord<T>(collection: Collection<T>, prefix: readonly string[]): AsyncGenerator<Rec<T>> {
  let after: Key | undefined;
  do {
    const page = await collection.list({ prefix, limit: 1_000, ...(after === undefined ? {} : { after }) });
    yield* page.records;
    after = page.next;
    if (after !== undefined) await setImmediate();
  } while (after !== undefined);
}
