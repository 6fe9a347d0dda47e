/**
 * What a JetStream folder holds, told by a real nats-server of our own on it: each stream's numbers and a digest of all its messages.
 *
 * Invariant: reads messages one after another by their sequence, so that what is equal before and after is every subject, header, time and byte. Where
 * messages expire, those are compared that both have, and what is missing must have had an end. Consumers are not compared: ours live as long as their
 * connections.
 */
import { createHash } from "node:crypto";
import type { BusConnection } from "@althing/bus";
import { AppError } from "@althing/contract";
import { z } from "zod";

export interface StreamDigest {
  readonly messages: number;
  readonly lastSequence: number;
  /** Of all messages; of those without an end, where messages expire. */
  readonly sha256: string;
  /** By sequence, the digests of messages with an end. */
  readonly passing: ReadonlyMap<number, string>;
}

export interface StreamContent {
  readonly streams: Readonly<Record<string, StreamDigest>>;
  /** Some subjects and payloads, for a search. */
  readonly samples: readonly Uint8Array[];
}

const requestTimeoutMs = 30_000;
const samplesMax = 20_000;
const noMessage = 10_037;

const namesSchema = z.object({ streams: z.array(z.string()).nullish(), total: z.int() });
const infoSchema = z.object({
  config: z.object({ allow_msg_ttl: z.boolean().optional(), max_age: z.number().optional() }),
  state: z.object({ messages: z.int(), first_seq: z.int(), last_seq: z.int() }),
});
/** A message with an end of its own, or the mark that the server leaves of one. */
const passingHeader = /^Nats-(?:TTL|Marker-Reason):/im;
const messageSchema = z.object({
  message: z.object({ subject: z.string(), seq: z.int(), time: z.string(), data: z.string().optional(), hdrs: z.string().optional() }),
});
const errorSchema = z.object({ error: z.object({ err_code: z.int() }) });

type Account = BusConnection["account"];

export interface StoredMessage {
  readonly seq: number;
  readonly subject: string;
  readonly headers: string;
  readonly data: Buffer;
  /** SHA-256 of subject, sequence, time, headers and data. */
  readonly digest: Buffer;
}

async function ask(account: Account, subject: string, body: object, timeout = requestTimeoutMs): Promise<unknown> {
  const answer = await account.request(`$JS.API.${subject}`, JSON.stringify(body), { timeout });
  return answer.json();
}

/**
 * The first message from `seq` on, as the server has it that leads the stream.
 * @returns `undefined` when there is none
 * @throws {nats.unavailable} the answer is none; what `request` throws
 */
export async function messageFrom(account: Account, stream: string, seq: number, timeoutMs?: number): Promise<StoredMessage | undefined> {
  const answer = await ask(account, `STREAM.MSG.GET.${stream}`, { seq, next_by_subj: ">" }, timeoutMs);
  const refused = errorSchema.safeParse(answer);
  if (refused.success && refused.data.error.err_code === noMessage) return undefined;
  const { message } = parsed(messageSchema, answer);
  const data = Buffer.from(message.data ?? "", "base64");
  const headers = Buffer.from(message.hdrs ?? "", "base64").toString("latin1");
  const digest = createHash("sha256")
    .update(JSON.stringify([message.subject, message.seq, message.time, headers, data.length]))
    .update(data)
    .digest();
  return { seq: message.seq, subject: message.subject, headers, data, digest };
}

function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const found = schema.safeParse(value);
  if (!found.success) throw new AppError("nats.unavailable", { detail: "the content of a stream cannot be read" });
  return found.data;
}

/** @throws {nats.unavailable} */
export async function readStreams(account: Account): Promise<StreamContent> {
  const streams: Record<string, StreamDigest> = {};
  const samples: Uint8Array[] = [];
  const { streams: names, total } = parsed(namesSchema, await ask(account, "STREAM.NAMES", {}));
  if ((names ?? []).length !== total) throw new AppError("nats.unavailable", { detail: "it has more streams than one answer names" });
  for (const name of (names ?? []).toSorted()) streams[name] = await readStream(account, name, samples);
  return { streams, samples };
}

async function readStream(account: Account, name: string, samples: Uint8Array[]): Promise<StreamDigest> {
  const { config, state } = parsed(infoSchema, await ask(account, `STREAM.INFO.${name}`, {}));
  const hash = createHash("sha256");
  const passing = new Map<number, string>();
  const allPass = (config.max_age ?? 0) > 0;
  let [count, last] = [0, 0];
  for (let seq = state.first_seq; count < state.messages; count += 1) {
    const message = await messageFrom(account, name, seq);
    if (message === undefined) break;
    const { headers, data, digest } = message;
    if (allPass || (config.allow_msg_ttl === true && passingHeader.test(headers))) passing.set(message.seq, digest.toString("hex"));
    else {
      hash.update(digest);
      last = message.seq;
    }
    if (samples.length < samplesMax) samples.push(Buffer.from(message.subject), data);
    seq = message.seq + 1;
  }
  return { messages: count - passing.size, lastSequence: last, sha256: hash.digest("hex"), passing };
}

/** Is `after` what becomes of `before` by the passing of time alone? */
export function sameStreams(before: StreamContent["streams"], after: StreamContent["streams"]): boolean {
  const names = Object.keys(before);
  if (names.join() !== Object.keys(after).join()) return false;
  return names.every((name) => {
    const [was, is] = [before[name], after[name]];
    if (was === undefined || is === undefined) return false;
    const isSame = was.messages === is.messages && was.lastSequence === is.lastSequence && was.sha256 === is.sha256;
    return isSame && [...was.passing].every(([seq, digest]) => (is.passing.get(seq) ?? digest) === digest);
  });
}
