/**
 * The public log of communities: acts and the events that tell of them, in one batch.
 *
 * Invariant: an event is written by the batch of its act or not at all, and each community's events are one chain. The head of the chain is read before an act
 * is decided and compared-and-set with its batch: two hubs cannot write the same index, and no act is written on a decision that another act has overtaken,
 * whichever records that one changed. Acts of one community wait for one another in this process, so that they conflict only with other hubs.
 * docs/architecture/events.md.
 */
import type { CommunityId, EndpointId, EventHead, EventRecord } from "@althing/contract";
import { chainStart } from "@althing/crypto";
import { retryConflicts, type Change, type Rec, type Store, type Write } from "@althing/store";
import { communityOf, eventKey, openEventCollections, personKey } from "./event-collections.ts";
import { eraseFromEvents } from "./event-erasure.ts";
import { personsOf, recordOf, type EventDraft } from "./event-record.ts";

/** What was decided: written whole or not at all. */
export interface Act<R> {
  readonly writes: readonly Write[];
  readonly events: readonly EventDraft[];
  readonly result: R;
  /** What its request is answered with, or finds it, where that is not the result; see `EventLogDeps.onDecided`. */
  readonly answer?: unknown;
}

export interface EventLog {
  /**
   * Reads, decides and writes. `decide` may run again when others were faster, so it reads everything it decides on and changes nothing by itself;
   * it must not call `act` of the same community. A listener that throws disturbs nothing.
   * @throws what `decide` throws; {event.too_large} {request.conflict} {store.unavailable}: the act may have happened
   */
  act<R>(community: CommunityId, decide: () => Promise<Act<R>>): Promise<R>;
  /** Called after each commit in this process, in order of index; what it throws is nobody's. Acts of other hubs are not told: see `follow`. */
  onAppended(listener: (events: readonly EventRecord[]) => void): () => void;
  /**
   * Communities whose log has grown, whichever hub wrote it; several acts may be told as one. Begins when it is called: follow, then read.
   * @throws {store.unavailable} there may be a gap: read, and follow again
   */
  follow(signal: AbortSignal): AsyncIterable<CommunityId>;
  /** Events after `after`, in order: at most `limit` (1,000) and 8 MiB; none only when there are none. */
  read(community: CommunityId, after: number, limit: number): Promise<readonly EventRecord[]>;
  /** Events before `before`, newest first; bounds as in `read`. */
  readBack(community: CommunityId, before: number, limit: number): Promise<readonly EventRecord[]>;
  one(community: CommunityId, index: number): Promise<EventRecord | undefined>;
  /** The oldest event that names somebody; what they did or were before it is erased, or was never told. */
  firstNaming(community: CommunityId, endpoint: EndpointId): Promise<EventRecord | undefined>;
  /** Index and hash of the newest event; 0 and `chainStart` for none. */
  head(community: CommunityId): Promise<EventHead>;
  /** All communities that have events, in no order that matters. */
  communities(): AsyncIterable<{ readonly community: CommunityId; readonly head: EventHead }>;
  /**
   * Takes a person out of every event that names them: salt and value are deleted, digests stay, the chain verifies. Works in bounded batches and goes on
   * where it stopped when it is called again; whoever was to act on until then must not be able to act any more.
   * @returns how many events were changed by this call
   * @throws {store.unavailable} call again
   */
  erase(community: CommunityId, endpoint: EndpointId): Promise<number>;
  /** Removes the log of a community that ended; called again after a failure. @throws {store.unavailable} */
  purge(community: CommunityId): Promise<void>;
}

export interface EventLogDeps {
  readonly store: Store;
  readonly clock: { now(): number };
  /** Told what each act is answered with, right before its batch: whoever keeps it has the answer exactly when the act is committed. */
  readonly onDecided?: ((answer: unknown) => void) | undefined;
}

const headsPage = 500;
const purgedPerBatch = 400;

export function createEventLog({ store, clock, onDecided = () => undefined }: EventLogDeps): EventLog {
  const collections = openEventCollections(store);
  const listeners = new Set<(events: readonly EventRecord[]) => void>();
  const inTurn = createTurns();

  async function chained(
    community: CommunityId,
    drafts: readonly EventDraft[],
    head: Rec<EventHead> | undefined,
  ): Promise<{ writes: Write[]; records: EventRecord[] }> {
    let { index, hash } = head?.value ?? { index: 0, hash: chainStart };
    const records: EventRecord[] = [];
    for (const draft of drafts) {
      const record = await recordOf(draft, { community, index: index + 1, previous: hash, at: clock.now() });
      records.push(record);
      ({ index, hash } = record);
    }
    const writes = records.flatMap((record) => [
      collections.events.toPut(eventKey(community, record.index), record, 0),
      ...personsOf(record).map((person) => collections.persons.toPut(personKey(community, person, record.index), {}, 0)),
    ]);
    const expected = head?.revision ?? 0;
    return { writes: [...writes, collections.heads.toPut([community], { index, hash }, expected)], records };
  }

  async function actOnce<R>(community: CommunityId, decide: () => Promise<Act<R>>): Promise<R> {
    const head = await collections.heads.get([community]);
    const { writes, events, result, answer = result } = await decide();
    if (events.length === 0) {
      if (writes.length === 0) return result;
      onDecided(answer);
      await store.batch([...writes, collections.heads.toCheck([community], head?.revision ?? 0)]);
      return result;
    }
    const { writes: telling, records } = await chained(community, events, head);
    onDecided(answer);
    await store.batch([...writes, ...telling]);
    for (const listener of listeners) {
      try {
        listener(records);
      } catch {
        // A listener catches up from the store; the act is done.
      }
    }
    return result;
  }

  return {
    act: (community, decide) => inTurn(community, () => retryConflicts("the community", () => actOnce(community, decide))),
    onAppended(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    follow: (signal) => grownOf(collections.heads.watch({ signal })),
    async read(community, after, limit) {
      const page = await collections.events.list({ prefix: [community], after: eventKey(community, after), limit });
      return page.records.map(({ value }) => value);
    },
    async readBack(community, before, limit) {
      const page = await collections.events.list({ prefix: [community], after: eventKey(community, before), limit, reverse: true });
      return page.records.map(({ value }) => value);
    },
    one: async (community, index) => (await collections.events.get(eventKey(community, index)))?.value,
    async firstNaming(community, endpoint) {
      const { records } = await collections.persons.list({ prefix: [community, endpoint], limit: 1 });
      const index = records[0]?.key[2];
      return index === undefined ? undefined : (await collections.events.get(eventKey(community, Number(index))))?.value;
    },
    async head(community) {
      const row = await collections.heads.get([community]);
      return row?.value ?? { index: 0, hash: chainStart };
    },
    async *communities() {
      let after: Rec<EventHead>["key"] | undefined;
      do {
        const page = await collections.heads.list({ limit: headsPage, ...(after === undefined ? {} : { after }) });
        for (const { key, value } of page.records) yield { community: communityOf(key), head: value };
        after = page.next;
      } while (after !== undefined);
    },
    erase: (community, endpoint) => eraseFromEvents(store, collections, community, endpoint),
    async purge(community) {
      for (const collection of [collections.persons, collections.events]) {
        for (;;) {
          const { records } = await collection.list({ prefix: [community], limit: purgedPerBatch });
          if (records.length === 0) break;
          await store.batch(records.map(({ key }) => collection.toDelete(key)));
        }
      }
      await collections.heads.delete([community]);
    },
  };
}

/** Work of one community, one after another; of several communities side by side. */
function createTurns(): <R>(community: CommunityId, work: () => Promise<R>) => Promise<R> {
  const queues = new Map<CommunityId, Promise<unknown>>();
  return (community, work) => {
    const before = queues.get(community) ?? Promise.resolve();
    const turn = before.then(work, work);
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    queues.set(community, settled);
    void settled.then(() => {
      if (queues.get(community) === settled) queues.delete(community);
    });
    return turn;
  };
}

async function* grownOf(changes: AsyncIterable<Change<EventHead>>): AsyncGenerator<CommunityId> {
  for await (const change of changes) yield communityOf(change.type === "put" ? change.record.key : change.key);
}
