/**
 * The records of the public log.
 *
 * Invariant: keys order events by index within a community. Data formats: a change here is a migration.
 */
import { communityIdSchema, eventHeadSchema, eventRecordSchema, type CommunityId } from "@althing/contract";
import type { Key, Store } from "@althing/store";
import { z } from "zod";

export function openEventCollections(store: Store) {
  return {
    /** `events/<community>/<index, 12 digits>`. */
    events: store.collection({ name: "events", schema: eventRecordSchema }),
    /** `event-heads/<community>`: the newest event. */
    heads: store.collection({ name: "event-heads", schema: eventHeadSchema }),
    /** `event-persons/<community>/<endpoint>/<index>`: which events name somebody, for erasure. */
    persons: store.collection({ name: "event-persons", schema: z.strictObject({}) }),
    /** `event-projections/<community>`: up to which event the stream on the messaging server has it, and which stream that is. */
    projections: store.collection({
      name: "event-projections",
      schema: z.strictObject({ index: z.int().nonnegative(), stream: z.string() }),
    }),
  };
}
export type EventCollections = ReturnType<typeof openEventCollections>;

/** Beyond any index that a log can have. */
export const endOfLog = 999_999_999_999;
const indexKey = (index: number): string => String(Math.min(index, endOfLog)).padStart(12, "0");

export const eventKey = (community: CommunityId, index: number): Key => [community, indexKey(index)];
export const personKey = (community: CommunityId, person: string, index: number): Key => [community, person, indexKey(index)];
export const communityOf = ([community]: Key): CommunityId => communityIdSchema.parse(community);
