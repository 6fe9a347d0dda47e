/**
 * What an object is in its stream: chunks of one upload, and a record under the hash that names the upload.
 *
 * Subjects under `object.<stream>`: `c.<upload>.<n>` a chunk, `o.<hash>` the record (empty: deleted), `u.<upload>` an upload that is not
 * over, `b` an empty message that a server has to have taken before its "no such object" is believed. Invariant: `u` is there before the first chunk and goes after the last, so chunks without a record can always be found. A commit changes
 * `o` and `u` in one batch and expects both as they were; whoever gives an upload up changes its `u`, expecting it as it was: of the
 * two exactly one succeeds, and no record ever names chunks that were given up.
 */
import { AppError } from "@althing/contract";
import type { JetStreamManager, StoredMsg } from "@nats-io/jetstream";
import { headers, nuid, type NatsConnection } from "@nats-io/nats-core";
import { z } from "zod";
import { batchDropped, natsFailure, wrongLastSequence, type PublishAnswer } from "./jetstream-failure.ts";
import { createStreamLeader } from "./jetstream-leader.ts";
import type { JetStreamLink } from "./jetstream-link.ts";
import { headerNames } from "./jetstream-names.ts";

const idSchema = z.string().regex(/^[A-Za-z0-9]{1,64}$/);
const recordSchema = z.strictObject({ upload: idSchema, bytes: z.int().min(0), chunkBytes: z.int().min(1) });
const uploadSchema = z.strictObject({ object: z.string().regex(/^[0-9a-f]{64}$/), state: z.enum(["open", "done", "dead"]) });

export type ObjectRecord = z.infer<typeof recordSchema>;
/** `record` absent: there is no such object; `sequence` is then 0 or that of the mark of its deletion. */
export interface CurrentObject {
  readonly sequence: number;
  readonly record: ObjectRecord | undefined;
}
export type PresentObject = CurrentObject & { readonly record: ObjectRecord };
export interface Upload {
  readonly id: string;
  readonly sequence: number;
}

/** A chunk that the record counts is not there. */
export class MissingChunk extends Error {}

export interface ObjectRecords {
  /** As far as whoever leads the stream knows: a server that has just become leader may not have what others acknowledged. */
  current(key: string): Promise<CurrentObject>;
  /** Without a doubt where it says that there is no such object; its sequence is 0 then. */
  surely(key: string): Promise<CurrentObject>;
  begin(key: string): Promise<Upload>;
  putChunk(upload: Upload, index: number, bytes: Uint8Array): Promise<void>;
  /** @throws MissingChunk */
  chunks(object: PresentObject): AsyncIterable<Uint8Array>;
  /** @returns false: object or upload are not as expected any more */
  commit(key: string, upload: Upload, record: ObjectRecord, replaced: CurrentObject): Promise<boolean>;
  /** Gives an upload up, unless it is committed. */
  abandon(key: string, upload: Upload): Promise<void>;
  remove(key: string): Promise<void>;
  /** Ends uploads that nobody else will: those begun or given up longer ago than this by the server's clock. */
  sweep(maxAgeMs: number): Promise<void>;
}

export interface ObjectRecordsOptions {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly link: JetStreamLink;
  readonly stream: string;
  readonly timeoutMs: number;
}

interface Outgoing {
  readonly subject: string;
  readonly payload: string | Uint8Array;
  readonly expect?: number;
}
type Answer = { readonly sequence: number } | "conflict";

const triesMax = 8;
const chunksAtOnce = 8;
const isConflict = ({ error }: PublishAnswer) => error !== undefined && wrongLastSequence.includes(error.err_code ?? 0);

export function objectNames(stream: string) {
  const base = `object.${stream}`;
  return {
    all: `${base}.>`,
    uploads: `${base}.u.*`,
    upload: (id: string) => `${base}.u.${id}`,
    object: (key: string) => `${base}.o.${key}`,
    chunk: (id: string, index: number) => `${base}.c.${id}.${index}`,
    chunks: (id: string) => `${base}.c.${id}.>`,
    barrier: `${base}.b`,
  };
}

export function createObjectRecords({ connection, manager, link, stream, timeoutMs }: ObjectRecordsOptions): ObjectRecords {
  const names = objectNames(stream);
  const leader = createStreamLeader({ again: link.again, manager, stream, subjects: names.all, timeoutMs });

  const call = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw error instanceof MissingChunk ? error : natsFailure(stream, error);
    }
  };
  const corrupt = (subject: string) => new AppError("store.corrupt", { path: `stream ${stream}`, detail: `${subject} cannot be read` });
  const parse = <T>(schema: z.ZodType<T>, subject: string, text: string): T => {
    try {
      return schema.parse(JSON.parse(text));
    } catch {
      throw corrupt(subject);
    }
  };

  const headersOf = ({ expect }: Outgoing, batch: Readonly<Record<string, string>>) => {
    const header = headers();
    if (expect !== undefined) header.set(headerNames.expect, String(expect));
    for (const [name, value] of Object.entries(batch)) header.set(name, value);
    return header;
  };
  const publish = async (message: Outgoing, batch: Readonly<Record<string, string>> = {}): Promise<PublishAnswer> => {
    const options = { headers: headersOf(message, batch), timeout: timeoutMs };
    const answer = await connection.request(message.subject, message.payload, options);
    return answer.data.length === 0 ? {} : answer.json<PublishAnswer>();
  };
  const accepted = (answer: PublishAnswer): Answer => {
    if (isConflict(answer)) return "conflict";
    if (answer.error !== undefined || answer.seq === undefined)
      throw new AppError("store.unavailable", { detail: answer.error?.description ?? "no acknowledgement" });
    return { sequence: answer.seq };
  };

  /** One after the other on one connection; the server answers the first and the last. */
  const publishBatch = async (messages: readonly Outgoing[]): Promise<Answer> => {
    for (let tries = 0; ; tries += 1) {
      const id = nuid.next();
      const asked: Promise<PublishAnswer>[] = [];
      for (const [index, message] of messages.entries()) {
        const batch = { [headerNames.batchId]: id, [headerNames.batchSequence]: String(index + 1) };
        if (index === messages.length - 1) asked.push(publish(message, { ...batch, [headerNames.batchCommit]: "1" }));
        else if (index === 0) asked.push(publish(message, batch));
        else connection.publish(message.subject, message.payload, { headers: headersOf(message, batch) });
      }
      const answers = await Promise.all(asked);
      const answer = answers.find(({ error }) => error !== undefined) ?? answers.at(-1) ?? {};
      if (tries >= triesMax || !batchDropped.includes(answer.error?.err_code ?? 0)) return accepted(answer);
      await new Promise((resolve) => setTimeout(resolve, 5 * 2 ** tries));
    }
  };

  const uploadState = (key: string, state: "open" | "done" | "dead") => JSON.stringify({ object: key, state });

  const lastOf = (last_by_subj: string) => link.again(() => manager.streams.getMessage(stream, { last_by_subj }));
  const objectOf = (key: string, message: StoredMsg | null | undefined): CurrentObject => {
    if (message === null || message === undefined) return { sequence: 0, record: undefined };
    const isGone = message.data.length === 0;
    return { sequence: message.seq, record: isGone ? undefined : parse(recordSchema, names.object(key), message.string()) };
  };
  const current = async (key: string) => objectOf(key, await lastOf(names.object(key)));

  /** Whoever acknowledges it has everything that was acknowledged before, by whichever leader. */
  const barrier = async (): Promise<number | undefined> => {
    const { config } = await link.again(() => manager.streams.info(stream));
    if (config.num_replicas === 1) return undefined;
    const answer = accepted(await link.again(() => publish({ subject: names.barrier, payload: "" })));
    return answer === "conflict" ? undefined : answer.sequence;
  };
  const surely = async (key: string): Promise<CurrentObject> => {
    /** The mark of a deletion may be older than an object that was put after it. */
    const ask = async () => {
      const message = await lastOf(names.object(key));
      return message === null || message.data.length === 0 ? null : message;
    };
    return objectOf(key, await leader.find(ask, barrier));
  };

  /** Chunks never change, so any replica may answer; one that lags has none yet, and then a leader is asked that has the record after them. */
  const chunk = async (id: string, index: number, recordAt: number): Promise<Uint8Array> => {
    const last_by_subj = names.chunk(id, index);
    const message =
      (await link.again(() => manager.direct.getMessage(stream, { last_by_subj }))) ??
      (await leader.find(
        () => lastOf(last_by_subj),
        () => Promise.resolve(recordAt),
      ));
    if (message === undefined) throw new MissingChunk(last_by_subj);
    return message.data;
  };

  const clearChunks = (id: string) => link.again(() => manager.streams.purge(stream, { filter: names.chunks(id) }));
  /** Of an upload that cannot be committed any more. */
  const clear = async (id: string): Promise<void> => {
    await clearChunks(id);
    await link.again(() => manager.streams.purge(stream, { filter: names.upload(id) }));
  };
  /** What fails here is done by the next sweep. */
  const later = () => undefined;

  const markDead = async (key: string, { id, sequence }: Upload): Promise<boolean> => {
    const dead = { subject: names.upload(id), payload: uploadState(key, "dead"), expect: sequence };
    return accepted(await link.once(() => publish(dead))) !== "conflict";
  };

  const abandon = async (key: string, upload: Upload): Promise<void> => {
    // Not as it was: it is committed after all, or was swept.
    if (!(await markDead(key, upload)) && (await current(key)).record?.upload === upload.id) return;
    await clear(upload.id);
  };

  const dropMark = async (key: string): Promise<void> => {
    const { sequence, record } = await current(key);
    // By its sequence: an object put in between has another one.
    if (sequence > 0 && record === undefined) await link.again(() => manager.streams.deleteMessage(stream, sequence, false));
  };

  /** @param next absent: the object is deleted @returns false: it is not as expected, or another wrote in between */
  const replace = async (key: string, old: CurrentObject, next?: { payload: string; done: Upload }): Promise<boolean> => {
    const marks: Outgoing[] = [];
    if (next !== undefined)
      marks.push({ subject: names.upload(next.done.id), payload: uploadState(key, "done"), expect: next.done.sequence });
    if (old.record !== undefined) marks.push({ subject: names.upload(old.record.upload), payload: uploadState(key, "dead") });
    const object = { subject: names.object(key), payload: next?.payload ?? "", expect: old.sequence };
    let replaced: boolean;
    try {
      replaced = (await link.once(() => publishBatch([...marks, object]))) !== "conflict";
    } catch (error) {
      // The answer is lost, not necessarily the batch.
      const now = await current(key).catch(() => undefined);
      if (now === undefined || now.sequence === old.sequence || now.record?.upload !== next?.done.id) throw error;
      replaced = true;
    }
    if (replaced && old.record !== undefined) await clear(old.record.upload).catch(later);
    return replaced;
  };

  const sweep = async (maxAgeMs: number): Promise<void> => {
    const info = await link.again(() => manager.streams.info(stream, { subjects_filter: names.uploads }));
    const nowMs = Date.parse(info.ts ?? "");
    for (const subject of Object.keys(info.state.subjects ?? {})) {
      const message = await lastOf(subject);
      if (message === null) continue;
      const id = subject.slice(names.upload("").length);
      const { object, state } = parse(uploadSchema, subject, message.string());
      const isOld = nowMs - message.time.getTime() >= maxAgeMs;
      if (state === "done") await link.again(() => manager.streams.purge(stream, { filter: subject }));
      // The mark stays for now: a writer that does not know yet may still send chunks.
      if (state === "open" && isOld && (await markDead(object, { id, sequence: message.seq }))) await clearChunks(id);
      if (state === "dead" && isOld) await clear(id).then(() => dropMark(object));
    }
  };

  return {
    current: (key) => call(() => current(key)),
    surely: (key) => call(() => surely(key)),
    begin: (key) =>
      call(async () => {
        const id = nuid.next();
        const answer = accepted(
          await link.once(() => publish({ subject: names.upload(id), payload: uploadState(key, "open"), expect: 0 })),
        );
        if (answer === "conflict") throw new AppError("store.unavailable", { detail: "an upload's name was taken" });
        return { id, sequence: answer.sequence };
      }),
    putChunk: (upload, index, bytes) =>
      call(async () => {
        // Nobody else writes this subject, and a repetition has the same bytes: nothing need be expected.
        accepted(await link.again(() => publish({ subject: names.chunk(upload.id, index), payload: bytes })));
      }),
    async *chunks({ sequence, record: { upload, bytes, chunkBytes } }) {
      const count = Math.ceil(bytes / chunkBytes);
      const ahead: Promise<Uint8Array>[] = [];
      for (let next = 0, taken = 0; taken < count; taken += 1) {
        for (; next < count && ahead.length < chunksAtOnce; next += 1) {
          const asked = call(() => chunk(upload, next, sequence));
          asked.catch(() => undefined);
          ahead.push(asked);
        }
        const first = ahead.shift();
        if (first !== undefined) yield await first;
      }
    },
    commit: (key, upload, record, replaced) =>
      call(async () => {
        const committed = await replace(key, replaced, { payload: JSON.stringify(record), done: upload });
        if (!committed) return false;
        await link.again(() => manager.streams.purge(stream, { filter: names.upload(upload.id) })).catch(later);
        return true;
      }),
    abandon: (key, upload) => call(() => abandon(key, upload)),
    remove: (key) =>
      call(async () => {
        for (let tries = 0; tries < triesMax; tries += 1) {
          const old = await current(key);
          if (old.record === undefined) return;
          if (!(await replace(key, old, undefined))) continue;
          return dropMark(key).catch(later);
        }
        throw new AppError("store.unavailable", { detail: "too many writers want this object" });
      }),
    sweep: (maxAgeMs) => call(() => sweep(maxAgeMs)),
  };
}
