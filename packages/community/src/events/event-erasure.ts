/**
 * Erasure: a person is taken out of every event that names them, and the chain still verifies.
 *
 * Invariant: a batch deletes salt and value of some events together with the rows that say where the person is named, so a kill at any point leaves an erasure
 * that goes on when it is asked for again, and never an event that names somebody whom no row finds. docs/architecture/events.md.
 */
import type { CommunityId, EndpointId, EventRecord } from "@althing/contract";
import { retryConflicts, type Store, type Write } from "@althing/store";
import { communityOf, eventKey, type EventCollections } from "./event-collections.ts";

/** Two writes an event: far below what a batch takes, and some megabytes at most. */
const eventsPerBatch = 200;

/** @returns how many events were changed */
export async function eraseFromEvents(
  store: Store,
  collections: EventCollections,
  community: CommunityId,
  endpoint: EndpointId,
): Promise<number> {
  let changed = 0;
  for (;;) {
    const erased = await retryConflicts("the public log", () => eraseSome(store, collections, community, endpoint));
    if (erased === undefined) return changed;
    changed += erased;
  }
}

/** @returns undefined when nothing is left */
async function eraseSome(
  store: Store,
  { events, persons }: EventCollections,
  community: CommunityId,
  endpoint: EndpointId,
): Promise<number | undefined> {
  const { records } = await persons.list({ prefix: [community, endpoint], limit: eventsPerBatch });
  if (records.length === 0) return undefined;
  const writes: Write[] = [];
  let changed = 0;
  for (const { key, revision } of records) {
    writes.push(persons.toDelete(key, revision));
    const row = await events.get(eventKey(communityOf(key), Number(key[2])));
    if (row === undefined) continue;
    writes.push(events.toPut(row.key, withoutPerson(row.value, endpoint), row.revision));
    changed += 1;
  }
  await store.batch(writes);
  return changed;
}

function withoutPerson(record: EventRecord, endpoint: EndpointId): EventRecord {
  const personal: EventRecord["personal"] = {};
  for (const [name, field] of Object.entries(record.personal)) personal[name] = field.value === endpoint ? { digest: field.digest } : field;
  return { ...record, personal };
}
