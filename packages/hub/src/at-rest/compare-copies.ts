/**
 * Compares a node's copy of a stream with another node's, message by message, while the instance is in use.
 *
 * Invariant: of a stream only the leader gives messages, so the node is made its leader and read, then the other one. Messages go and never come back, so all that the
 * second reading finds must have been in the first, byte for byte; what both lack was removed. A reading in which the leader changed is none and is made again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { BusConnection } from "@althing/bus";
import { AppError, isAppError } from "@althing/contract";
import { z } from "zod";
import { messageFrom, type StoredMessage } from "./private-streams.ts";

const lanes = 8;
const triesMax = 10;
const requestTimeoutMs = 5_000;
const leaderWithinMs = 20_000;
const lookEveryMs = 50;
/** A choice of a new leader takes so long at most; before that it is not asked for again. */
const electionMs = 2_000;
/** Each server removes by itself what has expired, a moment earlier or later. */
const expiryWithinMs = 15_000;
const digestBytes = 16;
/** For the search; they are cut there. */
const sampleBytes = 32;
const samplesMax = 4_000;

const infoSchema = z.object({
  state: z.object({ first_seq: z.int(), last_seq: z.int() }),
  cluster: z.object({ leader: z.string().optional(), leader_since: z.string().optional() }),
});
type Info = z.infer<typeof infoSchema>;
type Account = BusConnection["account"];

export interface CompareOptions {
  readonly account: Account;
  readonly stream: string;
  readonly node: string;
  /** Holds all of it. */
  readonly other: string;
  readonly signal?: AbortSignal | undefined;
}

export interface ComparedCopies {
  /** Compared, and equal. */
  readonly messages: number;
  /** Beginnings of subjects and payloads, for a search. */
  readonly samples: readonly Uint8Array[];
}

async function infoOf(account: Account, stream: string): Promise<Info | undefined> {
  const answer = await account.request(`$JS.API.STREAM.INFO.${stream}`, "{}", { timeout: requestTimeoutMs }).catch(() => undefined);
  return answer === undefined ? undefined : infoSchema.safeParse(answer.json()).data;
}

/** @throws {nats.unavailable} it does not come to lead */
async function lead(options: CompareOptions, node: string): Promise<Info> {
  const { account, stream, signal } = options;
  const startedMs = performance.now();
  let askedMs = -Infinity;
  for (;;) {
    signal?.throwIfAborted();
    const info = await infoOf(account, stream);
    if (info?.cluster.leader === node) return info;
    const nowMs = performance.now();
    if (nowMs - startedMs > leaderWithinMs)
      throw new AppError("nats.unavailable", { detail: `${node} does not come to lead stream ${stream}` });
    if (info !== undefined && nowMs - askedMs > electionMs) {
      askedMs = nowMs;
      const body = JSON.stringify({ placement: { preferred: node } });
      await account.request(`$JS.API.STREAM.LEADER.STEPDOWN.${stream}`, body, { timeout: requestTimeoutMs }).catch(() => undefined);
    }
    await sleep(lookEveryMs);
  }
}

interface Range {
  readonly first: number;
  readonly last: number;
}

/** Several parts of the range at once: each message is a question and an answer. */
async function readRange({ account, stream, signal }: CompareOptions, { first, last }: Range, take: (message: StoredMessage) => void) {
  const size = Math.max(1, Math.ceil((last - first + 1) / lanes));
  const readLane = async (from: number): Promise<void> => {
    const end = Math.min(last, from + size - 1);
    for (let seq = from; seq <= end;) {
      signal?.throwIfAborted();
      const message = await messageFrom(account, stream, seq, requestTimeoutMs);
      if (message === undefined || message.seq > end) return;
      take(message);
      seq = message.seq + 1;
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, n) => readLane(first + n * size)));
}

const isSameLife = (one: Info, two: Info | undefined): boolean =>
  one.cluster.leader === two?.cluster.leader && one.cluster.leader_since === two?.cluster.leader_since;

/** @param begin called at each try, with the range that is read */
async function readThrough(
  options: CompareOptions,
  node: string,
  begin: (info: Info) => { readonly range: Range; readonly take: (message: StoredMessage) => void },
): Promise<void> {
  let cause: unknown;
  for (let tries = 0; tries < triesMax; tries += 1) {
    const info = await lead(options, node);
    const { range, take } = begin(info);
    try {
      await readRange(options, range, take);
      if (isSameLife(info, await infoOf(options.account, options.stream))) return;
    } catch (error) {
      if (options.signal?.aborted === true || isAppError(error)) throw error;
      // The leader changed: nobody answers for a moment.
      cause = error;
      await sleep(lookEveryMs);
    }
  }
  throw new AppError("nats.unavailable", { detail: `${node} does not go on leading stream ${options.stream}` }, { cause });
}

const shortDigest = ({ digest }: StoredMessage): string => digest.toString("latin1", 0, digestBytes);

/**
 * @returns what was compared; a text for what the node's copy lacks
 * @throws {nats.unavailable}
 */
export async function compareCopies(options: CompareOptions): Promise<ComparedCopies | string> {
  const { node, other, stream } = options;
  const own = new Map<number, string>();
  let upTo = 0;
  await readThrough(options, node, ({ state }) => {
    own.clear();
    upTo = state.last_seq;
    return { range: { first: Math.max(1, state.first_seq), last: upTo }, take: (message) => own.set(message.seq, shortDigest(message)) };
  });
  let [messages, different] = [0, 0];
  const missing = new Set<number>();
  const samples: Uint8Array[] = [];
  await readThrough(options, other, ({ state }) => {
    [messages, different, samples.length] = [0, 0, 0];
    missing.clear();
    const take = (message: StoredMessage): void => {
      const digest = own.get(message.seq);
      if (digest === undefined) missing.add(message.seq);
      else if (digest === shortDigest(message)) messages += 1;
      else different += 1;
      // Copies: a view would keep the whole message.
      if (samples.length < samplesMax)
        samples.push(new Uint8Array(Buffer.from(message.subject)), new Uint8Array(message.data.subarray(0, sampleBytes)));
    };
    return { range: { first: Math.max(1, state.first_seq), last: upTo }, take };
  });
  await forgetExpired(options, missing);
  if (different > 0) return `${different} messages of stream ${stream} are others than on ${other}`;
  if (missing.size > 0) return `${missing.size} messages of stream ${stream} are on ${other} only`;
  return { messages, samples };
}

/** What the other node has removed in the meantime was about to expire. */
async function forgetExpired({ account, stream }: CompareOptions, missing: Set<number>): Promise<void> {
  const deadline = performance.now() + expiryWithinMs;
  while (missing.size > 0 && performance.now() < deadline) {
    for (const seq of missing) if ((await messageFrom(account, stream, seq))?.seq !== seq) missing.delete(seq);
    if (missing.size > 0) await sleep(lookEveryMs * 10);
  }
}
