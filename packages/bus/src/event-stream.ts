/**
 * The stream of public events: subjects `events.<community>.<topic>`, in the hubs' account, for the hubs alone.
 *
 * Invariant: a message is stored only behind the one that its publisher took for the community's last, so the events of a community stand in order and once,
 * however many hubs publish them. What it keeps is bounded by age and bytes, the oldest go first: it is a projection and can be made anew.
 * No user has a right to these subjects (docs/architecture/nats-access.md); what is in it is told in docs/architecture/events.md.
 */
import { AppError, hasCode, isAppError, limits, streams, subjects, type CommunityId, type PublicEvent } from "@althing/contract";
import { createJetStreamLink } from "@althing/store";
import { headers, nanos, type NatsConnection } from "@nats-io/nats-core";
import {
  DiscardPolicy,
  jetstream,
  JetStreamApiError,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type JetStreamClient,
  type JetStreamManager,
  type StreamConfig,
} from "@nats-io/jetstream";

export interface EventStream {
  /** Makes the stream if there is none. @returns a name that this making of it has alone. @throws {nats.unavailable} */
  open(): Promise<string>;
  /** The community's newest event; index and sequence 0 for none. @throws {nats.unavailable} */
  last(community: CommunityId): Promise<{ readonly index: number; readonly sequence: number }>;
  /** @returns its sequence; undefined when the community's newest is another than `lastSequence`. @throws {nats.unavailable} */
  publish(event: PublicEvent, lastSequence: number): Promise<number | undefined>;
  /** Deletes what there is of one community. @throws {nats.unavailable} */
  clear(community: CommunityId): Promise<void>;
  /** Deletes the stream. @throws {nats.unavailable} */
  remove(): Promise<void>;
}

const codes = { streamMissing: 10_059, wrongLastSequence: 10_071, wrongLastSequenceOther: 10_164 } as const;
const indexHeader = "Althing-Index";
/** Of one question, however often it is asked. */
const timeoutMs = 5_000;
/** So long one server may say nothing. */
const tryMs = 1_000;

const configOf = (replicas: number): Partial<StreamConfig> & { name: string } => ({
  name: streams.events,
  subjects: [subjects.eventPattern],
  retention: RetentionPolicy.Limits,
  storage: StorageType.File,
  num_replicas: replicas,
  discard: DiscardPolicy.Old,
  max_bytes: limits.eventStreamMaxBytes,
  max_age: nanos(limits.eventStreamKeptMs),
  allow_direct: false,
  allow_rollup_hdrs: false,
  duplicate_window: nanos(2 * 60_000),
});

const isApiError = (error: unknown, ...wanted: readonly number[]): boolean =>
  error instanceof JetStreamApiError && wanted.includes(error.code);

async function unavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (isAppError(cause) && !hasCode(cause, "store.unavailable")) throw cause;
    throw new AppError("nats.unavailable", { detail: "the stream of events" }, { cause });
  }
}

/** Asks nothing of the server yet, but to be told of elections. */
export function createEventStream(nats: NatsConnection, { replicas = 1 }: { readonly replicas?: number } = {}): EventStream {
  const client: JetStreamClient = jetstream(nats, { timeout: timeoutMs });
  // What a leader that died was asked is answered by nobody.
  const link = createJetStreamLink({ connection: nats, stream: streams.events, timeoutMs });
  const again = <T>(work: () => Promise<T>): Promise<T> => unavailable(() => link.again(work));
  let manager: Promise<JetStreamManager> | undefined;
  const managed = async (): Promise<JetStreamManager> => {
    // Not checked: that question is one of its own, and the first real one gives the same answer.
    manager ??= jetstreamManager(nats, { timeout: tryMs, checkAPI: false });
    return manager;
  };
  /** Two hubs may make it at the same time: the same configuration is taken twice. */
  async function nameOf(): Promise<string> {
    const { streams: api } = await managed();
    try {
      const found = await api.info(streams.events);
      if (found.config.num_replicas < replicas) await api.update(streams.events, { ...found.config, num_replicas: replicas });
      return found.created;
    } catch (error) {
      if (!isApiError(error, codes.streamMissing)) throw error;
      return (await api.add(configOf(replicas))).created;
    }
  }
  return {
    open: () => again(nameOf),
    last: (community) =>
      again(async () => {
        const message = await (await managed()).streams.getMessage(streams.events, { last_by_subj: subjects.eventsOf(community) });
        return message === null ? { index: 0, sequence: 0 } : { index: Number(message.header.get(indexHeader)), sequence: message.seq };
      }),
    publish: (event, lastSequence) =>
      unavailable(async () => {
        const own = headers();
        own.set(indexHeader, String(event.index));
        try {
          const ack = await link.once(() =>
            client.publish(subjects.event(event.community, event.topic), JSON.stringify(event), {
              msgID: event.hash,
              headers: own,
              timeout: timeoutMs,
              expect: { lastSubjectSequence: lastSequence, lastSubjectSequenceSubject: subjects.eventsOf(event.community) },
            }),
          );
          // Somebody stored it a moment ago, perhaps in a place that is gone: the caller looks.
          return ack.duplicate ? undefined : ack.seq;
        } catch (error) {
          if (isApiError(error, codes.wrongLastSequence, codes.wrongLastSequenceOther)) return undefined;
          throw error;
        }
      }),
    async clear(community) {
      await again(async () => (await managed()).streams.purge(streams.events, { filter: subjects.eventsOf(community) }));
    },
    async remove() {
      await again(async () => {
        try {
          await (await managed()).streams.delete(streams.events);
        } catch (error) {
          if (!isApiError(error, codes.streamMissing)) throw error;
        }
      });
    },
  };
}
