/**
 * Objects of a cluster: chunks in a JetStream stream of their own (jetstream-object-records.ts, docs/architecture/store.md).
 *
 * Invariant: an object is there when its record is, and the record is written after every chunk was acknowledged and the hash was right. A stream
 * that fails or lies leaves nothing; what a killed process left is removed at an open, once it is too old to be still going on, and can
 * then no longer be committed. Reads compare the hash; putting a damaged object again heals it.
 */
import { createHash } from "node:crypto";
import { AppError } from "@althing/contract";
import { jetstreamManager, type JetStreamManager, type StreamConfig } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { digestOf, type Digest } from "./byte-stream.ts";
import { checkServerVersion, natsFailure } from "./jetstream-failure.ts";
import { createJetStreamLink } from "./jetstream-link.ts";
import { checkStreamName } from "./jetstream-names.ts";
import {
  createObjectRecords,
  MissingChunk,
  objectNames,
  type CurrentObject,
  type ObjectRecords,
  type PresentObject,
  type Upload,
} from "./jetstream-object-records.ts";
import { openStreamAs } from "./jetstream-stream.ts";
import { checkObjectKey, wrongBytes } from "./object-key.ts";
import type { ObjectStore } from "./types.ts";

export interface JetStreamObjectsOptions {
  /** Stays the caller's: closing the objects leaves it open. */
  readonly connection: NatsConnection;
  readonly stream: string;
  /** Copies in the cluster; of an existing stream raised in place, never lowered. */
  readonly replicas: number;
  /** Of one question to the server; default 5,000. */
  readonly timeoutMs?: number;
  /** false: a missing stream is `store.corrupt` (the caller knows that there was one). Default true. */
  readonly create?: boolean;
  /** Larger objects are not taken. Default 1 GiB. */
  readonly objectMaxBytes?: number;
  /** An upload that takes longer fails; one that is older when the store is opened is swept. Default one hour. */
  readonly uploadMaxMs?: number;
}

interface Inspected extends CurrentObject {
  readonly sound: boolean;
}

const triesMax = 8;
const chunkMaxBytes = 128 * 1024;
const chunksInFlight = 8;
/** Servers of a cluster take 4 to 9 s to follow a leader that died. */
const leaderMaxMs = 15_000;

function objectStreamConfig(stream: string, replicas: number): Partial<StreamConfig> & { name: string } {
  return {
    name: stream,
    subjects: [objectNames(stream).all],
    storage: "file",
    retention: "limits",
    discard: "new",
    max_msgs_per_subject: 1,
    num_replicas: replicas,
    allow_atomic: true,
    // For chunks, which never change; records are read from the leader.
    allow_direct: true,
    allow_msg_ttl: false,
    deny_delete: false,
    deny_purge: false,
  };
}

/**
 * @throws {store.unavailable} {store.corrupt} {nats.version}
 * @example
 * const objects = await openJetStreamObjects({ connection, stream: "OBJECTS", replicas: 3 });
 */
export async function openJetStreamObjects(options: JetStreamObjectsOptions): Promise<ObjectStore> {
  const { connection } = options;
  const stream = checkStreamName(options.stream);
  const timeoutMs = options.timeoutMs ?? 5_000;
  checkServerVersion(connection.info?.version);
  const manager = await openStream(options, timeoutMs);
  const link = createJetStreamLink({ connection, stream, timeoutMs });
  const records = createObjectRecords({ connection, manager, link, stream, timeoutMs });
  const uploadMaxMs = options.uploadMaxMs ?? 60 * 60 * 1000;
  try {
    await records.sweep(uploadMaxMs);
  } catch (error) {
    link.close();
    throw error;
  }
  const chunkBytes = Math.min(chunkMaxBytes, (connection.info?.max_payload ?? 1024 * 1024) - 8 * 1024);
  return createJetStreamObjects({
    records,
    chunkBytes,
    maxBytes: options.objectMaxBytes ?? 1024 ** 3,
    uploadMaxMs,
    path: `stream ${stream}`,
    close: () => link.close(),
  });
}

async function openStream(options: JetStreamObjectsOptions, timeoutMs: number): Promise<JetStreamManager> {
  const { stream } = options;
  const wanted = objectStreamConfig(stream, options.replicas);
  const findMs = options.connection.info?.cluster === undefined ? timeoutMs : Math.max(timeoutMs, leaderMaxMs);
  try {
    const manager = await jetstreamManager(options.connection, { timeout: timeoutMs, checkAPI: false });
    await openStreamAs(options.connection, wanted, { timeoutMs: findMs, mayCreate: options.create ?? true });
    return manager;
  } catch (error) {
    throw natsFailure(stream, error);
  }
}

/** Cuts the stream into chunks and sends them, a few at once. */
async function sendChunks(
  records: ObjectRecords,
  upload: Upload,
  bytes: AsyncIterable<Uint8Array> | Uint8Array,
  { chunkBytes, maxBytes, uploadMaxMs }: Pick<Parts, "chunkBytes" | "maxBytes" | "uploadMaxMs">,
): Promise<Digest> {
  const startedMs = performance.now();
  const all: Promise<void>[] = [];
  const inFlight = new Set<Promise<void>>();
  let chunk = new Uint8Array(chunkBytes);
  let filled = 0;
  const send = async (): Promise<void> => {
    if (inFlight.size >= chunksInFlight) await Promise.race(inFlight);
    // By then a sweep may have ended it.
    if (performance.now() - startedMs > uploadMaxMs) throw new AppError("store.unavailable", { detail: "the upload took too long" });
    const sent = records.putChunk(upload, all.length, chunk.subarray(0, filled)).finally(() => inFlight.delete(sent));
    // A failure is met by the next race or at the end.
    sent.catch(() => undefined);
    inFlight.add(sent);
    all.push(sent);
    // The library may still hold the one before.
    chunk = new Uint8Array(chunkBytes);
    filled = 0;
  };
  try {
    const digest = await digestOf(bytes, async (part, size) => {
      if (size > maxBytes) throw new AppError("store.value_too_large", { observed: size, limit: maxBytes });
      for (let at = 0; at < part.length;) {
        const taken = Math.min(part.length - at, chunkBytes - filled);
        chunk.set(part.subarray(at, at + taken), filled);
        filled += taken;
        at += taken;
        if (filled === chunkBytes) await send();
      }
    });
    if (filled > 0) await send();
    await Promise.all(all);
    return digest;
  } catch (error) {
    // None may arrive after the purge that follows.
    await Promise.allSettled(all);
    throw error;
  }
}

interface Parts {
  readonly records: ObjectRecords;
  readonly chunkBytes: number;
  readonly maxBytes: number;
  readonly uploadMaxMs: number;
  /** For errors. */
  readonly path: string;
  close(): void;
}

function createJetStreamObjects(parts: Parts): ObjectStore {
  const { records, chunkBytes, maxBytes, path } = parts;
  let closed = false;
  const check = (key: string): void => {
    if (closed) throw new AppError("store.unavailable", { detail: "it is closed" });
    checkObjectKey(key);
  };

  /** @returns false: a chunk is missing, or the bytes are others */
  const isWhole = async (key: string, object: PresentObject, take: (part: Uint8Array, at: number) => void): Promise<boolean> => {
    const { bytes } = object.record;
    const hash = createHash("sha256");
    let size = 0;
    try {
      for await (const part of records.chunks(object)) {
        if (size + part.length > bytes) return false;
        take(part, size);
        hash.update(part);
        size += part.length;
      }
    } catch (error) {
      if (error instanceof MissingChunk) return false;
      throw error;
    }
    return size === bytes && hash.digest("hex") === key;
  };

  /** Chunks go missing too when an object is deleted or healed while it is read: then its record is another one. */
  const readStable = async <T>(
    look: () => Promise<CurrentObject>,
    key: string,
    read: (object: PresentObject) => Promise<T | undefined>,
  ): Promise<{ current: CurrentObject; value: T | undefined }> => {
    for (let tries = 0; tries < triesMax; tries += 1) {
      const current = await look();
      const { sequence, record } = current;
      if (record === undefined) return { current, value: undefined };
      const value = record.bytes > maxBytes ? undefined : await read({ sequence, record });
      if (value !== undefined || (await records.current(key)).sequence === current.sequence) return { current, value };
    }
    throw new AppError("store.unavailable", { detail: "the object changes all the while" });
  };

  const inspect = async (key: string): Promise<Inspected> => {
    // Who writes need not be sure: what is not as expected then is looked at again.
    const look = () => records.current(key);
    const { current, value } = await readStable(look, key, async (object) => (await isWhole(key, object, () => undefined)) || undefined);
    return { ...current, sound: value === true };
  };

  const settle = async (key: string, upload: Upload, size: number, found: Inspected): Promise<void> => {
    let now = found;
    for (let tries = 0; tries < triesMax; tries += 1) {
      check(key);
      if (await records.commit(key, upload, { upload: upload.id, bytes: size, chunkBytes }, now)) return;
      now = await inspect(key);
      // Another put the same bytes meanwhile.
      if (now.sound) return records.abandon(key, upload);
    }
    throw new AppError("store.unavailable", { detail: "the upload was given up or others write this object all the while" });
  };

  const upload = async (key: string, bytes: AsyncIterable<Uint8Array> | Uint8Array, found: Inspected): Promise<number> => {
    const begun = await records.begin(key);
    try {
      const { hash, size } = await sendChunks(records, begun, bytes, parts);
      if (hash !== key) throw wrongBytes(key, hash, found.record !== undefined);
      await settle(key, begun, size, found);
      return size;
    } catch (error) {
      // What is left when this fails too is swept at an open.
      await records.abandon(key, begun).catch(() => undefined);
      throw error;
    }
  };

  return {
    async put(key, bytes) {
      check(key);
      const found = await inspect(key);
      if (!found.sound) return { bytes: await upload(key, bytes, found) };
      const { hash, size } = await digestOf(bytes);
      check(key);
      if (hash !== key) throw wrongBytes(key, hash, true);
      return { bytes: size };
    },
    async get(key) {
      check(key);
      const look = () => records.surely(key);
      const { current, value } = await readStable(look, key, async (object) => {
        const whole = new Uint8Array(object.record.bytes);
        return (await isWhole(key, object, (part, at) => whole.set(part, at))) ? whole : undefined;
      });
      if (current.record === undefined) throw new AppError("object.not_found", { key });
      if (value === undefined) throw new AppError("store.corrupt", { path, detail: `the bytes of ${key} do not have its hash` });
      return value;
    },
    async has(key) {
      check(key);
      return (await records.surely(key)).record !== undefined;
    },
    async delete(key) {
      check(key);
      await records.remove(key);
    },
    async close() {
      closed = true;
      parts.close();
    },
  };
}
