/**
 * The records of delegations.
 *
 * Invariant: each is kept twice in one batch, by who gives and by who takes; a community's `delegation-clocks` record is written with every change, so that
 * who read several records can hold on all of them. Data formats: a change here is a migration.
 */
import { endpointIdSchema, type CommunityId, type EndpointId } from "@althing/contract";
import type { Key, Store } from "@althing/store";
import { z } from "zod";

const rowSchema = z.strictObject({ to: endpointIdSchema, topic: z.string().optional(), givenAt: z.iso.datetime() });
export type DelegationRow = z.infer<typeof rowSchema>;

export function openDelegationCollections(store: Store) {
  return {
    /** `delegations/<community>/<from>/<slot>`. */
    given: store.collection({ name: "delegations", schema: rowSchema }),
    /** `delegations-to/<community>/<to>/<from>/<slot>`. */
    taken: store.collection({ name: "delegations-to", schema: z.strictObject({}) }),
    /** `delegation-clocks/<community>`. */
    clocks: store.collection({ name: "delegation-clocks", schema: z.strictObject({ changes: z.int().positive() }) }),
  };
}
export type DelegationCollections = ReturnType<typeof openDelegationCollections>;

/** `all`, or a topic; the sign keeps a topic called "all" apart. */
export const slotOf = (topic: string | undefined): string => (topic === undefined ? "all" : `=${topic}`);
export const topicOf = (slot: string): string | undefined => (slot.startsWith("=") ? slot.slice(1) : undefined);
export const givenKey = (community: CommunityId, from: EndpointId, topic: string | undefined): Key => [community, from, slotOf(topic)];
export const takenKey = (community: CommunityId, to: EndpointId, from: EndpointId, topic: string | undefined): Key => [
  community,
  to,
  from,
  slotOf(topic),
];
