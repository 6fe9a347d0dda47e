/**
 * The stream of public events on the messaging server: a projection of the log, for whoever on the server's side wants to be woken rather than to ask.
 *
 * Invariant: the log is the truth, the stream is behind it by as little as may be and never holds an act up. Events of a community are published in order of
 * index, each under the condition that the one before is the last there, so hubs that do it at the same time write each event once. A stream that was lost is
 * made anew and filled again. It names nobody, so an erasure need not reach it. docs/architecture/events.md.
 */
import { hasCode, type CommunityId, type PublicEvent } from "@althing/contract";
import type { Store } from "@althing/store";
import { openEventCollections } from "./event-collections.ts";
import type { EventLog } from "./event-log.ts";
import { publicEventOf } from "./event-record.ts";

/** Where events are published: the bus's stream of them. */
export interface EventSink {
  /** Makes the stream if there is none. @returns a name that this making of it has alone. @throws {nats.unavailable} */
  open(): Promise<string>;
  /** The community's newest event there; index and sequence 0 for none. @throws {nats.unavailable} */
  last(community: CommunityId): Promise<SinkPlace>;
  /** @returns its sequence; undefined when the community's newest is another than `lastSequence`. @throws {nats.unavailable} */
  publish(event: PublicEvent, lastSequence: number): Promise<number | undefined>;
  /** Deletes what there is of one community. @throws {nats.unavailable} */
  clear(community: CommunityId): Promise<void>;
  /** Deletes the stream. @throws {nats.unavailable} */
  remove(): Promise<void>;
}

export interface SinkPlace {
  readonly index: number;
  readonly sequence: number;
}

export interface EventProjection {
  /** Looks for what was missed: events of other hubs, a lost stream, a server that was away. @throws {nats.unavailable} {store.unavailable} */
  sweep(): Promise<void>;
  /** Makes the stream anew and fills it. @throws as `sweep` */
  rebuild(): Promise<void>;
  /** Resolves when everything this process knows of is published or has failed. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export interface EventProjectionDeps {
  readonly store: Store;
  readonly events: EventLog;
  readonly sink: EventSink;
  readonly onFailure: (error: unknown) => void;
  /** Default: 10 s. */
  readonly sweepMs?: number;
}

/** Of a community whose stream is filled from nothing: the newest so many. */
export const refilledMax = 10_000;
const readAtOnce = 200;
/** Others may be publishing the same; then there is less to do at each try. */
const attemptsMax = 20;
const placesKept = 5_000;

export function createEventProjection({ store, events, sink, onFailure, sweepMs = 10_000 }: EventProjectionDeps): EventProjection {
  const { projections } = openEventCollections(store);
  /** What this process published last: spares a question before each event. */
  const places = new Map<CommunityId, SinkPlace>();
  const grown = new Set<CommunityId>();
  let work: Promise<void> = Promise.resolve();
  let closed = false;

  const inTurn = (step: () => Promise<void>): Promise<void> => {
    const turn = work.then(step);
    work = turn.catch(() => undefined);
    return turn;
  };

  /** From where on events are missing. A stream that never had any of a community's, or was lost, is given the newest. */
  async function placeOf(community: CommunityId, stream: string): Promise<SinkPlace> {
    const known = places.get(community);
    if (known !== undefined) return known;
    const last = await sink.last(community);
    const head = await events.head(community);
    const oldest = Math.max(0, head.index - refilledMax);
    // The log was brought back to an earlier state: what the stream has beyond it never happened.
    if (last.index > head.index) {
      await sink.clear(community);
      return { index: oldest, sequence: 0 };
    }
    if (last.index > 0) return last;
    const cursor = (await projections.get([community]))?.value;
    const isKnown = cursor?.stream === stream && cursor.index <= head.index;
    return { index: isKnown ? cursor.index : oldest, sequence: 0 };
  }

  /** @returns the index up to which the stream has the log */
  async function publishFrom(community: CommunityId, stream: string): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      let { index, sequence } = await placeOf(community, stream);
      let isOvertaken = false;
      for (let records = await events.read(community, index, readAtOnce); records.length > 0 && !isOvertaken && !closed;) {
        for (const record of records) {
          const published = await sink.publish(publicEventOf(record, { nameless: true }), sequence);
          isOvertaken = published === undefined;
          if (published === undefined) break;
          ({ index } = record);
          sequence = published;
        }
        if (!isOvertaken) records = await events.read(community, index, readAtOnce);
      }
      if (!isOvertaken) {
        remember(community, { index, sequence });
        return index;
      }
      places.delete(community);
      if (attempt === attemptsMax) return index;
    }
  }

  function remember(community: CommunityId, place: SinkPlace): void {
    places.delete(community);
    places.set(community, place);
    for (const oldest of places.keys()) {
      if (places.size <= placesKept) return;
      places.delete(oldest);
    }
  }

  async function keepCursor(community: CommunityId, index: number, stream: string): Promise<void> {
    const row = await projections.get([community]);
    if (row?.value.stream === stream && row.value.index === index) return;
    try {
      await projections.put([community], { index, stream }, row?.revision ?? 0);
    } catch (error) {
      // Another hub wrote it; whoever is behind sees so at its next sweep.
      if (!hasCode(error, "store.conflict")) throw error;
    }
  }

  async function sweepNow(): Promise<void> {
    const stream = await sink.open();
    for await (const { community, head } of events.communities()) {
      if (closed) return;
      const cursor = (await projections.get([community]))?.value;
      if (cursor?.stream === stream && cursor.index === head.index) continue;
      // Whatever was published by this process went into another making of the stream, or others have gone on.
      places.delete(community);
      await keepCursor(community, await publishFrom(community, stream), stream);
    }
  }

  /** A failure leaves the rest to the next sweep: it asks the store, not this process's memory. */
  async function publishGrown(): Promise<void> {
    const waiting = [...grown];
    grown.clear();
    if (waiting.length === 0 || closed) return;
    try {
      const stream = await sink.open();
      for (const community of waiting) await publishFrom(community, stream);
    } catch (error) {
      places.clear();
      throw error;
    }
  }

  const quietly = (step: () => Promise<void>): void => void inTurn(step).catch((error: unknown) => closed || onFailure(error));
  const unlisten = events.onAppended((records) => {
    const community = records[0]?.community;
    if (community === undefined || grown.has(community)) return;
    grown.add(community);
    quietly(publishGrown);
  });
  quietly(sweepNow);
  const timer = setInterval(() => quietly(sweepNow), sweepMs).unref();

  return {
    sweep: () => inTurn(sweepNow),
    rebuild: () =>
      inTurn(async () => {
        await sink.remove();
        places.clear();
        await sweepNow();
      }),
    async settled() {
      for (let seen; seen !== work;) await (seen = work);
    },
    async close() {
      closed = true;
      clearInterval(timer);
      unlisten();
      await work;
    },
  };
}
