/** The projection against a stream that keeps the bus's promises in memory: order, loss, several hubs, kills, and that it holds nobody up. */
import { AppError, type CommunityId, type EndpointId, type PublicEvent } from "@althing/contract";
import { openMemoryStore, type Store } from "@althing/store";
import { describe, expect, test } from "vitest";
import { createEventLog, type EventLog } from "./event-log.ts";
import type { EventDraft } from "./event-record.ts";
import { createEventProjection, refilledMax, type EventSink } from "./event-projection.ts";

const community = "01ARZ3NDEKTSV4RRFFQ69G5FAV" as CommunityId;
const ann = `${"a".repeat(42)}A` as EndpointId;
const clock = { now: () => Date.UTC(2026, 0, 5, 12) };

/** What `packages/bus/src/event-stream.ts` promises, with faults at choice. */
class MemoryStream implements EventSink {
  messages: { readonly sequence: number; readonly event: PublicEvent }[] = [];
  made = 0;
  isThere = false;
  isAway = false;
  /** Called before each publish. */
  onPublish: (event: PublicEvent) => Promise<void> | void = () => undefined;
  #sequence = 0;

  open = async (): Promise<string> => {
    this.#check();
    if (!this.isThere) {
      this.isThere = true;
      this.made += 1;
      this.messages = [];
      this.#sequence = 0;
    }
    return `made-${this.made}`;
  };
  last = async (of: CommunityId) => {
    this.#check();
    return this.#lastOf(of);
  };
  publish = async (event: PublicEvent, lastSequence: number): Promise<number | undefined> => {
    await this.onPublish(event);
    this.#check();
    if (!this.isThere) throw new AppError("nats.unavailable", { detail: "no stream" });
    if (this.#lastOf(event.community).sequence !== lastSequence) return undefined;
    this.messages.push({ sequence: (this.#sequence += 1), event });
    return this.#sequence;
  };
  clear = async (of: CommunityId): Promise<void> => {
    this.messages = this.messages.filter(({ event }) => event.community !== of);
  };
  remove = async (): Promise<void> => {
    this.isThere = false;
  };
  indexes = (of: CommunityId = community) => this.messages.filter(({ event }) => event.community === of).map(({ event }) => event.index);

  #lastOf(of: CommunityId) {
    const found = this.messages.findLast(({ event }) => event.community === of);
    return { index: found?.event.index ?? 0, sequence: found?.sequence ?? 0 };
  }

  #check(): void {
    if (this.isAway) throw new AppError("nats.unavailable", { detail: "away" });
  }
}

const given: EventDraft = {
  ...{ topic: "delegation.given", actor: { kind: "member", endpoint: ann }, subject: "delegation/1", summary: "A delegation was given" },
  data: { to: ann },
};
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

async function happen(log: EventLog, count: number, of: CommunityId = community): Promise<void> {
  for (let i = 0; i < count; i++) {
    await log.act(of, () => Promise.resolve({ writes: [], events: [given], result: undefined }));
  }
}

function hub(store: Store, sink: EventSink) {
  const events = createEventLog({ store, clock });
  const failures: unknown[] = [];
  const projection = createEventProjection({ store, events, sink, onFailure: (error) => failures.push(error), sweepMs: 3_600_000 });
  return { events, projection, failures };
}

async function withHub(work: (at: ReturnType<typeof hub> & { sink: MemoryStream; store: Store }) => Promise<void>): Promise<void> {
  const [store, sink] = [openMemoryStore(), new MemoryStream()];
  const made = hub(store, sink);
  try {
    await work({ ...made, sink, store });
  } finally {
    await made.projection.close();
  }
}

describe("the projection", () => {
  test("follows acts in order of index and names nobody", () =>
    withHub(async ({ events, projection, sink }) => {
      await happen(events, 5);
      await projection.settled();
      expect(sink.indexes()).toEqual(upTo(5));
      expect(JSON.stringify(sink.messages)).not.toContain(ann);
      expect(sink.messages[0]?.event).toMatchObject({ actor: null, data: { to: null }, redacted: ["actor", "to"] });
    }));

  test("never holds an act up: a stream that hangs or is away is behind, and catches up", () =>
    withHub(async ({ events, projection, sink, failures }) => {
      await projection.settled();
      sink.isAway = true;
      await happen(events, 3);
      await projection.settled();
      expect([sink.indexes(), failures.length > 0]).toEqual([[], true]);
      sink.isAway = false;
      const gate = Promise.withResolvers<void>();
      sink.onPublish = () => gate.promise;
      await happen(events, 3);
      expect((await events.head(community)).index).toBe(6);
      gate.resolve();
      await projection.sweep();
      expect(sink.indexes()).toEqual(upTo(6));
    }));

  test("of several hubs writes each event once, whoever is slow", () =>
    withHub(async ({ events, projection, sink, store }) => {
      const second = hub(store, sink);
      let turn = 0;
      // Whoever publishes is overtaken again and again.
      sink.onPublish = async () => {
        turn += 1;
        for (let i = 0; i < turn % 7; i++) await Promise.resolve();
      };
      await Promise.all([happen(events, 40), happen(second.events, 40)]);
      await Promise.all([projection.sweep(), second.projection.sweep()]);
      expect(sink.indexes()).toEqual(upTo(80));
      await second.projection.close();
    }));

  test("publishes what a killed hub left, and what was written while no hub published", () =>
    withHub(async ({ store, events, projection, sink }) => {
      for (const dies of [1, 2, 3]) {
        sink.onPublish = ({ index }) => {
          if (index % 4 === dies) throw new Error("killed");
        };
        await happen(events, 4);
        await projection.settled();
      }
      sink.onPublish = () => undefined;
      const next = hub(store, sink);
      await next.projection.sweep();
      expect(sink.indexes()).toEqual(upTo(12));
      await next.projection.close();
    }));

  test("is filled again when the stream is lost, by itself and on demand", () =>
    withHub(async ({ events, projection, sink }) => {
      await happen(events, 3);
      await projection.sweep();
      sink.isThere = false;
      await projection.sweep();
      expect([sink.made, sink.indexes()]).toEqual([2, upTo(3)]);
      sink.isThere = false;
      await happen(events, 1);
      await projection.settled();
      expect([sink.made, sink.indexes()]).toEqual([3, upTo(4)]);
      await projection.rebuild();
      expect([sink.made, sink.indexes()]).toEqual([4, upTo(4)]);
    }));

  test("goes on after what it kept when the stream's own bounds took a community's events", () =>
    withHub(async ({ events, projection, sink, store }) => {
      await happen(events, 3);
      await projection.sweep();
      sink.messages = [];
      await happen(events, 2);
      await projection.sweep();
      expect(sink.indexes()).toEqual([4, 5]);
      sink.messages = [];
      const next = hub(store, sink);
      await happen(next.events, 1);
      await next.projection.sweep();
      expect(sink.indexes()).toEqual([6]);
      await next.projection.close();
    }));

  test("drops what never happened when the log was brought back to an earlier state", () =>
    withHub(async ({ events, projection, sink }) => {
      await happen(events, 8);
      await projection.sweep();
      const earlier = openMemoryStore();
      const restored = hub(earlier, sink);
      await happen(restored.events, 2);
      await restored.projection.sweep();
      expect(sink.indexes()).toEqual(upTo(2));
      await restored.projection.close();
    }));

  test("of a long log fills a new stream with the newest only", () =>
    withHub(async ({ store, sink }) => {
      const far = 3 * refilledMax;
      const events = createEventLog({ store, clock });
      const asked: number[] = [];
      const long: EventLog = {
        ...events,
        head: () => Promise.resolve({ index: far, hash: "0".repeat(64) }),
        read: async (_community, after) => {
          asked.push(after);
          return [];
        },
        async *communities() {
          yield { community, head: { index: far, hash: "0".repeat(64) } };
        },
      };
      const projection = createEventProjection({ store, events: long, sink, onFailure: () => undefined, sweepMs: 3_600_000 });
      await projection.sweep();
      expect(asked).toContain(far - refilledMax);
      expect(Math.min(...asked)).toBe(far - refilledMax);
      await projection.close();
    }));
});
