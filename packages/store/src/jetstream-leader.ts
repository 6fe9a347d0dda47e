/**
 * Questions to the leader of a stream that several servers keep, and when its "nothing" is believed.
 *
 * Invariant: "nothing" is believed only of a server that had everything that is known to be there, before it was asked and as leader still afterwards. A
 * server that has just become leader answers from what it has applied so far, which may be less than has been acknowledged.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "@althing/contract";
import type { JetStreamManager, StoredMsg } from "@nats-io/jetstream";
import type { JetStreamLink } from "./jetstream-link.ts";

export interface StreamLeader {
  /**
   * What `ask` finds; `undefined` when there is nothing of it up to a sequence.
   * @param ask of the stream's leader, what changes nothing; `null` is nothing
   * @param upTo asked for once, after the first "nothing"; `undefined`: nobody has more than who was asked
   * @throws {store.unavailable} no leader that has everything up to there was found in time
   */
  find<T>(ask: () => Promise<T | null>, upTo: () => Promise<number | undefined>): Promise<T | undefined>;
  /** Sequence of the newest message, as the leader has it. */
  last(): Promise<number>;
  /**
   * The first message at or after `from`; `undefined` when there is none up to `upTo`.
   * @throws {store.unavailable} no leader that has everything up to `upTo` was found in time
   */
  next(from: number, upTo: number): Promise<StoredMsg | undefined>;
}

export interface StreamLeaderOptions {
  /** Asks what changes nothing, again where that may help. */
  readonly again: JetStreamLink["again"];
  readonly manager: JetStreamManager;
  readonly stream: string;
  /** Filter that all messages of the stream pass. */
  readonly subjects: string;
  readonly timeoutMs: number;
}

const lagWaitMs = 50;

export function createStreamLeader({ again, manager, stream, subjects, timeoutMs }: StreamLeaderOptions): StreamLeader {
  const info = () => again(() => manager.streams.info(stream));
  const ask = (from: number) => {
    // The library has no type for the server's "the first at or after".
    const query = { seq: from, next_by_subj: subjects };
    return again(() => manager.streams.getMessage(stream, query));
  };
  async function find<T>(ask: () => Promise<T | null>, upTo: () => Promise<number | undefined>): Promise<T | undefined> {
    const startedMs = performance.now();
    const first = await ask();
    if (first !== null) return first;
    const wanted = await upTo();
    if (wanted === undefined) return undefined;
    for (;;) {
      const before = await info();
      const found = await ask();
      if (found !== null) return found;
      if (before.state.last_seq >= wanted && before.cluster?.leader === (await info()).cluster?.leader) return undefined;
      if (performance.now() - startedMs > timeoutMs) throw new AppError("store.unavailable", { detail: "the stream's leader is behind" });
      await sleep(lagWaitMs);
    }
  }
  return {
    find,
    last: async () => (await info()).state.last_seq,
    next: (from, upTo) =>
      find(
        () => ask(from),
        () => Promise.resolve(upTo),
      ),
  };
}
