/**
 * A whole stream out of nats-server and into another, as the server's own snapshot (ADR: `$JS.API.STREAM.SNAPSHOT`, `RESTORE`).
 *
 * Invariant: sequences, times and headers are those of the original, because members' positions and the usage of rooms name sequences; publishing again
 * could not keep them. The bytes are the server's own form and are not read here. What ends without the server's word that it is the end is
 * an error, never a shorter stream.
 */
import { AppError, isAppError } from "@althing/contract";
import { createInbox, type Msg, type NatsConnection } from "@nats-io/nats-core";
import { z } from "zod";

/** Fits `max_payload` of every server that we configure. */
const chunkBytes = 64 * 1024;
const windowBytes = 32 * 1024 * 1024;
const requestTimeoutMs = 15_000;
/** A server that says nothing for so long is gone. */
const silenceMs = 15_000;
const inFlightMax = 64;

const streamStateSchema = z.looseObject({ messages: z.int().nonnegative(), bytes: z.int().nonnegative(), last_seq: z.int().nonnegative() });
export const savedStreamSchema = z.object({ config: z.looseObject({ name: z.string() }), state: streamStateSchema });
/** What the server needs beside the bytes to make the stream again. */
export type SavedStream = z.infer<typeof savedStreamSchema>;

const errorSchema = z.object({ error: z.object({ err_code: z.int().optional(), description: z.string().optional() }) });
const restoreSchema = z.object({ deliver_subject: z.string() });
const streamMissing = 10_059;

function failed(detail: string, cause?: unknown): AppError {
  return new AppError("nats.unavailable", { detail }, cause === undefined ? {} : { cause });
}

async function ask(nats: NatsConnection, subject: string, body: object): Promise<unknown> {
  try {
    return (await nats.request(subject, JSON.stringify(body), { timeout: requestTimeoutMs })).json();
  } catch (cause) {
    throw failed("the copy of a stream", cause);
  }
}

function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const refused = errorSchema.safeParse(value);
  if (refused.success) throw failed(refused.data.error.description ?? "the server refuses to copy a stream");
  const found = schema.safeParse(value);
  if (!found.success) throw failed("the server's answer about a stream cannot be read");
  return found.data;
}

export interface StreamCopy {
  readonly saved: SavedStream;
  /** To be read to its end; it fails when the server breaks off. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/**
 * Everything that was stored before the call is in it, and perhaps some of what came during it.
 * @returns `undefined` when there is no such stream
 * @throws {nats.unavailable}
 */
export async function saveStream(nats: NatsConnection, stream: string): Promise<StreamCopy | undefined> {
  const inbox = createInbox("_INBOX.hub");
  const subscription = nats.subscribe(inbox);
  try {
    const body = { deliver_subject: inbox, no_consumers: true, chunk_size: chunkBytes, window_size: windowBytes };
    const answer = await ask(nats, `$JS.API.STREAM.SNAPSHOT.${stream}`, body);
    const refused = errorSchema.safeParse(answer);
    if (refused.success && refused.data.error.err_code === streamMissing) {
      subscription.unsubscribe();
      return undefined;
    }
    const saved = parsed(savedStreamSchema, answer);
    return { saved, bytes: chunksOf(subscription) };
  } catch (error) {
    subscription.unsubscribe();
    throw error;
  }
}

async function* chunksOf(subscription: AsyncIterable<Msg> & { unsubscribe(): void }): AsyncGenerator<Uint8Array> {
  const messages = subscription[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await withinSilence(messages.next());
      if (next.done === true) throw failed("the copy of a stream broke off");
      const message = next.value;
      if (message.data.length > 0) {
        yield message.data;
        message.respond();
        continue;
      }
      // 204 ends a copy; another code says why it could not be ended.
      if (message.headers !== undefined && message.headers.code !== 204)
        throw failed(`the copy of a stream ended with ${message.headers.code} ${message.headers.description}`);
      return;
    }
  } finally {
    subscription.unsubscribe();
  }
}

async function withinSilence<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(failed("the server fell silent while it copied a stream")), silenceMs);
  });
  try {
    return await Promise.race([work, silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** Pieces as large as a message may be, whatever the source's are. */
async function* cut(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    for (let at = 0; at < piece.length; at += chunkBytes) yield piece.subarray(at, at + chunkBytes);
  }
}

const deletedSchema = z.object({ success: z.boolean() });

/** Removes a stream with all that is in it; one that is not there is removed. @throws {nats.unavailable} */
export async function removeStream(nats: NatsConnection, stream: string): Promise<void> {
  const answer = await ask(nats, `$JS.API.STREAM.DELETE.${stream}`, {});
  const refused = errorSchema.safeParse(answer);
  if (refused.success && refused.data.error.err_code === streamMissing) return;
  parsed(deletedSchema, answer);
}

/**
 * Makes the stream anew from a copy; one of that name must not be there.
 * @throws {nats.unavailable} the server refuses the bytes, or there is such a stream
 */
export async function loadStream(nats: NatsConnection, saved: SavedStream, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const { deliver_subject: subject } = parsed(restoreSchema, await ask(nats, `$JS.API.STREAM.RESTORE.${saved.config.name}`, saved));
  const settle = async (answer: Promise<Msg>): Promise<void> => {
    const { data } = await answer;
    if (data.length > 0) throw failed(`a stream was refused: ${Buffer.from(data).toString("utf8").slice(0, 200)}`);
  };
  const underWay: Promise<void>[] = [];
  try {
    for await (const piece of cut(bytes)) {
      const sent = settle(nats.request(subject, piece, { timeout: requestTimeoutMs }));
      // Awaited below; until then nobody may see it as unhandled.
      sent.catch(() => undefined);
      underWay.push(sent);
      if (underWay.length >= inFlightMax) await underWay.shift();
    }
    await Promise.all(underWay);
    const ended = (await nats.request(subject, undefined, { timeout: silenceMs })).json();
    const { state } = parsed(savedStreamSchema, ended);
    if (state.last_seq < saved.state.last_seq) throw failed(`a stream ends at ${state.last_seq} instead of ${saved.state.last_seq}`);
  } catch (cause) {
    throw isAppError(cause) ? cause : failed("a stream could not be restored", cause);
  }
}
